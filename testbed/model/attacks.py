"""What intruders do, kind by kind, told relative to what the household does.

An intruder has the owner's password, or a loudspeaker at the window. He has watched the
household: its hours and its actions are those of the days before he appears.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from testbed.model.habits import DAY_S, Doing
from testbed.model.types import Channel
from testbed.model.users import Action, Attack, AttackKind, hours_of

_WIDTH_H = 3  # of the stretch in which a household does least
_OUTSIDE = range(8, 18)  # hours in which somebody at a window is no surprise
_JITTER_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One act of an intruder.

    episode     counts from 1
    instead_of  what a member of the household meant to do, and did not
    """

    at_s: float
    action: Action
    episode: int
    instead_of: Doing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An attack, the days on which it may happen, and the household it is about.

    known  what the household does before those days, or all of it where that is none
    """

    attack: Attack
    days: range
    doings: Sequence[Doing]
    known: Sequence[Doing]
    random: np.random.Generator

    def some_days(self, length: int = 1) -> list[int]:
        """Draw the first day of each episode of `length` days, apart where possible."""
        last = max(self.days.start, self.days.stop - length)
        starts = np.arange(self.days.start, last + 1, length)
        starts = starts[starts < self.days.stop]
        n = self.attack.episodes
        chosen = self.random.choice(starts, n, replace=n > starts.size)
        return sorted(int(day) for day in chosen)

    def some_actions(self, n: int, channel: Channel | None = None) -> list[Action]:
        """Draw actions: those of the attack, else the household's as often as there."""
        own = [d.action for d in self.known]
        own = [a for a in own if channel in (None, a.channel)] or own
        pool = self.attack.actions or tuple(own)
        if not pool:
            return []
        return [pool[int(i)] for i in self.random.integers(len(pool), size=n)]

    def per_hour(self) -> np.ndarray:
        """Return (24,) float64: acts by hour of day, smoothed over the neighbours."""
        hours = [int(d.at_s % DAY_S // 3600) for d in self.known]
        counts = np.bincount(hours, minlength=24).astype(np.float64)
        smooth: np.ndarray = (np.roll(counts, 1) + 2 * counts + np.roll(counts, -1)) / 4
        return smooth

    def quiet_hour(self, among: range = range(24)) -> float:
        """Draw an hour of day from the stretch in which the household does least."""
        if self.attack.hours is not None:
            given = hours_of(self.attack.hours)
            return float(self.random.uniform(given.start, given.stop))
        counts = self.per_hour()
        starts = [h for h in among if h + _WIDTH_H <= among.stop] or list(among)
        sums = [counts[np.arange(h, h + _WIDTH_H) % 24].sum() for h in starts]
        start = starts[int(np.argmin(sums))]
        return float(self.random.uniform(start, start + _WIDTH_H - 1))

    def usual_hour(self) -> float:
        """Draw an hour of day as often as the household does something in it."""
        if self.attack.hours is not None or not self.known:
            return self.quiet_hour()
        known = self.known[int(self.random.integers(len(self.known)))]
        return known.at_s % DAY_S / 3600


def _gather(
    case: Case, hour: Callable[[], float], acts: int, within_s: float
) -> Iterator[tuple[int, list[float]]]:
    """Yield (episode, times of its acts): `acts` acts within a stretch of a day."""
    n = case.attack.acts or acts
    length_s = within_s if case.attack.within is None else case.attack.within
    for episode, day in enumerate(case.some_days(), 1):
        first_s = day * DAY_S + hour() * 3600
        later = np.sort(case.random.uniform(0, length_s, n - 1))
        yield episode, [first_s, *(first_s + later).tolist()]


def _off_hours(case: Case) -> Iterator[Strike]:
    """Do the household's own actions, in the hours in which it does least."""
    for episode, times in _gather(case, case.quiet_hour, 4, 2700):
        for at_s, action in zip(times, case.some_actions(len(times)), strict=True):
            yield Strike(at_s=at_s, action=action, episode=episode)


def _burst(case: Case) -> Iterator[Strike]:
    """Do one of the household's own actions again and again, at a usual hour."""
    for episode, times in _gather(case, case.usual_hour, 15, 1800):
        (action,) = case.some_actions(1)
        for at_s in times:
            yield Strike(at_s=at_s, action=action, episode=episode)


def _low_and_slow(case: Case) -> Iterator[Strike]:
    """Do one of the household's own actions a day, at a usual hour; for seven days."""
    n_days = case.attack.acts or 7
    for episode, first in enumerate(case.some_days(n_days), 1):
        for day in range(first, min(first + n_days, case.days.stop)):
            (action,) = case.some_actions(1)
            at_s = day * DAY_S + case.usual_hour() * 3600
            yield Strike(at_s=at_s, action=action, episode=episode)


def _mimicry(case: Case) -> Iterator[Strike]:
    """Do through a day what the household does, at the hours at which it does it."""
    n = case.attack.acts or 8
    for episode, day in enumerate(case.some_days(), 1):
        for i in case.random.integers(len(case.known), size=n):
            known = case.known[int(i)]
            late_s = float(case.random.normal(0, 900))
            at_s = day * DAY_S + (known.at_s + late_s) % DAY_S
            action = case.some_actions(1)[0] if case.attack.actions else known.action
            yield Strike(at_s=at_s, action=action, episode=episode)


def _replay(case: Case) -> Iterator[Strike]:
    """Do a run of acts of the household once more: same time of day, same gaps."""
    n = case.attack.acts or 6
    for episode, day in enumerate(case.some_days(), 1):
        last = max(1, len(case.known) - n + 1)
        first = int(case.random.integers(last))
        trace = case.known[first : first + n]
        back = int(trace[0].at_s // DAY_S)
        late_s = float(case.random.uniform(-_JITTER_S, _JITTER_S))
        for known in trace:
            at_s = known.at_s + (day - back) * DAY_S + late_s
            yield Strike(at_s=at_s, action=known.action, episode=episode)


def _new_action(case: Case) -> Iterator[Strike]:
    """Do what nobody in the household ever does, at a usual hour."""
    for episode, times in _gather(case, case.usual_hour, 2, 1800):
        for at_s, action in zip(times, case.some_actions(len(times)), strict=True):
            yield Strike(at_s=at_s, action=action, episode=episode)


def _order_swap(case: Case) -> Iterator[Strike]:
    """Do a routine of the household at its time, backwards and in its place."""
    found: dict[tuple[str, int, int], list[Doing]] = {}
    for doing in case.doings:
        if doing.routine is not None and doing.at_s // DAY_S in case.days:
            found.setdefault(doing.routine, []).append(doing)
    n_steps = {key: len({d.action.what for d in each}) for key, each in found.items()}
    enough = max(3, min(4, max(n_steps.values(), default=0)))
    whole = [each for key, each in found.items() if n_steps[key] >= enough]
    n = min(case.attack.episodes, len(whole))
    chosen = sorted(int(i) for i in case.random.choice(len(whole), n, replace=False))
    for episode, index in enumerate(chosen, 1):
        for doing, other in zip(whole[index], reversed(whole[index]), strict=True):
            yield Strike(
                at_s=doing.at_s,
                action=other.action,
                episode=episode,
                instead_of=doing,
            )


def _voice_injection(case: Case) -> Iterator[Strike]:
    """Speak from outside, in the daytime hours in which least is done."""

    def hour() -> float:
        return case.quiet_hour(_OUTSIDE)

    for episode, times in _gather(case, hour, 4, 300):
        actions = case.some_actions(len(times), Channel.VOICE)
        for at_s, action in zip(times, actions, strict=True):
            yield Strike(at_s=at_s, action=action, episode=episode)


KINDS: Mapping[AttackKind, Callable[[Case], Iterator[Strike]]] = {
    AttackKind.OFF_HOURS: _off_hours,
    AttackKind.BURST: _burst,
    AttackKind.LOW_AND_SLOW: _low_and_slow,
    AttackKind.MIMICRY: _mimicry,
    AttackKind.REPLAY: _replay,
    AttackKind.NEW_ACTION: _new_action,
    AttackKind.ORDER_SWAP: _order_swap,
    AttackKind.VOICE_INJECTION: _voice_injection,
}


def strikes(case: Case) -> list[Strike]:
    """Draw the acts of one attack; none where the household does nothing at all."""
    if not case.known or not case.days:
        return []
    return list(KINDS[case.attack.kind](case))
