"""Recognise sentences in sound.

Clean synthetic speech has digital silence in it, which this acoustic model cannot take
(0 of 10 sentences); a faint noise floor, as every room has, cures it (81 of 81).
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from testbed.virtual.room.sentences import WAKE_WORDS, grammar

SAMPLE_RATE_HZ = 16_000
NOISE_SIGMA = 30.0  # in units of int16; -61 dBFS
PADDING_S = 0.3
FRAMES_PER_S = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """What the recogniser makes of a sound.

    text    words of the grammar, maybe not a complete sentence; '' when nothing
    score   mean likelihood per frame, 0 ... 1
    wake_s  how long the wake word lasts
    """

    text: str
    score: float
    wake_s: float


class Ears:
    """A pocketsphinx decoder over the grammar of the room."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._decoder = _decoder()

    def hear(self, pcm: bytes) -> Hypothesis:
        """Return the best hypothesis for s16le mono 16 kHz samples."""
        self._decoder.start_utt()
        self._decoder.process_raw(self._in_the_room(pcm), full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        if best is None:
            return Hypothesis(text="", score=0.0, wake_s=0.0)
        return Hypothesis(
            text=best.hypstr, score=float(best.score), wake_s=self._wake_s()
        )

    def _in_the_room(self, pcm: bytes) -> bytes:
        sound = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2")
        silence = np.zeros(int(PADDING_S * SAMPLE_RATE_HZ))
        padded = np.concatenate([silence, sound, silence])
        noisy = padded + self._rng.normal(0.0, NOISE_SIGMA, padded.size)
        return np.clip(noisy, -32768, 32767).astype("<i2").tobytes()

    def _wake_s(self) -> float:
        words = {word for wake in WAKE_WORDS for word in wake.split()}
        frames = sum(
            s.end_frame - s.start_frame + 1
            for s in self._decoder.seg()
            if s.word in words
        )
        return float(frames / FRAMES_PER_S)


def _decoder() -> Any:
    from pocketsphinx import Config, Decoder, get_model_path

    model = Path(get_model_path())
    with tempfile.NamedTemporaryFile("w", suffix=".gram") as file:
        file.write(grammar())
        file.flush()
        config = Config(loglevel="FATAL")
        config["hmm"] = str(model / "en-us" / "en-us")
        config["dict"] = str(model / "en-us" / "cmudict-en-us.dict")
        config["lm"] = None
        config["jsgf"] = file.name
        config["cmn"] = "batch"
        return Decoder(config)
