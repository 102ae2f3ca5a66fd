"""What every loudspeaker promises; see `testbed.model.protocols.Voice`.

An opener takes a folder and is a context that gives (voice, clock). To hold another
loudspeaker to the contract, add its opener to OPENERS.
"""

import hashlib
import socket
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.clock import SystemClock
from testbed.drivers.voice_tts import open_voice
from testbed.errors import DriverError
from testbed.model.lab import VoiceAt
from testbed.model.load import load_lab, load_profiles
from testbed.model.protocols import Utterance
from testbed.virtual.fast.lab import open_fast_lab
from testbed.virtual.rehearsal import LoopThread, Rehearsal
from testbed.virtual.room import start_room

ROOT = Path(__file__).parents[2]
SHORT = "alexa stop"
SPEAKERS = {"echo_dot": "alexa", "home_mini": "hey google"}
PLAYS_A_WHILE = "import sys, time, wave; w = wave.open(sys.argv[1]); time.sleep({0})"


@contextmanager
def pcm_to_the_room(folder):
    clock = SystemClock()
    sock = socket.create_server(("127.0.0.1", 0))
    at = VoiceAt(cache=str(folder), pcm_tcp=f"127.0.0.1:{sock.getsockname()[1]}")
    with LoopThread() as loop:
        room = loop.run(
            start_room(Rehearsal(), sock, clock=clock, seed=1, speakers=SPEAKERS)
        )
        try:
            yield open_voice(at, clock), clock
        finally:
            loop.run(room.close())


@contextmanager
def player_command(folder):
    clock = SystemClock()
    script = PLAYS_A_WHILE.format("w.getnframes() / w.getframerate()")
    at = VoiceAt(cache=str(folder), command=(sys.executable, "-c", script, "{wav}"))
    yield open_voice(at, clock), clock


@contextmanager
def voice_of_the_fast_lab(folder):
    with open_fast_lab(
        load_lab(ROOT / "lab.yaml"),
        load_profiles(ROOT / "devices"),
        seed=1,
        truth=folder / "truth",
        start_ns=1_800_000_000 * 10**9,
    ) as lab:
        yield lab.voice, lab.clock


WITH_SOUND = [pcm_to_the_room, player_command]
OPENERS = [*WITH_SOUND, voice_of_the_fast_lab]  # the last speaks without sound


@pytest.fixture(params=OPENERS, ids=lambda opener: opener.__name__)
def opened(request, tmp_path):
    with request.param(tmp_path) as pair:
        yield pair


@pytest.fixture(params=WITH_SOUND, ids=lambda opener: opener.__name__)
def sounding(request, tmp_path):
    with request.param(tmp_path) as pair:
        yield pair


def test_a_sentence_is_16_khz_mono_16_bit_with_its_digest_and_length(sounding):
    utterance = sounding[0].render(SHORT)
    with wave.open(str(utterance.wav)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (
            16000,
            1,
            2,
        )
        assert utterance.duration_s == pytest.approx(wav.getnframes() / 16000)
    data = utterance.wav.read_bytes()
    assert utterance.sha256 == hashlib.sha256(data).hexdigest()
    assert 0.5 < utterance.duration_s < 5


def test_it_says_which_engine_spoke(opened):
    voice, _ = opened
    utterance = voice.render(SHORT)
    assert utterance.engine.split()[0] in ("espeak-ng", "gtts", "virtual")
    assert voice.play(utterance).detail["engine"] == utterance.engine


def test_the_same_sentence_is_the_same_sound(opened):
    voice, _ = opened
    assert voice.render(SHORT) == voice.render(SHORT)
    assert voice.render(SHORT).sha256 != voice.render("alexa volume up").sha256


def test_the_stamps_bracket_the_first_sample_and_the_last(opened):
    voice, clock = opened
    utterance = voice.render(SHORT)
    before_ns = clock.now_ns()
    played = voice.play(utterance)
    assert before_ns <= played.issue_ns <= played.instant_ns
    assert (played.return_ns - played.instant_ns) / 1e9 >= utterance.duration_s - 0.001
    assert played.return_ns <= clock.now_ns()


def test_two_plays_at_once_do_not_overlap(sounding):
    voice, _ = sounding
    utterance = voice.render(SHORT)
    with ThreadPoolExecutor(2) as pool:
        a, b = sorted(
            pool.map(voice.play, [utterance] * 2), key=lambda played: played.issue_ns
        )
    assert a.return_ns <= b.issue_ns


@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_to_say_is_refused(sounding, text):
    with pytest.raises(DriverError, match="no text"):
        sounding[0].render(text)


def test_audio_that_is_gone_is_refused(sounding, tmp_path):
    gone = Utterance(
        text=SHORT, wav=tmp_path / "gone.wav", sha256="", engine="x", duration_s=1.0
    )
    with pytest.raises(DriverError, match="gone"):
        sounding[0].play(gone)
