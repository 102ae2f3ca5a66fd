"""A sound is found again in what a microphone recorded, and judged."""

import numpy as np
import pytest

from testbed.runner.doctor.findings import Verdict
from testbed.runner.doctor.loopback import find_echo, judge

RATE = 16_000


def speech(seconds, seed=1):
    """Noise whose loudness changes like that of syllables."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    loudness = np.repeat(rng.uniform(0, 1, n // 1600 + 1) ** 2, 1600)[:n]
    return rng.normal(0, 6000, n) * loudness


def pcm(samples):
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


def room(sound, *, before=0.5, after=0.5, gain=0.2, noise=30.0, seed=2):
    rng = np.random.default_rng(seed)
    parts = (
        np.zeros(round(before * RATE)),
        sound * gain,
        np.zeros(round(after * RATE)),
    )
    quiet = np.concatenate(parts)
    return pcm(quiet + rng.normal(0, noise, quiet.size))


@pytest.mark.parametrize("before", [0.1, 0.505, 1.2])
def test_the_onset_is_found_to_one_frame(before):
    sound = speech(1.5)
    echo = find_echo(pcm(sound), room(sound, before=before))
    assert echo.likeness > 0.9
    assert echo.onset_s == pytest.approx(before, abs=0.006)
    assert echo.level_dbfs - echo.noise_dbfs > 15


def test_another_sound_of_the_same_loudness_is_not_taken_for_it():
    echo = find_echo(pcm(speech(1.5)), room(speech(1.5, seed=9)))
    said = judge(echo, 0.0)
    assert said.verdict is Verdict.BAD
    assert said.measured["heard"] is False


def test_a_quiet_room_is_silence():
    said = judge(find_echo(pcm(speech(1.5)), room(np.zeros(24_000))), 0.0)
    assert said.verdict is Verdict.BAD
    assert "did not hear" in said.said


@pytest.mark.parametrize("heard", [b"", b"\0", pcm(speech(0.2))])
def test_a_recording_that_is_too_short_is_not_heard(heard):
    assert judge(find_echo(pcm(speech(1.5)), heard), 0.0).verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("gain", "delay_s", "verdict", "words"),
    [
        (0.2, 0.03, Verdict.OK, "30 ms after it left"),
        (0.01, 0.03, Verdict.WARNING, "heard at -62"),
        (0.2, 1.1, Verdict.WARNING, "labels of spoken activities are off"),
    ],
)
def test_soft_and_late_sound_is_a_warning(gain, delay_s, verdict, words):
    sound = speech(1.5)
    said = judge(find_echo(pcm(sound), room(sound, gain=gain, noise=2.0)), delay_s)
    assert (said.verdict, words in said.said) == (verdict, True), said.said
