"""The doctor and the loudspeaker: who speaks, and which speaker hears."""

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from testbed.errors import DriverRefusedError
from testbed.model.load import load_profiles
from testbed.model.profile import DeviceProfile
from testbed.runner.doctor.findings import Examiner, Verdict
from testbed.runner.doctor.phone import look_at_phone
from testbed.runner.doctor.voice import (
    ask_speaker,
    listen,
    look_at_voice,
    questions,
)
from testbed.runner.doctor.ward import Ward

ROOT = Path(__file__).parents[2]


@pytest.fixture
def look(rig):
    """Look at voice and phone of a scripted lab with one speaker; return verdicts."""
    one = rig()

    def looked(*, online=False, player="true"):
        wanted = {"online": online, "command": (player, "{wav}")}
        at = one.lab.voice.model_copy(update=wanted)
        parts = {"phone": one.bench.phone, "voice": one.bench.voice}
        with ExitStack() as closing:
            ward = Ward(
                lab=one.lab.model_copy(update={"voice": at}),
                profiles={"speaker": one.profiles["speaker"]},
                plan=None,
                lock=None,
                captures=one.folder,
                journal="",
                examiner=Examiner(one.clock, ("voice",)),
                clock=one.clock,
                open_one=lambda kind, *_: parts[kind],
                closing=closing,
            )
            voice = look_at_voice(ward)
            if voice is not None:
                listen(ward, voice, "testing")
            look_at_phone(ward, lambda: voice)
            return {f.name: f.said for f in ward.examiner.findings}

    looked.world, looked.voice = one.world, one.bench.voice
    return looked


def test_a_speaker_that_hears_shows_it(look):
    said = look()
    assert said["voice.heard:speaker"].verdict is Verdict.OK
    assert said["voice.heard:speaker"].measured["tries"] == 1
    assert said["voice.loopback"].verdict is Verdict.NOT_LOOKED
    assert look.world.acts.count("voice play") == 1


def test_a_player_that_is_not_installed_is_bad(look):
    said = look(player="no_such_player")["voice.opens"]
    assert said.verdict is Verdict.BAD
    assert said.said == "no_such_player is not installed"


def test_a_deaf_speaker_is_asked_twice_and_is_bad(look):
    look.world.deaf = True
    said = look()["voice.heard:speaker"]
    assert said.verdict is Verdict.BAD
    assert "what time is it" in said.said
    assert look.world.acts.count("voice play") == 2


def test_a_loudspeaker_that_cannot_speak_is_bad_and_no_speaker_is_asked(look):
    def silent(_text):
        raise DriverRefusedError("voice", "speak", "espeak-ng is missing; install it")

    look.voice.render = silent
    said = look()
    assert said["voice.sentences"].verdict is Verdict.BAD
    assert said["voice.sentences"].remedy == "install it"
    assert said["voice.heard:speaker"].verdict is Verdict.NOT_LOOKED


@pytest.mark.parametrize(
    ("trouble", "verdict", "words"),
    [("", Verdict.OK, "gTTS"), ("no answer", Verdict.WARNING, "espeak-ng stands in")],
)
def test_the_engine_that_will_speak_is_told(look, trouble, verdict, words):
    look.voice.online_trouble = lambda: trouble
    said = look(online=True)["voice.engine"]
    assert (said.verdict, words in said.said) == (verdict, True)


def test_questions_change_nothing_show_in_the_app_and_are_not_too_short():
    see = {"see": {"id": "history_0", "text": "x"}}
    acts = {
        "stop": {"say": "alexa stop", "check": see},
        "joke": {"say": "alexa tell me a joke", "check": see},
        "weather": {"say": "alexa what is the weather", "check": see},
        "mute": {"say": "alexa now do please mute"},
    }
    profile = DeviceProfile.model_validate(
        {
            "device": "echo",
            "vendor": "V",
            "model": "M",
            "category": "speaker",
            "mac": "02:00:00:00:00:09",
            "activities": {
                **{
                    name: {"delta": "5 s", "voice": voice}
                    for name, voice in acts.items()
                },
                "off": {
                    "delta": "5 s",
                    "gives": {"power": "off"},
                    "voice": {"say": "alexa please go to sleep", "check": see},
                },
            },
        }
    )
    assert [q.sentence for q in questions(profile)] == [
        "alexa tell me a joke",
        "alexa what is the weather",
        "alexa stop",
    ]


def test_an_answer_from_before_does_not_pass_for_hearing(rig):
    profile = load_profiles(ROOT / "devices")["echo_dot"]
    asked = [q.sentence for q in questions(profile)]

    class Phone:
        def expect(self, interrupts):
            pass

        def perform(self, step):
            pass

        def see(self, selector, within_s):
            return selector.any[0].text == "tell me a joke, just now"

    assert asked[0] == "alexa tell me a joke"
    one = rig()
    examiner = Examiner(one.clock)
    ward = SimpleNamespace(examiner=examiner)
    ask_speaker(ward, Phone(), one.bench.voice, profile)
    said = examiner.findings[0].said
    assert said.verdict is Verdict.BAD
    assert said.measured["sentence"] == asked[1]


def test_a_speaker_of_which_all_was_just_heard_is_not_said_to_hear(rig):
    profile = load_profiles(ROOT / "devices")["echo_dot"]
    one = rig()

    class Phone:
        def expect(self, interrupts):
            pass

        def perform(self, step):
            pass

        def see(self, selector, within_s):
            return True

    examiner = Examiner(one.clock)
    ward = SimpleNamespace(examiner=examiner)
    ask_speaker(ward, Phone(), one.bench.voice, profile)
    said = examiner.findings[0].said
    assert said.verdict is Verdict.WARNING
    assert "just heard" in said.said
    assert said.remedy
    assert "voice play" not in one.world.acts
