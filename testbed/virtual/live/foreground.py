"""Run a command inside a lab as if it had been typed: terminal, signals, exit code."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_ENTER = Path(__file__).with_name("enter.py")
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def run_inside(pid: int, command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run `command` in the namespaces of process `pid`; return its exit code.

    The command gets the terminal, so that Ctrl-C reaches it and nobody else; signals
    sent to this process are passed on to it.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_ENTER), str(pid), *command],
        env=dict(env),
        process_group=0,
    )
    with _forwarding(process.pid), _terminal_of(process.pid):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _forwarding(group: int) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def forward(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _terminal_of(group: int) -> Iterator[None]:
    """Make `group` the terminal's foreground while the context lasts."""
    try:
        terminal = sys.stdin.fileno()
        ours = os.tcgetpgrp(terminal) == os.getpgrp()
    except (OSError, ValueError):
        ours, terminal = False, -1
    if not ours:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, group)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, os.getpgrp())
        signal.signal(signal.SIGTTOU, before)
