"""How long a plan will take, before anything is touched: a small simulation.

It keeps the rules of the runner. A device is busy from its rest to the end of its label
window. The phone is held from the first step of an act to the end of its check, the
room from a sentence to the end of its check; who waits for the phone to look goes
first, then the device with the most work left. Two windows of a device never overlap.

Times of instruments are medians in the live virtual lab, guesses for a real one: a
phone on a cable is as fast, and `status` corrects by what a campaign really took.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.model.types import Channel

STEP_S = 0.9  # a step that leads to the screen of an act, and the look before it
TAP_S = 1.1  # the step that is the stimulus, beacons and pictures around it
CHECK_S = 1.3  # from the stimulus to the effect on the screen
SPOKEN_WORD_S = 0.42  # espeak-ng at 140 words a minute
SWITCH_S = 0.15
SETTLE_S = 0.2
BEFORE_S = 4.3  # a session's begin: the capture is started and proven, the clock read
AFTER_S = 1.8  # its end: the capture is drained and fetched
_INSTANT = 0.6  # where in the act the label instant lies
_GUESS_S = 4.0  # an act beside window and rest, for the order of those who wait

_Now = float
_Wait = Generator["_Until | _Hold | _Leave", _Now, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Expected duration of a plan, and how often each cell of its matrix is tried.

    duration_s    wall clock, all sessions
    sequential_s  what it would be with one trial after the other
    busy_s        seconds for which each instrument is held
    coverage      (device, activity, channel, network) -> trials, preparations left out
    """

    duration_s: float
    sequential_s: float
    busy_s: dict[str, float]
    coverage: dict[tuple[str, str, str, str], int]
    n_preparations: int


def estimate(plan: Plan, profiles: Mapping[str, DeviceProfile]) -> Estimate:
    """Return the expected duration and coverage of a plan."""
    busy: dict[str, float] = defaultdict(float)
    sequential_s = _duration_s(plan, profiles, defaultdict(float), interleave=False)
    duration_s = _duration_s(plan, profiles, busy, interleave=plan.interleave)
    cells = Counter(
        (t.device, t.activity, t.channel.value, t.network.value if t.network else "")
        for t in plan.trials
        if not t.preparation
    )
    return Estimate(
        duration_s=duration_s,
        sequential_s=sequential_s,
        busy_s=dict(busy),
        coverage=dict(cells),
        n_preparations=sum(t.preparation for t in plan.trials),
    )


def expected_s(plan: Plan, profiles: Mapping[str, DeviceProfile]) -> float:
    """Return the expected duration of a plan alone, in half the time of `estimate`."""
    return _duration_s(plan, profiles, defaultdict(float), interleave=plan.interleave)


def _duration_s(
    plan: Plan,
    profiles: Mapping[str, DeviceProfile],
    busy: dict[str, float],
    *,
    interleave: bool,
) -> float:
    """Return how long all sessions take, one after another."""
    sessions: dict[int, list[PlannedTrial]] = defaultdict(list)
    for trial in plan.trials:
        sessions[trial.session].append(trial)
    end_s = 0.0
    for index in sorted(sessions):
        bench = _Bench(busy=busy, now_s=end_s + BEFORE_S + plan.idle_s)
        queues: dict[str, list[PlannedTrial]] = defaultdict(list)
        for trial in sessions[index]:
            queues[trial.device if interleave else ""].append(trial)
        free_s: dict[str, float] = {}
        for queue in queues.values():
            bench.add(_work(queue, profiles, free_s))
        end_s = bench.run() + plan.idle_s + AFTER_S
    return end_s


@dataclass(frozen=True, slots=True)
class _Until:
    at_s: float


@dataclass(frozen=True, slots=True)
class _Hold:
    name: str
    place: tuple[int, float]  # urgency and rank: smaller goes first


@dataclass(frozen=True, slots=True)
class _Leave:
    name: str


@dataclass(slots=True, kw_only=True)
class _Bench:
    """Instruments that one at a time may hold, and a clock that jumps."""

    busy: dict[str, float]
    now_s: float
    held: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, list[tuple[tuple[int, float], int, _Wait]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    due: list[tuple[float, int, _Wait]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, worker: _Wait) -> None:
        """Let a worker begin now."""
        next(worker)
        heapq.heappush(self.due, (self.now_s, next(self.numbers), worker))

    def run(self) -> float:
        """Return when the last worker is done."""
        while self.due:
            self.now_s, _, worker = heapq.heappop(self.due)
            self._go_on(worker)
        return self.now_s

    def _go_on(self, worker: _Wait) -> None:
        while True:
            try:
                wish = worker.send(self.now_s)
            except StopIteration:
                return
            if isinstance(wish, _Leave):
                self._leave(wish.name)
                continue
            number = next(self.numbers)
            if isinstance(wish, _Until):
                at_s = max(self.now_s, wish.at_s)
                heapq.heappush(self.due, (at_s, number, worker))
                return
            if wish.name in self.held:
                heapq.heappush(self.waiting[wish.name], (wish.place, number, worker))
                return
            self.held[wish.name] = self.now_s

    def _leave(self, name: str) -> None:
        self.busy[name] += self.now_s - self.held.pop(name)
        if self.waiting[name]:
            _, number, worker = heapq.heappop(self.waiting[name])
            self.held[name] = self.now_s
            heapq.heappush(self.due, (self.now_s, number, worker))


def _work(
    queue: Sequence[PlannedTrial],
    profiles: Mapping[str, DeviceProfile],
    free_s: dict[str, float],
) -> _Wait:
    """Do trials one after the other; it is sent the time after each wish.

    free_s  device -> end of its last label window
    """
    left_s = sum(t.rest_s + t.delta_s + _GUESS_S for t in queue)
    now_s = yield _Until(0.0)
    for trial in queue:
        rested_s = free_s.get(trial.device, now_s) + trial.rest_s
        yield _Until(max(rested_s, trial.not_before_s or 0.0))
        times = _times(trial, profiles)
        now_s = yield _Hold(times.holds, (1, -left_s))
        instant_s = now_s + times.lead_s + _INSTANT * times.act_s
        now_s = yield _Until(now_s + times.lead_s + times.act_s)
        if times.look_s and times.holds != "phone":
            yield _Hold("phone", (0, -left_s))
        now_s = yield _Until(now_s + times.look_s)
        if times.look_s and times.holds != "phone":
            yield _Leave("phone")
        yield _Leave(times.holds)
        now_s = yield _Until(instant_s + trial.delta_s + max(trial.settle_s, SETTLE_S))
        free_s[trial.device] = now_s
        left_s -= trial.rest_s + trial.delta_s + _GUESS_S


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """What an attempt holds, and its seconds before, for and after the stimulus."""

    holds: str
    lead_s: float = 0.0
    act_s: float
    look_s: float = 0.0


def _times(trial: PlannedTrial, profiles: Mapping[str, DeviceProfile]) -> _Times:
    activity = profiles[trial.device].activities[trial.activity]
    check = activity.check_for(trial.channel)
    look_s = CHECK_S + STEP_S * len(check.steps) if check and check.see else 0.0
    if trial.channel is Channel.PHONE and activity.phone is not None:
        lead_s = STEP_S * (len(activity.phone.steps) - 1)
        return _Times(holds="phone", lead_s=lead_s, act_s=TAP_S, look_s=look_s)
    if trial.channel is Channel.VOICE and activity.voice is not None:
        spoken_s = SPOKEN_WORD_S * len(activity.voice.say.split())
        return _Times(holds="room", act_s=spoken_s, look_s=look_s)
    return _Times(holds=f"plug of {trial.device}", act_s=SWITCH_S)
