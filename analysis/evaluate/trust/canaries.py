"""Signs that a score is not what it seems: each canary measures one known leak.

Trials, copies or packets on both sides; a feature that is a clock; models that see
nothing but the time or the length of a window and are right all the same; training and
test rows that can be told apart.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.dataset import Times
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.scores.chance import matched_by_chance, null_folds
from analysis.evaluate.scores.open_set import auroc
from analysis.evaluate.splits.folds import Fold, Split
from analysis.features.model import Float64, Int64

_CLOCK = 0.95  # rank correlation with time from which a feature is called a clock
_OVER_CHANCE = 1.2
ABOVE = "above its limit, too few trials to be sure"
OWN_LENGTHS = "length_only: with `--window longest` all windows are of one length"
_TOLD_APART = 0.6
_FEW = 20  # rows, below which a rank correlation says nothing
_TREES = 20
_MOST = 1500  # rows of a model that is only a canary
_DAY_NS = 86_400 * 10**9
# from the label instant, which who sees nothing but packets does not know
_FIRST_PACKET = ("in_delay_s", "out_delay_s", "both_delay_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One measured sign of a leak, for one split of one device.

    limit  what `value` must not exceed; None where it is only told
    sound  False when the limit is exceeded, and not by chance; None where not judged
    note   what the value means, or why there is none
    """

    name: str
    value: float | None
    limit: float | None
    sound: bool | None
    note: str = ""

    @property
    def unsure(self) -> bool:
        """Say whether it is above its limit, and that may be luck."""
        if not self.sound or self.value is None or self.limit is None:
            return False
        return self.value > self.limit


def canaries_of(samples: Samples, split: Split, seed: int) -> tuple[Canary, ...]:
    """Return every canary of one split."""
    folds = null_folds(split, seed)
    skipped: tuple[Canary, ...] = ()
    single = {
        "time_only": (_times(samples), "knows when a window began, and nothing else"),
        "length_only": (
            samples.length_ns[:, None].astype(np.float64),
            "knows how long a window is, and nothing else",
        ),
    }
    if samples.times is not Times.RECORDED:
        del single["time_only"]
        skipped = (_no_times(),)
    return (
        _sides(samples, split),
        _copies(samples, split),
        _shared_time(samples, split),
        clock_feature(samples),
        *skipped,
        *(
            _model_of(name, x, note, samples, folds, seed)
            for name, (x, note) in single.items()
        ),
        *_delay(samples, folds, seed),
        adversarial(samples, split, seed),
    )


def _no_times() -> Canary:
    note = "not measured: the import made up when windows began"
    return Canary(name="time_only", value=None, limit=None, sound=None, note=note)


def _sides(samples: Samples, split: Split) -> Canary:
    """Count trials, and sessions where they must not be, on both sides."""
    count = 0
    for fold in split.folds:
        test = np.concatenate((fold.test, fold.unknown))
        columns = [samples.trial] if split.leaky else [samples.trial, samples.session]
        for column in columns:
            count += int(np.unique(column[test][_known(column, test, fold)]).size)
    what = "trials" if split.leaky else "trials and sessions"
    return _count("both_sides", count, f"{what} on both sides")


def _known(column: Strings, test: Int64, fold: Fold) -> np.ndarray:
    return np.isin(column[test], column[fold.train])


def _copies(samples: Samples, split: Split) -> Canary:
    """Count windows that have a copy on the other side."""
    rows = samples.x.astype(np.float32)
    full = samples.n_packets > 0
    keys = [row.tobytes() if has else None for row, has in zip(rows, full, strict=True)]
    return _count(
        "copies",
        copied(keys, split.folds),
        "tested windows whose nearest window to learn from is at distance 0",
    )


def copied(keys: Sequence[Hashable | None], folds: Sequence[Fold]) -> int:
    """Return how many tested rows have their key among the rows to learn from.

    keys  one per row of the samples: its features, or what it said; None for nothing
    """
    count = 0
    for fold in folds:
        known = {keys[i] for i in fold.train.tolist()} - {None}
        test = np.concatenate((fold.test, fold.unknown)).tolist()
        count += sum(keys[i] in known for i in test)
    return count


def _shared_time(samples: Samples, split: Split) -> Canary:
    """Count tested windows that share time, and so packets, with one to learn from."""
    start, end = samples.start_ns, samples.start_ns + np.maximum(samples.length_ns, 1)
    count = 0
    for fold in split.folds:
        test = np.concatenate((fold.test, fold.unknown))
        for recording in np.unique(samples.recording[test]):
            train = fold.train[samples.recording[fold.train] == recording]
            asked = test[samples.recording[test] == recording]
            first = np.sort(start[train])
            last = np.sort(end[train])
            begun = np.searchsorted(first, end[asked], side="left")
            over = np.searchsorted(last, start[asked], side="right")
            count += int((begun > over).sum())
    return _count(
        "shared_time", count, "tested windows that share packets with one learnt from"
    )


def _count(name: str, count: int, note: str) -> Canary:
    return Canary(name=name, value=float(count), limit=0.0, sound=count == 0, note=note)


def clock_feature(samples: Samples) -> Canary:
    """Look for a feature that rises or falls with time, over all or in each session."""
    if len(samples) < _FEW:
        return Canary(
            name="clock", value=None, limit=_CLOCK, sound=None, note="too few windows"
        )
    overall = _rank_correlation(samples.x, samples.start_ns)
    inside = _within_sessions(samples)
    strength = np.maximum(overall, inside)
    worst = int(strength.argmax())
    value = float(strength[worst])
    return Canary(
        name="clock",
        value=value,
        limit=_CLOCK,
        sound=value <= _CLOCK,
        note=f"{samples.names[worst]} goes with time the most",
    )


def _within_sessions(samples: Samples) -> Float64:
    """Return (f,) the median of |rank correlation| over the longer sessions."""
    found = [
        _rank_correlation(samples.x[rows], samples.start_ns[rows])
        for name in samples.sessions()
        if (rows := np.flatnonzero(samples.session == name)).size >= _FEW
    ]
    return np.median(found, axis=0) if found else np.zeros(samples.x.shape[1])


def _rank_correlation(x: Float64, start_ns: Int64) -> Float64:
    """Return (f,) |Spearman| of each column with time; 0 for a constant one."""
    from scipy.stats import rankdata

    ranks = rankdata(x, axis=0)
    ranks -= ranks.mean(axis=0)
    time = rankdata(start_ns)
    time -= time.mean()
    scale = np.sqrt((ranks**2).sum(axis=0) * (time**2).sum())
    found: Float64 = np.abs(
        np.divide(ranks.T @ time, scale, out=np.zeros(x.shape[1]), where=scale > 0)
    )
    return found


def _times(samples: Samples) -> Float64:
    """Return (k, 3): seconds since the first window, time of day, place in session."""
    place = np.zeros(len(samples))
    for name in samples.sessions():
        rows = np.flatnonzero(samples.session == name)
        place[rows] = np.argsort(np.argsort(samples.start_ns[rows]))
    since = samples.start_ns - samples.start_ns.min()
    return np.column_stack((since / 1e9, samples.start_ns % _DAY_NS / 1e9, place))


def _model_of(
    name: str,
    x: Float64,
    note: str,
    samples: Samples,
    folds: Sequence[Fold],
    seed: int,
) -> Canary:
    """Learn from `x` alone; it must not do much better than the commonest activity."""
    from sklearn.tree import DecisionTreeClassifier

    said = []
    for fold in folds:
        tree = DecisionTreeClassifier(min_samples_leaf=3, random_state=seed)
        tree.fit(x[fold.train], samples.activity[fold.train])
        said.append(tree.predict(x[fold.test]))
    test = np.concatenate([fold.test for fold in folds])
    number = np.repeat(np.arange(len(folds)), [fold.test.size for fold in folds])
    truth, answers = samples.activity[test], np.concatenate(said)
    value = float((truth == answers).mean())
    chance = float(np.unique(truth, return_counts=True)[1].max() / truth.size)
    luck = matched_by_chance(truth, answers, number).high
    limit = _OVER_CHANCE * chance
    return Canary(
        name=name,
        value=value,
        limit=limit,
        sound=bool(value <= max(limit, luck)),
        note=note,
    )


def _delay(samples: Samples, folds: Sequence[Fold], seed: int) -> tuple[Canary, ...]:
    """Tell how much is known by when the first packet came; not judged.

    A device may well take longer for one thing than for another. But where the same
    recording of a sentence is played each time, the delay may be its very length.
    """
    columns = [i for i, name in enumerate(samples.names) if name in _FIRST_PACKET]
    if not columns:
        return ()
    note = "knows how long after the label instant the first packets came, no more"
    found = _model_of("delay_only", samples.x[:, columns], note, samples, folds, seed)
    return (replace(found, limit=None, sound=None),)


def adversarial(samples: Samples, split: Split, seed: int) -> Canary:
    """Try to tell rows to learn from and rows to be tested apart, session by session.

    Judged for S1 only, whose sides are alike by design; elsewhere it tells how far
    days, units or weeks differ.
    """
    limit = _TOLD_APART if split.name == "s1" else None
    areas, lows = [], []
    for fold in split.folds[:2]:
        found = _told_apart(samples, fold, seed)
        if found is not None:
            areas.append(found[0])
            lows.append(found[1])
    if not areas:
        note = "too few sessions on one side"
        return Canary(
            name="adversarial", value=None, limit=limit, sound=None, note=note
        )
    return Canary(
        name="adversarial",
        value=float(np.mean(areas)),
        limit=limit,
        sound=None if limit is None else bool(np.mean(lows) <= _TOLD_APART),
        note="how well new sessions of the two sides are told apart; 0.5 is not at all",
    )


def _told_apart(samples: Samples, fold: Fold, seed: int) -> tuple[float, float] | None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.concatenate((fold.train, fold.test))
    side = np.repeat([0, 1], [fold.train.size, fold.test.size])
    session = samples.session[rows]
    fewest = min(np.unique(session[side == s]).size for s in (0, 1))
    if fewest < 2:
        return None
    if rows.size > _MOST:
        chosen = np.random.default_rng(seed).choice(rows.size, _MOST, replace=False)
        rows, side, session = rows[chosen], side[chosen], session[chosen]
    score = np.zeros(rows.size)
    parts = StratifiedGroupKFold(2, shuffle=True, random_state=seed)
    for learnt, asked in parts.split(rows[:, None], side, session):
        if np.unique(side[learnt]).size < 2:
            return None
        forest = RandomForestClassifier(
            _TREES, min_samples_leaf=5, random_state=seed, n_jobs=1
        )
        forest.fit(samples.x[rows[learnt]], side[learnt])
        score[asked] = forest.predict_proba(samples.x[rows[asked]])[:, 1]
    test = side == 1
    area, interval = auroc(score[test], session[test], score[~test], session[~test])
    return area, interval.low
