"""A controller to be killed: `python -m tests.bench.torture.child ARGUMENT...`.

It is the command line of the testbed with moments in it (moments.py). With the one
argument `--serve` it stays, loads everything once, and forks a controller for each
line of JSON on its standard input: that saves the seconds of starting Python hundreds
of times. Such a controller is a process of its own all the same, and killed as one.

    {"id": 1, "argv": [...], "env": {...}, "folder": "...", "log": "...",
     "at": "journal:before:3", "after_s": 0.8, "trace": "...", "cold": false}
    {"id": 1, "status": -9, "took_s": 0.8, "left": []}

`left` are the processes that a controller has started and that live on.
"""

import json
import os
import select
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

AT = "TORTURE_AT"
TRACE = "TORTURE_TRACE"
_TICK_S = 0.005
_GRACE_S = 2.0  # what a controller started may take this long to see that it is gone


@dataclass(slots=True)
class _Running:
    request: int
    began_s: float
    kill_s: float | None
    took_s: float = 0.0
    status: int | None = None


def main() -> None:
    """Be one controller, or serve many."""
    if sys.argv[1:] == ["--serve"]:
        serve()
        return
    _load()
    _be_controller(sys.argv[1:])


def serve() -> None:
    """Fork a controller for each request until the input ends; then kill the rest."""
    _load()
    _load_kernels()
    print(json.dumps({"ready": True}), flush=True)
    running: dict[int, _Running] = {}
    buffer = b""
    while True:
        ready, _, _ = select.select([0], [], [], _TICK_S if running else 1.0)
        if ready:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = _fork(request)
                after_s, now_s = request.get("after_s"), time.monotonic()
                kill_s = now_s + after_s if after_s is not None else None
                running[pid] = _Running(request["id"], now_s, kill_s)
        _attend(running)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _attend(running: dict[int, _Running]) -> None:
    now_s = time.monotonic()
    for pid, one in list(running.items()):
        if one.status is None:
            if one.kill_s is not None and now_s >= one.kill_s:
                os.kill(pid, signal.SIGKILL)
                one.kill_s = None
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done:
                continue
            one.status = os.waitstatus_to_exitcode(status)
            one.took_s = now_s - one.began_s
        left = _left_by(pid)
        if not left or now_s > one.began_s + one.took_s + _GRACE_S:
            del running[pid]
            answer = {
                "id": one.request,
                "status": one.status,
                "took_s": round(one.took_s, 3),
                "left": left,
            }
            print(json.dumps(answer), flush=True)


def _left_by(controller: int) -> list[str]:
    """List what lives of the processes of a controller: they are of its session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2]
            words = (entry / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
        state, _, _, session = fields.split()[:4]
        if int(session) == controller and state not in "ZX":
            found.append(words)
    return found


def _fork(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(request)
    return pid


def _become(request: dict[str, Any]) -> NoReturn:
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(request["env"])
    os.environ[AT] = request.get("at") or ""
    os.environ[TRACE] = request.get("trace") or ""
    os.chdir(request["folder"])
    if request.get("cold"):
        program = [sys.executable, "-m", "tests.bench.torture.child", *request["argv"]]
        os.execv(sys.executable, program)  # noqa: S606
    _be_controller(request["argv"])


def _load() -> None:
    """Import all that a controller may need, and put the moments into it."""
    import testbed.cli
    from testbed.cli.starting import load_kernels

    load_kernels()
    testbed.cli.build()
    import testbed.drivers.registry
    import testbed.drivers.router_link
    import testbed.virtual.fast.lab
    from tests.bench.torture import moments

    moments.install()


def _load_kernels() -> None:
    """Read a capture, so that the kernels for it are loaded once and not every time.

    Only the server does it: a controller killed in here would leave this file of ours
    among the temporary files that the judge holds against it.
    """
    from analysis.pcap.beacons import find_beacons
    from analysis.pcap.writer import open_capture

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.pcapng"
        with open_capture(path) as out:
            out.packet(1, bytes(64))
        find_beacons(path)


def _be_controller(argv: list[str]) -> NoReturn:
    from testbed.cli import main as testbed_main
    from tests.bench.torture import sabotage
    from tests.bench.torture.moments import arm

    sabotage.commit(os.environ.get(sabotage.SABOTAGE, ""))
    arm(os.environ.get(AT, ""), os.environ.get(TRACE, ""))
    sys.argv = ["testbed", *argv]
    code: object = 0
    try:
        testbed_main()
    except SystemExit as exc:
        code = exc.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
