"""How long a plan will take, before anything is touched.

A small simulation of the rules of the runner: a device is busy from rest to the end of
its label window, the phone while it is tapped and looked at, the room while a sentence
is spoken. Times of instruments are medians of the virtual lab, marked as guesses for
a real one.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.model.types import Channel

STEP_S = 0.9  # one act on the phone with its view dump
CHECK_S = 1.2  # one look at the phone
SPOKEN_WORD_S = 0.42  # espeak-ng at 140 words a minute
SWITCH_S = 0.3
SESSION_S = 8.0  # start and proof of the capture, clock, drain, fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Expected duration of a plan, and how often each cell of its matrix is tried.

    duration_s  wall clock, all sessions
    busy_s      seconds for which each instrument is held
    coverage    (device, activity, channel, network) -> trials, preparations left out
    """

    duration_s: float
    busy_s: dict[str, float]
    coverage: dict[tuple[str, str, str, str], int]
    n_preparations: int


def estimate(plan: Plan, profiles: Mapping[str, DeviceProfile]) -> Estimate:
    """Return the expected duration and coverage of a plan."""
    free: Counter[str] = Counter()
    busy: Counter[str] = Counter()
    end_s = 0.0
    for session in sorted({t.session for t in plan.trials}):
        start_s = end_s + SESSION_S / 2 + plan.idle_s
        free = Counter(dict.fromkeys(free, start_s))
        session_end_s = start_s
        for trial in (t for t in plan.trials if t.session == session):
            if not plan.interleave:
                free["device"] = max(free["device"], session_end_s)
            done_s = _place(trial, profiles, free, busy, start_s)
            session_end_s = max(session_end_s, done_s)
        end_s = session_end_s + plan.idle_s + SESSION_S / 2
    cells = Counter(
        (t.device, t.activity, t.channel.value, t.network.value if t.network else "")
        for t in plan.trials
        if not t.preparation
    )
    return Estimate(
        duration_s=end_s,
        busy_s=dict(busy),
        coverage=dict(cells),
        n_preparations=sum(t.preparation for t in plan.trials),
    )


def _place(
    trial: PlannedTrial,
    profiles: Mapping[str, DeviceProfile],
    free: Counter[str],
    busy: Counter[str],
    origin_s: float,
) -> float:
    """Put one trial after what it shares with earlier ones; return its end."""
    device = f"device {trial.device}"
    held = _held(trial, profiles)
    ready_s = max(free[device], free["device"], origin_s) + trial.rest_s
    if trial.not_before_s is not None:
        ready_s = max(ready_s, trial.not_before_s)
    act_s = max((ready_s, *(free[name] for name in held)))
    for name, seconds in held.items():
        free[name] = act_s + seconds
        busy[name] += seconds
    end_s = act_s + max(held.values(), default=0.0) + trial.delta_s
    free[device] = end_s
    return end_s


def _held(
    trial: PlannedTrial, profiles: Mapping[str, DeviceProfile]
) -> dict[str, float]:
    activity = profiles[trial.device].activities[trial.activity]
    check = activity.check_for(trial.channel)
    look_s = CHECK_S + STEP_S * len(check.steps) if check and check.see else 0.0
    if trial.channel is Channel.PHONE and activity.phone is not None:
        return {"phone": STEP_S * len(activity.phone.steps) + look_s}
    if trial.channel is Channel.VOICE and activity.voice is not None:
        spoken_s = SPOKEN_WORD_S * len(activity.voice.say.split())
        return {"room": spoken_s, **({"phone": look_s} if look_s else {})}
    return {f"plug of {trial.device}": SWITCH_S}
