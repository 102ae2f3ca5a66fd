"""What the speakers of the room understand, and what they do then."""

import asyncio
import itertools
import os
import signal
import socket

import numpy as np
import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.voice_cache import pcm_of
from testbed.drivers.voice_tts import open_voice
from testbed.errors import DriverError, LabError
from testbed.model.lab import VoiceAt
from testbed.virtual.rehearsal import LoopThread, Rehearsal
from testbed.virtual.room import hearing, start_room
from testbed.virtual.room.ears import Ears, Hypothesis
from testbed.virtual.room.hearing import Hearing, understand
from testbed.virtual.room.sentences import ACTIVITIES, WAKE_WORDS, parse

SPEAKERS = {"echo_dot": "alexa", "home_mini": "hey google"}
SENTENCES = list(itertools.product(SPEAKERS, ACTIVITIES))


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voice")
    return open_voice(VoiceAt(cache=str(folder), command=("true",)), SystemClock())


class Lab:
    def __init__(self, loop):
        self.loop = loop
        self.stage = Rehearsal()
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.address = self.sock.getsockname()
        self.room = loop.run(
            start_room(
                self.stage, self.sock, clock=SystemClock(), seed=1, speakers=SPEAKERS
            )
        )

    def sound(self, pcm):
        """Send a sound faster than real time; return what was heard."""
        n = len(self.room.heard)
        with socket.create_connection(self.address) as connection:
            connection.sendall(pcm)
        return self.next_heard(n)

    def next_heard(self, n):
        clock = SystemClock()
        assert wait_until(lambda: len(self.room.heard) > n, clock=clock, deadline_s=60)
        return self.room.heard[n]


@pytest.fixture(scope="module")
def shared_loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def lab(shared_loop):
    lab = Lab(shared_loop)
    yield lab
    shared_loop.run(lab.room.close())


def pcm(voice, text):
    return pcm_of(voice.render(text).wav)


def test_every_sentence_makes_its_own_speaker_act(lab, voice):
    for device, utterance in SENTENCES:
        lab.sound(pcm(voice, f"{SPEAKERS[device]} {utterance}"))
    begun = [(b.device, b.activity, b.parameters["utterance"]) for b in lab.stage.begun]
    assert begun == [(d, ACTIVITIES[u], u) for d, u in SENTENCES]
    assert {(b.channel, b.network) for b in lab.stage.begun} == {("voice", None)}


def test_the_driver_is_heard_and_the_true_start_lies_within_its_stamps(lab, tmp_path):
    at = VoiceAt(cache=str(tmp_path), pcm_tcp="{}:{}".format(*lab.address))
    loudspeaker = open_voice(at, SystemClock())
    played = loudspeaker.play(loudspeaker.render("hey google volume down"))
    (begun,) = lab.stage.wait_for(1)
    assert (begun.device, begun.activity) == ("home_mini", "volume_down")
    assert played.issue_ns <= begun.instant_ns <= played.return_ns


def test_a_deaf_speaker_hears_nothing_and_the_other_does(lab, voice):
    lab.stage.faults["deaf_speaker", "echo_dot"] = ""
    assert lab.sound(pcm(voice, "alexa stop")).verdict == "deaf"
    assert lab.sound(pcm(voice, "hey google stop")).verdict == "began"
    assert [b.device for b in lab.stage.begun] == ["home_mini"]


def test_a_speaker_without_power_does_not_act(shared_loop, voice):
    lab = Lab(shared_loop)
    lab.stage.begin(
        "echo_dot",
        "power_off",
        channel="power",
        network=None,
        parameters={},
        instant_ns=0,
    )
    assert lab.sound(pcm(voice, "alexa stop")).verdict == "off"
    assert len(lab.stage.begun) == 1
    shared_loop.run(lab.room.close())


def test_a_wake_word_that_no_speaker_has_begins_nothing(shared_loop, voice):
    lab = Lab(shared_loop)
    lab.room._speakers.pop("home_mini")
    assert lab.sound(pcm(voice, "hey google stop")).verdict == "nobody"
    shared_loop.run(lab.room.close())


@pytest.mark.parametrize(
    "text",
    [
        "alexa",
        "stop",
        "what is the weather",
        "computer what is the weather",
        "computer tell me a joke",
        "siri what time is it",
        "alexa order a pizza with mushrooms",
        "alexandra stopped at the weather station",
        "good morning everybody",
        "the quick brown fox jumps over the lazy dog",
        "hello world how are you today my friend",
    ],
)
def test_other_speech_begins_nothing(lab, voice, text):
    heard = lab.sound(pcm(voice, text))
    assert heard.verdict in ("nothing", "incomplete", "unsure")
    assert lab.stage.begun == []


def test_a_false_activation_is_recorded_as_one(lab, voice):
    heard = lab.sound(pcm(voice, "computer what is the weather"))
    assert heard.verdict == "unsure"
    assert heard.hypothesis.text == "hey google what is the weather"


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.2, 3.0])
def test_silence_and_noise_are_no_command(lab, seconds):
    noise = np.random.default_rng(1).normal(0, 3000, int(seconds * 16000))
    for sound in (np.zeros(noise.size), noise):
        if seconds:
            assert lab.sound(sound.astype("<i2").tobytes()).verdict == "nothing"
    assert lab.stage.begun == []


def test_a_byte_too_many_does_no_harm(lab, voice):
    assert lab.sound(pcm(voice, "alexa stop") + b"\x01").verdict == "began"


def test_a_pause_ends_an_utterance_while_the_connection_stays(lab, voice, monkeypatch):
    monkeypatch.setattr("testbed.virtual.room.room.PAUSE_S", 0.2)
    with socket.create_connection(lab.address) as connection:
        connection.sendall(pcm(voice, "alexa stop"))
        assert lab.next_heard(0).verdict == "began"
        connection.sendall(pcm(voice, "hey google volume up"))
        assert lab.next_heard(1).verdict == "began"
    assert [b.activity for b in lab.stage.begun] == ["stop", "volume_up"]


def test_a_second_loudspeaker_is_hung_up_on(lab, voice, tmp_path):
    at = VoiceAt(cache=str(tmp_path), pcm_tcp="{}:{}".format(*lab.address))
    loudspeaker = open_voice(at, SystemClock())
    with socket.create_connection(lab.address) as first:
        first.sendall(b"\0" * 640)
        clock = SystemClock()
        assert wait_until(lambda: lab.room._playing, clock=clock, deadline_s=60)
        with pytest.raises(DriverError, match="is it in use"):
            loudspeaker.play(loudspeaker.render("alexa stop"))
    assert lab.stage.begun == []


def test_a_recogniser_that_dies_is_started_again(lab, voice):
    os.kill(lab.room._hearing._process.pid, signal.SIGKILL)
    assert lab.sound(pcm(voice, "alexa stop")).verdict == "began"


def test_no_process_is_left_when_the_room_closes(shared_loop):
    lab = Lab(shared_loop)
    process = lab.room._hearing._process
    shared_loop.run(lab.room.close())
    assert process.poll() is not None
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(lab.address, timeout=30)


def test_the_recogniser_ends_by_itself_when_its_parent_is_gone():
    ears = Hearing(1)
    ears.start()
    process = ears._process
    process.stdin.close()
    assert process.wait(60) == 0
    ears.close()


def test_recognition_does_not_hold_up_the_loop(lab, voice):
    sound = pcm(voice, "alexa how long is my commute") * 6

    async def ticks_until_heard():
        n = 0
        while not lab.room.heard:
            await asyncio.sleep(0.001)
            n += 1
        return n

    with socket.create_connection(lab.address) as connection:
        connection.sendall(sound)
    ticks = lab.loop.run(ticks_until_heard())
    assert lab.room.heard[0].decode_s > 0.05
    assert ticks > 10


def test_a_recogniser_that_cannot_start_is_a_fault_of_the_lab(monkeypatch):
    monkeypatch.setattr(hearing.sys, "executable", "/bin/false")
    with pytest.raises(LabError, match="extra 'asr'"):
        Hearing(1).start()


def test_clean_speech_needs_the_noise_of_a_room(voice, monkeypatch):
    sound = pcm(voice, "alexa what is the weather")
    assert Ears(1).hear(sound).text == "alexa what is the weather"
    monkeypatch.setattr("testbed.virtual.room.ears.NOISE_SIGMA", 0.0)
    assert Ears(1).hear(sound).text != "alexa what is the weather"


def test_the_other_voice_of_the_virtual_cloud_is_understood_too():
    from testbed.drivers.voice_engines import decode, gtts_recipe
    from testbed.virtual.room.speech_service import speak

    ears = Ears(1)
    for wake_word, utterance in itertools.product(WAKE_WORDS, ACTIVITIES):
        text = f"{wake_word} {utterance}"
        sound = decode("voice", gtts_recipe(text, "en"), speak(text, "en"))
        command, reason = understand(ears.hear(sound))
        assert command is not None, (text, reason)
        assert (command.wake_word, command.utterance) == (wake_word, utterance)


@pytest.mark.parametrize(
    ("hypothesis", "reason"),
    [
        (Hypothesis(text="", score=0.0, wake_s=0.0), "nothing"),
        (Hypothesis(text="alexa what is the", score=0.6, wake_s=0.5), "incomplete"),
        (Hypothesis(text="alexa stop", score=0.3, wake_s=0.5), "unsure"),
        (Hypothesis(text="alexa stop", score=0.6, wake_s=0.3), "unsure"),
        (Hypothesis(text="alexa stop", score=0.6, wake_s=1.2), "unsure"),
        (Hypothesis(text="alexa stop", score=0.6, wake_s=0.5), ""),
    ],
)
def test_only_whole_sentences_that_are_sure_are_commands(hypothesis, reason):
    command, why = understand(hypothesis)
    assert why == reason
    assert (command is None) is bool(reason)


@pytest.mark.parametrize("text", ["", "alexa", "stop", "alexastop", "alexa stop now"])
def test_what_is_not_a_sentence_is_not_parsed(text):
    assert parse(text) is None
