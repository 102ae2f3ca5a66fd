"""The two engines that turn a sentence into sound: espeak-ng here, gTTS over the net.

gTTS asks an undocumented service of Google Translate. It calls `requests` with
`verify=False`, so TLS is not checked: whoever can answer in its place decides what
is spoken. What came back is therefore only ever decoded as audio, its digest is kept in
the provenance, and a lab that minds leaves `online: false`.
"""

import functools
import io
import queue
import re
import subprocess
import tempfile
import threading
from pathlib import Path

from testbed.drivers.voice_cache import SAMPLE_RATE_HZ, Recipe
from testbed.errors import DriverGarbledError, DriverRefusedError, DriverTimeoutError

ESPEAK_SPEED_WPM = 140
ESPEAK_DEADLINE_S = 20.0
GTTS_TLD = "com"
GTTS_REQUEST_S = 5.0
_ESPEAK_MISSING = "espeak-ng is not installed; run 'apt-get install espeak-ng'"
_ESPEAK_VOICES = {"en": "en-us"}


@functools.cache
def _espeak_version() -> str:
    answer = subprocess.run(
        ["espeak-ng", "--version"],
        capture_output=True,
        text=True,
        timeout=ESPEAK_DEADLINE_S,
        check=True,
    )
    found = re.search(r"\d+(?:\.\d+)+", answer.stdout)
    return found[0] if found else "unknown"


def espeak_recipe(name: str, text: str, language: str) -> Recipe:
    """Say how espeak-ng would speak; DriverRefusedError when it is not installed."""
    try:
        version = _espeak_version()
    except FileNotFoundError as exc:
        raise DriverRefusedError(name, f"speak {text!r}", _ESPEAK_MISSING) from exc
    except (OSError, subprocess.SubprocessError) as exc:
        reason = f"espeak-ng does not run ({exc}); try 'espeak-ng --version'"
        raise DriverRefusedError(name, f"speak {text!r}", reason) from exc
    return Recipe(
        engine="espeak-ng",
        version=version,
        language=language,
        voice=f"{_ESPEAK_VOICES.get(language, language)} {ESPEAK_SPEED_WPM} wpm",
        text=text,
    )


def gtts_recipe(text: str, language: str) -> Recipe:
    """Say how gTTS would speak; asks nobody."""
    from gtts.version import __version__

    return Recipe(
        engine="gtts",
        version=__version__,
        language=language,
        voice=f"translate.google.{GTTS_TLD}",
        text=text,
    )


def ask_espeak(name: str, recipe: Recipe) -> bytes:
    """Return the WAV that espeak-ng makes, in its own sample rate."""
    request = f"speak {recipe.text!r} with espeak-ng"
    with tempfile.TemporaryDirectory(prefix="testbed-voice-") as folder:
        wav = Path(folder, "speech.wav")
        voice = recipe.voice.split()[0]
        command = ["espeak-ng", "-v", voice, "-s", str(ESPEAK_SPEED_WPM)]
        command += ["-w", str(wav), "--", recipe.text]
        try:
            subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=ESPEAK_DEADLINE_S,
                check=True,
            )
            return wav.read_bytes()
        except FileNotFoundError as exc:
            raise DriverRefusedError(name, request, _ESPEAK_MISSING) from exc
        except subprocess.CalledProcessError as exc:
            words = exc.stderr.strip().removeprefix("Error: ").rstrip(".")
            reason = f"voice {voice!r}: {words}; see 'espeak-ng --voices'"
            raise DriverRefusedError(name, request, reason) from exc
        except subprocess.TimeoutExpired as exc:
            reason = f"no sound within {ESPEAK_DEADLINE_S:g} s"
            raise DriverTimeoutError(name, request, reason) from exc


def ask_gtts(name: str, recipe: Recipe, deadline_s: float) -> bytes:
    """Return the MP3 that the online service makes, within `deadline_s`.

    The request runs in a thread that is left behind at the deadline, because nothing
    bounds the resolving of a host name. It writes to memory only, so neither it nor
    a failing gTTS (which leaves empty files behind) can spoil the cache.
    """
    request = f"speak {recipe.text!r} with gTTS"
    answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    worker = threading.Thread(
        target=_gtts_worker, args=(recipe, answers), name="gtts", daemon=True
    )
    worker.start()
    try:
        answer = answers.get(timeout=deadline_s)
    except queue.Empty:
        reason = f"no answer within {deadline_s:g} s; is the lab online?"
        raise DriverTimeoutError(name, request, reason) from None
    if isinstance(answer, Exception):
        raise DriverRefusedError(name, request, str(answer)) from answer
    if not answer:
        raise DriverGarbledError(name, request, "the answer holds no audio")
    return answer


def _gtts_worker(
    recipe: Recipe, answers: "queue.SimpleQueue[bytes | Exception]"
) -> None:
    from gtts import gTTS
    from gtts.tts import gTTSError

    audio = io.BytesIO()
    try:
        speech = gTTS(
            recipe.text, lang=recipe.language, tld=GTTS_TLD, timeout=GTTS_REQUEST_S
        )
        speech.write_to_fp(audio)
    except (gTTSError, ValueError, AssertionError, OSError, TypeError) as exc:
        answers.put(exc)
    else:
        answers.put(audio.getvalue())


def decode(name: str, recipe: Recipe, sound: bytes) -> bytes:
    """Return WAV or MP3 bytes as samples: s16le, mono, 16 kHz."""
    import miniaudio

    try:
        decoded = miniaudio.decode(sound, nchannels=1, sample_rate=SAMPLE_RATE_HZ)
    except miniaudio.MiniaudioError as exc:
        request = f"speak {recipe.text!r} with {recipe.engine}"
        reason = f"the answer is no audio that can be decoded ({len(sound)} bytes)"
        raise DriverGarbledError(name, request, reason) from exc
    pcm: bytes = decoded.samples.tobytes()
    if not pcm:
        request = f"speak {recipe.text!r} with {recipe.engine}"
        raise DriverGarbledError(name, request, "the answer holds no samples")
    return pcm
