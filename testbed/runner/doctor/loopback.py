"""Was the loudspeaker heard? What was recorded is held against what was played."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.drivers.voice_cache import SAMPLE_RATE_HZ
from testbed.runner.doctor.findings import Said, Value, Verdict

FRAME_S = 0.005
ALIKE = 0.5  # correlation of two envelopes from which on they are the same sound
SOFT_DBFS = -50.0
LATE_S = 0.5
_FULL_SCALE = 32768.0
_SILENT_DB = -120.0
_FRAME = int(SAMPLE_RATE_HZ * FRAME_S)
Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """Where a sound is in a recording, and how loud.

    likeness  correlation of the two envelopes, at most 1
    onset_s   from the start of the recording to the sound's first sample
    """

    likeness: float
    onset_s: float
    level_dbfs: float
    noise_dbfs: float


def find_echo(played: bytes, heard: bytes) -> Echo:
    """Find a sound in a recording; both are s16le mono 16 kHz, exact to 5 ms.

    Compared are the envelopes, which rooms and microphones spoil least.
    """
    source, record = _envelope(played), _envelope(heard)
    if not source.size or record.size < source.size:
        return Echo(
            likeness=0.0, onset_s=0.0, level_dbfs=_SILENT_DB, noise_dbfs=_SILENT_DB
        )
    n = source.size
    wanted = source - source.mean()
    sums = np.concatenate(([0.0], np.cumsum(record)))
    squares = np.concatenate(([0.0], np.cumsum(record**2)))
    means = (sums[n:] - sums[:-n]) / n
    spread = np.sqrt(np.maximum((squares[n:] - squares[:-n]) - n * means**2, 1e-9))
    product = np.correlate(record, wanted, mode="valid")
    likeness = product / (spread * max(float(np.linalg.norm(wanted)), 1e-9))
    best = int(likeness.argmax())
    during = record[best : best + n]
    apart = np.concatenate((record[:best], record[best + n :]))
    return Echo(
        likeness=round(float(likeness[best]), 3),
        onset_s=best * FRAME_S,
        level_dbfs=_decibels(during),
        noise_dbfs=_decibels(apart) if apart.size else _SILENT_DB,
    )


def judge(echo: Echo, delay_s: float) -> Said:
    """Return the verdict on a loop-back.

    delay_s  from the loudspeaker's first sample to the microphone's
    """
    measured: dict[str, Value] = {
        "heard": echo.likeness >= ALIKE,
        "likeness": echo.likeness,
        "level_dbfs": round(echo.level_dbfs, 1),
        "noise_dbfs": round(echo.noise_dbfs, 1),
        "onset_delay_ms": round(delay_s * 1000, 1),
    }
    if echo.likeness < ALIKE:
        return Said(
            said=f"the microphone did not hear it ({echo.noise_dbfs:.0f} dBFS)",
            verdict=Verdict.BAD,
            measured=measured,
            remedy="is the loudspeaker on and turned up, the microphone not muted?",
        )
    said = f"heard at {echo.level_dbfs:.0f} dBFS, {delay_s * 1000:.0f} ms after it left"
    if echo.level_dbfs < SOFT_DBFS:
        remedy = "turn the loudspeaker up, or move the microphone nearer"
        return Said(
            said=said, verdict=Verdict.WARNING, measured=measured, remedy=remedy
        )
    if delay_s > LATE_S:
        return Said(
            said=f"{said}: labels of spoken activities are off by that",
            verdict=Verdict.WARNING,
            measured=measured,
            remedy="use a wired loudspeaker; a wireless one holds sound back",
        )
    return Said(said=said, measured=measured)


def _envelope(pcm: bytes) -> Samples:
    """Return the loudness of each frame, as the root of its mean square."""
    whole = len(pcm) - len(pcm) % (2 * _FRAME)
    samples = np.frombuffer(pcm[:whole], dtype="<i2").astype(np.float64)
    if not samples.size:
        return samples
    frames: Samples = np.sqrt((samples.reshape(-1, _FRAME) ** 2).mean(axis=1))
    return frames


def _decibels(envelope: Samples) -> float:
    mean_square = float((envelope**2).mean())
    if mean_square <= 0:
        return _SILENT_DB
    return 10 * float(np.log10(mean_square / _FULL_SCALE**2))
