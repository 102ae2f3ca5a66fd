"""Campaign after campaign in one scene, until every kill has landed."""

import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from testbed.clock import SystemClock, wait_until
from tests.bench.torture.judge import ORPHAN, WRONG, Label
from tests.bench.torture.life import Kill, Place, Told, judged, live_through, start_of
from tests.bench.torture.moments import FULL
from tests.bench.torture.scenes import Scene

_MOST_MISSES = 3  # then a moment is tried as the first kill of a campaign
_ENOUGH = 60  # faults, and no more is to be learnt
_SAMPLED = {"open:after", "commit:before"}  # passed all the time
_SHARE = 0.25  # of them
_WRITING = ("open:after", "rename:before")
_OF_FOLDERS = ("folder.", "export.", "label.", "open:", "commit:")


@dataclass(slots=True)
class Tally:
    """What came of everything, for the summary and the JSON."""

    kills: int = 0
    campaigns: int = 0
    rivals: int = 0
    full_disks: int = 0
    voided: int = 0
    never: list[str] = field(default_factory=list)
    moments: Counter[str] = field(default_factory=Counter)
    faults: list[dict[str, str]] = field(default_factory=list)
    cycle_s: list[float] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """Return how many faults of a kind were found."""
        return sum(f["kind"] == kind for f in self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The uninterrupted campaign. moments: what it passed, in order; took_s: wall."""

    labels: frozenset[Label]
    moments: tuple[str, ...]
    took_s: float


class Campaigns:
    """Kills campaigns of one scene.

    per_campaign  how many kills one campaign gets at most
    say           called with a line for people
    keep          whether folders of good campaigns are kept too
    """

    def __init__(
        self,
        scene: Scene,
        seed: int,
        say: Callable[[str], None],
        *,
        per_campaign: int,
        keep: bool = False,
    ) -> None:
        self.tally = Tally()
        self._scene = scene
        self._seed = seed
        self._say = say
        self._per_campaign = per_campaign
        self._keep = keep
        self._rng = np.random.default_rng([seed, len(scene.form)])
        self._reference: Reference | None = None
        self._whole_s = 0.0

    @property
    def reference(self) -> Reference:
        """Return the uninterrupted campaign with the same seed, run when needed."""
        if self._reference is None:
            self._run_whole()  # once for caches and servers that stay
            self._scene.settle()
            self._reference = self._run_whole()
        return self._reference

    def systematic(self, targets: Sequence[str]) -> None:
        """Kill at each target once."""
        order = self._rng.permutation(len(targets))
        left = deque(Kill(at=targets[i]) for i in order)
        misses: Counter[str] = Counter()
        while left and not self._hopeless():
            told = self._campaign(self._next_of(left, misses))
            for kill in told.missed:
                misses[kill.at] += 1
                if misses[kill.at] > _MOST_MISSES:
                    self.tally.never.append(kill.at)
                else:
                    left.append(kill)

    def random(self, count: int) -> None:
        """Kill at `count` random instants."""
        landed = 0
        while landed < count and not self._hopeless():
            n = min(self._per_campaign, count - landed)
            told = self._campaign(self._instant() for _ in range(n))
            landed += len(told.landed)

    def full_disks(self, count: int) -> None:
        """Let the disk be full at `count` moments of a run and of its resume."""
        whole = [m for m in self.reference.moments if m.startswith(_WRITING)]
        for at in self._rng.choice(whole, size=min(count, len(whole)), replace=False):
            self._campaign(Kill(at=f"{FULL}{at}") for _ in range(2))

    def rivals(self, count: int) -> None:
        """Start a second controller beside a living one, `count` times."""
        tries = 0
        while self.tally.rivals < count and tries < 3 * count:
            tries += 1  # some come when the first is done
            self._rival(tries)

    def targets(self) -> list[str]:
        """Return every moment of the uninterrupted run that is to be died at.

        Some are passed all the time: they are sampled. What a live campaign does to
        its folder, a fast one does as well.
        """
        live = self._scene.form == "live"
        found: dict[str, None] = {}
        for moment in self.reference.moments:
            word = moment.rpartition(":")[0]
            if live and word.startswith(_OF_FOLDERS):
                continue
            if word not in _SAMPLED or self._rng.random() < _SHARE:
                found[moment] = None
        return list(found)

    def _hopeless(self) -> bool:
        whole = self.reference.labels
        return not whole or len(self.tally.faults) >= _ENOUGH

    def _next_of(self, left: "deque[Kill]", misses: Counter[str]) -> Iterator[Kill]:
        for number in range(self._per_campaign):
            if not left:
                return
            if number and misses[left[0].at] >= _MOST_MISSES:
                return  # its last chance is a whole campaign
            yield left.popleft()

    def _instant(self) -> Kill:
        """Draw an instant: start-up, labelling and close come more often."""
        reference, at = self.reference, self._rng.random()
        whole_s = self._whole_s or reference.took_s
        kind = self._rng.random()
        if kind < 0.05:
            return Kill(after_s=round(at * 2.0, 3), cold=True)
        if kind < 0.2:
            at *= 0.15
        elif kind < 0.4:
            at = 0.75 + at * 0.25
        return Kill(after_s=round(at * whole_s, 3))

    def _run_whole(self) -> Reference:
        place = self._scene.place(self._seed)
        trace = place.folder / "trace"
        over = self._scene.hands.do(start_of(place, trace=trace))
        told = Told(took_s=[over.took_s])
        if over.status != 0:
            told.verdict.add(WRONG, f"without a kill it ended with {over.status}")
        moments = tuple(trace.read_text().split()) if trace.exists() else ()
        self._note(place, judged(place, told, None))
        return Reference(
            labels=told.verdict.labels, moments=moments, took_s=over.took_s
        )

    def _campaign(self, kills: Iterator[Kill]) -> Told:
        wanted = self.reference.labels
        place = self._scene.place(self._seed)
        told = live_through(self._scene.hands, place, kills)
        if len(told.took_s) == 1:
            self._whole_s = told.took_s[0]  # others may keep the machine busy
        self._note(place, judged(place, told, wanted))
        return told

    def _rival(self, number: int) -> None:
        reference, hands = self.reference, self._scene.hands
        place = self._scene.place(self._seed)
        first = hands.start(start_of(place))
        clock = SystemClock()
        told = Told()
        whole_s = self._whole_s or reference.took_s
        clock.sleep(float(self._rng.uniform(0.05, 0.7)) * whole_s)
        wait_until(
            lambda: place.campaign() is not None or hands.is_over(first),
            clock=clock,
            deadline_s=60.0,
        )
        alive, second = False, None
        if place.campaign() is not None and not hands.is_over(first):
            second = hands.do(start_of(place))
            alive = not hands.is_over(first)
        over = hands.wait(first)
        if over.status != 0:
            told.verdict.add(WRONG, f"the first controller ended with {over.status}")
        if second is not None and alive:
            said = place.log.read_text(errors="replace")
            refused = second.status == 3 and " is held by torture-" in said
            self.tally.rivals += refused
            if not refused and " is closed already" not in said:
                code = second.status
                told.verdict.add(WRONG, f"a second controller ended with code {code}")
        self._note(place, judged(place, told, reference.labels), f"rival {number}")

    def _note(self, place: Place, told: Told, what: str = "") -> None:
        tally, verdict = self.tally, told.verdict
        for orphan in self._scene.orphans() if self._reference else ():
            verdict.add(ORPHAN, orphan)
        if any(kind == ORPHAN for kind, _ in verdict.faults):
            self._scene.settle()  # each is counted once
        tally.campaigns += 1
        full = sum(kill.is_full_disk for kill in told.landed)
        tally.kills += len(told.landed) - full
        tally.full_disks += full
        tally.voided += verdict.n_voided
        tally.cycle_s += told.took_s
        words = (k.at.rpartition(":")[0] or "instant" for k in told.landed)
        tally.moments.update(words)
        name = f"{self._scene.name} {place.folder.name}"
        kills = ", ".join(map(str, told.landed)) or what or "not killed"
        end = "ok" if not verdict.faults else "NOT RIGHT"
        self._say(f"{name}: {kills}: {end}")
        for kind, sentence in verdict.faults:
            self._say(f"  {kind}: {sentence}")
            fault = {"campaign": name, "kind": kind, "what": sentence, "kills": kills}
            tally.faults.append(fault)
        if not verdict.faults and not self._keep:
            _remove(place.folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
