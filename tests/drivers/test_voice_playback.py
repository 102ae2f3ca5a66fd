"""How sound leaves: real time, clear errors."""

import socket
import sys
import threading

import pytest

from testbed.clock import SystemClock, VirtualClock
from testbed.drivers.voice_cache import pcm_of
from testbed.drivers.voice_tts import open_voice
from testbed.errors import DriverRefusedError, DriverTimeoutError
from testbed.model.lab import VoiceAt

TEXT = "alexa stop"


class Sink:
    """A sound server that notes what it gets."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.got = bytearray()
        self.thread = threading.Thread(target=self.take)
        self.thread.start()

    def take(self):
        connection, _ = self.server.accept()
        with connection:
            while data := connection.recv(4096):
                self.got += data

    def close(self):
        self.thread.join(60)
        self.server.close()


@pytest.fixture
def sink():
    sink = Sink()
    yield sink
    sink.close()


def over_tcp(folder, address, clock):
    return open_voice(VoiceAt(cache=str(folder), pcm_tcp=address), clock)


def by_command(folder, *command):
    return open_voice(VoiceAt(cache=str(folder), command=command), SystemClock())


def test_every_sample_arrives_once_and_in_order(tmp_path, sink):
    voice = over_tcp(tmp_path, sink.address, VirtualClock())
    utterance = voice.render(TEXT)
    voice.play(utterance)
    sink.thread.join(60)
    assert bytes(sink.got) == pcm_of(utterance.wav)


def test_it_plays_in_real_time_by_the_clock(tmp_path, sink):
    clock = VirtualClock()
    voice = over_tcp(tmp_path, sink.address, clock)
    utterance = voice.render(TEXT)
    start_s = clock.monotonic_s()
    voice.play(utterance)
    assert clock.monotonic_s() - start_s == pytest.approx(utterance.duration_s)


def test_nobody_listening_is_refused_with_a_remedy(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    voice = over_tcp(tmp_path, address, VirtualClock())
    with pytest.raises(DriverRefusedError, match="is a sound server listening"):
        voice.play(voice.render(TEXT))


def test_a_sound_server_that_hangs_up_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        voice = over_tcp(tmp_path, address, SystemClock())
        utterance = voice.render(TEXT)
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        with pytest.raises(DriverRefusedError, match="the connection broke"):
            voice.play(utterance)
        thread.join(60)


def test_a_player_gets_the_file_as_one_argument(tmp_path):
    copy = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
    target = tmp_path / "played.wav"
    voice = by_command(
        tmp_path / "a b", sys.executable, "-c", copy, "{wav}", str(target)
    )
    utterance = voice.render(TEXT)
    voice.play(utterance)
    assert target.read_bytes() == utterance.wav.read_bytes()


def test_a_player_that_is_not_installed_is_refused_by_name(tmp_path):
    voice = by_command(tmp_path, "no-such-player", "{wav}")
    with pytest.raises(DriverRefusedError, match=r"no-such-player.*is it installed"):
        voice.play(voice.render(TEXT))


def test_a_player_that_fails_is_refused_with_its_last_words(tmp_path):
    script = "import sys; sys.exit('no sound card')"
    voice = by_command(tmp_path, sys.executable, "-c", script, "{wav}")
    with pytest.raises(DriverRefusedError, match="exit status 1: no sound card"):
        voice.play(voice.render(TEXT))


def test_a_player_that_never_ends_is_ended(tmp_path, monkeypatch):
    from testbed.drivers import voice_playback

    monkeypatch.setattr(voice_playback, "PLAYER_GRACE_S", -0.5)
    script = "import time; time.sleep(600)"
    voice = by_command(tmp_path, sys.executable, "-c", script, "{wav}")
    with pytest.raises(DriverTimeoutError, match="still playing"):
        voice.play(voice.render(TEXT))
