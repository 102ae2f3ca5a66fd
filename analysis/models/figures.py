"""How well a device is recognised in sessions that were not learnt from."""

from analysis.classifiers.model import Classifier
from analysis.evaluate.samples import Samples
from analysis.evaluate.splits import SPLITS
from analysis.evaluate.study import Result, study
from analysis.models.model import ActivityFigures, SplitFigures

HONEST = ("s1", "s2")  # no session on both sides


def figures_of(
    samples: Samples, classifier: Classifier, seed: int
) -> tuple[SplitFigures, ...]:
    """Score a classifier by session and chronologically; say why where it cannot be."""
    results, refusals = study(samples, (classifier,), HONEST, seed=seed)
    by_split = {result.split.name: _figures(result) for result in results}
    for refusal in refusals:
        by_split[refusal.split] = SplitFigures(
            split=refusal.split,
            title=SPLITS[refusal.split].title,
            reason=refusal.reason,
        )
    return tuple(by_split[name] for name in HONEST)


def _figures(result: Result) -> SplitFigures:
    interval = result.interval
    return SplitFigures(
        split=result.split.name,
        title=result.split.title,
        accuracy=result.accuracy,
        interval=None if interval is None else (interval.low, interval.high),
        f1=result.f1,
        null=result.null_accuracy,
        confounded=result.confounded,
        majority=result.majority,
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
