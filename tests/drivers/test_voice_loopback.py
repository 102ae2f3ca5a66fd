"""Recording from a microphone: over TCP and by a command."""

import socket
import sys
import threading
from contextlib import contextmanager

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.voice_loopback import recording
from testbed.errors import (
    ConfigError,
    DriverGarbledError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.lab import LoopbackAt

CLOCK = SystemClock()
PIECE = bytes(range(256)) * 5  # 40 ms


@contextmanager
def microphone(pieces):
    """Serve one listener: each piece, then silence until he goes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            link, _ = server.accept()
            with link:
                for piece in pieces:
                    link.sendall(piece)
                link.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def command(program, *words):
    return LoopbackAt(command=(sys.executable, "-c", program, *words))


WRITES = """
import sys, wave
channels, rate = int(sys.argv[3]), int(sys.argv[4])
with wave.open(sys.argv[1], "wb") as file:
    file.setnchannels(channels); file.setsampwidth(2); file.setframerate(rate)
    file.writeframes(b"\\1\\0" * 160 * channels * int(sys.argv[2]))
"""


def test_what_comes_over_tcp_is_kept_from_its_first_sample_on():
    before_ns = CLOCK.now_ns()
    with (
        microphone([PIECE, PIECE]) as place,
        recording(LoopbackAt(pcm_tcp=place), CLOCK, 60.0) as sound,
    ):
        assert wait_until(
            lambda: len(sound.pcm) == 2 * len(PIECE), clock=CLOCK, deadline_s=60
        )
    assert bytes(sound.pcm) == PIECE * 2
    assert before_ns - 10**9 < sound.start_ns < CLOCK.now_ns()


def test_a_microphone_that_is_not_there_or_says_nothing_is_an_error(monkeypatch):
    monkeypatch.setattr("testbed.drivers.voice_loopback.STALL_S", 0.2)
    with (
        microphone([]) as place,
        pytest.raises(DriverTimeoutError, match="gives no sound"),
        recording(LoopbackAt(pcm_tcp=place), CLOCK, 60.0),
    ):
        pass
    with (
        pytest.raises(DriverTimeoutError, match="server on"),
        recording(LoopbackAt(pcm_tcp=place), CLOCK, 60.0),
    ):
        pass


def test_a_command_gets_file_and_seconds_and_is_waited_for():
    at = command(WRITES, "{wav}", "{seconds}", "1", "16000")
    with recording(at, CLOCK, 3.0) as sound:
        assert sound.start_ns
    assert len(sound.pcm) == 2 * 160 * 3


@pytest.mark.parametrize(
    ("at", "error", "words"),
    [
        (command(WRITES, "{wav}", "1", "2", "44100"), DriverGarbledError, "44100 Hz"),
        (command("pass"), DriverGarbledError, "wrote no WAV"),
        (command("raise SystemExit('no card')"), DriverRefusedError, "no card"),
        (LoopbackAt(command=("no-such-recorder",)), DriverRefusedError, "install"),
        (LoopbackAt(), ConfigError, "pcm_tcp or command"),
        (LoopbackAt(pcm_tcp="nowhere"), ConfigError, "host:port"),
    ],
)
def test_what_is_no_recording_says_why(at, error, words):
    with pytest.raises(error, match=words), recording(at, CLOCK, 1.0):
        pass


def test_a_command_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr("testbed.drivers.voice_loopback.GRACE_S", 0.2)
    at = command("import signal; signal.pause()")
    with (
        pytest.raises(DriverTimeoutError, match="still records"),
        recording(at, CLOCK, 0.1),
    ):
        pass
