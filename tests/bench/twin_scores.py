"""Score a twin against its source: transfer both ways, copies, and what gives it away.

Sessions apart: A and B are sides of the source's sessions. Within: learnt from A,
tested on B. Onto the twin: learnt from A, tested on a twin of B alone. From
the twin: learnt from a twin of A alone, tested on B.

Folds at random: within and from the twin the same, with folds. Onto the twin: learnt
from all trials, tested on a twin of all: what a user of the twin has. A twin that
copied would do better there than within; `copies` says whether it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.classifiers.model import Classifier
from analysis.evaluate.fits import Fit, done
from analysis.evaluate.samples import Samples

_DRAWS = 5000
_TAILS = (0.025, 0.975)
Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One way to part the source: rows of A and B, and the samples of their twins.

    onto_a, onto  rows that are learnt from, and the twin that is tested on
    side          number of the rows that are tested; several draws have the same
    seed          of the classifiers
    """

    side: int
    seed: int
    a: Any
    b: Any
    twin_a: Samples
    onto_a: Any
    onto: Samples


def stacked(parts: Sequence[Samples]) -> Samples:
    """Return the rows of all parts, one part after the other."""
    from scipy.sparse import csr_array, vstack

    names = ("x", "activity", "session", "start_ns", "n_packets", "channel")
    columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    trials = [np.char.add(f"{k}-", p.trial) for k, p in enumerate(parts)]
    sequence = csr_array(vstack([p.sequence for p in parts], format="csr"))
    return Samples(
        device=parts[0].device,
        names=parts[0].names,
        trial=np.concatenate(trials),
        sequence=sequence,
        **columns,
    )


def transfers(
    source: Samples,
    folds: Sequence[Fold],
    classifier: Classifier,
    seed: int,
    *,
    by_fold: bool,
) -> Record:
    """Return accuracies within, onto and from the twin, and what is lost each way.

    by_fold  whether intervals draw activities of sides, or activities; several draws of
             a twin are of one activity, and are drawn together
    """
    right: dict[str, list[Any]] = {"within": [], "onto": [], "from": []}
    cluster: dict[str, list[Any]] = {"within": [], "onto": [], "from": []}
    for number, fold in enumerate(folds):
        whole = stacked((source, fold.twin_a, fold.onto))
        n, n_a = len(source), len(fold.twin_a)
        sides = {
            "within": (fold.a, fold.b),
            "onto": (fold.onto_a, np.arange(n + n_a, len(whole))),
            "from": (np.arange(n, n + n_a), fold.b),
        }
        fits = [
            Fit(
                classifier=classifier,
                labels=whole.activity,
                train=train,
                asked=asked,
                seed=fold.seed,
                likeliest_only=True,
            )
            for train, asked in sides.values()
        ]
        # learning from all to test a twin of all is the same in every fold
        if number and fold.onto is folds[number - 1].onto:
            sides.pop("onto")
            fits.pop(1)
        for name, fit, answer in zip(sides, fits, done(whole, fits), strict=True):
            said = answer.classes[answer.probability.argmax(axis=1)]
            words = whole.activity[fit.asked]
            right[name].append(words == said)
            place = f"{fold.side} " if by_fold else ""
            cluster[name].append(np.char.add(place, words))
    flat = {n: np.concatenate(r).astype(float) for n, r in right.items()}
    groups = {n: np.concatenate(c) for n, c in cluster.items()}
    return {
        "classifier": classifier.name,
        **{n: _with_interval(flat[n], groups[n], seed) for n in flat},
        "lost_onto": _lost(flat, groups, "onto", seed),
        "lost_from": _lost(flat, groups, "from", seed),
    }


def _means(right: Any, group: Any) -> Any:
    names, number = np.unique(group, return_inverse=True)
    del names
    return np.bincount(number, right) / np.bincount(number)


def _with_interval(right: Any, group: Any, seed: int) -> Record:
    drawn = _drawn(_means(right, group), seed)
    return {"accuracy": float(right.mean()), "interval": drawn, "n": int(right.size)}


def _lost(flat: Record, groups: Record, way: str, seed: int) -> Record:
    """Return points lost; activities of folds are drawn as a whole, both at once."""
    within, other = (_means(flat[n], groups[n]) for n in ("within", way))
    lost = within - other
    return {
        "points": float(100 * lost.mean()),
        "interval": [100 * x for x in _drawn(lost, seed)],
        "n_clusters": int(lost.size),
    }


def _drawn(values: Any, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    draws = values[rng.integers(values.size, size=(_DRAWS, values.size))].mean(axis=1)
    return [float(q) for q in np.quantile(draws, _TAILS)]


def copies(source: Samples, folds: Sequence[Fold]) -> Record:
    """Compare how near a twin of A and how near B come to the nearest trial of A.

    Once with the trials as they are, and once activity by activity: a twin plays as
    many of each, the source has more of some, and some are farther apart than others.
    """
    from scipy.stats import ks_2samp, mannwhitneyu

    held, twin = [], []
    activity: tuple[list[Any], list[Any]] = [], []
    for fold in folds:
        scale = source.x[fold.a].std(axis=0)
        used = scale > 1e-9
        rows = source.x[fold.a][:, used] / scale[used]
        known = source.activity[fold.a]
        for found, x, names, of in (
            (held, source.x[fold.b], source.activity[fold.b], activity[0]),
            (twin, fold.twin_a.x, fold.twin_a.activity, activity[1]),
        ):
            # a far-off value of one feature must not drown the others
            points = np.clip(x[:, used] / scale[used], rows.min(0) - 3, rows.max(0) + 3)
            for point, name in zip(points, names, strict=True):
                away = np.sqrt(((rows[known == name] - point) ** 2).sum(axis=1))
                found.append(away.min())
            of.extend(names.tolist())
    one, two = np.array(held), np.array(twin)
    test = mannwhitneyu(two, one, alternative="less")
    return {
        "n_held_out": one.size,
        "n_twin": two.size,
        "held_out": [float(q) for q in np.quantile(one, (0.05, 0.5, 0.95))],
        "twin": [float(q) for q in np.quantile(two, (0.05, 0.5, 0.95))],
        "p_twin_nearer": float(test.pvalue),
        "auc": float(test.statistic / (one.size * two.size)),
        "p_differ": float(ks_2samp(one, two).pvalue),
        "nearer_than_any_held_out": float((two < one.min()).mean()),
        **_by_activity(one, np.array(activity[0]), two, np.array(activity[1])),
    }


def _by_activity(held: Any, held_of: Any, twin: Any, twin_of: Any) -> Record:
    """Return the same test within activities (van Elteren); AUC by held-out trials."""
    from scipy.stats import mannwhitneyu, norm

    shift = variance = auc = 0.0
    for name in np.unique(held_of):
        one, two = held[held_of == name], twin[twin_of == name]
        pairs, n = one.size * two.size, one.size + two.size + 1
        if not pairs:
            continue
        u = float(mannwhitneyu(two, one, alternative="less").statistic)
        shift += (u - pairs / 2) / n
        variance += pairs / 12 / n
        auc += u / pairs * one.size
    p = float(norm.cdf(shift / np.sqrt(variance)))
    return {"auc_by_activity": auc / held.size, "p_by_activity": p}


def discriminator(
    source: Samples, folds: Sequence[Fold], seed: int, without: Sequence[str] = ()
) -> Record:
    """Return how well a forest tells new trials of A's twin from B, learnt on A."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    keep = np.array([name not in without for name in source.names])
    scores = []
    for fold in folds:
        known, new = fold.twin_a.x[::2], fold.twin_a.x[1::2]
        train = np.vstack((source.x[fold.a], known))[:, keep]
        is_twin = np.repeat((0, 1), (fold.a.size, len(known)))
        asked = np.vstack((source.x[fold.b], new))[:, keep]
        truth = np.repeat((0, 1), (fold.b.size, len(new)))
        forest = RandomForestClassifier(
            300, random_state=seed, n_jobs=1, class_weight="balanced"
        ).fit(train, is_twin)
        scores.append(roc_auc_score(truth, forest.predict_proba(asked)[:, 1]))
    return {"auroc": float(np.mean(scores)), "folds": [float(s) for s in scores]}
