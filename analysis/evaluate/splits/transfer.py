"""Learn from one campaign and be tested on another: other days, units, homes, labs."""

from dataclasses import replace
from typing import Any

import numpy as np

from analysis.dataset import Times
from analysis.evaluate.samples import Samples
from analysis.evaluate.splits.folds import (
    Fold,
    Split,
    SplitRefusedError,
    digest,
    left_out,
    refuse_leaks,
)

NAME = "transfer"
_COLUMNS = (
    "activity",
    "channel",
    "day",
    "home",
    "length_ns",
    "n_packets",
    "network",
    "start_ns",
    "unit",
    "user",
)


def joined(train: Samples, test: Samples, names: tuple[str, str]) -> Samples:
    """Return the rows of two campaigns below each other, those to learn from first.

    names  of the campaigns; sessions and trials are called by them, so that two that
           are called the same stay apart
    """
    columns: dict[str, Any] = {
        name: np.concatenate((getattr(train, name), getattr(test, name)))
        for name in _COLUMNS
    }
    tags = [f"{name} ({n})" for n, name in enumerate(names, 1)]
    for name in ("session", "trial"):
        parts = [
            [f"{tag}: {value}" for value in getattr(each, name).tolist()]
            for tag, each in zip(tags, (train, test), strict=True)
        ]
        columns[name] = np.array(parts[0] + parts[1], dtype=np.str_)
    columns["recording"] = np.repeat(tags, [len(train), len(test)])
    sequence = None
    if train.sequence is not None and test.sequence is not None:
        from scipy.sparse import vstack

        sequence = vstack((train.sequence, test.sequence), format="csr")
    known = {each.times for each in (train, test)}
    return replace(
        train,
        times=known.pop() if len(known) == 1 else Times.INVENTED,
        x=np.concatenate((train.x, test.x)),
        sequence=sequence,
        n_uncovered=train.n_uncovered + test.n_uncovered,
        unpowered_ns=train.unpowered_ns + test.unpowered_ns,
        **columns,
    )


def transfer(samples: Samples, names: tuple[str, str]) -> Split:
    """Part joined samples by campaign. Raises SplitRefusedError when it cannot be.

    Activities that are not in both campaigns are left out, and named.
    """
    ours = samples.recording == f"{names[0]} (1)"
    if not ours.any() or ours.all():
        raise SplitRefusedError("no trial has a label in one of the campaigns")
    if not samples.n_packets[ours].any() or not samples.n_packets[~ours].any():
        raise SplitRefusedError("no label window of one campaign holds a packet")
    both = np.intersect1d(samples.activity[ours], samples.activity[~ours])
    rare = np.setdiff1d(samples.activity, both)
    note = left_out(rare, np.unique(samples.activity), "not in both campaigns")
    if both.size < 2:
        raise SplitRefusedError(note or "only one activity: nothing to tell apart")
    may_use = np.isin(samples.activity, both)
    fold = Fold(
        train=np.flatnonzero(may_use & ours), test=np.flatnonzero(may_use & ~ours)
    )
    refuse_leaks(samples, fold, by_session=True)
    return Split(
        name=NAME,
        title=f"{names[0]} to {names[1]}",
        description=f"learnt from campaign {names[0]}, tested on campaign {names[1]}",
        leaky=False,
        folds=(fold,),
        digest=digest(NAME, samples.trial, (fold,)),
        note=note,
    )
