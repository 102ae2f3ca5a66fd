"""What a split is: folds of rows with a name and a hash, and when one is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.evaluate.samples import Samples, Strings
from analysis.features.model import Int64

MayUse: TypeAlias = tuple[NDArray[np.bool_], str]


class SplitRefusedError(AnalysisError):
    """These trials cannot be split in this way; the message says why, for a table."""


def _no_rows() -> Int64:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Rows to learn from and rows to be tested on, as indices into the samples.

    unknown  rows of activities that training does not hold, to be told from the others
    """

    train: Int64
    test: Int64
    unknown: Int64 = field(default_factory=_no_rows)


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
    eligible: Callable[[Samples], MayUse]
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
            digest=digest(self.name, samples.trial, folds),
            note=note,
        )


def refuse_leaks(samples: Samples, fold: Fold, *, by_session: bool) -> None:
    """Raise SplitRefusedError when the test side is known to the training side.

    Looks for trials, for identical rows (windows without packets aside) and, with
    `by_session`, for sessions that are on both sides.
    """
    train, test = fold.train, np.concatenate((fold.test, fold.unknown))
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


def digest(name: str, trial: Strings, folds: tuple[Fold, ...]) -> str:
    """Return a hash of a split: of its name and of who is on which side."""
    sides = [
        [sorted(trial[part].tolist()) for part in parts if part.size or part is f.train]
        for f in folds
        for parts in ((f.train, f.test, f.unknown),)
    ]
    return hashlib.sha256(json.dumps([name, sides]).encode()).hexdigest()[:12]


def left_out(rare: Strings, names: Strings, why: str) -> str:
    """Say which of the activities a split cannot use, '' for none."""
    if not rare.size:
        return ""
    if rare.size == names.size:
        return f"{why}: every activity"
    shown = ", ".join(str(n) for n in rare[:4])
    more = f" and {rare.size - 4} more" if rare.size > 4 else ""
    return f"{why}: {shown}{more}"


def none_of(samples: Samples, why: str) -> MayUse:
    """Return that no row may be used."""
    return np.zeros(len(samples), dtype=np.bool_), why


def seen_under(column: Strings, samples: Samples, why: str) -> MayUse:
    """Return rows of activities that appear under two values of a column, '' aside."""
    has = column != ""
    names = np.unique(samples.activity)
    seen = [np.unique(column[has & (samples.activity == n)]).size for n in names]
    rare = names[np.array(seen) < 2]
    return has & ~np.isin(samples.activity, rare), left_out(rare, names, why)
