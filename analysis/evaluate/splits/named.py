"""Ways to part trials into training and test, as objects with a name and a hash.

S0 is the paper's (random rows) and called leaky: trials of one session, minutes apart
on the same connections, are on both sides. S1 keeps sessions whole. S2 trains on the
past and tests on the future. S3 to S6 are in `held_out`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from analysis.dataset import Times
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.splits.folds import (
    Fold,
    MayUse,
    Split,
    SplitPlan,
    SplitRefusedError,
    left_out,
    none_of,
    refuse_leaks,
    seen_under,
)
from analysis.evaluate.splits.held_out import HELD_OUT, session_groups
from analysis.features.model import Int64

__all__ = ["SPLITS", "Fold", "Split", "SplitPlan", "SplitRefusedError", "refuse_leaks"]

_FOLDS = 5
_TEST_SHARE = 0.25
_AT_MOST = 0.5  # of the trials, that the last sessions may hold


def _repeated(minimum: int) -> Callable[[Samples], MayUse]:
    def eligible(samples: Samples) -> MayUse:
        names, count = np.unique(samples.activity, return_counts=True)
        rare = names[count < minimum]
        return ~np.isin(samples.activity, rare), left_out(
            rare, names, f"fewer than {minimum} repeats"
        )

    return eligible


def _in_two_sessions(samples: Samples) -> MayUse:
    if len(samples.sessions()) < 2:
        return none_of(samples, "one session only: no session is new")
    return seen_under(samples.session, samples, "seen in one session only")


def _before_and_after(samples: Samples) -> MayUse:
    if samples.times not in (Times.RECORDED, Times.DATES):
        return none_of(
            samples,
            "the import made up the order: which session was later is unknown; a "
            "column day of dates as 2026-03-01 would tell it",
        )
    column, order = _in_order(samples)
    if len(order) < 2:
        what = "session" if samples.times is Times.RECORDED else "day"
        return none_of(samples, f"one {what} only: no later {what}")
    late = np.isin(column, _late(samples))
    names, number = np.unique(samples.activity, return_inverse=True)
    n_late = np.bincount(number, weights=late, minlength=names.size)
    n_all = np.bincount(number, minlength=names.size)
    rare = names[(n_late == 0) | (n_late == n_all)]
    few = names[(n_late > 0) & (n_late < _TEST_SHARE * n_all)]
    notes = (
        left_out(rare, names, "not in both early and late sessions"),
        left_out(few, names, "less than a quarter late, but kept"),
    )
    may_use = ~np.isin(samples.activity, rare)
    return may_use, "; ".join(note for note in notes if note)


def _in_order(samples: Samples) -> tuple[Strings, tuple[str, ...]]:
    """Return the session of each row, and sessions in the order of time.

    Days instead where nobody knows what of one day was first.
    """
    if samples.times is Times.RECORDED:
        return samples.session, samples.sessions()
    return samples.day, tuple(np.unique(samples.day).tolist())


def _late(samples: Samples) -> tuple[str, ...]:
    """Return the last sessions, or days, which the chronological split tests.

    As few as hold at least a quarter of the trials, and of each activity where that is
    possible: among the ways to part the sessions that leave half of the trials to learn
    from, the one under which most activities have their quarter and are on both sides.
    """
    column, sessions = _in_order(samples)
    position = {name: i for i, name in enumerate(sessions)}
    place = np.array([position[str(name)] for name in column])
    names, number = np.unique(samples.activity, return_inverse=True)
    held = np.zeros((len(sessions), names.size), dtype=np.int64)
    np.add.at(held, (place, number), 1)
    n_late = np.cumsum(held[::-1], axis=0)[::-1]  # row i: in session i or later
    n_all = n_late[0]
    best, chosen = (-1, -1, -1.0), len(sessions) - 1
    for first in range(len(sessions) - 1, 0, -1):
        both = (n_late[first] > 0) & (n_late[first] < n_all)
        share = float(n_late[first].sum() / n_all.sum())
        if share > _AT_MOST and best[0] > 0:
            break
        enough = both & (n_late[first] >= _TEST_SHARE * n_all)
        rank = (int(both.sum()), int(enough.sum()), min(share, _TEST_SHARE))
        if rank > best:
            best, chosen = rank, first
    return sessions[chosen:]


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
    del seed  # nothing here is random
    parts = session_groups(samples, rows, _FOLDS)
    return tuple(Fold(train=outside, test=inside) for outside, inside in parts)


def _chronological(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    del seed  # nothing here is random
    late = np.isin(_in_order(samples)[0][rows], _late(samples))
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
                description="earlier sessions to learn from, the last ones as test, "
                "with at least a quarter of the trials of each activity where possible",
                leaky=False,
                eligible=_before_and_after,
                cut=_chronological,
            ),
            *HELD_OUT,
        )
    }
)
