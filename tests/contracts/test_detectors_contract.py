"""Promises that every detector keeps; a new one is found by itself."""

import numpy as np
import pytest

import analysis.detectors
from analysis.registry import discover

DETECTORS = discover(analysis.detectors, "DETECTORS")
every_detector = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)


def evenings(n=60, seed=1):
    rng = np.random.default_rng(seed)
    hour = np.concatenate((rng.integers(7, 10, n // 2), rng.integers(18, 22, n // 2)))
    return np.column_stack((hour, rng.integers(1, 5, n))).astype(float)


def test_the_detector_of_the_paper_is_there():
    assert "kmeans_paper" in DETECTORS


@every_detector
def test_a_planted_outlier_is_the_strangest_and_raises_an_alarm(detector):
    known = evenings()
    detection = detector.make(0)
    detection.fit(known)
    score = detection.score(np.vstack((known, [[3.0, 40.0]])))
    assert score.shape == (len(known) + 1,)
    assert np.isfinite(score).all()
    assert score.argmax() == len(known)
    assert score[-1] > 1


@every_detector
def test_scoring_does_not_learn(detector):
    detection = detector.make(0)
    detection.fit(evenings())
    strange = np.array([[3.0, 40.0]])
    before = detection.score(strange)
    for _ in range(5):
        detection.score(np.repeat(strange, 50, axis=0))
    assert detection.score(strange) == pytest.approx(before)


@every_detector
def test_same_seed_same_scores(detector):
    scores = []
    for _ in range(2):
        detection = detector.make(7)
        detection.fit(evenings())
        scores.append(detection.score(evenings(seed=2)))
    assert np.array_equal(*scores)


@every_detector
@pytest.mark.parametrize("n", [1, 2, 3])
def test_it_learns_from_few_and_from_equal_hours(detector, n):
    detection = detector.make(0)
    detection.fit(np.tile([[20.0, 2.0]], (n, 1)))
    assert np.isfinite(detection.score(np.array([[20.0, 2.0], [4.0, 9.0]]))).all()


@every_detector
def test_input_is_left_as_it_was(detector):
    known = evenings()
    copy = known.copy()
    detection = detector.make(0)
    detection.fit(known)
    detection.score(known)
    assert np.array_equal(known, copy)
