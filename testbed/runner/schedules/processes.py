"""Campaigns as processes: `python -m testbed run` and `resume`, each in a group."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress


class CampaignProcess:
    """One campaign in a process group of its own, so that Ctrl-C does not reach it."""

    def __init__(self, words: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "testbed", *words],
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        self._asked = False

    def poll(self) -> int | None:
        """Return its exit code, 128 + number of the signal that killed it, or None."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def stop(self) -> None:
        """Ask it once to stop at the next safe point."""
        if not self._asked and self._process.poll() is None:
            self._asked = True
            self._process.terminate()

    def kill(self) -> None:
        """End it and its group now; the journal can be resumed."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
