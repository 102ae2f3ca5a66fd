"""When an answer is given, and which activities it may be instead.

The rule is that of `analysis.classifiers.decision`, and it is cross-conformal (Vovk
2015): learnt from the answers of S1, each by an estimator that had not learnt the
session, but by several estimators, none of which is the one that the rule is for. What
split conformal sets promise is proven for one estimator and windows that it has not
learnt; so this rule is tried instead, fold by fold, with rules of the other folds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.calibration import Held, fit_rule
from analysis.classifiers.decision import Decision, Rule
from analysis.classifiers.model import UNKNOWN, Float64
from analysis.classifiers.novelty import Novelty
from analysis.evaluate.samples import Samples
from analysis.evaluate.study import Result

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How answers fare, fold after fold, by rules of the answers of other folds.

    No estimator has learnt the sessions that it answers for, and no rule was learnt
    from answers to them; but the estimators whose answers made the rule had learnt
    them, as in all cross-conformal calibration.

    answered  share of windows that get an answer;  right  share of the answers
    covered   share of sets that hold the truth;  set_size  activities in a set, mean
    """

    answered: float
    right: float
    covered: float
    set_size: float
    n_windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strange:
    """How windows of activities fare that were left out of training (S6).

    Each fold learns a rule of its own, from its own training rows and by estimators
    that were learnt from these: neither has seen those activities, nor the sessions.

    refused   share of them that is answered with `unknown`;  n_windows  of how many
    answered  share of windows of the other activities that is not;  n_known  of these
    auroc     chance that one of them is stranger than one of a known activity
    interval  of it, 95 % over sessions
    """

    refused: float
    n_windows: int
    answered: float
    n_known: int
    auroc: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Answers of one fold to rows that it had not learnt.

    novelty  (k,) float64, see `Novelty.of`
    """

    rows: Int64
    shares: Float64
    novelty: Float64


def rule_of(samples: Samples, result: Result | None, names: Sequence[str]) -> Rule:
    """Learn when to answer from a result under S1.

    names  classes of the estimator that the rule is for, in order

    Without a result nothing is refused, and every set holds all activities.
    """
    return _rule(samples, list(_known(samples, result, names)), names)


def tried(
    samples: Samples, result: Result | None, names: Sequence[str]
) -> Tried | None:
    """Learn the rule from all folds but one, try it on that, and so on for all.

    None with fewer than two folds.
    """
    parts = list(_known(samples, result, names))
    if len(parts) < 2:
        return None
    truth = np.concatenate([samples.activity[each.rows] for each in parts])
    said = [d for each in parts for d in _decided(samples, parts, each, names)]
    labels = np.array([each.label for each in said])
    answered = labels != UNKNOWN
    held = [t in d.conformal_set for t, d in zip(truth, said, strict=True)]
    return Tried(
        answered=float(answered.mean()),
        right=float((labels == truth)[answered].mean()) if answered.any() else 0.0,
        covered=float(np.mean(held)),
        set_size=float(np.mean([len(each.conformal_set) for each in said])),
        n_windows=int(truth.size),
    )


def strange(result: Result | None) -> Strange | None:
    """Return how activities fared that were left out of training, under S6.

    None without a result, or where a fold had nothing to learn a rule from.
    """
    found = None if result is None else result.open_set
    if found is None or found.known_answered is None or found.unknown_answered is None:
        return None
    return Strange(
        refused=1.0 - found.unknown_answered,
        n_windows=found.n_unknown,
        answered=found.known_answered,
        n_known=found.n_known,
        auroc=found.auroc,
        interval=(found.interval.low, found.interval.high),
    )


def _decided(
    samples: Samples, parts: Sequence[_Rows], fold: _Rows, names: Sequence[str]
) -> list[Decision]:
    """Decide for the rows of one fold by the rule of all others."""
    rule = _rule(samples, [each for each in parts if each is not fold], names)
    return rule.decide(fold.shares, fold.novelty)


def _rule(samples: Samples, parts: Sequence[_Rows], names: Sequence[str]) -> Rule:
    rows = np.concatenate([np.zeros(0, np.int64), *(each.rows for each in parts)])
    return fit_rule(
        Held(
            classes=tuple(names),
            shares=np.concatenate(
                [np.zeros((0, len(names))), *(each.shares for each in parts)]
            ),
            truth=samples.activity[rows],
            session=samples.session[rows],
            novelty=np.concatenate([np.zeros(0), *(each.novelty for each in parts)]),
        )
    )


def _known(
    samples: Samples, result: Result | None, names: Sequence[str]
) -> Iterator[_Rows]:
    """Yield the answers of each fold to its test rows."""
    if result is None or result.answers.probability is None:
        return
    made, found = result.answers, _wide(result, result.answers.probability, names)
    for fold in np.unique(made.fold):
        here = made.fold == fold
        yield _rows(samples, result, int(fold), made.rows[here], found[here], names)


def _rows(
    samples: Samples,
    result: Result,
    fold: int,
    rows: Int64,
    shares: Float64,
    names: Sequence[str],
) -> _Rows:
    train = result.split.folds[fold].train
    learnt = Novelty.learn(samples.x[train], samples.activity[train], names)
    novelty = learnt.of(samples.x[rows], shares.argmax(axis=1))
    return _Rows(rows=rows, shares=shares, novelty=novelty)


def _wide(result: Result, shares: Float64, names: Sequence[str]) -> Float64:
    """Return (k, c) probabilities with a column for each name, 0 for those not said."""
    at: Mapping[str, int] = {name: column for column, name in enumerate(names)}
    made = np.zeros((shares.shape[0], len(names)))
    made[:, [at[name] for name in result.answers.classes]] = shares
    return made
