"""Birth and death of labs: whatever ends one, nothing of it is left."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.errors import LabError
from testbed.model.lab import Lab
from testbed.model.load import load_profiles
from testbed.virtual.live import lab as live
from testbed.virtual.live import permission
from testbed.virtual.live.processes import ProcessId

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]

# Borrows a lab, says so, and waits to be killed.
OWNER = """
import os, sys
from pathlib import Path
from testbed.model.lab import Lab
from testbed.virtual.live.lab import borrowed
lab = Lab.model_validate_json(sys.argv[1])
with borrowed(lab, Path(sys.argv[2])) as handle:
    print(handle.process.pid, flush=True)
    sys.exit(handle.run([sys.executable, "-c", sys.argv[3]]))
"""


@pytest.fixture
def start_owner(make_lab, shipped_lab, lab_file):
    """Return a starter of processes that borrow a lab and run a program in it."""
    started: list[subprocess.Popen[str]] = []
    states: list[Path] = []

    def start(name: str, program: str) -> tuple[subprocess.Popen[str], int]:
        lab = shipped_lab(f"{name}_{os.getpid()}")
        states.append(live.folder(lab.lab))
        argv = [sys.executable, "-c", OWNER, lab.model_dump_json(), str(lab_file)]
        owner = subprocess.Popen(
            [*argv, program], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        started.append(owner)
        assert owner.stdout is not None
        return owner, int(owner.stdout.readline())

    yield start
    for owner in started:
        owner.kill()
        owner.wait()
        if owner.stdout is not None:
            owner.stdout.close()
    for state in states:
        shutil.rmtree(state, ignore_errors=True)


def members(first: int) -> dict[int, str]:
    """Return the processes in the process namespace of `first`, with their names."""
    space = Path(f"/proc/{first}/ns/pid").readlink()
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "ns/pid").readlink() == space:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                found[int(folder.name)] = " ".join(words)
        except OSError:
            continue  # gone, or not ours
    return found


def settled(first: int) -> dict[int, str]:
    """Return the processes when none came or went for ten looks in a row.

    What is about to become another program has the name of its parent for an instant.
    """
    seen, same = members(first), 0

    def steady() -> bool:
        nonlocal seen, same
        before, seen = seen, members(first)
        same = same + 1 if seen == before else 0
        return same >= 10

    assert wait_until(steady, clock=SystemClock(), deadline_s=60.0)
    return seen


def parent_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[1])


def all_gone(processes: dict[int, str], before: dict[int, ProcessId | None]) -> bool:
    return wait_until(
        lambda: all(ProcessId.of(pid) != before[pid] for pid in processes),
        clock=SystemClock(),
        deadline_s=60.0,
    )


@pytest.mark.parametrize(
    "victim", ["owner", "unshare", "first", "sshd", "wire", "house"]
)
def test_nothing_is_left_when_any_of_its_processes_is_killed(
    start_owner, shipped_lab, victim
):
    owner, first = start_owner(f"kill_{victim}", "import time; time.sleep(60)")
    inside = settled(first)
    parent = parent_of(first)
    before = {pid: ProcessId.of(pid) for pid in (*inside, parent)}
    named = {"owner": owner.pid, "unshare": parent, "first": first}
    children = sorted(pid for pid, words in inside.items() if pid != first)
    if victim == "sshd":
        named["sshd"] = next(p for p in children if "sshd: " in inside[p])
    if victim in ("wire", "house"):
        forks = [
            pid
            for pid in children
            if "-m testbed.virtual.live" in inside[pid] and parent_of(pid) == first
        ]
        if victim == "wire" and len(forks) == 1:
            pytest.skip("this kernel delays by itself (netem)")
        named |= {"wire": forks[0], "house": forks[-1]}
    os.kill(named[victim], signal.SIGKILL)
    assert all_gone({**inside, parent: "unshare"}, before)
    if victim == "owner":  # nobody but the lab itself can have removed it
        lab = shipped_lab(f"kill_{victim}_{os.getpid()}")
        assert not (live.folder(lab.lab) / "client_key").exists()


def test_a_second_lab_of_another_name_runs_beside_the_first(live_lab, make_lab):
    other = make_lab("beside")
    first = live_lab.run(["readlink", "/proc/self/ns/net"])
    second = other.run(["readlink", "/proc/self/ns/net"])
    assert first != second
    assert "SSH" in other.run(["busybox", "nc", "-w", "1", "10.78.0.1", "22"])


def test_a_lab_that_is_up_is_found_and_not_started_twice(
    live_lab, shipped_lab, lab_file
):
    same = shipped_lab(live_lab.handle.name)
    assert live.find(same) == live_lab.handle
    with live.borrowed(same, lab_file) as handle:
        assert handle == live_lab.handle
    assert live_lab.handle.process.alive()
    with pytest.raises(LabError, match="is up already; testbed lab down ends it"):
        live.up(same, lab_file)


def test_after_down_the_truth_stays_and_the_keys_do_not(make_lab, shipped_lab):
    inside = make_lab("down")
    state = inside.handle.state
    assert live.down(shipped_lab(inside.handle.name))
    assert (state / "truth" / "activities.csv").exists()
    assert json.loads((state / "truth" / "clock.json").read_text())["offset_ns"]
    assert not (state / "client_key").exists()
    assert not (state / "router").exists()
    assert live.find(shipped_lab(inside.handle.name)) is None
    assert not live.down(shipped_lab(inside.handle.name))
    assert not state.exists()


def changed(profiles, device, **values):
    return {**profiles, device: profiles[device].model_copy(update=values)}


def test_a_lab_plays_the_profiles_it_is_given_and_leaves_nothing(
    shipped_lab, lab_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("TESTBED_TRUTH", str(tmp_path / "kept" / "truth"))
    profiles = load_profiles(lab_file.parent / "devices")
    mine = changed(profiles, "arlo_q", mac="02:00:00:00:be:ef")
    lab = shipped_lab(f"given_{os.getpid()}")
    with live.borrowed(lab, tmp_path / "lab.yaml", mine) as handle:
        shown = tmp_path / "shown"
        command = f"ip netns exec arlo_q ip -o link >{shown}"
        assert handle.run(["sh", "-c", command]) == 0
    assert "02:00:00:00:be:ef" in shown.read_text()
    assert not handle.state.exists()
    assert (tmp_path / "kept" / "truth" / "activities.csv").exists()


def test_a_lab_without_device_profiles_is_refused(shipped_lab, tmp_path):
    lab = shipped_lab(f"bare_{os.getpid()}")
    with pytest.raises(LabError, match="there are no device profiles in") as caught:
        live.up(lab, tmp_path / "lab.yaml", tied=True)
    shutil.rmtree(live.folder(lab.lab))
    assert str(tmp_path / "devices") in str(caught.value)


def test_a_lab_that_is_up_with_another_configuration_is_not_borrowed(
    live_lab, shipped_lab, lab_file
):
    name = live_lab.handle.name
    profiles = load_profiles(lab_file.parent / "devices")
    some = {"arlo_q": profiles["arlo_q"]}
    with live.borrowed(shipped_lab(name), lab_file, some) as handle:
        assert handle == live_lab.handle
    elsewhere = shipped_lab(name).model_copy(update={"captures": "elsewhere"})
    with live.borrowed(elsewhere, lab_file, profiles) as handle:
        assert handle == live_lab.handle
    for lab, played, what in (
        (shipped_lab(name, seed=8), None, "lab file (virtual)"),
        (
            shipped_lab(name),
            changed(profiles, "arlo_q", firmware="9"),
            "devices (arlo_q)",
        ),
        (shipped_lab(name), {"toaster": profiles["arlo_q"]}, "devices (toaster)"),
    ):
        with (
            pytest.raises(LabError) as caught,
            live.borrowed(lab, lab_file, played),
        ):
            pass
        assert str(caught.value) == (
            f"lab {name} is up with another {what}; run testbed lab down first"
        )
    assert live_lab.handle.process.alive()


def test_the_exit_code_of_a_command_inside_is_handed_on(start_owner):
    owner, _ = start_owner("code", "import sys; sys.exit(7)")
    assert owner.wait(timeout=60) == 7


def test_an_interrupt_reaches_the_command_inside_once_and_it_may_finish(start_owner):
    program = (
        "import signal, sys, time\n"
        "hits = []\n"
        "signal.signal(signal.SIGINT, lambda *_: hits.append(1))\n"
        "print('waiting', flush=True)\n"
        "end = time.monotonic() + 3\n"
        "while time.monotonic() < end: time.sleep(0.05)\n"
        "sys.exit(40 + len(hits))\n"
    )
    owner, _ = start_owner("interrupt", program)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "waiting\n"
    owner.send_signal(signal.SIGINT)
    assert owner.wait(timeout=60) == 41


def test_ctrl_c_on_a_terminal_reaches_the_command_inside_once(live_lab):
    program = (
        "import os, signal, sys, time\n"
        "hits = []\n"
        "signal.signal(signal.SIGINT, lambda *_: hits.append(1))\n"
        "print('waiting', flush=True)\n"
        "end = time.monotonic() + 2\n"
        "while time.monotonic() < end: time.sleep(0.05)\n"
        "print('hits', len(hits), os.isatty(0), flush=True)\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os._exit(live_lab.handle.run([sys.executable, "-c", program]))
    said = b""
    while b"waiting" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # the terminal ends with its last process
        while piece := os.read(terminal, 1000):
            said += piece
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"hits 1 True" in said


def test_a_command_that_is_missing_inside_gives_127(live_lab):
    assert live_lab.handle.run(["no-such-command-here"]) == 127


def test_a_missing_tool_is_named_with_the_one_command_that_helps(monkeypatch, tmp_path):
    for tool in ("unshare", "ip", "nft", "sshd", "tcpdump", "busybox"):
        (tmp_path / tool).symlink_to("/bin/true")
    monkeypatch.setattr(permission, "search_path", lambda: str(tmp_path))
    with pytest.raises(LabError, match="tshark, dumpcap; run: sudo apt-get install -y"):
        permission.check()


def test_a_refused_namespace_is_said_with_the_one_command_that_helps(
    monkeypatch, tmp_path
):
    (tmp_path / "unshare").write_text("#!/bin/sh\necho 'unshare failed' >&2; exit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError) as caught:
        permission.check()
    assert "no namespaces for the virtual lab (unshare failed); " in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_lab_that_cannot_start_says_why_in_one_sentence(shipped_lab, lab_file):
    values = shipped_lab(f"taken_{os.getpid()}").model_dump()
    values["plugs"]["plug_tv"]["host"] = "10.77.0.31"
    lab = Lab.model_validate(values)
    with pytest.raises(LabError) as caught:
        live.up(lab, lab_file, tied=True)
    shutil.rmtree(live.folder(lab.lab))
    assert "cannot listen on 10.77.0.31:49153" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plug_at_an_address_that_no_plug_has_is_refused(shipped_lab, lab_file):
    values = shipped_lab(f"nowhere_{os.getpid()}").model_dump()
    values["plugs"]["plug_tv"]["host"] = "10.77.0.99"
    lab = Lab.model_validate(values)
    with pytest.raises(LabError, match=r"plug_tv: no plug is at 10\.77\.0\.99"):
        live.up(lab, lab_file, tied=True)
    shutil.rmtree(live.folder(lab.lab))


def test_a_folder_that_others_may_read_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"testbed-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(LabError, match="is not a private folder of yours"):
        live.folder("some_lab")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_plain_user_gets_the_same_lab(lab_file):
    system = "/usr/bin/python3"
    uid = 65010
    # not below the folder of the tests, which others may not enter
    home = Path(tempfile.mkdtemp(prefix="testbed-home-", dir="/tmp"))
    home.chmod(0o777)
    paths = [str(ROOT), *(p for p in sys.path if p.endswith("site-packages"))]
    env = {
        "HOME": str(home),
        "PATH": permission.search_path(),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_RUNTIME_DIR": str(home),
    }
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from testbed.errors import LabError\n"
        "from testbed.model.load import load_lab\n"
        "from testbed.virtual.live import lab, permission\n"
        "try:\n"
        "    permission.check()\n"
        "except LabError as exc:\n"
        "    print(exc); sys.exit(77)\n"
        "path = Path(sys.argv[1])\n"
        "with lab.borrowed(load_lab(path), path) as up:\n"
        "    sys.exit(up.run(['sh', '-c', sys.argv[2]]))\n"
    )
    capture = (
        "dumpcap -q -i br-lan -a duration:3 -w $TESTBED_LAB_STATE/router/x.pcapng"
        " 2>&1; tshark -r $TESTBED_LAB_STATE/router/x.pcapng 2>/dev/null | wc -l"
    )
    inside = (
        "ip netns exec echo_dot busybox ping -c 3 198.51.100.11; "
        "ip netns exec router sh -c '" + capture + "'; ip -br link; id -u"
    )
    become = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    done = subprocess.run(
        [*become, system, "-c", program, str(lab_file), inside],
        env=env,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    shutil.rmtree(home)
    if done.returncode == 77:
        pytest.skip(f"plain users get no namespaces here: {done.stdout.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Packets captured:" in done.stdout
    assert done.stdout.split()[-1] == str(uid)
