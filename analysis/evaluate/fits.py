"""Learn and answer in every fold: the one place where estimators are fitted.

The work is a list of independent fits, so that several processes may share it; who
does which changes nothing.
"""

import inspect
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.classifiers.model import Classifier, Estimator, Reads
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.splits.folds import Fold
from analysis.features.model import Float64, Int64
from analysis.processes import one_thread_each, told_when_broken

# told (done, total) after each fit
Progress = Callable[[int, int], None]
# told (what is done, how much of it, of how much)
Told = Callable[[str, int, int], None]

_WORTH_IT = 50_000  # rows to learn from in all; below, processes start too slowly


def nobody(done: int, total: int) -> None:
    """Tell nobody how far it is."""
    del done, total


def nobody_told(what: str, done: int, total: int) -> None:
    """Tell nobody what is done."""
    del what, done, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one fitted estimator says of some rows: (n, c) probability of `classes`."""

    classes: Strings
    probability: Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What fits have in common: x as each kind of classifier reads it, and sessions."""

    inputs: Mapping[Reads, Any]
    session: Strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fit: what learns from which rows, under which labels, and what it is asked.

    labels  (k,) str of all samples;  asked  rows to answer, in any order
    likeliest_only  nobody looks at how sure it is, so that an estimator which
            calibrates itself need not; what it answers stays the same
    """

    classifier: Classifier
    labels: Strings
    train: Int64
    asked: Int64
    seed: int
    likeliest_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers to the test rows of all folds, fold after fold.

    rows         (n,) row of the samples;  fold  (n,) number of its fold
    said         (n,) str, what was answered
    probability  (n, c), columns as `classes`, 0 for one that a fold did not know; None
                 for what answers without
    unknown, unknown_fold, unknown_probability  the same for rows of activities that
                 were left out of training; mostly none
    """

    rows: Int64
    fold: Int64
    said: Strings
    classes: tuple[str, ...] = ()
    probability: Float64 | None = None
    unknown: Int64
    unknown_fold: Int64
    unknown_probability: Float64 | None = None


def fold_fits(
    classifier: Classifier,
    folds: Sequence[Fold],
    labels: Strings,
    seed: int,
    *,
    likeliest_only: bool = False,
) -> list[Fit]:
    """Return one fit per fold, which is asked its test rows, then its unknown ones."""
    return [
        Fit(
            classifier=classifier,
            labels=labels,
            train=fold.train,
            asked=np.concatenate((fold.test, fold.unknown)),
            seed=seed,
            likeliest_only=likeliest_only,
        )
        for fold in folds
    ]


def done(
    samples: Samples,
    fits: Sequence[Fit],
    *,
    jobs: int = 1,
    progress: Progress = nobody,
) -> Iterator[Answer]:
    """Do fits and return their answers, in order.

    jobs  processes; one when the work is not worth more

    Raises AnalysisError when one of them is ended from outside.
    """
    given = Given(
        inputs={reads: samples.inputs(reads) for reads in _reads(fits)},
        session=samples.session,
    )
    made: list[Answer] = []
    if jobs < 2 or sum(fit.train.size for fit in fits) < _WORTH_IT:
        for fit in fits:
            made.append(answer(fit, given))
            progress(len(made), len(fits))
        return iter(made)
    # not forked: polars and numba hold threads of their own
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_take, initargs=(given,)
    )
    with one_thread_each(), told_when_broken("fits"), pool:
        for each in pool.map(_answer_there, fits):
            made.append(each)
            progress(len(made), len(fits))
    return iter(made)


def _reads(fits: Sequence[Fit]) -> list[Reads]:
    return sorted({fit.classifier.reads for fit in fits})


_given: list[Given] = []  # of a process of the pool, given once


def _take(given: Given) -> None:
    _given[:] = [given]


def _answer_there(fit: Fit) -> Answer:
    return answer(fit, _given[0])


def learnt(
    classifier: Classifier,
    x: Any,
    labels: Strings,
    session: Strings,
    seed: int,
    *,
    likeliest_only: bool = False,
) -> Estimator:
    """Return a fresh estimator that has learnt rows.

    One that holds rows out by itself, to be calibrated on, is told of which sessions
    they are, or with `likeliest_only` not to.
    """
    estimator: Any = classifier.make(seed)
    about = {}
    if likeliest_only and getattr(estimator, "calibrated", False):
        estimator.set_params(calibrated=False)
    if "groups" in inspect.signature(estimator.fit).parameters:
        about["groups"] = session
    estimator.fit(x, labels, **about)
    made: Estimator = estimator
    return made


def answer(fit: Fit, given: Given) -> Answer:
    """Learn and answer; the same fit gives the same answer."""
    x = given.inputs[fit.classifier.reads]
    labels, session = fit.labels[fit.train], given.session[fit.train]
    estimator = learnt(
        fit.classifier,
        x[fit.train],
        labels,
        session,
        fit.seed,
        likeliest_only=fit.likeliest_only,
    )
    return Answer(
        classes=np.asarray(estimator.classes_).astype(np.str_),
        probability=np.asarray(estimator.predict_proba(x[fit.asked])),
    )


def pooled(folds: Sequence[Fold], made: Sequence[Answer]) -> Answers:
    """Put the answers of all folds together; classes are those of any fold."""
    classes = np.unique(np.concatenate([each.classes for each in made]))
    test, unknown = [], []
    for fold, each in zip(folds, made, strict=True):
        wide = np.zeros((each.probability.shape[0], classes.size))
        wide[:, np.searchsorted(classes, each.classes)] = each.probability
        test.append(wide[: fold.test.size])
        unknown.append(wide[fold.test.size :])
    probability = np.concatenate(test)
    return Answers(
        **_places(folds),
        said=classes[probability.argmax(axis=1)],
        classes=tuple(classes.tolist()),
        probability=probability,
        unknown_probability=np.concatenate(unknown),
    )


def plain(folds: Sequence[Fold], said: Strings) -> Answers:
    """Return answers that come without probabilities."""
    return Answers(**_places(folds), said=said)


def _places(folds: Sequence[Fold]) -> dict[str, Any]:
    number = np.arange(len(folds))
    return {
        "rows": np.concatenate([f.test for f in folds]),
        "fold": np.repeat(number, [f.test.size for f in folds]),
        "unknown": np.concatenate([f.unknown for f in folds]),
        "unknown_fold": np.repeat(number, [f.unknown.size for f in folds]),
    }
