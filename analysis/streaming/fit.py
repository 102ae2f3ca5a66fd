"""Fit one stage: an estimator, and from which probability on it is believed.

How sure an answer must be is set with sessions that were not trained on: so high that
their idle stretches stay quiet.
"""

from collections.abc import Sequence
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
from analysis.errors import DatasetError
from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.trust.groups import Groups, merged, told_apart
from analysis.streaming.model import Stage, is_act
from analysis.streaming.windows import Seen
from analysis.windows import IDLE_ACTIVITY

Int64 = NDArray[np.int64]
Text = NDArray[np.str_]
Bool = NDArray[np.bool_]

_N_TREES = 150
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
    fold      (k,) int64, with which it is held out
    is_kept   (k,) bool, False for what has no clear label
    is_quiet  (k,) bool, far from all that was done
    """

    start_ns: Int64
    seen: Seen
    label: Text
    session: Text
    fold: Int64
    is_kept: Bool
    is_quiet: Bool

    @property
    def is_acted(self) -> Bool:
        """(k,) bool, where an activity begins."""
        found: Bool = self.is_kept & (self.label != IDLE_ACTIVITY)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Windows of one length, as the background of all sessions opens them.

    held  for each fold, all windows as they open by a background that was learnt
          without it: what is said of its own is as of a day that nobody has seen
    """

    whole: Rows
    held: tuple[Rows, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A stage, and the groups of activities that cannot be told apart at it."""

    stage: Stage
    groups: Groups


def fitted_stage(
    gathered: Gathered, length_ns: int, plan: StreamPlan, days: float
) -> Fitted:
    """Fit the estimators for windows of one length.

    days  how long nothing was done in the campaign

    Raises DatasetError with too few trials to hold any out.
    """
    whole, seed = gathered.whole, plan.seed
    kept, acted = np.flatnonzero(whole.is_kept), np.flatnonzero(whole.is_acted)
    quiet = _held_out(gathered.held, TREES, seed, acted_only=False)
    naming = _held_out(gathered.held, plan.classifier, seed, acted_only=True)
    if not naming.label.size:
        raise DatasetError(
            "there are too few trials to hold any out; repeat each activity in "
            "several sessions"
        )
    groups = _groups(naming, sorted({*whole.label[acted].tolist()}))
    best = naming.of_groups(groups).max(axis=1)
    stage = Stage(
        length_ns=length_ns,
        watcher=_fit(whole, kept, TREES, seed),
        namer=_fit(whole, acted, plan.classifier, seed),
        reads=plan.classifier.reads,
        groups=groups,
        event_from=_quiet_from(quiet.event, days),
        known_from=float(np.quantile(best, 1 - _KNOWN_SHARE)),
        choice_from=_choice_from(naming.right),
    )
    return Fitted(stage=stage, groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeldOut:
    """Probabilities of rows, by estimators and backgrounds without their session.

    shares  (k, c) float64, columns as `names`;  label, session  (k,) text
    """

    shares: Float64
    names: list[str]
    label: Text
    session: Text

    @property
    def event(self) -> Float64:
        """(k,) probability that some activity begins."""
        acts = [i for i, name in enumerate(self.names) if is_act(name)]
        found: Float64 = self.shares[:, acts].sum(axis=1)
        return found

    @property
    def right(self) -> Float64:
        """(k,) the probability of each row's own label."""
        columns = [self.names.index(str(label)) for label in self.label]
        found: Float64 = self.shares[np.arange(self.label.size), columns]
        return found

    def of_groups(self, groups: Groups) -> Float64:
        """Return (k, g) float64: the sum of each group."""
        at = {name: i for i, name in enumerate(self.names)}
        columns = [[at[name] for name in group if name in at] for group in groups]
        return np.column_stack([self.shares[:, each].sum(axis=1) for each in columns])


def _groups(naming: _HeldOut, names: Sequence[str]) -> Groups:
    """Return the groups of activities that other sessions are not told apart in.

    names  what can be told; one that was never held out is a group by itself
    """
    session = naming.session
    if np.unique(session).size < 2:
        session = np.arange(session.size).astype(np.str_)  # each trial by itself
    told = told_apart(naming.shares, naming.names, naming.label, session)
    asked = {*naming.label.tolist()}
    known = [name for name in names if name in asked]
    alone = [(name,) for name in names if name not in asked]
    return (*merged(np.array(known, dtype=np.str_), told), *alone)


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
    held: Sequence[Rows], classifier: Classifier, seed: int, *, acted_only: bool
) -> _HeldOut:
    """Ask each fold's windows of an estimator that was learnt from all others.

    acted_only  learn and ask windows of activities; else learn all, and ask quiet ones

    Windows whose label is in no other fold are not asked: no answer could be right.
    """
    labels = {name for rows in held for name in rows.label[rows.is_acted].tolist()}
    names = sorted(labels if acted_only else labels | {IDLE_ACTIVITY})
    shares, label, session = [np.zeros((0, len(names)))], [], []
    for number, rows in enumerate(held):
        own = rows.fold == number
        learnt = np.flatnonzero((rows.is_acted if acted_only else rows.is_kept) & ~own)
        own &= np.isin(rows.label, rows.label[learnt])
        asked = np.flatnonzero((rows.is_acted if acted_only else rows.is_quiet) & own)
        if not learnt.size or not asked.size:
            continue
        estimator = _fit(rows, learnt, classifier, seed)
        said = estimator.predict_proba(_taken(rows.seen, asked, classifier.reads))
        found = np.zeros((asked.size, len(names)))
        found[:, [names.index(str(name)) for name in estimator.classes_]] = said
        shares.append(found)
        label += rows.label[asked].tolist()
        session += rows.session[asked].tolist()
    return _HeldOut(
        shares=np.concatenate(shares),
        names=names,
        label=np.array(label, dtype=np.str_),
        session=np.array(session, dtype=np.str_),
    )


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
