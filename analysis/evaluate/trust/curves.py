"""How accuracy grows with the sessions learnt from, and with what is seen so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from analysis.classifiers.model import Classifier
from analysis.evaluate.fits import Answer, Fit, Progress, done, nobody
from analysis.evaluate.samples import By, Cut, Samples, Strings, samples_in
from analysis.evaluate.scores.intervals import Interval, session_interval
from analysis.evaluate.splits.folds import Fold, Split
from analysis.features.model import Float64
from analysis.windows import Windows

_DRAWS = 3  # of sessions, where the split has one fold
_PACKETS = (5, 10, 20, 40, 80, 160)
_SHARES = (0.1, 0.25, 0.5, 0.75)

Shorten: TypeAlias = Callable[[Windows], Windows]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One accuracy on a curve.

    of        what `value` counts: 'sessions' learnt from, first 'packets' of each
              window, or the first 'share' of its length
    n_trials  how many trials were learnt from, the mean over folds and draws
    """

    device: str
    classifier: str
    split: str
    of: str
    value: float
    accuracy: float
    interval: Interval | None
    n_trials: float


def learning_curve(
    samples: Samples,
    classifiers: Sequence[Classifier],
    split: Split,
    *,
    seed: int,
    jobs: int = 1,
    progress: Progress = nobody,
) -> tuple[CurvePoint, ...]:
    """Return accuracy by the number of sessions learnt from; nothing for too few.

    Sessions are drawn from those of each fold's training; what is tested stays.
    """
    rng = np.random.default_rng(seed)
    sizes = _sizes(samples, split)
    draws = _DRAWS if len(split.folds) == 1 else 1
    steps: list[tuple[int, list[Fold]]] = []
    for size in sizes:
        folds = [
            _fewer(samples, fold, size, rng)
            for _draw in range(draws if size < sizes[-1] else 1)
            for fold in split.folds
        ]
        steps.append((size, [f for f in folds if _can_learn(samples, f)]))
    fits = [
        _fit(samples, classifier, fold, seed)
        for classifier in classifiers
        for _size, folds in steps
        for fold in folds
    ]
    made = done(samples, fits, jobs=jobs, progress=progress)
    points = []
    for classifier in classifiers:
        for size, folds in steps:
            said = [_said(next(made)) for _fold in folds]
            if folds:
                where, about = (classifier, split), ("sessions", float(size))
                points.append(_point(samples, where, about, (folds, said), seed))
    return tuple(points)


def _sizes(samples: Samples, split: Split) -> list[int]:
    """Return 1, 2, 4, ... and as many sessions as every fold has to learn from."""
    most = min(np.unique(samples.session[f.train]).size for f in split.folds)
    powers = [1 << n for n in range(most.bit_length()) if 1 << n < most]
    return [*powers, most] if most > 1 else []


def _fewer(samples: Samples, fold: Fold, size: int, rng: np.random.Generator) -> Fold:
    session = samples.session[fold.train]
    names = np.unique(session)
    chosen = rng.choice(names, min(size, names.size), replace=False)
    return replace(fold, train=fold.train[np.isin(session, chosen)])


def _can_learn(samples: Samples, fold: Fold) -> bool:
    return np.unique(samples.activity[fold.train]).size > 1


def _fit(samples: Samples, classifier: Classifier, fold: Fold, seed: int) -> Fit:
    return Fit(
        classifier=classifier,
        labels=samples.activity,
        train=fold.train,
        asked=fold.test,
        seed=seed,
        likeliest_only=True,
    )


def _said(made: Answer) -> Strings:
    said: Strings = made.classes[made.probability.argmax(axis=1)]
    return said


def earliness(
    made: Cut,
    classifiers: Sequence[Classifier],
    split: Split,
    *,
    by: By = By.ACTIVITY,
    seed: int,
    jobs: int = 1,
    progress: Progress = nobody,
) -> tuple[CurvePoint, ...]:
    """Return accuracy by how much of each window is seen, learnt and tested alike.

    split  of the samples of `made`, whose folds are used whatever is seen
    """
    steps: list[tuple[str, float, Shorten]] = [
        *(("packets", float(n), _first_packets(n)) for n in _PACKETS),
        *(("share", share, _first_share(made, share)) for share in _SHARES),
        ("share", 1.0, lambda windows: windows),
    ]
    total = len(steps) * len(classifiers) * len(split.folds)
    points, before = [], 0
    for of, value, shorten in steps:
        seen = samples_in(replace(made, windows=shorten(made.windows)), by=by)
        fits = [_fit(seen, c, fold, seed) for c in classifiers for fold in split.folds]
        told = _counted(progress, before, total)
        answers = done(seen, fits, jobs=jobs, progress=told)
        for classifier in classifiers:
            said = [_said(next(answers)) for _fold in split.folds]
            where, answered = (classifier, split), (split.folds, said)
            points.append(_point(seen, where, (of, value), answered, seed))
        before += len(fits)
        progress(before, total)
    return tuple(points)


def _counted(progress: Progress, before: int, total: int) -> Progress:
    def told(done_now: int, _total: int) -> None:
        progress(before + done_now, total)

    return told


def _first_packets(n: int) -> Shorten:
    def shorten(windows: Windows) -> Windows:
        return replace(windows, last=np.minimum(windows.last, windows.first + n))

    return shorten


def _first_share(made: Cut, share: float) -> Shorten:
    def shorten(windows: Windows) -> Windows:
        length_ns = windows.end_ns - windows.start_ns
        end_ns = windows.start_ns + (share * length_ns).astype(np.int64)
        ends = np.searchsorted(made.cleaned.table.time_ns, end_ns, side="left")
        last = np.clip(ends, windows.first, windows.last)
        return replace(windows, last=last.astype(np.int64), end_ns=end_ns)

    return shorten


def _point(
    samples: Samples,
    where: tuple[Classifier, Split],
    about: tuple[str, float],
    answered: tuple[Sequence[Fold], Sequence[Strings]],
    seed: int,
) -> CurvePoint:
    """Score answers; a row that is tested several times counts once, by its mean."""
    folds, said = answered
    rows = np.concatenate([fold.test for fold in folds])
    right = (np.concatenate(said) == samples.activity[rows]).astype(np.float64)
    tested, place = np.unique(rows, return_inverse=True)
    mean: Float64 = np.bincount(place, weights=right) / np.bincount(place)
    return CurvePoint(
        device=samples.device,
        classifier=where[0].name,
        split=where[1].name,
        of=about[0],
        value=about[1],
        accuracy=float(mean.mean()),
        interval=session_interval(mean, samples.session[tested], seed),
        n_trials=float(np.mean([fold.train.size for fold in folds])),
    )
