"""What is usual: days left out, weekends, units of scores, and how often p is small."""

import numpy as np
import pytest

from analysis.detectors.conformal import Usual
from analysis.detectors.ensemble import Ensemble, combined
from analysis.detectors.events import make_events
from analysis.detectors.hours import DAY_NS, HOUR_NS, count_hours
from analysis.detectors.kmeans_circular import KMeansCircular
from analysis.detectors.model import Detection, day_folds
from analysis.detectors.rate import Rate
from analysis.detectors.replay import Replay

MONDAY = 20_458 * DAY_NS
NAMES = tuple(("house", name) for name in ("ask", "look", "lamp", "play"))


def hours_of(done, n_days, first_day=0):
    """Return hours of days; (hour of all days, index of name) of each event."""
    start = MONDAY + first_day * DAY_NS
    events = make_events(
        [start + int(hour * 3600 * 1000) * 10**6 for hour, _ in done],
        [NAMES[i] for _, i in done],
        known=NAMES,
    )
    return count_hours(events, start, start + n_days * DAY_NS)


def household(random, n_days=42):
    """Return hours of days on which people do things as they like, mostly by day."""
    by_hour = random.gamma(2.0, 0.05, size=(24, len(NAMES)))
    by_hour[:7] /= 20
    counts = random.poisson(by_hour, size=(n_days, 24, len(NAMES)))
    done = [
        (day * 24 + hour + random.random(), name)
        for day, hour, name in np.argwhere(counts)
        for _ in range(counts[day, hour, name])
    ]
    return hours_of(done, n_days)


class Parrot(Detection):
    """Finds strange what it has not learnt, to the nanosecond."""

    def learn(self, hours):
        self.known = hours.events.time_ns

    def score(self, hours):
        new = ~np.isin(hours.events.time_ns, self.known)
        scores = np.zeros(hours.counts.shape)
        scores[hours.row[new], hours.events.what[new]] = 1
        return scores


def test_what_is_usual_is_scored_by_who_has_not_learnt_it():
    hours = household(np.random.default_rng(1), 28)
    parrot = Parrot().fit(hours)
    assert np.array_equal(parrot.usual_, hours.total > 0)
    assert (parrot.hour_scores(hours) == 0).all()


@pytest.mark.parametrize("factor", [0.05, 0.2, 20.0, 1e6])
def test_scores_times_a_factor_give_the_same_alarms(factor):
    random = np.random.default_rng(2)
    usual, later = random.exponential(size=672), random.exponential(size=20_000)
    usual[:400] = later[:8000] = 0
    for unit in (0.0, 1.0):
        one = Usual.of(usual, unit)
        other = Usual.of(factor * usual, factor * unit)
        p = one.tail_p_values(later)
        assert other.tail_p_values(factor * later) == pytest.approx(p)
        assert other.threshold(1e-3) == pytest.approx(factor * one.threshold(1e-3))


@pytest.mark.parametrize("unit", [0.0, 1.0])
def test_scores_that_fall_exponentially_are_alarms_as_often_as_asked_for(unit):
    random = np.random.default_rng(2)
    found = []
    for _ in range(40):
        usual, later = random.exponential(size=672), random.exponential(size=10_000)
        usual[:400] = later[:6000] = 0
        found.append((Usual.of(usual, unit).tail_p_values(later) <= 1e-3).mean())
    assert 0.6 < np.mean(found) / 1e-3 < 1.7


def test_a_unit_keeps_small_differences_from_being_strange():
    usual = np.random.default_rng(3).exponential(0.01, size=672)
    at = np.array([0.5])
    assert Usual.of(usual).tail_p_values(at)[0] < 1e-9
    assert Usual.of(usual, 1.0).tail_p_values(at)[0] > 1e-3


def test_where_all_usual_hours_are_alike_nobody_knows_a_tail():
    p = Usual.of(np.zeros(99)).tail_p_values(np.array([0.0, 1.0, 1e9]))
    assert p == pytest.approx([1.0, 0.01, 0.01])


def test_weekends_have_rates_of_their_own():
    done = [(day * 24 + 10.2, 0) for day in range(28) if day % 7 >= 5 for _ in "abc"]
    done += [(day * 24 + 20.2, 1) for day in range(28)]
    rate = Rate().fit(hours_of(done, 28))
    later = hours_of([(2 * 24 + 10.2, 0), (5 * 24 + 10.2, 0)], 7, 28)
    wednesday, saturday = rate.hour_scores(later)[[2 * 24 + 10, 5 * 24 + 10]]
    assert wednesday > saturday + 0.8


def test_round_clusters_hold_nearly_all_hours_that_they_are_made_of():
    random = np.random.default_rng(4)
    done = [(24 * (i // 5) + random.normal(15, 3), 0) for i in range(5 * 28)]
    hours = hours_of(done, 28)
    detector = KMeansCircular()
    detector.learn(hours)
    outside = (detector.score(hours) > 1).sum() / (hours.counts > 0).sum()
    assert 0.01 < outside < 0.1


def test_the_ensemble_hears_of_a_trace_that_is_repeated():
    random = np.random.default_rng(5)
    hours = household(random)
    learn = hours.take(hours.day < hours.day[0] + 28)
    later = hours.take(hours.day >= hours.day[0] + 28)
    ensemble = Ensemble().fit(learn)
    inside = learn.events.time_ns // DAY_NS == learn.events.time_ns[0] // DAY_NS + 9
    trace = learn.events.time_ns[inside], learn.events.what[inside]
    again = make_events(
        np.concatenate((later.events.time_ns, trace[0] + 23 * DAY_NS + 7 * 10**6)),
        [NAMES[i] for i in np.concatenate((later.events.what, trace[1]))],
        known=NAMES,
    )
    mixed = count_hours(again, int(later.start_ns[0]), int(later.end_ns[-1]))
    before, after = ensemble.hour_scores(later), ensemble.hour_scores(mixed)
    rows = (trace[0] + 23 * DAY_NS - later.start_ns[0]) // HOUR_NS
    strangest = rows[after[rows].argmax()]
    assert after[strangest] > -ensemble.offset_
    assert after[strangest] > before[strangest] + 3


def test_replay_knows_how_often_distances_agree_by_chance():
    random = np.random.default_rng(6)
    busy = np.sort(random.uniform(0, 24 * 28, size=28 * 400))
    names = random.integers(len(NAMES), size=busy.size)
    replay = Replay()
    replay.learn(hours_of(list(zip(busy, names, strict=True)), 28))
    day = np.sort(random.uniform(0, 24, size=400))
    later = hours_of([(at, i % 4) for i, at in enumerate(day)], 1, 28)
    assert np.quantile(replay.hour_scores(later), 0.9) < 3


def test_replay_has_as_long_a_past_for_days_left_out_as_for_days_to_come():
    scores = []
    for seed in range(20, 23):
        random = np.random.default_rng(seed)
        at, name = random.uniform(0, 24 * 28, 1120), random.integers(4, size=1120)
        hours = hours_of(list(zip(at, name, strict=True)), 28)
        scores.append(Replay().fit(hours).usual_.reshape(4, -1))
    first, *others = np.mean(scores, axis=(0, 2))
    assert first == pytest.approx(np.mean(others), rel=0.2)


def test_p_values_of_the_ensemble_are_small_no_more_often_than_they_say():
    n = {0.01: 0, 0.003: 0}
    n_hours = 0
    for seed in range(40, 60):
        hours = household(np.random.default_rng(seed))
        learn = hours.day < hours.day[0] + 28
        ensemble = Ensemble().fit(hours.take(learn))
        later = hours.take(~learn)
        p = ensemble.p_values(ensemble.hour_scores(later))
        n_hours += p.size
        for level in n:
            n[level] += int((p <= level).sum())
    for level, found in n.items():
        mean = level * n_hours
        assert mean / 4 < found < mean + 3 * np.sqrt(mean)


def test_an_hour_that_was_learnt_from_is_compared_with_hours_it_is_not_among():
    hours = household(np.random.default_rng(8), 28)
    ensemble = Ensemble().fit(hours)
    out = day_folds(hours, 4) == 2
    usuals = [Usual.of(m.usual_[~out], m.unit) for m in ensemble.members_]
    want = combined([m.usual_[out] for m in ensemble.members_], usuals)
    assert np.array_equal(ensemble.usual_[out], want)
    assert not np.allclose(want, ensemble.judge(hours)[1][out])


def test_the_last_hours_are_scored_as_the_whole_span_is():
    hours = household(np.random.default_rng(7))
    ensemble = Ensemble().fit(hours.take(hours.day < hours.day[0] + 28))
    later = hours.take(hours.day >= hours.day[0] + 28)
    cells, scores = ensemble.judge(later)
    for first in (1, 100, 335):
        found = ensemble.judge(later, first)
        assert found[0] == pytest.approx(cells[first:])
        assert found[1] == pytest.approx(scores[first:])
