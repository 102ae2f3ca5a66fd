"""The other end of the ears: start the recogniser, ask it, judge what it says."""

import json
import logging
import struct
import subprocess
import sys
import threading

from testbed.errors import LabError
from testbed.virtual.room.ears import Hypothesis
from testbed.virtual.room.sentences import Command, parse

# Over 20 sentences of two voices with ten noises each, true ones score .47 and more;
# 21 decoys score less, but for a few. A wrong wake word is squeezed into the place of
# the right one: "computer" takes .28-.36 s as "hey google", which truly takes .66 s.
MIN_SCORE = 0.45
MIN_WAKE_S = 0.40
MAX_WAKE_S = 0.95

_log = logging.getLogger(__name__)


def understand(hypothesis: Hypothesis) -> tuple[Command | None, str]:
    """Return the command, or None and the reason in one word.

    'nothing'    no words of the grammar
    'incomplete' the beginning of a sentence
    'unsure'     a whole sentence, but with little confidence: a false activation
    """
    if not hypothesis.text:
        return None, "nothing"
    command = parse(hypothesis.text)
    if command is None:
        return None, "incomplete"
    sure = hypothesis.score >= MIN_SCORE
    if not sure or not MIN_WAKE_S <= hypothesis.wake_s <= MAX_WAKE_S:
        return None, "unsure"
    return command, ""


class Hearing:
    """The recogniser's process. `hear` blocks; call it from a worker thread."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def start(self) -> None:
        """Return once the model is loaded; LabError when it cannot be."""
        with self._lock:
            self._started()

    def hear(self, pcm: bytes) -> Hypothesis:
        """Return what is said in s16le mono 16 kHz samples.

        A recogniser that has died is started again, once.
        """
        with self._lock:
            for last in (False, True):
                process = self._started()
                try:
                    return self._ask(process, pcm)
                except (OSError, ValueError) as exc:
                    self._end()
                    if last or self._closed:
                        raise LabError(f"the room's recogniser died: {exc}") from exc
                    _log.warning("the room's recogniser died (%s); starting anew", exc)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process; a `hear` that is under way fails."""
        self._closed = True
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        if self._closed:
            raise LabError("the room's recogniser is closed")
        self._end()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "testbed.virtual.room.listener", str(self._seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the lab, which then closes us
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        if not self._process.stdout.readline():
            _, stderr = self._process.communicate()
            why = (stderr.decode(errors="replace").strip().splitlines() or ["?"])[-1]
            raise LabError(
                f"the room's recogniser does not start ({why}); is the extra 'asr' "
                "installed?"
            )
        return self._process

    @staticmethod
    def _ask(process: subprocess.Popen[bytes], pcm: bytes) -> Hypothesis:
        if process.stdin is None or process.stdout is None:
            raise ValueError("no pipe")
        process.stdin.write(struct.pack(">I", len(pcm)) + pcm)
        process.stdin.flush()
        line = process.stdout.readline()
        facts = json.loads(line)
        return Hypothesis(
            text=str(facts["text"]),
            score=float(facts["score"]),
            wake_s=float(facts["wake_s"]),
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    _log.debug("a pipe of the recogniser was gone already")
        process.wait()
