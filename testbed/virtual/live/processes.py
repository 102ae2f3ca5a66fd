"""Find and end processes of a lab by number, sure that the number is still theirs."""

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from testbed.clock import Clock, wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """A process: its number, and when it began (numbers are used again)."""

    pid: int
    began: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Identify a running process, or return None when there is none."""
        fields = _stat(pid)
        if fields is None or fields[0] == "Z":
            return None
        return cls(pid=pid, began=int(fields[19]))

    def alive(self) -> bool:
        """Say whether it still runs."""
        return ProcessId.of(self.pid) == self

    def end(self, clock: Clock, patience_s: float = 4.0) -> None:
        """Ask it to end, then make it; return when it is gone."""
        for number, deadline_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 4.0)):
            if not self.alive():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            if wait_until(
                lambda: not self.alive(),
                clock=clock,
                deadline_s=deadline_s,
                poll_s=0.02,
            ):
                return


class Spawned:
    """A program in a session of its own, that is left to itself or tied to us.

    tied  its standard input is a pipe that ends when this process does
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], log: Path, *, tied: bool
    ) -> None:
        program = shutil.which(command[0], path=env["PATH"]) or command[0]
        self._lifeline: int | None = None
        if tied:
            source, self._lifeline = os.pipe()
        else:
            source = os.open(os.devnull, os.O_RDONLY)
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self.pid = os.posix_spawn(
                program,
                list(command),
                dict(env),
                file_actions=[(os.POSIX_SPAWN_DUP2, source, 0)]
                + [(os.POSIX_SPAWN_DUP2, sink, number) for number in (1, 2)],
                setsid=True,
            )
        finally:
            os.close(source)
            os.close(sink)
        self._over = False

    def over(self) -> bool:
        """Say whether it has ended."""
        if not self._over:
            with contextlib.suppress(ChildProcessError):
                self._over = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return self._over

    def bury(self) -> None:
        """Make sure that it has ended, and forget it."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if not self.over():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._over = True


def child_of(parent: int) -> int | None:
    """Return the number of a process's first child, or None."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _stat(int(folder.name))
            if fields is not None and int(fields[1]) == parent:
                return int(folder.name)
    return None


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
