"""Score public campaigns: the project's own evaluation, and differences with intervals.

A task is a way to part the trials of a campaign. Results are those of
`analysis.evaluate.study`; here they are paired, and put together over devices.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.classifiers.model import Classifier, Estimator
from analysis.evaluate.campaign import all_classifiers, record_of
from analysis.evaluate.folds import Fold, SplitPlan, SplitRefusedError
from analysis.evaluate.samples import Samples
from analysis.evaluate.study import Result, scored
from analysis.features.model import Int64

PAPER = ("random_forest", "nearest", "naive_bayes")
OURS = ("fusion", "extra_trees")  # the first that there is
_DRAWS = 5000
_TAILS = (0.025, 0.975)
Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One question to a campaign.

    label   samples -> the samples with the classes that are asked for
    plan    how trials are parted
    """

    name: str
    plan: SplitPlan
    label: Callable[[Samples], Samples] = lambda samples: samples


def classifiers(wanted: Sequence[str] = ()) -> tuple[Classifier, ...]:
    """Return all that the registry finds, and extra trees as a mark to compare with."""
    known = dict(all_classifiers())
    if "extra_trees" not in known:
        known["extra_trees"] = Classifier(
            name="extra_trees",
            title="Extra trees",
            make=_extra_trees,
            settings="300 trees on the statistics; a mark, no part of the project",
        )
    missing = [name for name in wanted if name not in known]
    if missing:
        raise SystemExit(f"no classifier {missing[0]!r}; there are {', '.join(known)}")
    return tuple(known[name] for name in wanted or known)


def _extra_trees(seed: int) -> Estimator:
    from sklearn.ensemble import ExtraTreesClassifier

    forest: Estimator = ExtraTreesClassifier(300, random_state=seed, n_jobs=1)
    return forest


def folds_of(n_folds: int, rows_of: Callable[[Samples], Any]) -> Callable[..., Any]:
    """Return a cut into stratified random folds of the rows that `rows_of` marks."""

    def cut(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
        from sklearn.model_selection import StratifiedKFold

        rows = rows[rows_of(samples)[rows]]
        made = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # classes of three captures are in three folds of five
            warnings.simplefilter("ignore", UserWarning)
            parts = list(made.split(rows, samples.activity[rows]))
        return tuple(Fold(train=rows[a], test=rows[b]) for a, b in parts)

    return cut


def across(
    train: Callable[[Samples], Any], test: Callable[[Samples], Any], *, back: bool
) -> Callable[..., Any]:
    """Return a cut that learns from some rows and tests others; `back`: and reverse.

    Tested are the activities that training holds.
    """

    def cut(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
        del seed  # nothing here is random
        sides = rows[train(samples)[rows]], rows[test(samples)[rows]]
        folds = []
        for one, other in (sides, sides[::-1])[: 1 + back]:
            known = np.isin(samples.activity[other], samples.activity[one])
            if not one.size or not known.any():
                raise SplitRefusedError("one side has nothing that the other has")
            folds.append(Fold(train=one, test=other[known]))
        return tuple(folds)

    return cut


def score(
    samples: Samples, task: Task, chosen: Sequence[Classifier], seed: int
) -> tuple[tuple[Result, ...], dict[str, float]]:
    """Return a result per classifier, and the seconds of each, its null included.

    Raises SplitRefusedError when the trials cannot be parted so.
    """
    asked = task.label(samples)
    split = task.plan.split(asked, seed)
    results, took_s = [], {}
    for each in chosen:
        begun = time.perf_counter()
        results += scored(asked, (each,), (split,), seed=seed)
        took_s[each.name] = round(time.perf_counter() - begun, 2)
    return tuple(results), took_s


def rights(samples: Samples, result: Result) -> tuple[Any, Any]:
    """Return of each tested row whether it was right, and its session."""
    rows = result.answers.rows
    right = samples.activity[rows] == result.answers.said
    return right, samples.session[rows]


def paired(right: Any, other: Any, group: Any, seed: int) -> Record:
    """Return how far `right` is above `other`, with intervals over whole groups.

    right, other  (n,) whether each of two classifiers was right on the same rows
    group         (n,) what is drawn as a whole: the session
    """
    number = np.unique(group, return_inverse=True)[1]
    n = int(number.max()) + 1
    size, ours, theirs = (
        np.bincount(number, weights=w) for w in (np.ones(right.size), ~right, ~other)
    )
    draws = np.random.default_rng(seed).integers(n, size=(_DRAWS, n))
    total = size[draws].sum(axis=1)
    wrong, before = ours[draws].sum(axis=1), theirs[draws].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        reduction = np.where(before > 0, 1 - wrong / before, np.nan)
    return {
        "difference": float((right.astype(float) - other).mean()),
        "difference_interval": _interval((before - wrong) / total),
        "error_reduction": float(1 - ours.sum() / theirs.sum()) if theirs.any() else 0,
        "error_reduction_interval": _interval(reduction),
        "n_groups": n,
    }


def over_devices(ours: Any, theirs: Any, seed: int) -> Record:
    """Return the mean over devices of a difference, interval over drawn devices."""
    difference = np.asarray(ours) - np.asarray(theirs)
    draws = np.random.default_rng(seed).integers(
        difference.size, size=(_DRAWS, difference.size)
    )
    return {
        "difference": float(difference.mean()),
        "difference_interval": _interval(difference[draws].mean(axis=1)),
        "n_devices": int(difference.size),
    }


def mean_over_devices(values: Any, seed: int) -> Record:
    """Return the mean of one figure per device, interval over drawn devices."""
    values = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    draws = rng.integers(values.size, size=(_DRAWS, values.size))
    return {
        "mean": float(values.mean()),
        "interval": _interval(values[draws].mean(axis=1)),
    }


def _interval(draws: Any) -> list[float] | None:
    """Return the 95 % interval of draws; None when none of them has a value."""
    known = draws[np.isfinite(draws)]
    return [float(q) for q in np.quantile(known, _TAILS)] if known.size else None


def task_record(
    samples: Samples,
    task: Task,
    results: Sequence[Result],
    took_s: Mapping[str, float],
    seed: int,
) -> Record:
    """Return one task on one device: every result, and ours beside the paper's best."""
    asked = task.label(samples)
    records = []
    for each in results:
        kept = record_of(each)
        records.append({k: v for k, v in kept.items() if k != "confusion"})
        records[-1]["took_s"] = took_s[each.classifier]
    found: Record = {"task": task.name, "results": records, "paired": None}
    by_name = {each.classifier: each for each in results}
    ours = next((name for name in OURS if name in by_name), None)
    marks = [by_name[name] for name in PAPER if name in by_name]
    if ours is not None and marks:
        best = max(marks, key=lambda each: each.accuracy)
        right, session = rights(asked, by_name[ours])
        other, _same = rights(asked, best)
        found["paired"] = {
            "ours": ours,
            "best_of_paper": best.classifier,
            **paired(right, other, session, seed),
        }
    return found
