"""The harness's side of the process that forks controllers (child.py)."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[3]
_START_S = 180.0  # kernels may have to be compiled first
_END_S = 240.0


class StuckError(Exception):
    """A controller did not come to its end in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How one controller is started, and what becomes of it.

    at       moment at which it kills itself, such as `journal:before:3`, or ''
    after_s  seconds after which it is killed from outside, or None
    cold     whether Python is started anew, as from a shell
    trace    file for the moments that it passes, or None
    env      on top of that of the process that forks it
    """

    argv: Sequence[str]
    log: Path
    folder: Path
    at: str = ""
    after_s: float | None = None
    cold: bool = False
    trace: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """How a controller ended: exit code, or minus the signal; seconds; what it left."""

    status: int
    took_s: float
    left: tuple[str, ...] = ()

    @property
    def was_killed(self) -> bool:
        """Say whether it was killed as asked."""
        return self.status == -9


class Hands:
    """Starts controllers, several at a time if need be; a context manager.

    prefix  what stands before the command, to enter a lab
    """

    def __init__(
        self,
        env: Mapping[str, str],
        prefix: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        base = {
            "PYTHONPATH": str(ROOT),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        program = [sys.executable, "-m", "tests.bench.torture.child", "--serve"]
        self._n = 0
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._log = (log or Path(os.devnull)).open("ab")
        self._process = subprocess.Popen(
            [*prefix, *program],
            env={**os.environ, **env, **base},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._ready: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if "ready" not in self._get(self._ready, _START_S):
            self.close()
            raise StuckError("the process that forks controllers did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; controllers that still run are killed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.close()
        self._process.wait(30)
        self._reader.join(10)
        stdout.close()
        self._log.close()

    def start(self, how: Start) -> int:
        """Start a controller; return its number for `wait`."""
        self._n += 1
        self._answers[self._n] = queue.Queue()
        request = {
            "id": self._n,
            "argv": list(how.argv),
            "env": dict(how.env),
            "folder": str(how.folder),
            "log": str(how.log),
            "at": how.at,
            "after_s": how.after_s,
            "cold": how.cold,
            "trace": str(how.trace) if how.trace else "",
        }
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
        return self._n

    def is_over(self, number: int) -> bool:
        """Say whether a controller has ended; `wait` then returns at once."""
        return not self._answers[number].empty()

    def wait(self, number: int) -> Over:
        """Wait until a controller has ended. Raises StuckError."""
        answer = self._get(self._answers[number], _END_S)
        del self._answers[number]
        if "status" not in answer:
            raise StuckError(f"a controller did not end within {_END_S:g} s")
        return Over(
            status=answer["status"],
            took_s=answer["took_s"],
            left=tuple(answer["left"]),
        )

    def do(self, how: Start) -> Over:
        """Start a controller and wait until it has ended."""
        return self.wait(self.start(how))

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        for line in stdout:
            answer = json.loads(line)
            place = self._answers[answer["id"]] if "id" in answer else self._ready
            place.put(answer)

    def _get(
        self, answers: "queue.Queue[dict[str, Any]]", wait_s: float
    ) -> dict[str, Any]:
        try:
            return answers.get(timeout=wait_s)
        except queue.Empty:
            return {}
