"""Whether the speech service speaks is asked past the cache."""

import io
import wave

import pytest

from testbed.clock import SystemClock
from testbed.drivers.voice_tts import open_voice
from testbed.errors import DriverTimeoutError
from testbed.model.inspection import SpeechInspector
from testbed.model.lab import VoiceAt


@pytest.fixture
def voice(tmp_path):
    at = VoiceAt(online=True, cache=str(tmp_path / "cache"), command=("true", "{wav}"))
    return open_voice(at, SystemClock())


def answering(monkeypatch, answer):
    def ask(name, recipe, deadline_s):
        if isinstance(answer, bytes):
            return answer
        raise DriverTimeoutError(name, "speak", answer)

    monkeypatch.setattr("testbed.drivers.voice_tts.ask_gtts", ask)


def test_a_service_that_speaks_is_no_trouble_and_leaves_nothing(
    voice, monkeypatch, tmp_path
):
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(b"\1\0" * 1600)
    answering(monkeypatch, file.getvalue())
    assert isinstance(voice, SpeechInspector)
    assert voice.online_trouble() == ""
    assert not any((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [("no answer within 8 s", "no answer"), (b"<p>", "no audio")],
)
def test_a_service_that_does_not_speak_says_why(voice, monkeypatch, answer, words):
    answering(monkeypatch, answer)
    assert words in voice.online_trouble()
