"""Ways to part trials into training and test, as objects with a name and a hash.

S0 is the paper's (random rows) and called leaky: trials of one session, minutes apart
on the same connections, are on both sides. S1 keeps sessions whole: the headline while
campaigns are short. S2 trains on the past and tests on the future.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from analysis.errors import AnalysisError
from analysis.evaluate.samples import Samples, Strings
from analysis.features.model import Int64

_FOLDS = 5
_TEST_SHARE = 0.25


class SplitRefusedError(AnalysisError):
    """These trials cannot be split in this way; the message says why, for a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Rows to learn from and rows to be tested on, as indices into the samples."""

    train: Int64
    test: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One way to part trials, with the folds it gives for one device.

    leaky   True when trials of one session can be on both sides
    digest  hash of the name and the trial ids of every side of every fold
    note    what the split had to leave out, or ''
    """

    name: str
    title: str
    description: str
    leaky: bool
    folds: tuple[Fold, ...]
    digest: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """How a split is made: `cut` takes the samples, the rows it may use and a seed.

    eligible  samples -> (k,) bool and a sentence about what is left out, or ''
    """

    name: str
    title: str
    description: str
    leaky: bool
    eligible: Callable[[Samples], tuple[np.ndarray, str]]
    cut: Callable[[Samples, Int64, int], tuple[Fold, ...]]

    def split(self, samples: Samples, seed: int) -> Split:
        """Part the samples; raise SplitRefusedError, with the reason, when impossible.

        The same samples and seed give the same split, whatever the machine.
        """
        if not len(samples):
            raise SplitRefusedError("no trial has a label")
        if not samples.n_packets.any():
            raise SplitRefusedError("no label window holds a packet")
        may_use, note = self.eligible(samples)
        rows = np.flatnonzero(may_use)
        if np.unique(samples.activity[rows]).size < 2:
            raise SplitRefusedError(note or "only one activity: nothing to tell apart")
        folds = self.cut(samples, rows, seed)
        for fold in folds:
            refuse_leaks(samples, fold, by_session=not self.leaky)
        return Split(
            name=self.name,
            title=self.title,
            description=self.description,
            leaky=self.leaky,
            folds=folds,
            digest=_digest(self.name, samples.trial, folds),
            note=note,
        )


def refuse_leaks(samples: Samples, fold: Fold, *, by_session: bool) -> None:
    """Raise SplitRefusedError when the test side is known to the training side.

    Looks for trials, for identical rows (windows without packets aside) and, with
    `by_session`, for sessions that are on both sides.
    """
    train, test = fold.train, fold.test
    if np.isin(samples.trial[test], samples.trial[train]).any():
        raise SplitRefusedError("leak: a trial is on both sides of the split")
    if by_session and np.isin(samples.session[test], samples.session[train]).any():
        raise SplitRefusedError("leak: a session is on both sides of the split")
    known = {samples.x[i].tobytes() for i in train if samples.n_packets[i]}
    copies = sum(samples.x[i].tobytes() in known for i in test if samples.n_packets[i])
    if copies:
        raise SplitRefusedError(
            f"leak: {copies} windows have an identical copy on the other side; "
            "remove duplicated captures or trials"
        )


def _digest(name: str, trial: Strings, folds: tuple[Fold, ...]) -> str:
    sides = [[sorted(trial[f.train]), sorted(trial[f.test])] for f in folds]
    return hashlib.sha256(json.dumps([name, sides]).encode()).hexdigest()[:12]


def _repeated(minimum: int) -> Callable[[Samples], tuple[np.ndarray, str]]:
    def eligible(samples: Samples) -> tuple[np.ndarray, str]:
        names, count = np.unique(samples.activity, return_counts=True)
        rare = names[count < minimum]
        return ~np.isin(samples.activity, rare), _left_out(
            rare, names, f"fewer than {minimum} repeats"
        )

    return eligible


def _in_two_sessions(samples: Samples) -> tuple[np.ndarray, str]:
    if len(samples.sessions()) < 2:
        return np.zeros(len(samples), dtype=bool), "one session only: no session is new"
    names = np.unique(samples.activity)
    seen = [np.unique(samples.session[samples.activity == n]).size for n in names]
    rare = names[np.array(seen) < 2]
    return ~np.isin(samples.activity, rare), _left_out(
        rare, names, "seen in one session only"
    )


def _before_and_after(samples: Samples) -> tuple[np.ndarray, str]:
    if len(samples.sessions()) < 2:
        return np.zeros(len(samples), dtype=bool), "one session only: no later session"
    late = _is_late(samples)
    both = np.intersect1d(samples.activity[late], samples.activity[~late])
    names = np.unique(samples.activity)
    rare = np.setdiff1d(names, both)
    note = _left_out(rare, names, "not in both early and late sessions")
    return ~np.isin(samples.activity, rare), note


def _left_out(rare: Strings, names: Strings, why: str) -> str:
    if not rare.size:
        return ""
    if rare.size == names.size:
        return f"{why}: every activity"
    shown = ", ".join(str(n) for n in rare[:4])
    more = f" and {rare.size - 4} more" if rare.size > 4 else ""
    return f"{why}: {shown}{more}"


def _is_late(samples: Samples) -> np.ndarray:
    """Mark the last sessions that together hold at least a quarter of the trials."""
    held = 0
    late: list[str] = []
    for session in reversed(samples.sessions()[1:]):
        late.append(session)
        held += int((samples.session == session).sum())
        if held >= _TEST_SHARE * len(samples):
            break
    return np.isin(samples.session, late)


def _holdout(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    from sklearn.model_selection import train_test_split

    activity = samples.activity[rows]
    n_activities, n_test = np.unique(activity).size, round(_TEST_SHARE * rows.size)
    if n_test < n_activities:
        raise SplitRefusedError(
            f"{rows.size} trials are too few to test {n_activities} activities"
        )
    train, test = train_test_split(
        rows, test_size=_TEST_SHARE, stratify=activity, random_state=seed
    )
    return (Fold(train=np.sort(train), test=np.sort(test)),)


def _stratified(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    parts = folds.split(samples.x[rows], samples.activity[rows])
    return tuple(Fold(train=rows[a], test=rows[b]) for a, b in parts)


def _by_session(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    """Leave one session out, or one of five groups of sessions when there are more."""
    from sklearn.model_selection import StratifiedGroupKFold

    del seed  # nothing here is random
    session = samples.session[rows]
    # Stratified, so that an activity of few sessions is not left to one side alone.
    folds = StratifiedGroupKFold(min(_FOLDS, np.unique(session).size))
    parts = folds.split(samples.x[rows], samples.activity[rows], session)
    return tuple(Fold(train=rows[a], test=rows[b]) for a, b in parts)


def _chronological(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    del seed  # nothing here is random
    late = _is_late(samples)[rows]
    start_ns = samples.start_ns[rows]
    if start_ns[~late].max(initial=-(2**62)) > start_ns[late].min(initial=2**62):
        raise SplitRefusedError("sessions overlap in time: none is later than another")
    return (Fold(train=rows[~late], test=rows[late]),)


SPLITS: Mapping[str, SplitPlan] = MappingProxyType(
    {
        plan.name: plan
        for plan in (
            SplitPlan(
                name="s0_folds",
                title="S0 random, 5 folds",
                description="rows at random in five stratified folds, as in Table 1 "
                "of the paper; leaky: sessions are on both sides",
                leaky=True,
                eligible=_repeated(_FOLDS),
                cut=_stratified,
            ),
            SplitPlan(
                name="s0_holdout",
                title="S0 random, 75/25",
                description="a quarter of the rows at random, as in the text of the "
                "paper; leaky: sessions are on both sides",
                leaky=True,
                eligible=_repeated(2),
                cut=_holdout,
            ),
            SplitPlan(
                name="s1",
                title="S1 by session",
                description="no session is on both sides: at most five folds of "
                "whole sessions",
                leaky=False,
                eligible=_in_two_sessions,
                cut=_by_session,
            ),
            SplitPlan(
                name="s2",
                title="S2 chronological",
                description="earlier sessions to learn from, the last ones, with at "
                "least a quarter of the trials, as test",
                leaky=False,
                eligible=_before_and_after,
                cut=_chronological,
            ),
        )
    }
)
