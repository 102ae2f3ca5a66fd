"""Score payloads on what was never said in training: duplicates leave before the split.

Devices repeat themselves: nearly every test window has a training window that says the
same, byte by byte or but for its counters. So what *new* means is said exactly, and
each meaning has its own n:

raw_sets      of windows that say the same, as it was sent, only the first of each
              activity is kept; then by session (S1)
raw_messages  by session; of a test window only the messages are kept that nobody sent
              in training, and the window only when one is left
masked_sets   of windows that say the same but for masked fields, only the first of
              each activity is kept; each is tested once, all others are learnt from.
              Almost nothing is left to test of a device that says one thing per
              activity

What is said under two activities is kept for both: it cannot tell them apart, and
would flatter if it counted for the first alone. How many texts are such is told.
"""

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.splits.folds import (
    Fold,
    MayUse,
    SplitPlan,
    SplitRefusedError,
    digest,
)
from analysis.evaluate.splits.named import SPLITS, Split
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
    n_conflicts  distinct texts among them that are said under more than one activity;
                0 for `raw_messages`, which keeps duplicates
    tested      activity -> its windows that were tested
    session     (n,) str, of each of them;  right  (n,) bool, by the matcher, to pool
    """

    new: New
    n_windows: int
    n_distinct: int
    n_conflicts: int
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
    with warnings.catch_warnings():
        # few are left of an activity that nearly always says the same; n tells it
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for new in New:
            try:
                results.append(_scored(_TASKS[new](samples, texts, seed), seed))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What to score: folds of windows and what these say.

    tests  row -> what it says as a test window, where that is less than it said
    """

    new: New
    samples: Samples
    texts: Messages
    split: Split
    n_windows: int
    n_distinct: int
    n_conflicts: int = 0
    tests: Mapping[int, Sequence[str]] = field(default_factory=dict)


def _distinct(samples: Samples, texts: Sequence[Sequence[Any]]) -> tuple[Int64, int]:
    """Return the first row of each text and activity, and how many texts have two."""
    sets = [frozenset(window) for window in texts]
    rows = first_of_each(list(zip(sets, samples.activity.tolist(), strict=True)))
    per_text = Counter(sets[row] for row in rows.tolist())
    return rows, sum(count > 1 for count in per_text.values())


def _raw_sets(samples: Samples, texts: Messages, seed: int) -> _Task:
    rows, n_conflicts = _distinct(samples, texts)
    kept = _taken(samples, rows)
    return _Task(
        new=New.RAW_SETS,
        samples=kept,
        texts=tuple(texts[i] for i in rows.tolist()),
        split=SPLITS["s1"].split(kept, seed),
        n_windows=len(texts),
        n_distinct=rows.size,
        n_conflicts=n_conflicts,
    )


def _masked_sets(samples: Samples, texts: Messages, seed: int) -> _Task:
    rows, n_conflicts = _distinct(samples, masked_all(texts))
    kept = _taken(samples, rows)
    return _Task(
        new=New.MASKED_SETS,
        samples=kept,
        texts=tuple(texts[i] for i in rows.tolist()),
        split=_EACH_ONCE.split(kept, seed),
        n_windows=len(texts),
        n_distinct=rows.size,
        n_conflicts=n_conflicts,
    )


def _raw_messages(samples: Samples, texts: Messages, seed: int) -> _Task:
    split = SPLITS["s1"].split(samples, seed)
    tests: dict[int, Sequence[str]] = {}  # of S1, a row is tested in one fold only
    folds = []
    for fold in split.folds:
        known = {text for row in fold.train.tolist() for text in texts[row]}
        left = []
        for row in fold.test.tolist():
            if new := [text for text in texts[row] if text not in known]:
                tests[row] = new
                left.append(row)
        if left:
            folds.append(Fold(train=fold.train, test=np.array(left, np.int64)))
    if not folds:
        raise SplitRefusedError("no test window holds a message that nobody sent")
    return _Task(
        new=New.RAW_MESSAGES,
        samples=samples,
        texts=texts,
        split=replace(split, folds=tuple(folds)),
        n_windows=len(texts),
        n_distinct=len(tests),
        tests=tests,
    )


_TASKS = {
    New.RAW_SETS: _raw_sets,
    New.RAW_MESSAGES: _raw_messages,
    New.MASKED_SETS: _masked_sets,
}


class _Ways:
    """Both ways to name the test windows of a task.

    What test windows say, where it is less than they said, stands after all windows:
    training still has the whole.
    """

    def __init__(self, task: _Task) -> None:
        self._task = task
        self._place = {row: len(task.texts) + i for i, row in enumerate(task.tests)}
        messages = masked_all((*task.texts, *task.tests.values()))
        self._known, self._grams = vocabulary(messages), GramClassifier(messages)

    def by_matcher(self, labels: Strings) -> Strings:
        """Return what the matcher says, fold after fold."""
        session = self._task.samples.session
        said = []
        for fold in self._task.split.folds:
            learnt = PayloadMatcher(self._known)
            learnt.fit(fold.train, labels[fold.train], session[fold.train])
            said.append(learnt.predict(self._tested(fold)))
        return np.concatenate(said)

    def by_grams(self, labels: Strings) -> Strings:
        """Return what 3-grams say, fold after fold."""
        said = []
        for fold in self._task.split.folds:
            learnt = self._grams.fit(fold.train, labels[fold.train])
            said.append(learnt.predict(self._tested(fold)))
        return np.concatenate(said)

    def _tested(self, fold: Fold) -> Int64:
        places = [self._place.get(row, row) for row in fold.test.tolist()]
        return np.array(places, dtype=np.int64)


def _scored(task: _Task, seed: int) -> NewResult:
    samples, ways, name = task.samples, _Ways(task), str(task.new)
    split = replace(
        task.split,
        name=name,
        title=_TITLES[task.new],
        digest=digest(name, samples.trial, task.split.folds),
    )
    matcher = result_of(samples, MATCHER, split, ways.by_matcher, seed=seed)
    rows = matcher.answers.rows
    return NewResult(
        new=task.new,
        n_windows=task.n_windows,
        n_distinct=task.n_distinct,
        n_conflicts=task.n_conflicts,
        tested=dict(Counter(samples.activity[rows].tolist())),
        session=samples.session[rows],
        right=samples.activity[rows] == matcher.answers.said,
        matcher=matcher,
        grams=result_of(samples, GRAMS, split, ways.by_grams, seed=seed),
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
