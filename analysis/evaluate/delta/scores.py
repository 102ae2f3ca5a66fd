"""How accuracy depends on δ: by rule, δ learnt inside each fold, and by seconds.

All points of a device are of the same trials: those that no other act of the device
cuts short, even with the longest windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.classifiers.model import Classifier
from analysis.dataset import ActivityLog
from analysis.evaluate.delta.estimate import DeltaEstimate
from analysis.evaluate.delta.heard import Heard
from analysis.evaluate.delta.rules import (
    DeltaRule,
    Room,
    deltas_by,
    make_room,
    profile_s,
)
from analysis.evaluate.fits import Answer, Progress, done, fold_fits, nobody, pooled
from analysis.evaluate.samples import Samples, Strings, samples_in
from analysis.evaluate.scores.activities import macro_f1
from analysis.evaluate.scores.intervals import Interval, session_interval
from analysis.evaluate.splits.folds import Fold
from analysis.evaluate.splits.named import SPLITS
from analysis.packets import Cleaned
from analysis.windows import IDLE_ACTIVITY

SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 60.0)
_FOLLOWED = 0.25  # of the acts at most, that are left out for a point of the curve


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaScore:
    """One accuracy, and the δ that it is of.

    rule         name of a `DeltaRule`, or 'seconds'
    seconds      δ in seconds: the same for all, or the mean over tested trials
    length_only  accuracy of knowing nothing but how long a window is, learnt in the
                 same folds: what the rule gives away
    n_idle       of the tested rows
    """

    device: str
    classifier: str
    split: str
    rule: str
    seconds: float
    accuracy: float
    f1: float
    interval: Interval | None
    length_only: float
    n_trials: int
    n_idle: int
    n_sessions: int


def room_for(
    cleaned: Cleaned, log: ActivityLog, heard: Heard, *, n_idle: int = 0, seed: int = 0
) -> Room:
    """Return room for every rule, and for the curve as far as most trials allow."""
    at_ns = heard.acts.frame["t_ns"].to_numpy()
    given_s = max(profile_s(heard).values(), default=0.0)
    runs = heard.followed().values()
    learnt_s = max((each.length_s for each in runs), default=0.0)
    gaps_s = np.diff(at_ns) / 1e9
    followed_s = float(np.quantile(gaps_s, _FOLLOWED)) if gaps_s.size else 0.0
    longest_s = max(given_s, min(followed_s, learnt_s, SECONDS[-1]))
    return make_room(cleaned, log, heard, longest_s, n_idle=n_idle, seed=seed)


def score_rules(
    room: Room,
    classifiers: Sequence[Classifier],
    split: str,
    rules: Sequence[DeltaRule] = tuple(DeltaRule),
    *,
    seed: int = 0,
    progress: Progress = nobody,
) -> tuple[DeltaScore, ...]:
    """Score each rule; what is learnt of δ is learnt from each fold's training alone.

    Raises SplitRefusedError when these trials cannot be split so.
    """
    folds = _folds(room, split, seed)
    given_s = profile_s(room.heard)
    found: list[DeltaScore] = []
    for number, rule in enumerate(rules, 1):
        views = [
            _view(room, deltas_by(rule, _learnt(room, fold, seed), given_s), seed)
            for fold in folds
        ]
        where = (split, str(rule))
        found += _scores(room, classifiers, where, folds, views, seed)
        progress(number, len(rules))
    return tuple(found)


def score_seconds(
    room: Room,
    classifiers: Sequence[Classifier],
    split: str,
    seconds: Sequence[float] = SECONDS,
    *,
    seed: int = 0,
    progress: Progress = nobody,
) -> tuple[DeltaScore, ...]:
    """Score one δ for all windows, for each that there is room for."""
    folds = _folds(room, split, seed)
    wanted = [each for each in seconds if each <= room.longest_s]
    names = profile_s(room.heard)
    found: list[DeltaScore] = []
    for number, each in enumerate(wanted, 1):
        view = _view(room, dict.fromkeys(names, each), seed)
        views = [view] * len(folds)
        found += _scores(room, classifiers, (split, "seconds"), folds, views, seed)
        progress(number, len(wanted))
    return tuple(found)


def _folds(room: Room, split: str, seed: int) -> tuple[Fold, ...]:
    return SPLITS[split].split(samples_in(room.made), seed).folds


def _learnt(room: Room, fold: Fold, seed: int) -> Mapping[str, DeltaEstimate]:
    learn = np.zeros(len(room.heard.acts), dtype=np.bool_)
    acts = room.act[fold.train]
    learn[acts[acts >= 0]] = True
    return room.heard.estimates(learn, seed=seed)


def _view(room: Room, delta_s: Mapping[str, float], seed: int) -> Samples:
    return samples_in(room.shaped(delta_s, seed=seed))


def _scores(
    room: Room,
    classifiers: Sequence[Classifier],
    where: tuple[str, str],
    folds: Sequence[Fold],
    views: Sequence[Samples],
    seed: int,
) -> list[DeltaScore]:
    """Score classifiers, which see in each fold what its view shows.

    where  name of the split and of the rule
    """
    first = views[0]
    truth = np.concatenate([first.activity[fold.test] for fold in folds])
    session = np.concatenate([first.session[fold.test] for fold in folds])
    pairs = list(zip(folds, views, strict=True))
    seconds = _mean_s(room, pairs)
    by_length = np.concatenate([_by_length(fold, view) for fold, view in pairs])
    scores = []
    for classifier in classifiers:
        answers: list[Answer] = []
        for fold, view in pairs:
            fits = fold_fits(
                classifier, (fold,), view.activity, seed, likeliest_only=True
            )
            answers += done(view, fits)
        said = pooled(folds, answers).said
        right = (said == truth).astype(np.int64)
        scores.append(
            DeltaScore(
                device=first.device,
                classifier=classifier.name,
                split=where[0],
                rule=where[1],
                seconds=seconds,
                accuracy=float(right.mean()),
                f1=macro_f1(truth, said),
                interval=session_interval(right, session, seed),
                length_only=float((by_length == truth).mean()),
                n_trials=int(truth.size),
                n_idle=int((truth == IDLE_ACTIVITY).sum()),
                n_sessions=int(np.unique(session).size),
            )
        )
    return scores


def _mean_s(room: Room, pairs: Sequence[tuple[Fold, Samples]]) -> float:
    """Return the mean δ of the tested windows, their uncertainty apart."""
    lengths_s = np.concatenate([v.length_ns[f.test] for f, v in pairs]) / 1e9
    slack_s = np.concatenate([room.slack_s[fold.test] for fold, _view in pairs])
    return round(float((lengths_s - slack_s).mean()), 3)


def _by_length(fold: Fold, view: Samples) -> Strings:
    """Return what is commonest among the training windows of each tested length."""
    length = np.round(view.length_ns / 1e8).astype(np.int64)  # tenths of a second
    names, number = np.unique(view.activity[fold.train], return_inverse=True)
    usual = np.bincount(number).argmax()
    best = {
        each: np.bincount(number[length[fold.train] == each]).argmax()
        for each in np.unique(length[fold.train]).tolist()
    }
    said: Strings = names[[best.get(n, usual) for n in length[fold.test].tolist()]]
    return said
