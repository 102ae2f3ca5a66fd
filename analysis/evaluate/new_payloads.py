"""Score payloads on what was never said in training: duplicates leave before the split.

Devices repeat themselves: nearly every test window has a training window that says the
same, byte by byte or but for its counters. So what *new* means is said exactly, and
each meaning has its own n:

raw_sets      of windows that say the same, as it was sent, only the first is kept;
              then by session (S1)
raw_messages  by session; of a test window only the messages are kept that nobody sent
              in training, and the window only when one is left
masked_sets   of windows that say the same but for masked fields, only the first is
              kept; each is tested once, all others are learnt from. Almost nothing is
              left to test of a device that says one thing per activity
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.folds import Fold, MayUse, SplitPlan, SplitRefusedError, digest
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.splits import SPLITS, Split
from analysis.evaluate.study import Refusal, Result, result_of
from analysis.features.model import Int64
from analysis.payload import (
    GramClassifier,
    Messages,
    PayloadMatcher,
    masked_all,
    vocabulary,
)

MATCHER, GRAMS = "payload", "payload_grams"


class New(StrEnum):
    """What may not have been said in training; see the module."""

    RAW_SETS = "raw_sets"
    RAW_MESSAGES = "raw_messages"
    MASKED_SETS = "masked_sets"


_TITLES = {
    New.RAW_SETS: "S1 by session, windows that say what none said, as sent",
    New.RAW_MESSAGES: "S1 by session, messages that nobody sent",
    New.MASKED_SETS: "each distinct set of masked messages once",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResult:
    """Matcher and 3-grams on the same test windows, none of which was said before.

    n_windows   windows of the device that say something
    n_distinct  windows left of them without duplicates; for `raw_messages` test windows
                in which a new message is left
    tested      activity -> its windows that were tested
    session     (n,) str, of each of them;  right  (n,) bool, by the matcher, to pool
    """

    new: New
    n_windows: int
    n_distinct: int
    tested: Mapping[str, int]
    session: Strings
    right: NDArray[np.bool_]
    matcher: Result
    grams: Result


def new_payload_study(
    samples: Samples, texts: Messages, *, seed: int = 0
) -> tuple[tuple[NewResult, ...], tuple[Refusal, ...]]:
    """Score both ways under each meaning of new, or refuse it in words.

    texts  messages of each of the samples as they were sent, see `texts_of`

    Raises TooMuchTextError for more than 2,000 distinct masked messages.
    """
    said = np.array([bool(window) for window in texts], dtype=bool)
    samples, texts = _taken(samples, np.flatnonzero(said)), _chosen(texts, said)
    results, refusals = [], []
    for new in New:
        try:
            results.append(_STUDIES[new](samples, texts, seed))
        except SplitRefusedError as exc:
            refusals.append(
                Refusal(device=samples.device, split=str(new), reason=str(exc))
            )
    return tuple(results), tuple(refusals)


def first_of_each(keys: Sequence[Hashable]) -> Int64:
    """Return the row at which each distinct key stands first, in order."""
    seen: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        seen.setdefault(key, row)
    return np.array(sorted(seen.values()), dtype=np.int64)


def _raw_sets(samples: Samples, texts: Messages, seed: int) -> NewResult:
    rows = first_of_each([frozenset(window) for window in texts])
    kept, said = _taken(samples, rows), tuple(texts[i] for i in rows.tolist())
    split = SPLITS["s1"].split(kept, seed)
    return _scored(New.RAW_SETS, kept, said, split, len(texts), rows.size, seed)


def _masked_sets(samples: Samples, texts: Messages, seed: int) -> NewResult:
    masked = masked_all(texts)
    rows = first_of_each([frozenset(window) for window in masked])
    kept, said = _taken(samples, rows), tuple(texts[i] for i in rows.tolist())
    split = _EACH_ONCE.split(kept, seed)
    return _scored(New.MASKED_SETS, kept, said, split, len(texts), rows.size, seed)


def _raw_messages(samples: Samples, texts: Messages, seed: int) -> NewResult:
    split = SPLITS["s1"].split(samples, seed)
    said = list(texts)
    folds = []
    for fold in split.folds:
        known = {text for row in fold.train.tolist() for text in texts[row]}
        for row in fold.test.tolist():  # of S1, a row is tested in one fold only
            said[row] = tuple(text for text in texts[row] if text not in known)
        left = np.array([row for row in fold.test.tolist() if said[row]], np.int64)
        if left.size:
            folds.append(Fold(train=fold.train, test=left))
    if not folds:
        raise SplitRefusedError("no test window holds a message that nobody sent")
    split = replace(split, folds=tuple(folds))
    n_left = sum(fold.test.size for fold in folds)
    tests = {row: said[row] for fold in folds for row in fold.test.tolist()}
    new = New.RAW_MESSAGES
    return _scored(new, samples, texts, split, len(texts), n_left, seed, tests)


_STUDIES = {
    New.RAW_SETS: _raw_sets,
    New.RAW_MESSAGES: _raw_messages,
    New.MASKED_SETS: _masked_sets,
}


def _scored(
    new: New,
    samples: Samples,
    texts: Messages,
    split: Split,
    n_windows: int,
    n_distinct: int,
    seed: int,
    tests: Mapping[int, Sequence[str]] | None = None,
) -> NewResult:
    """Score both ways.

    tests  what test windows say where that is less than they said; they stand after
           all windows, so that training still has the whole
    """
    tests = tests or {}
    place = {row: len(texts) + i for i, row in enumerate(tests)}
    messages = masked_all((*texts, *tests.values()))
    known, grams = vocabulary(messages), GramClassifier(messages)

    def tested(fold: Fold) -> Int64:
        return np.array([place.get(row, row) for row in fold.test.tolist()], np.int64)

    def by_matcher(labels: Strings) -> Strings:
        said = []
        for fold in split.folds:
            learnt = PayloadMatcher(known).fit(
                fold.train, labels[fold.train], samples.session[fold.train]
            )
            said.append(learnt.predict(tested(fold)))
        return np.concatenate(said)

    def by_grams(labels: Strings) -> Strings:
        return np.concatenate(
            [
                grams.fit(fold.train, labels[fold.train]).predict(tested(fold))
                for fold in split.folds
            ]
        )

    split = replace(
        split,
        name=str(new),
        title=_TITLES[new],
        digest=digest(str(new), samples.trial, split.folds),
    )
    matcher = result_of(samples, MATCHER, split, by_matcher, seed=seed)
    rows = matcher.answers.rows
    return NewResult(
        new=new,
        n_windows=n_windows,
        n_distinct=n_distinct,
        tested=dict(Counter(samples.activity[rows].tolist())),
        session=samples.session[rows],
        right=samples.activity[rows] == matcher.answers.said,
        matcher=matcher,
        grams=result_of(samples, GRAMS, split, by_grams, seed=seed),
    )


def _said_twice(samples: Samples) -> MayUse:
    names, count = np.unique(samples.activity, return_counts=True)
    rare = names[count < 2]
    note = f"one distinct set of messages only: {', '.join(rare)}" if rare.size else ""
    return ~np.isin(samples.activity, rare), note


def _each(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    del samples, seed  # nothing here is random
    return tuple(
        Fold(train=rows[rows != row], test=np.array([row], np.int64)) for row in rows
    )


_EACH_ONCE = SplitPlan(
    name=str(New.MASKED_SETS),
    title=_TITLES[New.MASKED_SETS],
    description="each distinct set of masked messages is tested once, by what was "
    "learnt from all others; sessions are on both sides",
    leaky=True,
    eligible=_said_twice,
    cut=_each,
)


def _chosen(texts: Messages, rows: Any) -> Messages:
    return tuple(texts[i] for i in np.flatnonzero(rows).tolist())


def _taken(samples: Samples, rows: Int64) -> Samples:
    """Return the samples of some rows, all columns."""
    columns = {
        each.name: value[rows]
        for each in fields(samples)
        if hasattr(value := getattr(samples, each.name), "shape")
        and value.shape[0] == len(samples)
    }
    return replace(samples, **columns)
