"""Thresholds from windows that a classifier has not learnt.

Sets are least ambiguous ones (Sadinle, Lei, Wasserman 2019; per class where a class
has sessions enough: Vovk 2012). Of answers of one estimator they are split-conformal,
but for the temperature: of all windows like the calibration windows, the stated share
has its activity in the set, however good the classifier is. Of answers of an estimator
per fold, as `held_out` makes them, they are cross-conformal (Vovk 2015): that share is
what they are meant to keep, unproven.
Each session weighs the same, as windows of one session are alike, and so does the one
to come where there are sessions enough.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.decision import Rule
from analysis.classifiers.folds import dealt
from analysis.classifiers.model import Classifier, Float64, Labels, inputs_of
from analysis.classifiers.novelty import Novelty
from analysis.classifiers.temperature import fit_temperature, tempered

Int64 = NDArray[np.int64]

KNOWN_SHARE = 0.95  # of windows of known activities that are given an answer
COVERAGE = 0.95  # of windows whose activity is in the set
_OWN_SESSIONS = 20  # from here on a class has a limit of its own
_RANKS = 512  # quantiles that stand for the calibration windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a classifier says of windows that it has not learnt.

    shares   (k, c) float64, columns as `classes`
    truth    (k,) str, of which some may not be in `classes`: these are left out
    session  (k,) str, '' or any name; sessions weigh the same, however long they are
    novelty  (k,) float64, see `Novelty.of`, or None
    """

    classes: tuple[str, ...]
    shares: Float64
    truth: Labels
    session: Labels
    novelty: Float64 | None = None


def fit_rule(
    held: Held,
    *,
    known: float = KNOWN_SHARE,
    coverage: float = COVERAGE,
    temperature: float | None = None,
) -> Rule:
    """Find all thresholds.

    known        share of windows of known activities that are to be given an answer
    coverage     share of windows whose activity is to be in the set
    temperature  given, or found on the same windows

    Without a window nothing is refused, and every set holds all classes.
    """
    column = {name: i for i, name in enumerate(held.classes)}
    code = np.array([column.get(str(name), -1) for name in held.truth], dtype=np.int64)
    rows = np.flatnonzero(code >= 0)
    shares, code, session = held.shares[rows], code[rows], held.session[rows]
    found = fit_temperature(shares, code) if temperature is None else temperature
    made = tempered(shares, found)
    weight = _weights(session)
    doubts = 1.0 - made.max(axis=1) if rows.size else np.zeros(0)
    novelty = None if held.novelty is None else held.novelty[rows]
    rule = Rule(
        classes=held.classes,
        temperature=found,
        doubts=_sample(doubts),
        novelties=np.zeros(0) if novelty is None else _sample(novelty),
        strange_from=1.0,
        set_limits=_set_limits(made, code, session, weight, coverage),
        n_sessions=int(np.unique(session).size),
        n_windows=int(rows.size),
    )
    if not rows.size:
        return rule
    strange_from = conformal_limit(rule.strangeness(shares, novelty), weight, known)
    return Rule.of_record(rule.record() | {"strange_from": min(1.0, strange_from)})


def held_out(
    classifier: Classifier,
    x: Any,
    sequence: Any,
    y: Labels,
    session: Labels,
    *,
    seed: int = 0,
    n_folds: int = 3,
) -> Held:
    """Learn from some sessions and answer for the others, each once.

    x         (k, f) float64;  sequence  (k, v) csr_array, or None where not made
    session   (k,) str; with fewer than two, rows are held out at random
    """
    given = inputs_of(x, sequence, classifier.reads)
    names = np.unique(y)
    folds = dealt(y, session, n_folds, seed)
    shares, novelty = np.zeros((len(y), names.size)), np.zeros(len(y))
    done = np.zeros(len(y), dtype=bool)
    for fold in np.unique(folds):
        test, train = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        there = np.unique(y[train])
        if there.size < 2:
            continue
        estimator = classifier.make(seed)
        estimator.fit(given[train], y[train])
        at = np.searchsorted(names, estimator.classes_)
        shares[np.ix_(test, at)] = estimator.predict_proba(given[test])
        done[test] = np.isin(y[test], there)
        learnt = Novelty.learn(x[train], y[train], names.tolist())
        novelty[test] = learnt.of(x[test], shares[test].argmax(axis=1))
    return Held(
        classes=tuple(str(name) for name in names),
        shares=shares[done],
        truth=y[done],
        session=session[done],
        novelty=novelty[done],
    )


def _weights(session: Labels) -> Float64:
    """Return (k,) float64: each session weighs the same, all rows together k."""
    _names, group, size = np.unique(session, return_inverse=True, return_counts=True)
    weight: Float64 = session.size / (max(size.size, 1) * size[group])
    return weight


def conformal_limit(
    values: Float64, weight: Float64, share: float, coming: float = 1.0
) -> float:
    """Return the lowest value that is not below `share` of all values and of more.

    weight  (k,) float64, of each value;  coming  weight of what is to come, which may
            be larger than any: infinity is returned without room for it
    """
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    needed = share * (total[-1] + coming) if total.size else np.inf
    at = int(np.searchsorted(total, needed * (1 - 1e-9)))
    return float(values[order[at]]) if at < values.size else float("inf")


def _set_limit(
    score: Float64, session: Labels, weight: Float64, coverage: float
) -> float:
    """Return the limit that sets are meant to keep.

    Sessions are what can be exchanged, so one more of them is reckoned with (Lee,
    Barber, Willett 2023), where n of them leave room for it: 19 for 95 %. Fewer cannot
    promise that share to a new session; then one more window is reckoned with.
    """
    n_sessions = max(np.unique(session).size, 1)
    room = coverage * (n_sessions + 1) <= n_sessions + 1e-9
    coming = max(1.0, float(weight.sum()) / n_sessions) if room else 1.0
    return min(1.0, conformal_limit(score, weight, coverage, coming))


def _set_limits(
    shares: Float64, code: Int64, session: Labels, weight: Float64, coverage: float
) -> Float64:
    """Return (c,) float64: how unlikely a class may be and still be in the set."""
    score = 1.0 - shares[np.arange(code.size), code]
    limits = np.full(shares.shape[1], _set_limit(score, session, weight, coverage))
    for each in range(limits.size):
        mine = np.flatnonzero(code == each)
        if np.unique(session[mine]).size >= _OWN_SESSIONS:
            own = session[mine]
            limits[each] = _set_limit(score[mine], own, _weights(own), coverage)
    return limits


def _sample(values: Float64) -> Float64:
    """Return sorted values, or quantiles where these are many."""
    if values.size <= _RANKS:
        return np.sort(values)
    return np.quantile(values, np.linspace(0.0, 1.0, _RANKS))
