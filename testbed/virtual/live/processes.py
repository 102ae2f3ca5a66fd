"""Find and end processes of a lab by number, sure that the number is still theirs."""

import contextlib
import os
import signal
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
