"""The loudspeaker: whether it can speak, who speaks, and whether it is heard."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.clock import Clock
from testbed.drivers.voice_cache import pcm_of
from testbed.drivers.voice_loopback import recording
from testbed.errors import DriverRefusedError
from testbed.model.inspection import SpeechInspector
from testbed.model.lab import LoopbackAt, VoiceAt
from testbed.model.profile import Check, DeviceProfile
from testbed.model.protocols import Phone, Utterance, Voice
from testbed.runner.bench import expanded
from testbed.runner.doctor.findings import Said, Value, Verdict
from testbed.runner.doctor.loopback import find_echo, judge
from testbed.runner.doctor.ward import Ward
from testbed.runner.trials.stimulus import perform_all

_OPEN_S = 10.0
_ONLINE_S = 20.0
_RENDER_S = 90.0
_PLAY_S = 40.0
_TRIES = 2
_ANSWER_S = 5.0  # how long its app is given to show what it heard
_LEAD_S = 0.3  # of quiet before and after, against which the sound is held
_ENOUGH_WORDS = 5  # with the wake word
_NEW_S = 1.0  # a file that is younger than this was just made


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A sentence that changes nothing, and how its speaker shows that it heard it."""

    sentence: str
    check: Check


def look_at_voice(ward: Ward) -> Voice | None:
    """Look at the loudspeaker; return it when it can say what is wanted."""
    at, examiner = ward.lab.voice, ward.examiner
    sentences = tuple(ward.sentences())
    if at is None:
        if sentences:
            examiner.skip("voice.sentences", "the lab file names no loudspeaker")
        return None

    def opened() -> tuple[Said, Voice]:
        _require_player(expanded(at))
        voice: Voice = ward.opened("voice", at)
        return Said(said=f"it plays through {at.pcm_tcp or at.command[0]}"), voice

    voice = examiner.look("voice.opens", opened, deadline_s=_OPEN_S)
    if voice is None:
        examiner.skip("voice.sentences", "the loudspeaker does not open")
        return None
    examiner.say("voice.engine", lambda: _engine(at, voice), deadline_s=_ONLINE_S)
    if not sentences:
        examiner.skip("voice.sentences", "the plan has nothing to say")
        return None
    good = examiner.say(
        "voice.sentences",
        lambda: _rendered(voice, sentences, ward.clock),
        deadline_s=_RENDER_S,
    )
    return voice if good else None


def listen(ward: Ward, voice: Voice, sentence: str) -> None:
    """Play a sentence while the microphone of the lab file records."""
    at = ward.lab.voice.loopback if ward.lab.voice is not None else None
    if at is None:
        why = "the lab file names no microphone under voice.loopback"
        ward.examiner.skip("voice.loopback", why)
        return
    microphone = expanded(at)
    ward.examiner.say(
        "voice.loopback",
        lambda: _loopback(voice, sentence, microphone, ward.clock),
        deadline_s=_PLAY_S,
    )


def ask_speaker(ward: Ward, phone: Phone, voice: Voice, profile: DeviceProfile) -> None:
    """Speak to a device and see in its app whether it heard."""
    asked = questions(profile)
    if not asked:
        why = "no sentence of it changes nothing and can be checked on the phone"
        ward.examiner.skip("voice.heard", why, profile.device)
        return
    ward.examiner.say(
        "voice.heard",
        lambda: _heard(phone, voice, profile, asked),
        deadline_s=_PLAY_S,
        target=profile.device,
    )


def questions(profile: DeviceProfile) -> tuple[Asked, ...]:
    """Return the sentences that change no state and show in the app, shortest first.

    Those of few words are easily misheard, so they come last.
    """
    found = []
    for activity in profile.activities.values():
        spoken = activity.voice
        if spoken is None or activity.gives:
            continue
        check = spoken.check or activity.check
        if check is not None and check.see is not None:
            found.append(Asked(sentence=spoken.say, check=check))

    def order(asked: Asked) -> tuple[bool, int]:
        return len(asked.sentence.split()) < _ENOUGH_WORDS, len(asked.sentence)

    return tuple(sorted(found, key=order))


def _require_player(at: VoiceAt) -> None:
    """Raise DriverRefusedError where the player command is not there."""
    if at.command and shutil.which(at.command[0]) is None:
        player = at.command[0]
        reason = f"{player} is not installed; install it, or correct voice.command"
        raise DriverRefusedError("voice", "open", reason)


def _engine(at: VoiceAt, voice: Voice) -> Said:
    """Say which engine will speak."""
    if not at.online:
        return Said(said="espeak-ng speaks; voice.online is off")
    if not isinstance(voice, SpeechInspector):
        return Said(said="the speech service may be asked", measured={"online": True})
    why = voice.online_trouble()
    if not why:
        measured: dict[str, Value] = {"online": True, "reachable": True}
        return Said(said="gTTS answers and will speak", measured=measured)
    return Said(
        said=f"the speech service does not speak ({why}); espeak-ng stands in",
        verdict=Verdict.WARNING,
        measured={"online": True, "reachable": False},
        remedy="bring it online, or set voice.online: false for one voice throughout",
    )


def _rendered(voice: Voice, sentences: tuple[str, ...], clock: Clock) -> Said:
    """Render all sentences; raises DriverError for the first that cannot be."""
    start_ns = clock.now_ns()
    made = [voice.render(sentence) for sentence in sentences]
    cached = [_is_older(u.wav, start_ns) for u in made]
    engines = sorted({u.engine for u in made})
    lines = [
        f"{u.text}: {u.engine}, {u.duration_s:.2f} s{', cached' if c else ''}"
        for u, c in zip(made, cached, strict=True)
    ]
    measured: dict[str, Value] = {
        "sentences": len(made),
        "cached": sum(cached),
        "engines": list(engines),
        "longest_s": round(max(u.duration_s for u in made), 2),
        "each": lines,
    }
    said = f"{len(made)} sentences by {' and '.join(engines)}, {sum(cached)} cached"
    if len(engines) > 1:
        return Said(
            said=said,
            verdict=Verdict.WARNING,
            measured=measured,
            remedy="two voices in one campaign; render all while the service answers",
        )
    return Said(said=said, measured=measured)


def _is_older(wav: Path, start_ns: int) -> bool:
    with contextlib.suppress(OSError):
        return wav.stat().st_mtime_ns < start_ns - round(_NEW_S * 1e9)
    return False


def _loopback(voice: Voice, sentence: str, at: LoopbackAt, clock: Clock) -> Said:
    spoken: Utterance = voice.render(sentence)
    longest_s = spoken.duration_s + 2.0 + 2 * _LEAD_S
    with recording(at, clock, longest_s) as sound:
        clock.sleep(_LEAD_S)
        bracket = voice.play(spoken)
        clock.sleep(_LEAD_S)
    echo = find_echo(pcm_of(spoken.wav), bytes(sound.pcm))
    onset_ns = sound.start_ns + round(echo.onset_s * 1e9)
    return judge(echo, (onset_ns - bracket.instant_ns) / 1e9)


def _heard(
    phone: Phone, voice: Voice, profile: DeviceProfile, questions: Sequence[Asked]
) -> Said:
    """Say a sentence and look into the app of its speaker; raises DriverError.

    It is said once more where it was not understood: speakers mishear now and then.
    """
    phone.expect(profile.expected)
    asked = _unasked(phone, questions)
    if asked is None:
        return _all_heard(len(questions))
    spoken = voice.render(asked.sentence)
    measured: dict[str, Value] = {"sentence": asked.sentence, "engine": spoken.engine}
    for number in range(1, _TRIES + 1):
        voice.play(spoken)
        if not _is_shown(phone, asked, min(asked.check.within, _ANSWER_S)):
            continue
        measured["tries"] = number
        said = f"it understood {asked.sentence!r}"
        if number == 1:
            return Said(said=said, measured=measured)
        return Said(
            said=f"{said} when it was said again",
            verdict=Verdict.WARNING,
            measured=measured,
            remedy="put the loudspeaker nearer to it",
        )
    return Said(
        said=f"its app does not show {asked.sentence!r}",
        verdict=Verdict.BAD,
        measured=measured,
        remedy="is its microphone on, and the loudspeaker near and loud enough?",
    )


def _unasked(phone: Phone, questions: Sequence[Asked]) -> Asked | None:
    """Return the first question that the app does not show as just heard already."""
    for asked in questions:
        if not _is_shown(phone, asked, 0.0):
            return asked
    return None


def _all_heard(n_questions: int) -> Said:
    """Say that an answer would prove nothing: the app shows each one beforehand."""
    return Said(
        said="its app shows all that could be asked as just heard, so nothing was said",
        verdict=Verdict.WARNING,
        measured={"questions": n_questions},
        remedy="wait a minute and look again; if that stays, correct the check: it "
        "must tell what is new",
    )


def _is_shown(phone: Phone, asked: Asked, within_s: float) -> bool:
    perform_all(phone, asked.check.steps)
    see = asked.check.see
    return see is not None and phone.see(see, within_s)
