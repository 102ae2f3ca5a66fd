"""How well a device is recognised in sessions that were not learnt from."""

from collections.abc import Mapping

from analysis.classifiers.model import Classifier
from analysis.evaluate.fits import Progress, nobody
from analysis.evaluate.samples import Samples
from analysis.evaluate.scores.intervals import Interval
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import Refusal, Result, study
from analysis.models.model import ActivityFigures, SplitFigures

# no session on both sides: by session, chronologically, and without some activities
HONEST = ("s1", "s2", "s6")


def scored(
    samples: Samples,
    classifier: Classifier,
    seed: int,
    *,
    jobs: int = 1,
    progress: Progress = nobody,
) -> tuple[Mapping[str, Result], Mapping[str, Refusal]]:
    """Score a classifier on what it has not learnt: split -> result, or why not."""
    results, refusals = study(
        samples, (classifier,), HONEST, seed=seed, jobs=jobs, progress=progress
    )
    return (
        {result.split.name: result for result in results},
        {refusal.split: refusal for refusal in refusals},
    )


def figures_of(
    results: Mapping[str, Result], refusals: Mapping[str, Refusal]
) -> tuple[SplitFigures, ...]:
    """Return what is kept of the scores, and a reason where there is none."""
    return tuple(
        _figures(results[name])
        if name in results
        else SplitFigures(
            split=name, title=SPLITS[name].title, reason=refusals[name].reason
        )
        for name in HONEST
    )


def _figures(result: Result) -> SplitFigures:
    calibration = result.calibration
    return SplitFigures(
        split=result.split.name,
        title=result.split.title,
        accuracy=result.accuracy,
        interval=_pair(result.interval),
        f1=result.f1,
        f1_interval=_pair(result.f1_interval),
        null=result.null.accuracy,
        confounded=result.confounded,
        majority=result.majority,
        ece=None if calibration is None else calibration.ece,
        n_trials=result.n_trials,
        n_sessions=result.n_sessions,
        digest=result.split.digest,
        note=result.split.note,
        activities=tuple(
            ActivityFigures(
                activity=each.activity,
                precision=each.precision,
                recall=each.recall,
                f1=each.f1,
                support=each.support,
            )
            for each in result.scores
        ),
    )


def _pair(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)
