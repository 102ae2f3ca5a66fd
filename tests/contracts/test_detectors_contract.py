"""Promises that every detector keeps; a new one is found by itself."""

import numpy as np
import pytest

import analysis.detectors
from analysis.detectors.events import make_events
from analysis.detectors.hours import DAY_NS, HOUR_NS, count_hours
from analysis.errors import RequestError
from analysis.registry import discover

DETECTORS = discover(analysis.detectors, "DETECTORS")
every_detector = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)

MONDAY = 20_458 * DAY_NS
LAMP, CAMERA = ("iview_bulb", "turn_on"), ("arlo_q", "stream_video")
NIGHT = 3


def evenings(n_days=21, seed=1, first_day=0, extra=(), names=(LAMP, CAMERA)):
    """Return hours of days with some events of two activities in the evening."""
    random = np.random.default_rng(seed)
    start = MONDAY + first_day * DAY_NS
    stamps, what = [], []
    for day in range(n_days):
        for name, at in zip(names, (19.0, 20.5), strict=False):
            for _ in range(int(random.integers(1, 3))):
                hour = at + float(random.normal(0, 0.3))
                stamps.append(start + day * DAY_NS + int(hour * 3600) * 10**9)
                what.append(name)
    for hour, name in extra:
        stamps.append(start + int(hour * 3600) * 10**9)
        what.append(name)
    events = make_events(stamps, what, known=names)
    return count_hours(events, start, start + n_days * DAY_NS)


# the same for three hours, to the second; and company across the end of an hour
TRACE = [(9 + i, i, (LAMP, CAMERA)[i % 2]) for i in range(3)] + [
    (15.99, 0, LAMP),
    (16.005, 0, CAMERA),
]


def burst(hour, n, name=CAMERA):
    return [(hour + i / (n + 1), name) for i in range(n)]


@pytest.fixture(scope="module")
def learnt():
    return {name: d.make(0).fit(evenings()) for name, d in DETECTORS.items()}


def test_the_pinned_detectors_are_there():
    assert {
        "kmeans_paper",
        "kmeans_circular",
        "rate",
        "sequence",
        "longterm",
        "isolation_forest",
        "gaussian_mixture",
        "ensemble",
    } <= set(DETECTORS)


@every_detector
def test_scores_have_a_cell_for_each_hour_and_activity(detector, learnt):
    hours = evenings(7, seed=2, first_day=21, extra=burst(NIGHT, 9))
    scores = learnt[detector.name].score(hours)
    assert scores.shape == (len(hours), 2)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert (scores[hours.counts == 0] == 0).all()


SEES_BURSTS = sorted(set(DETECTORS) - {"sequence", "replay", "context"})


@pytest.mark.parametrize("name", SEES_BURSTS)
def test_a_burst_in_the_night_is_the_strangest_hour(name, learnt):
    hours = evenings(7, seed=2, first_day=21, extra=burst(NIGHT, 15))
    scores = learnt[name].hour_scores(hours)
    # a forest cuts off whatever lies at an edge, so other hours may come before it
    n_before = 3 if name == "isolation_forest" else 0
    assert (scores > scores[NIGHT]).sum() <= n_before


@pytest.mark.parametrize("name", SEES_BURSTS)
def test_a_burst_in_the_night_is_above_the_own_threshold(name, learnt):
    hours = evenings(7, seed=2, first_day=21, extra=burst(NIGHT, 15))
    assert learnt[name].predict(hours)[NIGHT] == -1


@every_detector
def test_hours_are_strange_as_scikit_learn_says_it(detector, learnt):
    detection = learnt[detector.name]
    hours = evenings(7, seed=2, first_day=21, extra=burst(NIGHT, 15))
    decision = detection.decision_function(hours)
    assert decision == pytest.approx(-detection.hour_scores(hours) - detection.offset_)
    assert (detection.predict(hours) == np.where(decision < 0, -1, 1)).all()
    usual = detection.predict(evenings(7, seed=3, first_day=21))
    assert (usual == -1).mean() < 0.1


@every_detector
def test_what_comes_after_an_hour_changes_nothing_of_its_score(detector, learnt):
    again = [(24 * d + h + m / 40, n) for d in (0, 2, 4) for h, m, n in TRACE]
    hours = evenings(7, seed=2, first_day=21, extra=again)
    whole = learnt[detector.name].hour_scores(hours)
    for end in np.flatnonzero(hours.total) + 1:
        known = np.arange(len(hours)) < end
        so_far = learnt[detector.name].hour_scores(hours.take(known))
        assert so_far == pytest.approx(whole[:end])


@every_detector
def test_scoring_does_not_learn(detector):
    detection = detector.make(0).fit(evenings())
    strange = evenings(7, seed=2, first_day=21, extra=burst(NIGHT, 15))
    before = detection.score(strange)
    for _ in range(3):
        detection.score(strange)
    assert np.array_equal(detection.score(strange), before)


@every_detector
def test_same_seed_same_scores(detector, learnt):
    again = detector.make(0).fit(evenings())
    hours = evenings(7, seed=2, first_day=21)
    assert np.array_equal(again.score(hours), learnt[detector.name].score(hours))


@every_detector
def test_an_activity_that_was_never_learnt_has_a_score(detector, learnt):
    extra = [(20.1, ("echo_dot", "tell_joke"))]
    hours = evenings(7, seed=2, first_day=21, extra=extra)
    scores = learnt[detector.name].score(hours)
    assert scores.shape[1] == 3
    assert np.isfinite(scores).all()


@every_detector
@pytest.mark.parametrize("n_days", [1, 2])
def test_it_learns_from_few_days(detector, n_days):
    detection = detector.make(0).fit(evenings(n_days))
    assert np.isfinite(detection.score(evenings(3, seed=2, first_day=9))).all()


@every_detector
def test_it_learns_from_days_on_which_nothing_happens(detector):
    start = MONDAY
    empty = count_hours(make_events([], [], known=[LAMP]), start, start + 14 * DAY_NS)
    detection = detector.make(0).fit(empty)
    assert (detection.hour_scores(empty) == 0).all()
    assert (detection.predict(empty) == 1).all()
    assert np.isfinite(detection.score(evenings(3))).all()


@every_detector
def test_it_learns_one_event_and_one_activity(detector):
    detection = detector.make(0).fit(evenings(1, names=(LAMP,)))
    one = count_hours(make_events([MONDAY + HOUR_NS], [LAMP]))
    assert np.isfinite(detection.score(one)).all()
    assert np.isfinite(detector.make(0).fit(one).score(evenings(3))).all()


@every_detector
def test_no_hours_teach_nothing(detector, learnt):
    nothing = count_hours(make_events([], []))
    with pytest.raises(RequestError, match="no hour to learn from"):
        detector.make(0).fit(nothing)
    assert learnt[detector.name].score(nothing).shape == (0, 0)
    assert learnt[detector.name].predict(nothing).shape == (0,)


@every_detector
def test_input_is_left_as_it_was(detector):
    hours = evenings()
    copies = hours.counts.copy(), hours.row.copy(), hours.events.what.copy()
    detector.make(0).fit(hours).score(hours)
    now = hours.counts, hours.row, hours.events.what
    assert all(np.array_equal(a, b) for a, b in zip(copies, now, strict=True))
