"""Score classifiers on the trials of one device, split by split."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.classifiers.model import Classifier
from analysis.evaluate.decisions import calibration_folds, decided
from analysis.evaluate.fits import (
    Answer,
    Answers,
    Fit,
    Progress,
    done,
    fold_fits,
    nobody,
    plain,
    pooled,
)
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.scores.activities import ActivityScore, by_activity, confusion
from analysis.evaluate.scores.calibration import Calibration, calibration_of
from analysis.evaluate.scores.chance import (
    Null,
    null_folds,
    null_labels,
    null_of,
    used_rows,
)
from analysis.evaluate.scores.conformal import Conformal, conformal_of
from analysis.evaluate.scores.intervals import Interval, f1_interval, session_interval
from analysis.evaluate.scores.open_set import OpenSet, open_set_of
from analysis.evaluate.splits.folds import Fold, Split, SplitRefusedError
from analysis.evaluate.splits.named import SPLITS
from analysis.features.model import Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One classifier on one device under one split.

    All scores pool the test rows of all folds. `interval` is None with fewer than two
    sessions. `null` is the same classifier, learnt and tested on labels shuffled within
    sessions; where each session holds one activity only there is nothing to shuffle,
    and `confounded` says so: what was learnt may be the session. `majority` is the
    accuracy of always saying the commonest activity. `answered` is the share of test
    rows that were given an activity at all: the payload matcher may say `unknown`,
    which counts as wrong. `matrix` is (c, c), rows true, columns predicted, as
    `activities`, of which an answer like `unknown` is the last. `calibration` is None
    for what answers without probabilities. `open_set`, None where nothing was left out
    of training, is by strangeness, `open_set_doubt` by the greatest probability alone.
    `conformal` are sets by level, none for one fold or a leaky split. `truth`
    and `session` are (n,) those of the rows of `answers`.
    """

    device: str
    classifier: str
    split: Split
    seed: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    interval: Interval | None
    f1_interval: Interval | None
    null: Null
    confounded: bool
    answered: float
    majority: float
    n_trials: int
    n_sessions: int
    activities: tuple[str, ...]
    scores: tuple[ActivityScore, ...]
    matrix: Int64
    answers: Answers
    truth: Strings
    session: Strings
    calibration: Calibration | None = None
    open_set: OpenSet | None = None
    open_set_doubt: OpenSet | None = None
    conformal: tuple[Conformal, ...] = ()

    @property
    def null_accuracy(self) -> float:
        """The accuracy on shuffled labels, learnt and tested."""
        return self.null.accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A split that this device's trials do not allow, and why."""

    device: str
    split: str
    reason: str


def study(
    samples: Samples,
    classifiers: Sequence[Classifier],
    splits: Sequence[str],
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = nobody,
) -> tuple[tuple[Result, ...], tuple[Refusal, ...]]:
    """Return a result per classifier and split, and a refusal per impossible split."""
    made, refusals = parted(samples, splits, seed)
    results = scored(
        samples, classifiers, made, seed=seed, jobs=jobs, progress=progress
    )
    return results, refusals


def parted(
    samples: Samples, splits: Sequence[str], seed: int
) -> tuple[tuple[Split, ...], tuple[Refusal, ...]]:
    """Make splits by name, or refuse them in words."""
    made: list[Split] = []
    refusals: list[Refusal] = []
    for name in splits:
        try:
            made.append(SPLITS[name].split(samples, seed))
        except SplitRefusedError as exc:
            refusals.append(Refusal(device=samples.device, split=name, reason=str(exc)))
    return tuple(made), tuple(refusals)


def scored(
    samples: Samples,
    classifiers: Sequence[Classifier],
    splits: Sequence[Split],
    *,
    seed: int,
    jobs: int = 1,
    progress: Progress = nobody,
) -> tuple[Result, ...]:
    """Learn and test in every fold; the same input and seed give the same results."""
    parts: list[_Part] = []
    for split in splits:
        null = null_labels(samples, split, seed)
        for each in classifiers:
            parts.append(_Part(classifier=each, folds=split.folds, split=split))
            folds = null_folds(split, seed)
            parts.append(_Part(classifier=each, folds=folds, labels=null))
            parts += [
                _Part(classifier=each, folds=calibration_folds(samples, fold, seed))
                for fold in split.folds
                if fold.unknown.size
            ]
    fits: list[Fit] = []
    for part in parts:
        labels = samples.activity if part.labels is None else part.labels
        shuffled = part.labels is not None
        fits += fold_fits(
            part.classifier, part.folds, labels, seed, likeliest_only=shuffled
        )
    made = done(samples, fits, jobs=jobs, progress=progress)
    return tuple(_results(samples, parts, made, seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Fits that belong together: a split, and what follows it until the next.

    split   None for its null, and for calibration folds;  labels  those of the null
    """

    classifier: Classifier
    folds: tuple[Fold, ...]
    split: Split | None = None
    labels: Strings | None = None


def _results(
    samples: Samples, parts: Sequence[_Part], made: Iterator[Answer], seed: int
) -> Iterator[Result]:
    """Take answers in the order of the parts, and score split after split."""
    waiting = list(parts)
    while waiting:
        part, null_part = waiting.pop(0), waiting.pop(0)
        answers = _taken(made, part.folds)
        said = _taken(made, null_part.folds).said
        inner = []
        while waiting and waiting[0].split is None:
            folds = waiting.pop(0).folds
            inner.append((folds, _taken(made, folds)))
        if part.split is None or null_part.labels is None:
            raise AssertionError("a split is followed by its null")
        null = null_of(samples, null_part.folds, null_part.labels, said)
        name = part.classifier.name
        result = _result(samples, name, part.split, answers, null, seed)
        strange = decided(samples, part.folds, answers, inner) if inner else None
        yield result if strange is None else replace(result, open_set=strange)


def _taken(made: Iterator[Answer], folds: Sequence[Fold]) -> Answers:
    return pooled(folds, [next(made) for _fold in folds])


def score(
    samples: Samples, classifier: Classifier, split: Split, *, seed: int
) -> Result:
    """Score one classifier under one split."""
    (result,) = scored(samples, (classifier,), (split,), seed=seed)
    return result


def result_of(
    samples: Samples,
    name: str,
    split: Split,
    predict: Callable[[Strings], Strings],
    *,
    seed: int,
) -> Result:
    """Score anything that predicts the test rows of a split, and the same on a null.

    predict  labels of all samples -> predictions for the test rows of all folds, fold
             after fold, made from labels of training rows only
    """
    labels = null_labels(samples, split, seed)
    null = null_of(samples, split.folds, labels, predict(labels))
    answers = plain(split.folds, predict(samples.activity))
    return _result(samples, name, split, answers, null, seed)


def _result(
    samples: Samples, name: str, split: Split, answers: Answers, null: Null, seed: int
) -> Result:
    truth, session = samples.activity[answers.rows], samples.session[answers.rows]
    said = answers.said
    names = np.unique(samples.activity[used_rows(split)])
    activities = tuple(str(a) for a in (*names, *np.setdiff1d(said, names)))
    matrix = confusion(truth, said, activities)
    scores = by_activity(matrix, activities)
    tested = [s for s in scores if s.support]
    right = (truth == said).astype(np.int64)
    return Result(
        device=samples.device,
        classifier=name,
        split=split,
        seed=seed,
        accuracy=float(right.mean()),
        precision=float(np.mean([s.precision for s in tested])),
        recall=float(np.mean([s.recall for s in tested])),
        f1=float(np.mean([s.f1 for s in tested])),
        interval=session_interval(right, session, seed),
        f1_interval=f1_interval(truth, said, session, seed),
        null=null,
        confounded=_one_each(samples, split),
        answered=float(np.isin(said, names).mean()),
        majority=float(np.unique(truth, return_counts=True)[1].max() / truth.size),
        n_trials=int(truth.size),
        n_sessions=int(np.unique(session).size),
        activities=activities,
        scores=scores,
        matrix=matrix,
        answers=answers,
        truth=truth,
        session=session,
        calibration=_calibration(truth, answers),
        open_set_doubt=_open_set(samples, answers),
        conformal=() if split.leaky else conformal_of(truth, session, answers, seed),
    )


def _calibration(truth: Strings, answers: Answers) -> Calibration | None:
    if answers.probability is None:
        return None
    return calibration_of(truth, answers.probability, answers.classes)


def _open_set(samples: Samples, answers: Answers) -> OpenSet | None:
    """Score the greatest probability as a sign that a window is known."""
    known, unknown = answers.probability, answers.unknown_probability
    if known is None or unknown is None or not answers.unknown.size:
        return None
    return open_set_of(
        known.max(axis=1),
        samples.activity[answers.rows] == answers.said,
        samples.session[answers.rows],
        unknown.max(axis=1),
        samples.session[answers.unknown],
    )


def _one_each(samples: Samples, split: Split) -> bool:
    """Say whether each session holds one activity only."""
    used = used_rows(split)
    session, activity = samples.session[used], samples.activity[used]
    pairs = set(zip(session.tolist(), activity.tolist(), strict=True))
    return len(pairs) == np.unique(session).size
