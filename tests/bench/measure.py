"""Run a whole process; what it took, its children included.

The process that measures must stay small: Linux counts the memory of the parent at the
moment of the start as the child's own. So nothing large is imported here.
"""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_DROP = Path("/proc/sys/vm/drop_caches")


class Run(NamedTuple):
    """One run of a process.

    peak_b  resident memory of the largest process among it and its children
    fault   why it failed, one line; empty when it did not
    printed what it wrote to standard output, when that was asked for
    written_b of the files that it made; filled in by the caller
    """

    wall_s: float
    cpu_s: float
    peak_b: int
    fault: str = ""
    printed: str = ""
    written_b: int = 0


def run(
    command: Sequence[str], *, cwd: Path, keep_output: bool = False, limit_s: float
) -> Run:
    """Run `command` to its end, or end it after `limit_s`."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output if keep_output else subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        with _ended_after(limit_s, process.pid):
            _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        fault = ""
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            fault = f"exit {process.returncode}: {said[-1] if said else 'silent'}"
        output.seek(0)
        printed = output.read().decode(errors="replace")
    cpu_s = used.ru_utime + used.ru_stime
    return Run(wall_s, cpu_s, used.ru_maxrss * 1024, fault, printed)


@contextmanager
def _ended_after(limit_s: float, group: int) -> Iterator[None]:
    timer = threading.Timer(limit_s, os.killpg, (group, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def warm(path: Path) -> None:
    """Read a file, so that it is in the page cache as far as it fits."""
    buffer = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def make_cold(path: Path) -> str:
    """Take a file out of the page cache; return how that was done, or was not."""
    os.sync()
    try:
        _DROP.write_text("3\n")
    except OSError as exc:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return f"advised only, drop_caches: {exc.strerror}; perhaps not cold"
    return "all caches dropped"


def machine() -> dict[str, object]:
    """Return what the machine is."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [x.split(":", 1)[1].strip() for x in info if x.startswith("model name")]
    return {
        "cpu": models[0] if models else "unknown",
        "cores": os.cpu_count(),
        "memory_gib": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
        ),
        "system": " ".join(os.uname()[k] for k in (0, 2, 4)),
        "load_at_start": round(os.getloadavg()[0], 2),
    }
