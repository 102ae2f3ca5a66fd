"""Pauses: who needs what is bad waits, and goes on when it is good again.

Each condition has hysteresis: it is bad after `trip` bad looks on end (fewer when they
take long), and good after `clear` seconds of good looks only. Both are journalled. What
was done while it was bad, or since the last good look before that, is voided by what
the journal says (`touched`), by this run or the next one.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

from testbed.clock import Clock
from testbed.errors import DriverError, LabError
from testbed.model.events import Cleared, Event, Suspended
from testbed.model.lab import Limits
from testbed.runner.pauses.watches import Watch
from testbed.runner.stop import Stop

Need = tuple[str, str]  # condition and target
ROUTER: Need = ("router", "")
DISKS: frozenset[Need] = frozenset({("disk", ""), ("disk", "router")})
# Looked at side by side: a slow look delays those of its own group only.
GROUPS = ("router", "phone", "others")
_SOON_S = 1.0  # between two looks while it is doubtful
_IN_HAND = 6  # looks by trials are so much rarer than others


class Suspender:
    """One condition with its hysteresis; safe for several threads."""

    def __init__(
        self,
        watch: Watch,
        limits: Limits,
        clock: Clock,
        write: Callable[[Event], object],
    ) -> None:
        self.watch = watch
        self.need: Need = (watch.condition, watch.target)
        self.why = ""  # not '' while it is bad
        self.n_suspended = 0
        self._limits = limits
        self._clock = clock
        self._write = write
        self._turn = threading.RLock()
        self._n_bad = 0
        self._good_ns = clock.now_ns()
        self._good_s: float | None = None  # since when all looks are good again
        self._first_bad_s = self._bad_s = 0.0
        self._looked_s: float | None = None

    @property
    def group(self) -> str:
        """Return which of GROUPS it is looked at with."""
        condition, _ = self.watch.through or self.need
        return condition if condition in GROUPS else GROUPS[-1]

    @property
    def is_bad(self) -> bool:
        """Say whether the last look was bad, or it is suspended."""
        return bool(self._n_bad or self.why)

    @property
    def is_doubtful(self) -> bool:
        """Say whether the last look was bad, and one more might make it so."""
        return bool(self._n_bad) and not self.why

    def is_due(self, *, in_hand: bool = False) -> bool:
        """Say whether it is to be looked at; `in_hand` by a trial that holds it."""
        if self.is_bad:
            every_s = _SOON_S
        elif self.watch.regular:
            every_s = self._limits.look_every
        elif in_hand:
            every_s = self._limits.look_every * _IN_HAND
        else:
            return False
        looked_s = self._looked_s
        return looked_s is None or self._clock.monotonic_s() - looked_s >= every_s

    def adopt(self, open_one: Suspended) -> None:
        """Begin as bad, as an earlier run of the campaign left it."""
        self.why, self._bad_s = open_one.detail, self._clock.monotonic_s()

    def was_good(self, at_ns: int) -> None:
        """Take a use that went well at `at_ns` for a good look."""
        with self._turn:
            if not self.is_bad:
                self._good_ns = max(self._good_ns, at_ns)

    def look(self) -> bool:
        """Look once; say whether that told anything.

        Raises LabError when it was bad for too long.
        """
        with self._turn:
            began_ns, began_s = self._clock.now_ns(), self._clock.monotonic_s()
            try:
                why = self.watch.look()
            except DriverError as exc:
                if self.watch.through is not None:
                    return False  # what was asked has a condition of its own
                why = str(exc)
            self._looked_s = self._clock.monotonic_s()
            if why:
                self._note_bad(why, began_s, self._looked_s)
            else:
                self._note_good(began_ns, self._looked_s)
            return True

    def _note_bad(self, why: str, began_s: float, now_s: float) -> None:
        self._n_bad += 1
        if self._n_bad == 1:
            self._first_bad_s = began_s
        self._good_s = None
        if self.why:
            if now_s - self._bad_s >= self._limits.give_up:
                self._give_up(why, now_s - self._bad_s)
            return
        if not self._is_enough(now_s):
            return
        condition, target = self.need
        since_ns = self._good_ns - round(self.watch.age_s * 1e9)
        self._write(
            Suspended(condition=condition, target=target, detail=why, since_ns=since_ns)
        )
        self.why, self._bad_s = why, now_s
        self.n_suspended += 1

    def _is_enough(self, now_s: float) -> bool:
        """Say whether it has been bad often enough, or for as long in slow looks."""
        trip, every_s = self._limits.trip, self._limits.look_every
        if self.watch.at_once or self._n_bad >= trip:
            return True
        return now_s - self._first_bad_s >= trip * every_s

    def _note_good(self, began_ns: int, now_s: float) -> None:
        self._n_bad = 0
        if self.why:
            if self._good_s is None:
                self._good_s = now_s
            if now_s - self._good_s < self._limits.clear:
                return
            condition, target = self.need
            down_s = round(now_s - self._bad_s, 3)
            self._write(Cleared(condition=condition, target=target, down_s=down_s))
            self.why, self._good_s = "", None
        self._good_ns = began_ns

    def _give_up(self, why: str, bad_s: float) -> None:
        name = named(self.need)
        raise LabError(
            f"the campaign waited {bad_s:.0f} s for {name}, which is bad: {why}; "
            "see to it, then resume the campaign"
        )


class Suspenders:
    """All conditions of one campaign.

    write  writes a fact into the journal
    say    called with a line for people when something goes bad or good
    idle   called again and again by who waits, where nobody else tends the lab
    """

    def __init__(
        self, limits: Limits, clock: Clock, stop: Stop, write: Callable[[Event], object]
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._stop = stop
        self._journal = write
        self._all: dict[Need, Suspender] = {}
        self._waited: dict[Need, int] = {}
        self.say: Callable[[str], None] = lambda _: None
        self.idle: Callable[[], None] | None = None

    def watch(self, watches: Iterable[Watch], before: Iterable[Suspended] = ()) -> None:
        """Begin to watch.

        before  what an earlier run left suspended; where nothing watches it any more
                it is cleared
        """
        for one in watches:
            made = Suspender(one, self._limits, self._clock, self._write)
            self._all[made.need] = made
        for left in before:
            need = (left.condition, left.target)
            if need in self._all:
                self._all[need].adopt(left)
            else:
                self._write(
                    Cleared(condition=left.condition, target=left.target, down_s=0.0)
                )

    def tend(self, group: str = "") -> None:
        """Look at what is due; raises LabError when something was bad for too long.

        group  one of GROUPS; '' for all
        """
        for one in tuple(self._all.values()):
            if group not in ("", one.group):
                continue
            through = self._through(one)
            if one.is_due() and not (through is not None and through.is_bad):
                one.look()

    def look_in_hand(self, needs: Iterable[Need], *, force: bool = False) -> None:
        """Look at what is looked at only by trials, which hold what it needs."""
        for one in self._of(needs):
            if not one.watch.regular and (force or one.is_due(in_hand=True)):
                one.look()

    def bad(self, needs: Iterable[Need]) -> str:
        """Return why something of these is suspended, or ''."""
        return "; ".join(f"{named(s.need)}: {s.why}" for s in self._of(needs) if s.why)

    def n_suspended(self, needs: Iterable[Need]) -> int:
        """Return how often any of these went bad in this run."""
        return sum(s.n_suspended for s in self._of(needs))

    def used(self, needs: Iterable[Need], at_ns: int) -> None:
        """Note that instruments did well at `at_ns` (ns, controller)."""
        for one in self._of(needs):
            one.was_good(at_ns)

    def suspect(self, needs: Iterable[Need]) -> str:
        """Look until it is clear whether any of these is bad; return why, or ''.

        What is asked through something else comes after it: nobody can say how it is
        while that is bad. Raises StoppedError when a stop was requested.
        """
        wanted = tuple(needs)
        for one in sorted(self._of(wanted), key=lambda s: s.watch.through is not None):
            through = self._through(one)
            if through is not None and through.is_bad:
                continue
            if not self._settle(one) and through is not None:
                self._settle(through)
        return self.bad(wanted)

    def wait(self, needs: Iterable[Need]) -> bool:
        """Return when nothing of these is bad; say whether there was a wait.

        Raises StoppedError when a stop was requested.
        """
        wanted = tuple(needs)
        waited = False
        while self.bad(wanted):
            waited = True
            if self.idle is not None:
                self.tend()
                self.idle()
            self._stop.sleep(self._clock, _SOON_S)
        self._stop.check()
        return waited

    def _settle(self, one: Suspender) -> bool:
        """Look until a condition is bad or good; say whether the looks could tell."""
        told = one.look()
        while told and one.is_doubtful:
            self._stop.sleep(self._clock, _SOON_S)
            told = one.look()
        return told

    def _through(self, one: Suspender) -> Suspender | None:
        """Return the condition of what is asked in place of this one, if watched."""
        return self._all.get(one.watch.through) if one.watch.through else None

    def _of(self, needs: Iterable[Need]) -> Sequence[Suspender]:
        return [self._all[need] for need in needs if need in self._all]

    def _write(self, event: Event) -> None:
        self._journal(event)
        match event:
            case Suspended(condition=condition, target=target, detail=detail):
                name = named((condition, target))
                limit_s = self._limits.give_up
                self.say(f"paused: {name}: {detail}; waiting up to {limit_s:g} s")
            case Cleared(condition=condition, target=target, down_s=down_s):
                name = named((condition, target))
                self.say(f"goes on: {name} is good again after {down_s:.0f} s")


def named(need: Need) -> str:
    """Return the words for a condition, such as `device omna_180`."""
    return " ".join(filter(None, need))
