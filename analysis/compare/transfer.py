"""What drift costs: classifiers within a campaign, and learnt from the other one.

Both learn from as many trials of each activity, drawn from as many sessions, and are
tested on the same trials, fold by fold; several draws where there are few folds. So
what is lost is lost for the other campaign, and not for want of trials.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import analysis.classifiers
from analysis.classifiers.model import Classifier
from analysis.compare.model import Float64, Int64, Share, Transfer
from analysis.evaluate.fits import Answer, done, fold_fits, pooled
from analysis.evaluate.samples import Recorded, Samples, samples_of
from analysis.evaluate.scores.intervals import session_draws, session_interval, wilson
from analysis.evaluate.splits.folds import Fold, Split, SplitRefusedError
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.splits.transfer import joined, transfer
from analysis.labelling import Overlap
from analysis.registry import discover, find

_NAMES = ("A", "B")
_WITHIN = ("s1", "s0_folds")  # the first that there is
_FITS = 10  # at least so many of either side, of other draws where there are few folds


def classifiers_of(names: Sequence[str]) -> tuple[Classifier, ...]:
    """Return classifiers by name or short name. Raises RequestError for another."""
    known = dict(discover(analysis.classifiers, "CLASSIFIERS"))
    shorts = {c.short: name for name, c in known.items() if c.short}
    chosen = dict.fromkeys(shorts.get(name, name) for name in names)
    for name in chosen:
        if name not in known:
            find(known | shorts, name, "classifier")
    return tuple(known[name] for name in chosen)


def transfers_of(
    both: tuple[Recorded, Recorded],
    devices: tuple[str, str],
    classifiers: Sequence[Classifier],
    seed: int,
) -> Iterator[Transfer]:
    """Yield, for each classifier, A to B held against within B, and the reverse.

    devices  name of the device in A, and in B
    """
    if not classifiers:
        return
    samples = _samples(both, devices)
    for classifier in classifiers:
        for train, test in ((0, 1), (1, 0)):
            yield _transfer(
                samples[train], samples[test], (train, test), classifier, seed
            )


def _samples(
    both: tuple[Recorded, Recorded], devices: tuple[str, str]
) -> tuple[Samples, Samples]:
    """Return rows whose features mean the same, of activities that both have."""
    one = samples_of(both[0], devices[0], overlap=Overlap.CUT)
    longest_s = int(one.length_ns.max(initial=0)) / 1e9
    two = samples_of(both[1], devices[1], overlap=Overlap.CUT, longest_s=longest_s)
    return one, replace(two, device=devices[0])


def _transfer(
    train: Samples,
    test: Samples,
    way: tuple[int, int],
    classifier: Classifier,
    seed: int,
) -> Transfer:
    names = _NAMES[way[0]], _NAMES[way[1]]
    made = Transfer(
        device=test.device,
        classifier=classifier.name,
        direction=f"{names[0]} to {names[1]}",
        within=None,
        across=None,
        loss=None,
        n_trials=0,
        n_learnt=None,
        note="",
    )
    whole = joined(train, test, names)
    try:
        (between,) = transfer(whole, names).folds
    except SplitRefusedError as exc:
        reason = str(exc)
        if "identical copy" in reason:
            reason = "both hold the very same windows: nothing is new to learn or test"
        return replace(made, note=reason)
    split, note = _within(test, seed)
    made = replace(made, note=note)
    if split is None:
        return made
    inner = [_among(f, len(train), between.test) for f in split.folds]
    folds = [f for f in inner if f.train.size and f.test.size]
    drawn = list(_drawn(whole, between.train, folds, seed))
    if not drawn:
        return replace(made, note="no fold has two activities to learn from")
    return _scored(made, whole, classifier, drawn, seed)


def _scored(
    made: Transfer,
    whole: Samples,
    classifier: Classifier,
    drawn: Sequence[tuple[Fold, Fold]],
    seed: int,
) -> Transfer:
    """Fill in what both got right on the same rows."""
    rows = np.unique(np.concatenate([own.test for own, _other in drawn]))
    within, across = (
        _right(whole, classifier, [pair[side] for pair in drawn], seed)[rows]
        for side in (0, 1)
    )
    session = whole.session[rows]
    return replace(
        made,
        within=_share(within, session, seed),
        across=_share(across, session, seed),
        loss=_loss(within, across, session, seed),
        n_trials=rows.size,
        n_learnt=float(np.mean([own.train.size for own, _other in drawn])),
    )


def _within(test: Samples, seed: int) -> tuple[Split | None, str]:
    """Return how the tested campaign is split, and what to know of that."""
    said = ""
    for name in _WITHIN:
        try:
            split = SPLITS[name].split(test, seed)
        except SplitRefusedError as exc:
            said = said or str(exc)
            continue
        note = split.title
        if split.leaky:
            note += f": {said}; sessions are on both sides, which flatters it"
        return split, note
    return None, f"within: {said}"


def _among(fold: Fold, first: int, allowed: Int64) -> Fold:
    """Return a fold of the tested campaign as rows of both, of allowed ones."""
    train, test = (rows + first for rows in (fold.train, fold.test))
    return Fold(train=train[np.isin(train, allowed)], test=test[np.isin(test, allowed)])


def _drawn(
    whole: Samples, other: Int64, folds: Sequence[Fold], seed: int
) -> Iterator[tuple[Fold, Fold]]:
    """Yield pairs of folds: within, and from the other campaign, tested alike."""
    rng = np.random.default_rng(seed)
    for _round in range(-(-_FITS // max(len(folds), 1))):
        for fold in folds:
            pools = _as_many_sessions(whole, (fold.train, other), rng)
            own, others = _as_many_trials(whole, pools, rng)
            if np.unique(whole.activity[own]).size >= 2:
                yield (
                    Fold(train=own, test=fold.test),
                    Fold(train=others, test=fold.test),
                )


def _as_many_sessions(
    whole: Samples, pools: tuple[Int64, Int64], rng: np.random.Generator
) -> tuple[Int64, Int64]:
    """Return the rows of as many sessions of either."""
    held = [np.unique(whole.session[pool]) for pool in pools]
    n = min(map(len, held))
    kept = [rng.choice(names, n, replace=False) for names in held]
    one, two = (
        pool[np.isin(whole.session[pool], names)]
        for pool, names in zip(pools, kept, strict=True)
    )
    return one, two


def _as_many_trials(
    whole: Samples, pools: tuple[Int64, Int64], rng: np.random.Generator
) -> tuple[Int64, Int64]:
    """Return as many rows of either, of each activity."""
    kept: tuple[list[Int64], list[Int64]] = [], []
    for activity in np.unique(whole.activity[np.concatenate(pools)]):
        held = [pool[whole.activity[pool] == activity] for pool in pools]
        n = min(map(len, held))
        for side, rows in zip(kept, held, strict=True):
            side.append(rng.choice(rows, n, replace=False))
    one, two = (np.sort(np.concatenate(side)) for side in kept)
    return one, two


def _right(
    samples: Samples, classifier: Classifier, folds: Sequence[Fold], seed: int
) -> Float64:
    """Return (n,) how often a row was told rightly, as a share; NaN where untested."""
    fits = fold_fits(classifier, folds, samples.activity, seed, likeliest_only=True)
    answers: list[Answer] = list(done(samples, fits))
    taken = pooled(folds, answers)
    hits = samples.activity[taken.rows] == taken.said
    n = np.bincount(taken.rows, minlength=len(samples)).astype(np.float64)
    n[n == 0] = np.nan
    return np.bincount(taken.rows, weights=hits, minlength=len(samples)) / n


def _share(right: Float64, session: NDArray[np.str_], seed: int) -> Share:
    value = float(right.mean())
    found = session_interval(right, session, seed) or wilson(value, right.size)
    return Share(value=value, low=found.low, high=found.high)


def _loss(
    within: Float64, across: Float64, session: NDArray[np.str_], seed: int
) -> Share:
    """Return by how much fewer are right, from whole sessions drawn with returning.

    Never narrower than that of as many trials (Newcombe 1998, method 10), for a
    bootstrap of what was always right would claim to be certain. With one session
    there is none: nobody can say how sessions differ.
    """
    less = within - across
    names, group = np.unique(session, return_inverse=True)
    value = float(less.mean())
    if names.size < 2:
        return Share(value=value, low=None, high=None)
    sums = session_draws(np.column_stack((less, np.ones(less.size))), group, seed)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    one, two = (float(each.mean()) for each in (within, across))
    w, a = (wilson(share, less.size) for share in (one, two))
    down = value - float(np.hypot(one - w.low, a.high - two))
    up = value + float(np.hypot(w.high - one, two - a.low))
    return Share(
        value=value, low=max(-1.0, min(low, down)), high=min(1.0, max(high, up))
    )
