"""Which engine speaks, and what is kept."""

import json
import subprocess

import pytest

from testbed.clock import VirtualClock
from testbed.drivers import voice_engines, voice_tts
from testbed.drivers.voice_tts import open_voice
from testbed.errors import ConfigError, DriverRefusedError, DriverTimeoutError
from testbed.model.lab import VoiceAt

TEXT = "alexa stop"


@pytest.fixture
def clock():
    return VirtualClock(10**18)


@pytest.fixture
def engine_calls(monkeypatch):
    calls = []
    real = voice_tts.ask_espeak

    def counted(name, recipe):
        calls.append(recipe.text)
        return real(name, recipe)

    monkeypatch.setattr(voice_tts, "ask_espeak", counted)
    return calls


@pytest.fixture
def service(monkeypatch):
    """What the online service answers: a WAV by default, an error when one is set."""

    class Service:
        calls = 0
        error = None

        def ask(self, name, recipe, deadline_s):
            self.calls += 1
            if self.error:
                raise self.error
            command = ["espeak-ng", "-v", "en-gb", "--stdout", "--", recipe.text]
            return subprocess.run(command, capture_output=True, check=True).stdout

    service = Service()
    monkeypatch.setattr(voice_tts, "ask_gtts", service.ask)
    return service


def voice(folder, clock, *, online=False):
    at = VoiceAt(cache=str(folder), online=online, command=("true",))
    return open_voice(at, clock)


def test_a_cached_sentence_is_byte_identical_and_asks_no_engine(
    tmp_path, clock, engine_calls
):
    first = voice(tmp_path, clock).render(TEXT)
    sound = first.wav.read_bytes()
    again = voice(tmp_path, clock).render(TEXT)
    assert (again, again.wav.read_bytes()) == (first, sound)
    assert engine_calls == [TEXT]


def test_a_cache_that_is_lost_makes_the_same_bytes_again(tmp_path, clock):
    assert (
        voice(tmp_path / "a", clock).render(TEXT).sha256
        == voice(tmp_path / "b", clock).render(TEXT).sha256
    )


def test_a_spoilt_entry_is_made_anew(tmp_path, clock, engine_calls):
    first = voice(tmp_path, clock).render(TEXT)
    sound = first.wav.read_bytes()
    first.wav.write_bytes(sound[:-100])
    assert voice(tmp_path, clock).render(TEXT).wav.read_bytes() == sound
    assert engine_calls == [TEXT, TEXT]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sha256": "x"}'])
def test_a_spoilt_provenance_is_made_anew(tmp_path, clock, engine_calls, text):
    first = voice(tmp_path, clock).render(TEXT)
    first.wav.with_suffix(".json").write_text(text)
    assert voice(tmp_path, clock).render(TEXT) == first
    assert engine_calls == [TEXT, TEXT]


def test_the_cache_says_where_a_sound_comes_from(tmp_path, clock):
    first = voice(tmp_path, clock).render(TEXT)
    facts = json.loads(first.wav.with_suffix(".json").read_text())
    assert facts["text"] == TEXT
    assert facts["sha256"] == first.sha256
    assert f"{facts['engine']} {facts['version']}" == first.engine
    assert facts["made"] == "20010909T014640.000Z"
    assert len(facts["source_sha256"]) == 64


def test_nothing_half_written_stays_in_the_cache(tmp_path, clock):
    voice(tmp_path, clock).render(TEXT)
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(name.rpartition(".")[2] for name in names) == ["json", "wav"]


def test_spaces_do_not_make_another_sentence(tmp_path, clock):
    loudspeaker = voice(tmp_path, clock)
    assert loudspeaker.render("alexa \n stop ") == loudspeaker.render("alexa stop")


def test_a_text_that_looks_like_an_option_is_spoken(tmp_path, clock):
    assert voice(tmp_path, clock).render("--version").duration_s > 0.3


def test_a_missing_engine_is_named_with_the_way_to_get_it(tmp_path, clock, monkeypatch):
    voice_engines._espeak_version.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DriverRefusedError, match="apt-get install espeak-ng") as caught:
        voice(tmp_path, clock).render(TEXT)
    assert str(caught.value).startswith("voice: speak 'alexa stop': espeak-ng is not")
    voice_engines._espeak_version.cache_clear()


def test_a_language_that_the_engine_lacks_is_refused_with_its_words(tmp_path, clock):
    at = VoiceAt(cache=str(tmp_path), command=("true",), language="xx")
    with pytest.raises(DriverRefusedError, match=r"voice 'xx'.*espeak-ng --voices"):
        open_voice(at, clock).render(TEXT)


def test_a_cache_that_cannot_be_written_is_refused(tmp_path, clock):
    (tmp_path / "file").write_text("")
    with pytest.raises(DriverRefusedError, match="set 'cache'"):
        voice(tmp_path / "file", clock).render(TEXT)


def test_online_the_service_speaks_once_and_then_the_cache(tmp_path, clock, service):
    first = voice(tmp_path, clock, online=True).render(TEXT)
    again = voice(tmp_path, clock, online=True).render(TEXT)
    assert first.engine.startswith("gtts ")
    assert again == first
    assert service.calls == 1


def test_a_cached_espeak_rendering_is_no_reason_not_to_ask(tmp_path, clock, service):
    assert voice(tmp_path, clock).render(TEXT).engine.startswith("espeak-ng ")
    assert voice(tmp_path, clock, online=True).render(TEXT).engine.startswith("gtts ")


def test_offline_a_cached_online_rendering_is_not_used(tmp_path, clock, service):
    voice(tmp_path, clock, online=True).render(TEXT)
    assert voice(tmp_path, clock).render(TEXT).engine.startswith("espeak-ng ")


def test_without_the_service_espeak_speaks_and_the_bracket_says_why(
    tmp_path, clock, service
):
    service.error = DriverTimeoutError("voice", "speak", "no answer within 8 s")
    loudspeaker = voice(tmp_path, clock, online=True)
    detail = loudspeaker.play(loudspeaker.render(TEXT)).detail
    assert detail["engine"].startswith("espeak-ng ")
    assert detail["fallback"] == "no answer within 8 s"


def test_after_a_failure_the_service_is_left_alone_for_a_minute(
    tmp_path, clock, service
):
    service.error = DriverRefusedError("voice", "speak", "503")
    loudspeaker = voice(tmp_path, clock, online=True)
    for text in ("stop", "volume up", "volume down"):
        loudspeaker.render(text)
    assert service.calls == 1
    clock.sleep(61)
    service.error = None
    assert loudspeaker.render("tell me a joke").engine.startswith("gtts ")


def test_a_sentence_keeps_its_voice_while_the_loudspeaker_is_open(
    tmp_path, clock, service
):
    service.error = DriverRefusedError("voice", "speak", "503")
    loudspeaker = voice(tmp_path, clock, online=True)
    first = loudspeaker.render(TEXT)
    service.error = None
    clock.sleep(3600)
    assert loudspeaker.render(TEXT) == first


def test_an_answer_that_is_no_audio_is_not_kept(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(voice_tts, "ask_gtts", lambda *_: b"<html>sorry</html>")
    loudspeaker = voice(tmp_path, clock, online=True)
    detail = loudspeaker.play(loudspeaker.render(TEXT)).detail
    assert detail["engine"].startswith("espeak-ng ")
    assert "no audio" in detail["fallback"]
    assert len(list(tmp_path.rglob("*.wav"))) == 1


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"pcm_tcp": "10.0.0.1:4711", "command": ("aplay", "{wav}")},
        {"pcm_tcp": "4711"},
        {"pcm_tcp": "host:port"},
        {"pcm_tcp": "host:70000"},
    ],
)
def test_a_way_to_the_loudspeaker_that_makes_no_sense_is_a_fault_of_the_lab_file(
    clock, section
):
    with pytest.raises(ConfigError, match=r"^voice: "):
        open_voice(VoiceAt(**section), clock)
