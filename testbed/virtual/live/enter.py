"""Run a command inside a lab: `python -I -S enter.py PID COMMAND [ARGUMENT...]`.

A script of its own, with nothing but the standard library, so that it starts in a few
milliseconds. `nsenter` would do but for two things: it dies of Ctrl-C while the command
still handles it, and a plain user's command would lose the lab's capabilities.
"""

import ctypes
import os
import signal
import struct
import sys
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SYS_CAPSET_VERSION = 0x20080522
_NOT_FOUND = 127

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> NoReturn:
    """Join the namespaces of a process, run the command, end as it ends."""
    process, command = int(arguments[0]), arguments[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)  # the command decides
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    try:
        _join(process)
    except OSError as exc:
        sys.stderr.write(f"error: the lab cannot be entered: {exc}\n")
        sys.exit(3)
    child = os.fork()
    if child == 0:
        _become(command)
    os._exit(_wait(child))


def _join(process: int) -> None:
    here = Path.cwd()
    spaces = Path(f"/proc/{process}/ns")
    own = Path("/proc/self/ns/user").readlink() == (spaces / "user").readlink()
    names = ["mnt", "net", "pid"] if own else ["user", "mnt", "net", "pid"]
    files = [os.open(spaces / name, os.O_RDONLY | os.O_CLOEXEC) for name in names]
    for fd, name in zip(files, names, strict=True):
        if _libc.setns(fd, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{name} namespace: {os.strerror(code)}")
    os.chdir(here)
    if not own:
        _keep_capabilities()


def _keep_capabilities() -> None:
    """Let the lab's capabilities outlive exec, as `unshare --keep-caps` does."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
    every = (1 << (last + 1)) - 1
    low, high = every & 0xFFFFFFFF, every >> 32
    header = struct.pack("Ii", _SYS_CAPSET_VERSION, 0)
    data = struct.pack("6I", low, low, low, high, high, high)
    _libc.capset(header, data)
    for number in range(last + 1):
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)


def _become(command: list[str]) -> NoReturn:
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                continue  # kept by the C library
    try:
        os.execvp(command[0], command)  # noqa: S606 - the operator's own command
    except OSError as exc:
        sys.stderr.write(f"error: {command[0]}: {os.strerror(exc.errno or 0)}\n")
        os._exit(_NOT_FOUND)


def _wait(child: int) -> int:
    while True:
        try:
            _, status = os.waitpid(child, os.WUNTRACED)
        except InterruptedError:
            continue
        if os.WIFSTOPPED(status):
            # A stopped campaign would lose its lease; Ctrl-Z does nothing.
            os.kill(child, signal.SIGCONT)
            continue
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main(sys.argv[1:])
