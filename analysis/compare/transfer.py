"""What drift costs: classifiers within a campaign, and learnt from the other one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import analysis.classifiers
from analysis.classifiers.model import Classifier
from analysis.compare.model import Float64, Share, Transfer
from analysis.evaluate.fits import Answer, done, fold_fits, pooled
from analysis.evaluate.samples import Recorded, Samples, samples_of
from analysis.evaluate.scores.intervals import session_draws, session_interval, wilson
from analysis.evaluate.splits.folds import Split, SplitRefusedError
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.splits.transfer import joined, transfer
from analysis.labelling import Overlap
from analysis.registry import discover, find

_NAMES = ("A", "B")
_WITHIN = ("s1", "s0_folds")  # the first that there is


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
    device: str,
    classifiers: Sequence[Classifier],
    seed: int,
) -> Iterator[Transfer]:
    """Yield, for each classifier, A to B held against within B, and the reverse."""
    if not classifiers:
        return
    samples = _samples(both, device)
    for classifier in classifiers:
        for train, test in ((0, 1), (1, 0)):
            yield _transfer(
                samples[train], samples[test], (train, test), classifier, seed
            )


def _samples(both: tuple[Recorded, Recorded], device: str) -> tuple[Samples, Samples]:
    """Return rows whose features mean the same, of activities that both have."""
    one = samples_of(both[0], device, overlap=Overlap.CUT)
    longest_s = int(one.length_ns.max(initial=0)) / 1e9
    two = samples_of(both[1], device, overlap=Overlap.CUT, longest_s=longest_s)
    return one, two


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
        note="",
    )
    whole = joined(train, test, names)
    try:
        split = transfer(whole, names)
    except SplitRefusedError as exc:
        reason = str(exc)
        if "identical copy" in reason:
            reason = "both hold the very same windows: nothing is new to learn or test"
        return replace(made, note=reason)
    right = _right(whole, classifier, split, seed)
    tested = np.flatnonzero(~np.isnan(right))
    across = right[tested]
    session = whole.session[tested]
    made = replace(made, across=_share(across, session, seed), n_trials=tested.size)
    own = tested - len(train)
    within, note = _within(test, own, classifier, seed)
    if within is None:
        return replace(made, note=note)
    both = ~np.isnan(within)
    loss = _loss(within[both], across[both], session[both], seed)
    return replace(
        made, within=_share(within[both], session[both], seed), loss=loss, note=note
    )


def _within(
    test: Samples, rows: NDArray[np.int64], classifier: Classifier, seed: int
) -> tuple[Float64 | None, str]:
    """Return (k,) 1 where right, NaN where not tested, for rows; and by which split."""
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
        return _right(test, classifier, split, seed)[rows], note
    return None, f"within: {said}"


def _right(
    samples: Samples, classifier: Classifier, split: Split, seed: int
) -> Float64:
    """Return (n,) 1 where a row was told rightly, 0 where not, NaN where untested."""
    fits = fold_fits(
        classifier, split.folds, samples.activity, seed, likeliest_only=True
    )
    answers: list[Answer] = list(done(samples, fits))
    taken = pooled(split.folds, answers)
    right = np.full(len(samples), np.nan)
    right[taken.rows] = samples.activity[taken.rows] == taken.said
    return right


def _share(right: Float64, session: NDArray[np.str_], seed: int) -> Share:
    value = float(right.mean())
    found = session_interval(right, session, seed) or wilson(value, right.size)
    return Share(value=value, low=found.low, high=found.high)


def _loss(
    within: Float64, across: Float64, session: NDArray[np.str_], seed: int
) -> Share:
    """Return by how much fewer are right, from whole sessions drawn with returning."""
    less = within - across
    names, group = np.unique(session, return_inverse=True)
    if names.size < 2:
        group = np.arange(less.size)
    sums = session_draws(np.column_stack((less, np.ones(less.size))), group, seed)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return Share(value=float(less.mean()), low=float(low), high=float(high))
