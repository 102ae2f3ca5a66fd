"""A microphone that records what a loudspeaker plays: raw PCM over TCP, or a command.

A recording is stamped where its first sample is. Over TCP that is exact to one piece;
of a command only the start is known, and its sound card's own delay is part of what is
measured.
"""

import socket
import subprocess
import tempfile
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from testbed.clock import Clock, wait_until
from testbed.drivers.voice_cache import SAMPLE_B, SAMPLE_RATE_HZ
from testbed.errors import (
    ConfigError,
    DriverError,
    DriverGarbledError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.lab import LoopbackAt

INSTRUMENT = "microphone"
CONNECT_S = 3.0
STALL_S = 2.0
GRACE_S = 5.0  # how long a command may take to end after its time


@dataclass(slots=True)
class Recording:
    """Sound from a microphone, growing: s16le mono 16 kHz from `start_ns` on.

    start_ns  ns UTC of the first sample on the controller's clock, 0 before there is
              one
    """

    start_ns: int = 0
    pcm: bytearray = field(default_factory=bytearray)


@contextmanager
def recording(at: LoopbackAt, clock: Clock, longest_s: float) -> Iterator[Recording]:
    """Record while the context lasts; what was recorded is complete when it is left.

    longest_s  a command records for so long, whatever happens

    Raises ConfigError unless exactly one of `pcm_tcp` and `command` is given, and
    DriverError when there is no sound.
    """
    if (at.pcm_tcp is None) == (not at.command):
        raise ConfigError("voice.loopback: give either pcm_tcp or command")
    how = _by_command if at.pcm_tcp is None else _over_tcp
    with how(at, clock, longest_s) as sound:
        yield sound


@contextmanager
def _over_tcp(at: LoopbackAt, clock: Clock, _longest_s: float) -> Iterator[Recording]:
    host, _, port = (at.pcm_tcp or "").rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(
            f"voice.loopback.pcm_tcp: must be host:port, got {at.pcm_tcp!r}"
        )
    request, sound, over = f"listen to {host}:{port}", Recording(), threading.Event()
    try:
        sock = socket.create_connection((host, int(port)), timeout=CONNECT_S)
    except OSError as exc:
        reason = f"{exc.strerror or exc}; is the microphone's server on?"
        raise DriverTimeoutError(INSTRUMENT, request, reason) from exc
    with sock:
        sock.settimeout(STALL_S)
        reader = threading.Thread(
            target=_read, args=(sock, sound, clock, over), name="microphone"
        )
        reader.start()
        try:
            _await_sound(sound, clock, request)
            yield sound
        finally:
            over.set()
            reader.join()


def _read(
    sock: socket.socket, sound: Recording, clock: Clock, over: threading.Event
) -> None:
    """Take what comes until it is over, or nothing comes any more."""
    while not over.is_set():
        try:
            piece = sock.recv(4096)
        except OSError:
            return
        if not piece:
            return
        if not sound.start_ns:
            length_s = len(piece) / SAMPLE_B / SAMPLE_RATE_HZ
            sound.start_ns = clock.now_ns() - round(length_s * 1e9)
        sound.pcm += piece


def _await_sound(sound: Recording, clock: Clock, request: str) -> None:
    if not wait_until(
        lambda: bool(sound.start_ns), clock=clock, deadline_s=STALL_S, poll_s=0.01
    ):
        reason = "it gives no sound; is it switched on?"
        raise DriverTimeoutError(INSTRUMENT, request, reason)


@contextmanager
def _by_command(at: LoopbackAt, clock: Clock, longest_s: float) -> Iterator[Recording]:
    request, sound = f"record with {at.command[0]}", Recording()
    with tempfile.TemporaryDirectory(prefix="testbed-microphone-") as folder:
        wav = Path(folder, "heard.wav")
        values = {"{wav}": str(wav), "{seconds}": f"{longest_s:.0f}"}
        command = [values.get(word, word) for word in at.command]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as exc:
            reason = f"it does not start ({exc.strerror}); install it"
            raise DriverRefusedError(INSTRUMENT, request, reason) from exc
        sound.start_ns = clock.now_ns()
        try:
            yield sound
            _finish(process, longest_s, request)
            sound.pcm += _samples(wav, request)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _finish(process: "subprocess.Popen[str]", longest_s: float, request: str) -> None:
    try:
        _, said = process.communicate(timeout=longest_s + GRACE_S)
    except subprocess.TimeoutExpired as exc:
        reason = f"it still records after {longest_s:.0f} s; does it get {{seconds}}?"
        raise DriverTimeoutError(INSTRUMENT, request, reason) from exc
    if process.returncode:
        last = (said.strip().splitlines() or ["nothing"])[-1]
        reason = f"it ended with {process.returncode} and said: {last}"
        raise DriverRefusedError(INSTRUMENT, request, reason)


def _samples(wav: Path, request: str) -> bytes:
    """Return the samples of a file; raises DriverGarbledError for another format."""
    try:
        with wave.open(str(wav), "rb") as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if form == (1, SAMPLE_B, SAMPLE_RATE_HZ):
                return file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as exc:
        raise _garbled(request, f"it wrote no WAV file ({exc})") from exc
    raise _garbled(request, f"it recorded {form[0]} channels of {form[2]} Hz")


def _garbled(request: str, what: str) -> DriverError:
    reason = f"{what}; let it record 16 bit, mono, 16000 Hz into {{wav}}"
    return DriverGarbledError(INSTRUMENT, request, reason)
