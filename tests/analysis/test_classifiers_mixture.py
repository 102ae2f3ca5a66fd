"""Weights go to who is right, however shy; few rows decide little."""

import numpy as np
import pytest

from analysis.classifiers.mixture import Mixture, fit_mixture, mixed
from analysis.classifiers.temperature import tempered

PRIOR = np.array([0.5, 0.5])


def said(n, share_right, sharpness=1.0, seed=1):
    """Return probabilities of three classes that are right in a share of n rows."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    named = np.where(rng.random(n) < share_right, truth, (truth + 1) % 3)
    return tempered(np.eye(3)[named] * 0.6 + 0.4 / 3, 1 / sharpness), truth


def test_the_one_that_is_right_is_believed_even_when_it_is_shy():
    good, truth = said(600, 0.9, sharpness=0.2)
    poor, _truth = said(600, 0.4, sharpness=3.0, seed=2)
    found = fit_mixture(np.stack((poor, good)), truth, PRIOR)
    assert found.weights[1] > 0.9
    assert found.temperatures[1] < 1 < found.temperatures[0]
    right = mixed(np.stack((poor, good)), found).argmax(axis=1) == truth
    assert right.mean() == pytest.approx(
        (good.argmax(axis=1) == truth).mean(), abs=0.01
    )


def test_the_mean_of_two_that_err_apart_is_better_than_either():
    one, truth = said(900, 0.75)
    other, _truth = said(900, 0.75, seed=5)
    third, _truth = said(900, 0.75, seed=6)
    parts = np.stack((one, other, third))
    found = fit_mixture(parts, truth, np.full(3, 1 / 3))
    assert found.weights == pytest.approx(np.full(3, 1 / 3), abs=0.12)
    right = (mixed(parts, found).argmax(axis=1) == truth).mean()
    assert right > 0.8


def test_few_rows_move_the_weights_little_and_none_not_at_all():
    good, truth = said(4, 1.0)
    poor = np.roll(good, 1, axis=1)
    parts = np.stack((poor, good))
    assert 0.5 < fit_mixture(parts, truth, PRIOR).weights[1] < 0.65
    nothing = fit_mixture(parts, np.full(4, -1), PRIOR)
    assert nothing.weights.tolist() == PRIOR.tolist()
    assert nothing.temperature == 1


def test_probabilities_sum_to_one():
    parts = np.stack((said(30, 0.5)[0], said(30, 0.5, seed=3)[0]))
    mixture = Mixture(temperatures=np.array([0.5, 2.0]), weights=PRIOR, temperature=0.7)
    assert mixed(parts, mixture).sum(axis=1) == pytest.approx(1)
