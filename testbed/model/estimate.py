"""How long a plan will take, before anything is touched.

A small simulation of the rules of the runner: a device is busy from rest to the end of
its label window, the phone while it is tapped and looked at, the room while a sentence
is spoken. Times of instruments are medians of the virtual lab, marked as guesses for
a real one.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
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
    busy: dict[str, float] = defaultdict(float)
    end_s = 0.0
    for session in sorted({t.session for t in plan.trials}):
        start_s = end_s + SESSION_S / 2 + plan.idle_s
        own = [t for t in plan.trials if t.session == session]
        done_s = _session(own, profiles, busy, start_s, plan.interleave)
        end_s = done_s + plan.idle_s + SESSION_S / 2
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


def _session(
    trials: Sequence[PlannedTrial],
    profiles: Mapping[str, DeviceProfile],
    busy: dict[str, float],
    start_s: float,
    interleave: bool,
) -> float:
    """Place the trials of a session one after another; return the end of the last.

    Interleaved, the next trial is the head of the queue of the device that can start
    first, and of those that can the device with the most work left.
    """
    queues: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        queues.setdefault(trial.device if interleave else "", []).append(trial)
    free: dict[str, float] = defaultdict(lambda: start_s)
    while any(queues.values()):

        def order(queue: str) -> tuple[float, float]:
            left_s = sum(t.delta_s + t.rest_s for t in queues[queue])
            return _start_s(queues[queue][0], queue, profiles, free), -left_s

        queue = min((q for q, left in queues.items() if left), key=order)
        trial = queues[queue].pop(0)
        act_s = _start_s(trial, queue, profiles, free)
        held = _held(trial, profiles)
        for name, seconds in held.items():
            free[name] = act_s + seconds
            busy[name] += seconds
        free[queue] = act_s + max(held.values(), default=0.0) + trial.delta_s
    return max(free.values(), default=start_s)


def _start_s(
    trial: PlannedTrial,
    queue: str,
    profiles: Mapping[str, DeviceProfile],
    free: dict[str, float],
) -> float:
    """Return when the stimulus of a trial can leave."""
    ready_s = max(free[queue] + trial.rest_s, trial.not_before_s or 0.0)
    return max((ready_s, *(free[name] for name in _held(trial, profiles))))


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
