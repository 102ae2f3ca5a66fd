"""Answers with `unknown` among them, by a rule that each fold learns by itself.

The thresholds of `analysis.classifiers.decision` come from calibration rows: sessions
of the fold's own training rows that were held out in turn. Nothing of the test has a
say, and activities that the fold does not know are in none of it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.classifiers.calibration import Held, fit_rule
from analysis.classifiers.decision import Rule
from analysis.classifiers.folds import dealt
from analysis.classifiers.model import UNKNOWN
from analysis.classifiers.novelty import Novelty
from analysis.evaluate.fits import Answers
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.scores.open_set import OpenSet, open_set_of
from analysis.evaluate.splits.folds import Fold
from analysis.features.model import Float64, Int64

_FOLDS = 3


def calibration_folds(samples: Samples, fold: Fold, seed: int) -> tuple[Fold, ...]:
    """Return folds of training rows, in which each session is held out once."""
    train = fold.train
    number = dealt(samples.activity[train], samples.session[train], _FOLDS, seed)
    parts = [(train[number != n], train[number == n]) for n in np.unique(number)]
    return tuple(
        Fold(train=rest, test=held)
        for rest, held in parts
        if np.unique(samples.activity[rest]).size > 1
    )


def decided(
    samples: Samples,
    folds: Sequence[Fold],
    answers: Answers,
    inner: Sequence[tuple[Sequence[Fold], Answers]],
) -> OpenSet | None:
    """Score how strange unknown activities look, and what the rules answer.

    answers  of the folds;  inner  per fold, its calibration folds and their answers
    """
    told, untold = answers.probability, answers.unknown_probability
    assert told is not None and untold is not None  # noqa: S101,PT018 - of estimators
    known: list[Float64] = []
    unknown: list[Float64] = []
    said: list[str] = []
    strange: list[str] = []
    for number, (fold, (parts, held)) in enumerate(zip(folds, inner, strict=True)):
        classes = np.unique(samples.activity[fold.train])
        rule = _rule(samples, classes, parts, held)
        mine, others = answers.fold == number, answers.unknown_fold == number
        learnt = _learnt(samples, fold.train, classes)
        for rows, shares, looks, answered in (
            (answers.rows[mine], told[mine], known, said),
            (answers.unknown[others], untold[others], unknown, strange),
        ):
            found = _columns(answers, shares, classes)
            novelty = learnt.of(samples.x[rows], found.argmax(axis=1))
            looks.append(rule.strangeness(found, novelty))
            made = rule.decide(found, novelty)
            answered += [decision.label for decision in made]
    scored = open_set_of(
        -np.concatenate(known),
        samples.activity[answers.rows] == answers.said,
        samples.session[answers.rows],
        -np.concatenate(unknown),
        samples.session[answers.unknown],
    )
    if scored is None:
        return None
    return replace(
        scored,
        known_answered=float(np.mean([label != UNKNOWN for label in said])),
        unknown_answered=float(np.mean([label != UNKNOWN for label in strange])),
    )


def _rule(
    samples: Samples, classes: Strings, parts: Sequence[Fold], held: Answers
) -> Rule:
    """Learn the thresholds of one fold from answers to its calibration rows."""
    shares = _columns(held, held.probability, classes)
    novelty = [
        _learnt(samples, part.train, classes).of(
            samples.x[part.test], shares[held.fold == n].argmax(axis=1)
        )
        for n, part in enumerate(parts)
    ]
    return fit_rule(
        Held(
            classes=tuple(classes.tolist()),
            shares=shares,
            truth=samples.activity[held.rows],
            session=samples.session[held.rows],
            novelty=np.concatenate([np.zeros(0), *novelty]),
        )
    )


def _columns(
    answers: Answers, probability: Float64 | None, classes: Strings
) -> Float64:
    """Return the columns of some classes, 0 for one that no fold knew."""
    assert probability is not None  # noqa: S101 - of estimators
    at = {name: i for i, name in enumerate(answers.classes)}
    shares = np.zeros((len(probability), classes.size))
    for column, name in enumerate(classes.tolist()):
        if name in at:
            shares[:, column] = probability[:, at[name]]
    return shares


def _learnt(samples: Samples, train: Int64, classes: Strings) -> Novelty:
    return Novelty.learn(samples.x[train], samples.activity[train], classes.tolist())
