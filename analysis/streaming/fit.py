"""Fit one stage: an estimator, and from which probability on it is believed.

How sure an answer must be is set with sessions that were not trained on: so high that
their idle stretches stay quiet.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.calibration import conformal_limit
from analysis.classifiers.model import (
    Classifier,
    Estimator,
    Float64,
    Reads,
    inputs_of,
)
from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.trust.groups import Groups, merged, told_apart
from analysis.streaming.model import Stage, is_act
from analysis.streaming.windows import Seen
from analysis.windows import IDLE_ACTIVITY

Int64 = NDArray[np.int64]
Text = NDArray[np.str_]
Bool = NDArray[np.bool_]

_N_TREES = 150
_FOLDS = 4
_FALSE_PER_DAY = 0.5  # of one device
_LEAST_EVENT, _MOST_EVENT = 0.5, 0.98
_KNOWN_SHARE = 0.99
_COVERAGE = 0.9


def _trees(seed: int) -> Estimator:
    from sklearn.ensemble import ExtraTreesClassifier

    trees: Estimator = ExtraTreesClassifier(_N_TREES, random_state=seed, n_jobs=1)
    return trees


TREES = Classifier(
    name="extra_trees",
    title="Extra trees",
    make=_trees,
    settings=f"{_N_TREES} trees",
)


def best_namer() -> Classifier:
    """Return the classifier that tells activities from each other best."""
    return all_classifiers().get("fusion", TREES)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """How to learn.

    classifier  what names an activity; that there is one is told by trees
    """

    classifier: Classifier = field(default_factory=lambda: best_namer())
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Windows of one length with their labels.

    start_ns  (k,) int64;  seen  k rows
    label     (k,) text, idle where no activity begins;  session  (k,) text
    is_kept   (k,) bool, False for what has no clear label
    is_quiet  (k,) bool, far from all that was done
    """

    start_ns: Int64
    seen: Seen
    label: Text
    session: Text
    is_kept: Bool
    is_quiet: Bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A stage, and the groups of activities that cannot be told apart at it."""

    stage: Stage
    groups: Groups


def fitted_stage(rows: Rows, length_ns: int, plan: StreamPlan, days: float) -> Fitted:
    """Fit the estimators for windows of one length.

    days  how long nothing was done in the campaign
    """
    kept = np.flatnonzero(rows.is_kept)
    acted = np.flatnonzero(rows.is_kept & (rows.label != IDLE_ACTIVITY))
    watching = _held_out(rows, kept, np.arange(rows.label.size), TREES, plan.seed)
    naming = _held_out(rows, acted, acted, plan.classifier, plan.seed)
    groups = _groups(rows, acted, naming)
    best = naming.of_groups(groups).max(axis=1)
    stage = Stage(
        length_ns=length_ns,
        watcher=_fit(rows, kept, TREES, plan.seed),
        namer=_fit(rows, acted, plan.classifier, plan.seed),
        reads=plan.classifier.reads,
        groups=groups,
        event_from=_quiet_from(watching.event[rows.is_quiet], days),
        known_from=float(np.quantile(best, 1 - _KNOWN_SHARE)),
        choice_from=_choice_from(naming.of_label(rows.label[acted])),
    )
    return Fitted(stage=stage, groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeldOut:
    """Probabilities of rows, by estimators without their session.

    shares  (k, c) float64, columns as `names`
    """

    shares: Float64
    names: list[str]

    @property
    def event(self) -> Float64:
        """(k,) probability that some activity begins."""
        acts = [i for i, name in enumerate(self.names) if is_act(name)]
        found: Float64 = self.shares[:, acts].sum(axis=1)
        return found

    def of_groups(self, groups: Groups) -> Float64:
        """Return (k, g) float64: the sum of each group."""
        at = {name: i for i, name in enumerate(self.names)}
        return np.column_stack(
            [self.shares[:, [at[n] for n in group]].sum(axis=1) for group in groups]
        )

    def of_label(self, labels: Text) -> Float64:
        """Return (k,) the probability of each row's own label."""
        columns = [self.names.index(str(label)) for label in labels]
        found: Float64 = self.shares[np.arange(labels.size), columns]
        return found


def _groups(rows: Rows, acted: Int64, naming: _HeldOut) -> Groups:
    """Return the groups of activities that other sessions are not told apart in."""
    label, session = rows.label[acted], rows.session[acted]
    if np.unique(session).size < 2:
        session = rows.start_ns[acted].astype(np.str_)  # each trial by itself
    told = told_apart(naming.shares, naming.names, label, session)
    return merged(np.array(naming.names, dtype=np.str_), told)


def _quiet_from(event: Float64, days: float) -> float:
    """Return from which probability so few idle windows are told as is wanted."""
    allowed = int(_FALSE_PER_DAY * days)
    worst = np.sort(event)[::-1]
    level = float(worst[allowed]) + 1e-6 if worst.size > allowed else 0.0
    return min(max(level, _LEAST_EVENT), _MOST_EVENT)


def _choice_from(right: Float64) -> float:
    """Return the conformal level (LAC) for the share of sets that hold the truth."""
    limit = conformal_limit(1.0 - right, np.ones(right.size), _COVERAGE)
    return max(0.0, 1.0 - limit)  # all of them, where there are too few to tell


def _held_out(
    rows: Rows, learnt: Int64, asked: Int64, classifier: Classifier, seed: int
) -> _HeldOut:
    """Ask about some rows; each is asked of an estimator without its session.

    learnt  rows that may be learnt from
    """
    from sklearn.model_selection import GroupKFold

    names = sorted({*rows.label[learnt].tolist()})
    shares = np.zeros((rows.label.size, len(names)))
    groups: NDArray[Any] = rows.session
    if np.unique(groups[learnt]).size < 2:
        # then stretches of the one session stand for others
        groups = np.arange(rows.label.size) * 2 * _FOLDS // rows.label.size
    folds = GroupKFold(min(_FOLDS, np.unique(groups[learnt]).size))
    for _train, test in folds.split(learnt, groups=groups[learnt]):
        held = np.isin(groups, np.unique(groups[learnt[test]]))
        estimator = _fit(rows, learnt[~held[learnt]], classifier, seed)
        now = asked[held[asked]]
        columns = [names.index(str(name)) for name in estimator.classes_]
        if now.size:
            found = estimator.predict_proba(_taken(rows.seen, now, classifier.reads))
            shares[now[:, None], columns] = np.asarray(found)
    return _HeldOut(shares=shares[asked], names=names)


def _fit(rows: Rows, learnt: Int64, classifier: Classifier, seed: int) -> Estimator:
    estimator = classifier.make(seed)
    parameters: dict[str, Any] = getattr(estimator, "get_params", dict)()
    wanted = {
        "n_statistics": rows.seen.x.shape[1],  # with those of the first moments
        "calibrated": False,  # thresholds are set here, on sessions held out
    }
    fitting = {name: wanted[name] for name in wanted if name in parameters}
    if fitting:
        estimator.set_params(**fitting)  # type: ignore[attr-defined]
    estimator.fit(_taken(rows.seen, learnt, classifier.reads), rows.label[learnt])
    return estimator


def _taken(seen: Seen, at: Int64, reads: Reads) -> Any:
    return inputs_of(seen.x[at], seen.sequence[at], reads)
