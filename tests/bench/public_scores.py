"""Score public campaigns: the project's own evaluation, and differences with intervals.

A task is a way to part the trials of a campaign. Fits, splits, intervals and nulls are
those of `analysis.evaluate`; here answers are kept, since asking again takes minutes,
compared pair by pair, and put together over devices.
"""

import hashlib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn

from analysis.classifiers.model import Classifier, Estimator, Reads
from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.fits import done, fold_fits, pooled
from analysis.evaluate.samples import Samples
from analysis.evaluate.scores.activities import macro_f1
from analysis.evaluate.scores.calibration import calibration_of
from analysis.evaluate.scores.chance import null_labels, used_rows
from analysis.evaluate.scores.intervals import session_interval
from analysis.evaluate.splits.folds import Fold, Split, SplitPlan, SplitRefusedError
from analysis.features.model import Int64
from tests.bench.public_digests import code_digest

PAPER = ("random_forest", "nearest", "naive_bayes")
OURS = ("fusion", "extra_trees")  # the first that there is
_DRAWS = 5000
_NULL_ROWS = 100
_TAILS = (0.025, 0.975)
Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One question to a campaign.

    label   samples -> the samples with the classes that are asked for
    plan    how trials are parted
    n_parts how often they are parted anew, by seeds that follow each other; figures are
            means over them, since one draw of folds is as good as another
    """

    name: str
    plan: SplitPlan
    n_parts: int = 1
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
    samples: Samples, task: Task, chosen: Sequence[Classifier], seed: int, kept: Path
) -> Record:
    """Return one task on one device: every figure, and ours beside the paper's best.

    kept  folder of answers that were given already

    Raises SplitRefusedError when the trials cannot be parted so.
    """
    asked = task.label(samples)
    splits = [task.plan.split(asked, seed + k) for k in range(task.n_parts)]
    split, used = splits[0], used_rows(splits[0])
    # where a session is one activity, nothing can be shuffled within it
    confounded = one_activity_each(asked, split)
    null = null_labels(asked, split, seed)
    if confounded:
        null = asked.activity.copy()
        null[used] = np.random.default_rng(seed).permutation(null[used])
    few = _few(split.folds)
    rows = np.sort(np.concatenate([fold.test for fold in split.folds]))
    results, rights = [], {}
    for each in chosen:
        true = [
            answers(asked, each, one.folds, asked.activity, seed + k, kept)
            for k, one in enumerate(splits)
        ]
        shuffled = answers(asked, each, few, null, seed, kept)
        rights[each.name] = _how_often_right(asked, true)
        told = _figures(asked, true, rights[each.name], rows, seed)
        about = {"n_null": int(shuffled.rows.size), "n_trials": int(rows.size)}
        by_chance = float((null[shuffled.rows] == shuffled.said).mean())
        results.append(
            {"classifier": each.name, **told, "null_accuracy": by_chance, **about}
        )
    return {
        "task": task.name,
        "split": split.name,
        "split_digests": [one.digest for one in splits],
        "leaky": split.leaky,
        "null": "over all rows" if confounded else "within sessions",
        "n_parts": task.n_parts,
        "n_trials": int(rows.size),
        "n_sessions": int(np.unique(asked.session[rows]).size),
        "n_classes": int(np.unique(asked.activity[used]).size),
        **_marks(asked, split.folds),
        "results": results,
        "paired": _beside(rights, results, asked.session[rows], seed),
    }


def _marks(samples: Samples, folds: Sequence[Fold]) -> Record:
    """Return the accuracy of guessing, and of naming what a fold learnt most often."""
    learnt = [np.unique(samples.activity[f.train], return_counts=True) for f in folds]
    sizes = [fold.test.size for fold in folds]
    chance = np.average([1 / names.size for names, _n in learnt], weights=sizes)
    right = [
        samples.activity[fold.test] == names[n.argmax()]
        for fold, (names, n) in zip(folds, learnt, strict=True)
    ]
    majority = np.concatenate(right).mean()
    return {"chance": float(chance), "majority": float(majority)}


def one_activity_each(samples: Samples, split: Split) -> bool:
    """Say whether each session of a split holds one activity only."""
    rows = used_rows(split)
    pairs = zip(samples.session[rows], samples.activity[rows], strict=True)
    return len(set(pairs)) == np.unique(samples.session[rows]).size


def _few(folds: Sequence[Fold]) -> tuple[Fold, ...]:
    """Return as many folds as a null needs."""
    tested = np.cumsum([0, *(fold.test.size for fold in folds)])
    return tuple(f for f, n in zip(folds, tested, strict=False) if n < _NULL_ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Answers to the test rows of some folds; seconds that learning and asking took."""

    rows: Int64
    said: Any
    probability: Any
    classes: tuple[str, ...]
    took_s: float


def answers(
    samples: Samples,
    classifier: Classifier,
    folds: Sequence[Fold],
    labels: Any,
    seed: int,
    kept: Path,
) -> Kept:
    """Learn and answer in every fold, or read what was answered to the same before."""
    path = kept / f"{answer_key(samples, classifier, folds, labels, seed)}.npz"
    if path.exists():
        with np.load(path) as held:
            return Kept(
                rows=held["rows"],
                said=held["said"],
                probability=held["probability"],
                classes=tuple(held["classes"].tolist()),
                took_s=float(held["took_s"]),
            )
    begun = time.perf_counter()
    fits = fold_fits(classifier, folds, labels, seed)
    made = pooled(folds, list(done(samples, fits)))
    found = Kept(
        rows=made.rows,
        said=made.said,
        probability=made.probability,
        classes=made.classes,
        took_s=time.perf_counter() - begun,
    )
    kept.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: getattr(found, name) for name in Kept.__slots__})
    return found


def answer_key(
    samples: Samples,
    classifier: Classifier,
    folds: Sequence[Fold],
    labels: Any,
    seed: int,
) -> str:
    """Return a digest of all that an answer depends on: code, inputs and settings."""
    parts = [samples.x.tobytes(), repr(labels.tolist()).encode()]
    if classifier.reads is not Reads.STATISTICS:
        block = samples.inputs(classifier.reads)
        parts += [getattr(block, a).tobytes() for a in ("data", "indices", "indptr")]
        parts.append(repr(samples.session.tolist()).encode())
    parts += [part.tobytes() for fold in folds for part in (fold.train, fold.test)]
    versions = (code_digest(), np.__version__, sklearn.__version__)
    told = (*versions, classifier.name, classifier.settings, seed)
    parts.append(repr(told).encode())
    return hashlib.sha256(b"|".join(parts)).hexdigest()[:24]


def _how_often_right(samples: Samples, parts: Sequence[Kept]) -> Any:
    """Return of each tested row, in order, in which share of the parts it was right.

    Every part tests the same rows, in an order of its own; some rows more than once.
    """
    right = [
        (samples.activity[each.rows] == each.said)[np.argsort(each.rows, kind="stable")]
        for each in parts
    ]
    return np.mean(right, axis=0)


def _figures(
    samples: Samples, parts: Sequence[Kept], right: Any, rows: Int64, seed: int
) -> Record:
    interval = session_interval(right, samples.session[rows], seed)
    truths = [samples.activity[each.rows] for each in parts]
    known = [
        calibration_of(truth, each.probability, each.classes)
        for truth, each in zip(truths, parts, strict=True)
    ]
    f1 = [macro_f1(t, each.said) for t, each in zip(truths, parts, strict=True)]
    return {
        "accuracy": float(right.mean()),
        "interval": [interval.low, interval.high] if interval else None,
        "f1": float(np.mean(f1)),
        "ece": float(np.mean([each.ece for each in known])),
        "log_loss": float(np.mean([each.log_loss for each in known])),
        "took_s": round(float(np.mean([p.took_s for p in parts])), 2),
    }


def _beside(
    rights: Mapping[str, Any], results: Sequence[Record], session: Any, seed: int
) -> Record | None:
    """Return ours beside the best of RF, kNN and NB on the same rows."""
    accuracy = {each["classifier"]: each["accuracy"] for each in results}
    ours = next((name for name in OURS if name in accuracy), None)
    marks = [name for name in PAPER if name in accuracy]
    if ours is None or not marks:
        return None
    best = max(marks, key=lambda name: accuracy[name])
    found = paired(rights[ours], rights[best], session, seed)
    return {"ours": ours, "best_of_paper": best, **found}


def paired(right: Any, other: Any, group: Any, seed: int) -> Record:
    """Return how far `right` is above `other`, with intervals over whole groups.

    right, other  (n,) whether, or how often, each of two was right on the same rows
    group         (n,) what is drawn as a whole: the session
    """
    number = np.unique(group, return_inverse=True)[1]
    n = int(number.max()) + 1
    size, ours, theirs = (
        np.bincount(number, weights=w)
        for w in (np.ones(right.size), 1.0 - right, 1.0 - other)
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
