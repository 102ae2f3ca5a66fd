"""What is done to the router and its links: cables, a firewall, power."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from testbed.virtual.house.hosts import ROUTER
from testbed.virtual.live import kernel, skew, topology

_CONTROLLERS_LINK = "mgmt5"
_ROOM_LEFT_B = 1 << 20
_TOOLS = ("tshark", "dumpcap", "tcpdump")
_PASSES = 20  # who is killed may just have started another

# Each drops silently: nobody hears a reset. Conntrack is not asked, so that what was
# open goes on when the rule is gone.
_HANG = """\
table inet hang {
  chain in { type filter hook input priority -150; iifname "br-mgmt" tcp dport 22 drop; }
  chain out { type filter hook output priority -150; oifname "br-mgmt" tcp sport 22 drop; }
}
"""  # noqa: E501
_DARK = """\
table inet dark {
  chain in { type filter hook prerouting priority -350; iifname "wan" drop; }
  chain out { type filter hook output priority -150; oifname "wan" drop; }
  chain through { type filter hook forward priority -150; oifname "wan" drop; }
}
"""


def cable(*, plugged: bool) -> None:
    """Pull the controller's management cable, or put it in again."""
    with kernel.inside(ROUTER):
        kernel.set_link(_CONTROLLERS_LINK, up=plugged)


def hang_ssh(*, hung: bool) -> None:
    """Drop all that goes between the router's sshd and the controller, or let it by."""
    _rules("hang", _HANG if hung else "")


def darken(*, dark: bool) -> None:
    """Drop all that goes between the router and the internet, or let it by."""
    _rules("dark", _DARK if dark else "")


def fill_disk(captures: Path, *, full: bool) -> None:
    """Shrink the file system of the captures to what is used, or widen it.

    They have one of their own only where the lab file scripts this fault.
    """
    if not os.path.ismount(captures):
        return
    usage = os.statvfs(captures)
    used_b = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
    size_b = used_b + _ROOM_LEFT_B if full else topology.DISK_B
    subprocess.run(
        ["mount", "-o", f"remount,size={size_b}", str(captures)],
        check=True,
        capture_output=True,
    )


def kill_captures(captures: Path) -> None:
    """Kill the capture tools that run now."""
    for pid, words in _processes():
        if Path(os.fsdecode(words[0])).name in _TOOLS:
            target = os.fsencode(captures)
            if any(target in word for word in words[1:]):
                _kill(pid)


def cut_power(router: Path, captures: Path, *, lose_files: bool) -> None:
    """Take the router's power: all that runs on it is gone, without a goodbye."""
    (router / "off").touch()
    hang_ssh(hung=True)
    with kernel.inside(ROUTER):
        kernel.set_link("br-lan", up=False)
    for _ in range(_PASSES):
        running = [pid for pid, _ in _processes() if _is_on_router(pid)]
        for pid in running:
            _kill(pid)
        if not running:
            break
    _correct_what_is_left(router, captures)
    if lose_files:
        for path in captures.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _correct_what_is_left(router: Path, captures: Path) -> None:
    """Do what the shims of killed tools cannot do any more."""
    values = router / "skew.json"
    if not values.exists():
        return
    noted = skew.noted(values)
    done = noted.read_text("utf-8").splitlines() if noted.exists() else []
    for path in captures.glob("*/live/*.pcap*"):
        if str(path) not in done:
            skew.correct(path, values)


def give_power(router: Path) -> None:
    """Give the router its power back; its sshd is started by who keeps it."""
    with kernel.inside(ROUTER):
        kernel.set_link("br-lan", up=True)
    hang_ssh(hung=False)
    (router / "off").unlink(missing_ok=True)


def _rules(table: str, text: str) -> None:
    """Put a table of rules in place; an empty text takes it away."""
    gone = f"table inet {table}\ndelete table inet {table}\n"
    subprocess.run(
        ["ip", "netns", "exec", ROUTER, "nft", "-f", "-"],
        input=gone + text,
        text=True,
        check=True,
        capture_output=True,
    )


def _processes() -> Iterator[tuple[int, list[bytes]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                yield int(folder.name), words


def _is_on_router(pid: int) -> bool:
    try:
        here = Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return False
    return pid != os.getpid() and here == (kernel.NAMED / ROUTER).stat().st_ino


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
