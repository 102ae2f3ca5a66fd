"""Start and end a virtual lab, find one that is up, and run commands inside.

    with borrowed(lab, lab_file) as up:
        code = up.run([sys.executable, "-m", "testbed", "run", "demo"])

A borrowed lab ends with the process that borrowed it, however that ends; one brought
up with `up` stays until `down`.
"""

import contextlib
import fcntl
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.clock import Clock, SystemClock, wait_until
from testbed.errors import LabError
from testbed.model.lab import Lab
from testbed.model.load import load_profiles
from testbed.model.profile import DeviceProfile
from testbed.virtual.live import foreground, permission, processes, router
from testbed.virtual.live.config import (
    FAULTS,
    LiveConfig,
    difference,
    forget,
    write_atomically,
)
from testbed.virtual.live.processes import ProcessId, Spawned

_READY_WITHIN_S = 30.0
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class LabHandle:
    """A lab that is up."""

    name: str
    state: Path
    process: ProcessId  # process 1 of the lab, as seen from here

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Run a command on the lab's controller; return its exit code.

        It has this terminal and this working folder, and `env` on top of this
        environment. Ctrl-C goes to the command, not to this process.
        """
        return foreground.run_inside(
            self.process.pid, argv, {**self.environment(), **(env or {})}
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of commands inside."""
        authority = str(self.state / "ca.pem")
        return {
            **os.environ,
            "PATH": permission.search_path(),
            "USER": router.login_name(),
            "TESTBED_IN_LAB": "1",
            "TESTBED_LAB": self.name,
            "TESTBED_LAB_STATE": str(self.state),
            "TESTBED_ROUTER_KEY": str(self.state / router.CLIENT_KEY),
            "REQUESTS_CA_BUNDLE": authority,
            "SSL_CERT_FILE": authority,
        }

    @property
    def truth(self) -> Path:
        """Folder of the ground truth; it outlives a `down` until the next one."""
        return self.state / "truth"


def folder(name: str) -> Path:
    """Return a lab's state folder, of this user alone; make it when it is missing.

    Raises LabError when somebody else has made it.
    """
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    if not base.is_dir():
        base = Path(tempfile.gettempdir())
    path = base / f"testbed-{os.getuid()}" / name
    for part in (path.parent, path):
        part.mkdir(mode=0o700, exist_ok=True)
        found = part.lstat()
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if found.st_uid != os.getuid() or not private:
            raise LabError(f"{part} is not a private folder of yours; remove it")
    return path


def find(lab: Lab) -> LabHandle | None:
    """Return the lab of this name that is up, or None."""
    state = folder(lab.lab)
    try:
        values = json.loads((state / "state.json").read_text(encoding="utf-8"))
        process = ProcessId(pid=values["pid"], began=values["began"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return LabHandle(lab.lab, state, process) if process.alive() else None


def up(
    lab: Lab,
    lab_file: Path,
    profiles: Mapping[str, DeviceProfile] | None = None,
    *,
    clock: Clock | None = None,
    tied: bool = False,
) -> LabHandle:
    """Bring a lab up; return once its router and devices work.

    profiles  the devices that it plays; None means those in `devices/` beside the file
    tied      end the lab when this process ends

    Raises LabError when it is up already, when it would have no devices, when this
    machine does not permit it (with the one command that helps), or with the cause when
    it does not start.
    """
    clock = clock or SystemClock()
    state = folder(lab.lab)
    with _alone(state, lab.lab):
        if find(lab) is not None:
            raise LabError(f"lab {lab.lab} is up already; testbed lab down ends it")
        played = _beside(lab_file) if profiles is None else profiles
        permission.check()
        _clear(state)
        start_ns = clock.now_ns()
        config = LiveConfig(
            state=state,
            lab=lab,
            profiles=played,
            lifeline=tied,
            start_ns=start_ns,
            session=_session(start_ns),
        )
        config.save()
        return _start(config, clock)


def down(lab: Lab, *, clock: Clock | None = None) -> bool:
    """End the lab with all its processes; return whether it was up.

    Its ground truth stays for its readers until the next `up` or `down`.
    """
    found = find(lab)
    if found is None:
        _remove(lab)
        return False
    found.process.end(clock or SystemClock())
    _bury(found.state)
    forget(found.state)
    return True


@contextlib.contextmanager
def borrowed(
    lab: Lab, lab_file: Path, profiles: Mapping[str, DeviceProfile] | None = None
) -> Iterator[LabHandle]:
    """Use the lab that is up, else one for as long as the context lasts.

    profiles  as for `up`; None takes whatever devices a lab that is up plays

    Nothing stays of a lab that was made, unless TESTBED_TRUTH names a folder that is
    not there yet: its ground truth goes there.
    Raises LabError when the lab that is up is not the one described, and as `up` does.
    """
    found = find(lab)
    if found is not None:
        require_same(found.state, lab, profiles)
        yield found
        return
    handle = up(lab, lab_file, profiles, tied=True)
    try:
        yield handle
    finally:
        handle.process.end(SystemClock())
        _bury(handle.state)
        _hand_over(handle.truth)
        _remove(lab)


def require_same(
    state: Path, lab: Lab, profiles: Mapping[str, DeviceProfile] | None
) -> None:
    """Raise LabError when the lab of a state folder is not the one described."""
    if what := difference(state, lab, profiles):
        raise LabError(
            f"lab {lab.lab} is up with another {what}; run testbed lab down first"
        )


def _hand_over(truth: Path) -> None:
    wanted = os.environ.get("TESTBED_TRUTH")
    if wanted and truth.is_dir() and not Path(wanted).exists():
        Path(wanted).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(truth, wanted)


def _remove(lab: Lab) -> None:
    """Remove what a lab left behind, unless somebody has brought it up again."""
    state = folder(lab.lab)
    with contextlib.suppress(LabError), _alone(state, lab.lab):
        if find(lab) is None:
            shutil.rmtree(state, ignore_errors=True)


@contextlib.contextmanager
def _alone(state: Path, name: str) -> Iterator[None]:
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"lab {name} is being started by another process") from None
        yield


def _clear(state: Path) -> None:
    for path in state.iterdir():
        if path.name == "lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name in ("truth", FAULTS):
        (state / name).mkdir(mode=0o700)


def _session(start_ns: int) -> int:
    """Return a number that no other start has; a given one repeats a lab's draws."""
    given = os.environ.get("TESTBED_VIRTUAL_SESSION", "")
    return int(given) if given.isdecimal() else start_ns // 10**9


def _beside(lab_file: Path) -> dict[str, DeviceProfile]:
    devices = lab_file.resolve().parent / "devices"
    profiles = load_profiles(devices) if devices.is_dir() else {}
    if not profiles:
        raise LabError(
            f"there are no device profiles in {devices}; a virtual lab plays the "
            "devices that are described beside its lab file"
        )
    return profiles


def _start(config: LiveConfig, clock: Clock) -> LabHandle:
    state, name = config.state, config.lab.lab
    python_path = os.environ.get("PYTHONPATH")
    paths = [str(_PACKAGE_ROOT), *([python_path] if python_path else [])]
    env = {
        **os.environ,
        "PATH": permission.search_path(),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    spawned = Spawned(
        [
            *permission.unshare_command(),
            *(sys.executable, "-m", "testbed.virtual.live", str(state)),
        ],
        env,
        state / "log",
        tied=config.lifeline,
    )
    _SPAWNED[state] = spawned

    def settled() -> bool:
        return spawned.over() or any(
            (state / f).exists() for f in ("ready.json", "failed.json")
        )

    wait_until(settled, clock=clock, deadline_s=_READY_WITHIN_S, poll_s=0.02)
    child = processes.child_of(spawned.pid)
    found = ProcessId.of(child) if child is not None else None
    if found is None or not (state / "ready.json").exists():
        _bury(state)
        raise LabError(f"lab {name} did not start: {_cause(state)}")
    values = {"lab": name, "pid": found.pid, "began": found.began}
    write_atomically(state / "state.json", json.dumps(values))
    return LabHandle(name, state, found)


# Labs that this process has started, with the pipes whose end ends a tied one.
_SPAWNED: dict[Path, Spawned] = {}


def _bury(state: Path) -> None:
    spawned = _SPAWNED.pop(state, None)
    if spawned is not None:
        spawned.bury()


def _cause(state: Path) -> str:
    try:
        text = (state / "failed.json").read_text(encoding="utf-8")
        return str(json.loads(text)["reason"])
    except (FileNotFoundError, ValueError, KeyError):
        lines = (state / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing; see {state / 'log'}"
