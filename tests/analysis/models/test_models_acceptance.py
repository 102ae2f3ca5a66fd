"""When an answer is given, and what else it may be, on drawn probabilities."""

from types import SimpleNamespace

import numpy as np
import pytest

from analysis.classifiers.model import UNKNOWN
from analysis.models.acceptance import Acceptance, acceptance_of, tried

NAMES = ("idle", "off", "on")


def answered(n, sharpness, *, seed=0, n_folds=5):
    """Return what a study leaves of n answers whose probabilities are calibrated."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(len(NAMES), sharpness), n)
    code = np.array([rng.choice(len(NAMES), p=row) for row in shares], dtype=np.int64)
    fold = np.arange(n) % n_folds
    answers = SimpleNamespace(probability=shares, classes=NAMES, fold=fold)
    session = np.array([f"s{k}" for k in fold])
    return SimpleNamespace(
        answers=answers, truth=np.array(NAMES)[code], session=session
    )


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 5.0])
def test_95_of_100_known_windows_are_answered_and_sets_hold_the_truth(sharpness):
    limits = acceptance_of(answered(2000, sharpness))
    fresh = answered(4000, sharpness, seed=1)
    said = limits.decide(fresh.answers.probability, NAMES)
    assert np.mean([each.label != UNKNOWN for each in said]) == pytest.approx(
        0.95, abs=0.02
    )
    held = [t in each.conformal_set for t, each in zip(fresh.truth, said, strict=True)]
    assert np.mean(held) >= 0.93
    assert (limits.n_rows, limits.n_sessions) == (2000, 5)


def test_what_was_tried_is_what_fresh_sessions_show():
    found = tried(answered(3000, 1.0))
    assert found.answered == pytest.approx(0.95, abs=0.02)
    assert found.covered == pytest.approx(0.95, abs=0.02)
    fresh = answered(3000, 1.0, seed=1)
    said = acceptance_of(answered(3000, 1.0)).decide(fresh.answers.probability, NAMES)
    kept = [
        (t, d) for t, d in zip(fresh.truth, said, strict=True) if d.label != UNKNOWN
    ]
    assert found.right == pytest.approx(
        np.mean([t == d.label for t, d in kept]), abs=0.03
    )
    sizes = [len(each.conformal_set) for each in said]
    assert found.set_size == pytest.approx(np.mean(sizes), abs=0.1)


def test_too_few_answers_leave_every_activity_in_the_set():
    limits = acceptance_of(answered(18, 0.1))
    assert limits.choose_from == 0
    (said,) = limits.decide(np.array([[0.0, 0.0, 1.0]]), NAMES)
    assert said.conformal_set[0] == "on"
    assert sorted(said.conformal_set) == sorted(NAMES)


def test_an_answer_that_no_fold_knew_counts_against_the_sets():
    known = answered(200, 0.1)
    strange = answered(200, 0.1)
    strange.truth[:40] = "dance"
    assert acceptance_of(strange).choose_from < acceptance_of(known).choose_from
    assert tried(strange).covered < 1


def test_without_answers_everything_is_accepted():
    assert acceptance_of(None) == Acceptance()
    assert tried(None) is None
    assert tried(answered(100, 1.0, n_folds=1)) is None


def test_the_likeliest_stands_first_and_is_named_only_when_it_is_sure_enough():
    limits = Acceptance(accept_from=0.6, choose_from=0.3, n_rows=1, n_sessions=1)
    first, second = limits.decide(np.array([[0.1, 0.35, 0.55], [0.9, 0.1, 0.0]]), NAMES)
    assert (first.label, first.probability) == (UNKNOWN, 0.55)
    assert first.conformal_set == ("on", "off")
    assert (second.label, second.conformal_set) == ("idle", ("idle",))
