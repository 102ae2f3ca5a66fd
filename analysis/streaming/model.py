"""What is learnt of a device for streaming, and what it answers.

A window that opens is looked at when the shortest activity would be over, again when
the next longer one would be, and so on: so that each can be told when it ends. At each
of these stages an estimator says how likely each activity, and nothing, begins there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.classifiers.model import UNKNOWN, Estimator, Float64, Reads, inputs_of
from analysis.dataset import Device
from analysis.evaluate.trust.groups import Groups
from analysis.models.asking import shares_of
from analysis.streaming.background import Background
from analysis.streaming.windows import Seen
from analysis.windows import IDLE_ACTIVITY

# activities that are over within so long of each other are looked at together
TOGETHER_NS = 1_000_000_000
OR = "|"  # between the activities of a group, as in the scores of groups
_LARGEST = np.finfo(np.float32).max  # trees look at nothing larger


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When an activity shows.

    length_ns  length of its label windows
    lag_ns     median time from the label's instant to its opening: a device that boots
               is silent first
    """

    length_ns: int
    lag_ns: int

    @property
    def shown_ns(self) -> int:
        """Time from its opening until it is over."""
        return self.length_ns - self.lag_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a stage says of one window.

    group        the likeliest activity with those that cannot be told from it; empty
                 where it is like none of them
    likeliest    of the group, '' without one;  likeliest_probability  of it alone
    event        probability that something begins here
    probability  of the group, or of the one that is nearest to what is unknown
    choices      the activities that it may be
    """

    group: tuple[str, ...]
    likeliest: str
    likeliest_probability: float
    event: float
    probability: float
    choices: tuple[str, ...]

    @property
    def activity(self) -> str:
        """The names of the group, or `unknown`."""
        return OR.join(self.group) or UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Estimators for windows of one length.

    length_ns    how long after an opening
    watcher      tells activities from idle windows, by the features alone
    namer        tells activities from each other;  reads  what it takes
    groups       activities that cannot be told apart are in one group
    event_from   probability that something begins, from which it is told; set so that
                 idle stretches of other sessions stay quiet
    known_from   share of the likeliest group below which it is `unknown`
    choice_from  probability from which an activity is among the choices (conformal)
    """

    length_ns: int
    watcher: Estimator
    namer: Estimator
    reads: Reads
    groups: Groups
    event_from: float
    known_from: float
    choice_from: float

    def answers(self, seen: Seen) -> list[Answer | None]:
        """Return what is said of each window, None where nothing begins."""
        acts = [i for i, name in enumerate(self.watcher.classes_) if is_act(str(name))]
        watched = shares_of(self.watcher, np.clip(seen.x, -_LARGEST, _LARGEST))
        event = watched[:, acts].sum(axis=1)
        rows = np.flatnonzero(event >= self.event_from)
        found: list[Answer | None] = [None] * event.size
        if rows.size:
            given = inputs_of(seen.x[rows], seen.sequence[rows], self.reads)
            shares = np.asarray(self.namer.predict_proba(given))
            for row, share in zip(rows.tolist(), shares, strict=True):
                found[row] = self._answer(share, float(event[row]))
        return found

    def _answer(self, row: Float64, event: float) -> Answer:
        names = map(str, self.namer.classes_)
        share = dict(zip(names, row.tolist(), strict=True))
        sums = {group: sum(share[name] for name in group) for group in self.groups}
        group = max(sums, key=lambda each: sums[each])
        name = max(group, key=lambda each: share[each])
        is_known = sums[group] >= self.known_from
        told = group if is_known else ()
        return Answer(
            group=told,
            likeliest=name if is_known else "",
            likeliest_probability=event * share[name] if is_known else 0.0,
            event=event,
            probability=event * sums[group],
            choices=tuple(
                each
                for each, p in share.items()
                if p >= self.choice_from or each == name or each in told
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDevice:
    """All that is learnt of one device; `stages` by length, `groups` at the last."""

    device: Device
    background: Background
    timings: Mapping[str, Timing]
    groups: Groups
    stages: tuple[Stage, ...]


def is_act(name: str) -> bool:
    """Say whether a class is an activity."""
    return name != IDLE_ACTIVITY
