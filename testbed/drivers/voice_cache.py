"""Rendered sentences, kept under a name that is the digest of how they were made.

Two files per sentence: `<key>.wav` (16 kHz mono s16) and `<key>.json`, its provenance.
The JSON is written last, so an entry without it does not exist; an entry whose WAV no
longer has the digest that the JSON names is not used either, and is made anew.
"""

import hashlib
import io
import json
import os
import tempfile
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.model.protocols import Utterance

SAMPLE_RATE_HZ = 16_000
SAMPLE_B = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides how a sentence sounds.

    engine   'gtts' or 'espeak-ng'
    version  of the engine, as it reports itself
    voice    the engine's own name of voice and speed
    """

    engine: str
    version: str
    language: str
    voice: str
    text: str

    @property
    def key(self) -> str:
        """Name the cache entry: SHA-256 over all fields, as hex."""
        fields = [self.engine, self.version, self.language, self.voice, self.text]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()

    @property
    def spoken_by(self) -> str:
        """Return the engine with its version, as `espeak-ng 1.51`."""
        return f"{self.engine} {self.version}"


def pcm_of(wav: Path) -> bytes:
    """Return the samples of a cached WAV: s16le, mono, 16 kHz."""
    with wave.open(str(wav), "rb") as file:
        return file.readframes(file.getnframes())


class VoiceCache:
    """A folder of rendered sentences. Safe for several processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, recipe: Recipe) -> Utterance | None:
        """Return the entry made by this recipe, or None when there is no sound one."""
        wav, provenance = self._paths(recipe)
        try:
            wav_bytes = wav.read_bytes()
            facts = json.loads(provenance.read_text(encoding="utf-8"))
            if facts["sha256"] != hashlib.sha256(wav_bytes).hexdigest():
                return None
            return self._utterance(recipe, wav, facts["sha256"], facts["duration_s"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, recipe: Recipe, pcm: bytes, more: Mapping[str, str]) -> Utterance:
        """Keep samples (s16le, mono, 16 kHz) under the recipe; `more` is provenance."""
        wav, provenance = self._paths(recipe)
        wav.parent.mkdir(parents=True, exist_ok=True)
        wav_bytes = _wav_bytes(pcm)
        sha256 = hashlib.sha256(wav_bytes).hexdigest()
        duration_s = len(pcm) / SAMPLE_B / SAMPLE_RATE_HZ
        facts = {
            "engine": recipe.engine,
            "version": recipe.version,
            "language": recipe.language,
            "voice": recipe.voice,
            "text": recipe.text,
            "sha256": sha256,
            "duration_s": duration_s,
            "sample_rate_hz": SAMPLE_RATE_HZ,
            **more,
        }
        _replace(wav, wav_bytes)
        text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        _replace(provenance, text.encode())
        return self._utterance(recipe, wav, sha256, duration_s)

    def _paths(self, recipe: Recipe) -> tuple[Path, Path]:
        stem = self._folder / recipe.key[:2] / recipe.key
        return stem.with_suffix(".wav"), stem.with_suffix(".json")

    @staticmethod
    def _utterance(
        recipe: Recipe, wav: Path, sha256: str, duration_s: float
    ) -> Utterance:
        return Utterance(
            text=recipe.text,
            wav=wav,
            sha256=sha256,
            engine=recipe.spoken_by,
            duration_s=duration_s,
        )


def _wav_bytes(pcm: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_B)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm)
    return buffer.getvalue()


def _replace(path: Path, data: bytes) -> None:
    """Write a whole file or none of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
