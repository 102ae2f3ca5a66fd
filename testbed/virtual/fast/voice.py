"""The loudspeaker of the fast lab: sentences without sound."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from numpy.random import Generator

from testbed.clock import Clock
from testbed.model.protocols import Bracket, Utterance
from testbed.virtual.room.sentences import parse
from testbed.virtual.stage import Stage

_ENGINE = "virtual"
# espeak-ng at its normal speed, fitted to nine sentences.
_PAUSE_S, _SECONDS_PER_LETTER = 0.55, 0.047
_START_S = (0.002, 0.012)


class FastVoice:
    """A `Voice`; a speaker understands what is a complete sentence for it.

    speakers  device -> wake word
    """

    def __init__(
        self, stage: Stage, clock: Clock, rng: Generator, speakers: Mapping[str, str]
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._rng = rng
        self._speakers = dict(speakers)

    def render(self, text: str) -> Utterance:
        """Return the sentence; there is no audio file behind it."""
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return Utterance(
            text=text,
            wav=Path(f"{sha256}.wav"),
            sha256=sha256,
            engine=_ENGINE,
            duration_s=_PAUSE_S + _SECONDS_PER_LETTER * len(text),
        )

    def play(self, utterance: Utterance) -> Bracket:
        """Let it be heard to its end; `instant_ns` is the first audio sample."""
        issue_ns = self._clock.now_ns()
        self._clock.sleep(float(self._rng.uniform(*_START_S)))
        instant_ns = self._clock.now_ns()
        self._clock.sleep(utterance.duration_s)
        command = parse(utterance.text, tuple(self._speakers.values()))
        for device, wake_word in self._speakers.items():
            if command is not None and command.wake_word == wake_word:
                self._stage.begin(
                    device,
                    command.activity,
                    channel="voice",
                    network=None,
                    parameters={"utterance": command.utterance},
                    instant_ns=instant_ns,
                )
        return Bracket(
            issue_ns=issue_ns,
            return_ns=self._clock.now_ns(),
            instant_ns=instant_ns,
            detail={"engine": utterance.engine, "sha256": utterance.sha256},
        )

    def close(self) -> None:
        """Leave."""
