"""Samples to MP3 with the LAME library, where the machine has it.

On Debian 12 and Ubuntu 24.04 it is there with espeak-ng (through libpcaudio, libpulse
and libsndfile). No Python package of the project can encode MP3.
"""

import ctypes
import ctypes.util
import functools
from typing import Any

_MONO = 3
_QUALITY = 5  # of 0 (best) ... 9


@functools.cache
def _lame() -> Any:
    for name in ("libmp3lame.so.0", ctypes.util.find_library("mp3lame")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None:
            library.lame_init.restype = ctypes.c_void_p
            return library
    return None


def is_available() -> bool:
    """Say whether this machine can encode MP3."""
    return _lame() is not None


def encode(pcm: bytes, sample_rate_hz: int, bitrate_kbps: int = 64) -> bytes:
    """Return s16le mono samples as MP3. Raises OSError when LAME is not there."""
    lame = _lame()
    if lame is None:
        raise OSError("libmp3lame is not installed")
    state = ctypes.c_void_p(lame.lame_init())
    try:
        lame.lame_set_in_samplerate(state, sample_rate_hz)
        lame.lame_set_out_samplerate(state, sample_rate_hz)
        lame.lame_set_num_channels(state, 1)
        lame.lame_set_mode(state, _MONO)
        lame.lame_set_brate(state, bitrate_kbps)
        lame.lame_set_quality(state, _QUALITY)
        lame.lame_set_bWriteVbrTag(state, 0)
        if lame.lame_init_params(state) < 0:
            raise OSError(
                f"LAME does not take {sample_rate_hz} Hz, {bitrate_kbps} kbps"
            )
        samples = len(pcm) // 2
        room_b = samples * 5 // 4 + 7200  # LAME's own rule for the worst case
        buffer = ctypes.create_string_buffer(room_b)
        used = lame.lame_encode_buffer(state, pcm, pcm, samples, buffer, room_b)
        if used < 0:
            raise OSError(f"LAME failed with {used}")
        audio = buffer.raw[:used]
        used = lame.lame_encode_flush(state, buffer, room_b)
        return audio + buffer.raw[: max(used, 0)]
    finally:
        lame.lame_close(state)
