"""What the paper's K-means makes of the hours in which something happened."""

import numpy as np
import pytest

from analysis.detectors.kmeans_paper import Clusters


def evenings():
    """Three weeks of one to three events at seven and at eight in the evening."""
    return np.array([[19 + i % 2, 1 + i % 3] for i in range(42)], dtype=float)


def whole_days():
    return np.array([[6 + i % 16, 1 + i % 5] for i in range(80)], dtype=float)


@pytest.mark.parametrize("known", [evenings(), whole_days()], ids=["few", "many"])
def test_every_hour_of_the_owner_is_inside(known):
    score = Clusters(0).fit(known).score(known)
    assert 0.5 < score.max() <= 1


@pytest.mark.parametrize("strange", [[3, 1], [19, 9], [12, 2]])
def test_hours_and_frequencies_that_the_owner_never_had_raise_an_alarm(strange):
    detection = Clusters(0).fit(evenings())
    assert detection.score(np.array([strange], dtype=float))[0] > 1


def test_strangeness_grows_with_distance():
    detection = Clusters(0).fit(evenings())
    bursts = np.array([[19.0, n] for n in (4, 8, 16, 32)])
    assert (np.diff(detection.score(bursts)) > 0).all()


def test_midnight_tears_the_night_apart_as_in_the_paper():
    """A known weakness of the method, kept: 23:30 and 00:30 are neighbours."""
    night = np.array([[23.0, 1 + i % 2] for i in range(20)])
    detection = Clusters(0).fit(night)
    after, before = detection.score(np.array([[0.0, 1.0], [22.0, 1.0]]))
    assert after > 10
    assert before < 2
