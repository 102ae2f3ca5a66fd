"""What single detectors see, and what p-values and alarms say of it."""

import numpy as np
import pytest
from scipy import stats

from analysis.detectors.conformal import (
    Usual,
    cauchy,
    discoveries,
    weekly_discoveries,
)
from analysis.detectors.context import Context
from analysis.detectors.ensemble import DETECTORS as ENSEMBLES
from analysis.detectors.events import make_events
from analysis.detectors.hours import DAY_NS, count_hours
from analysis.detectors.kmeans_circular import KMeansCircular
from analysis.detectors.kmeans_paper import KMeansPaper
from analysis.detectors.longterm import LongTerm
from analysis.detectors.rate import Rate
from analysis.detectors.replay import Replay
from analysis.detectors.sequence import Sequence
from analysis.errors import RequestError
from analysis.evaluate.watched.told import alarms_of
from analysis.evaluate.watched.verdicts import judged

MONDAY = 20_458 * DAY_NS
LEAVING = ("ask_weather", "take_snapshot", "turn_off")
NEW = "tell_joke"
(ENSEMBLE,) = ENSEMBLES


def days(n_days, first_day=0, extra=(), order=LEAVING, seed=1):
    """Return days on which three things are done in the morning, a minute apart."""
    random = np.random.default_rng(seed + first_day)
    start = MONDAY + first_day * DAY_NS
    late = random.integers(1800, size=n_days)
    done = [
        (day * 86_400 + 8 * 3600 + int(late[day]) + 50 * i, name)
        for day in range(n_days)
        for i, name in enumerate(order)
    ] + list(extra)
    events = make_events(
        [start + int(s * 1000) * 10**6 for s, _ in done],
        [("house", name) for _, name in done],
        known=[("house", name) for name in (*LEAVING, NEW)],
    )
    return count_hours(events, start, start + n_days * DAY_NS)


def at(day, hour, minute=0.0):
    return day * 86_400 + hour * 3600 + minute * 60


def strange_row(detector, extra, n_days=7):
    hours = days(n_days, first_day=28, extra=extra)
    return int(detector.fit(days(28)).hour_scores(hours).argmax())


def test_sequence_sees_a_routine_done_backwards_and_not_one_done_as_ever():
    detector = Sequence().fit(days(28))
    backwards = detector.hour_scores(days(7, 28, order=LEAVING[::-1]))
    assert (backwards > detector.threshold()).sum() == 7
    assert (detector.hour_scores(days(7, 28)) > detector.threshold()).sum() == 0


def test_sequence_sees_what_was_never_done_before():
    assert strange_row(Sequence(), [(at(2, 15), NEW)]) == 2 * 24 + 15


def test_sequence_finds_it_stranger_if_what_is_new_is_done_again():
    detector = Sequence().fit(days(28))
    again = [(at(2, 15), NEW), (at(2, 15, 30), NEW), (at(4, 15), NEW)]
    scores = detector.hour_scores(days(7, 28, again))
    assert scores[2 * 24 + 15] == pytest.approx(2 * scores[4 * 24 + 15])


def mornings(n_days, orders, first_day=0):
    """Return days on which somebody does four things in the morning, in his order."""
    done = [
        (at(day, 8) + 50 * i, name)
        for day in range(n_days)
        for i, name in enumerate(orders[day % len(orders)])
    ]
    return days(n_days, first_day, done, order=())


def test_sequence_lets_each_of_several_people_have_an_order_of_his_own():
    his, hers = ("ask", "look", "off", "play"), ("off", "ask", "play", "look")
    detector = Sequence().fit(mornings(28, (his, hers)))
    usual = detector.hour_scores(mornings(7, (his, hers), 28))
    mixed = detector.hour_scores(mornings(7, (his[::-1], hers[::-1]), 28))
    assert usual.max() < 1e-9
    assert (mixed > detector.threshold()).sum() == 7


def test_context_sees_a_step_without_the_others_at_its_usual_time():
    hours = days(7, 28, order=("turn_off",))
    detector = Context().fit(days(28))
    assert (detector.hour_scores(hours) > detector.threshold()).sum() == 7
    assert (detector.hour_scores(days(7, 28)) > detector.threshold()).sum() == 0


def test_rate_counts_across_the_full_hour():
    detector = Rate().fit(days(28))
    first = [(at(3, 2, 50 + 3 * i), name) for i, name in enumerate(LEAVING[:2])]
    then = [(5 + 3 * i, name) for i, name in enumerate(LEAVING)]
    near = [(at(3, 3, minute), name) for minute, name in then]
    far = [(at(3, 6, minute), name) for minute, name in then]
    close = detector.hour_scores(days(7, 28, [*first, *near]))
    apart = detector.hour_scores(days(7, 28, [*first, *far]))
    assert close[3 * 24 + 3] > 1 + apart[3 * 24 + 6]


def test_rate_does_not_blame_an_hour_for_a_burst_of_the_one_before():
    detector = Rate().fit(days(28))
    burst = [(at(3, 2, 40 + 2 * i), "turn_off") for i in range(9)]
    once = (at(3, 3, 0.5), "turn_off")
    after = detector.hour_scores(days(7, 28, [*burst, once]))
    alone = detector.hour_scores(days(7, 28, [once]))
    assert after[3 * 24 + 2] > 20
    assert after[3 * 24 + 3] < 1 + alone[3 * 24 + 3]


def test_replay_sees_a_trace_with_the_gaps_of_an_earlier_one():
    detector = Replay().fit(days(28))
    known = detector.time_ns_[:6]  # two mornings
    names = [detector.names_[i][1] for i in detector.what_[:6]]
    back = 30 * DAY_NS + 7 * 3600 * 10**9
    trace = [
        ((stamp + back - MONDAY) / 1e9 - 28 * 86_400, name)
        for stamp, name in zip(known[:3], names, strict=False)
    ]
    hours = days(7, 28, trace)
    scores = detector.score(hours)
    row = int((trace[0][0]) // 3600)
    assert scores[row].max() >= 2
    assert scores[row].max() > 0.99 * scores.max()
    said = detector.explain(hours, row, int(scores[row].argmax()))
    assert said == (
        "2 other activities of the six hours before came, to a second, as long after "
        "earlier ones of their kind"
    )


def test_longterm_sees_what_is_repeated():
    again = [(at(4, 18, i), "turn_off") for i in range(8)]
    assert strange_row(LongTerm(), again) == 4 * 24 + 18


def test_longterm_is_the_tail_of_a_binomial():
    detector = LongTerm().fit(days(28))
    again = [(at(4, 18, i), "turn_off") for i in range(8)]
    hours = days(7, 28, again)
    column = hours.names.index(("house", "turn_off"))
    share = detector.shares_[column, column]
    # within a day after turn_off: once the first step of a morning, eight times itself
    got = detector.score(hours)[4 * 24 + 18, column]
    assert got == pytest.approx(-stats.binom.logsf(7, 9, share), rel=1e-6)


def test_only_the_paper_takes_midnight_for_the_end_of_the_world():
    def nights(first_day, hour, n_days):
        done = [(at(day, hour, 20), "turn_off") for day in range(n_days)]
        return days(n_days, first_day, done, order=())

    before, after = nights(0, 23, 14), nights(14, 0, 1)
    assert KMeansPaper().fit(before).hour_scores(after).max() > 10
    assert KMeansCircular().fit(before).hour_scores(after).max() < 2


def test_p_values_are_uniform_for_more_of_the_same():
    random = np.random.default_rng(1)
    usual = Usual.of(random.exponential(size=2000))
    p = usual.p_values(random.exponential(size=2000))
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert usual.p_values(np.array([1e9]))[0] == pytest.approx(1 / 2001)


def test_a_tail_goes_on_as_it_began():
    usual = Usual.of(np.random.default_rng(1).exponential(size=2000))
    got = usual.tail_p_values(np.array([6.0, 9.0, 12.0]))
    assert np.log(got) == pytest.approx([-6, -9, -12], abs=1.2)
    assert (np.diff(usual.tail_p_values(np.linspace(0, 30, 500))) <= 0).all()


def test_a_threshold_is_where_the_p_value_is():
    usual = Usual.of(np.random.default_rng(1).exponential(size=700))
    for p in (0.3, 0.004):
        above = usual.threshold(p) + 1e-6
        assert usual.tail_p_values(np.array([above]))[0] == pytest.approx(p, abs=3e-3)


def test_no_score_at_all_makes_nothing_strange():
    usual = Usual.of(np.zeros(0))
    assert np.isfinite(usual.tail_p_values(np.array([0.0, 5.0]))).all()


def test_cauchys_sum_hides_no_member_and_keeps_its_level():
    random = np.random.default_rng(3)
    p = random.uniform(size=(4, 20_000))
    weights = np.array([0.4, 0.2, 0.2, 0.2])
    both = cauchy(p, weights)
    assert (both < 0.01).mean() == pytest.approx(0.01, abs=0.003)
    one = np.array([[1e-12], [1.0], [1.0], [1.0]])
    assert cauchy(one, weights)[0] == pytest.approx(1e-12 / 0.4, rel=0.01)
    around = np.array([[0.9e-7, 1.1e-7]] * 4)
    assert np.diff(cauchy(around, weights)) == pytest.approx(0.2e-7, rel=0.05)


def test_cauchys_sum_is_no_p_value_where_many_are_above_a_half():
    p = np.random.default_rng(3).uniform(size=(4, 20_000))
    both = cauchy(p, np.full(4, 0.25))
    assert both.max() <= 0.5
    assert 0.051 < (both < 0.05).mean() < 0.065


def test_the_threshold_of_round_clusters_is_not_that_of_the_hours_they_know():
    random = np.random.default_rng(5)

    def evenings(n_days, first_day):
        done = [
            (at(day, 19 + random.normal(0, 1.2)), name)
            for day in range(n_days)
            for name in LEAVING
        ]
        return days(n_days, first_day, done, order=())

    detector = KMeansCircular().fit(evenings(28, 0))
    n_false = (detector.predict(evenings(70, 28)) < 0).sum()
    assert n_false <= 2 * 14  # one in five days was asked for


@pytest.mark.parametrize("make", [KMeansPaper, KMeansCircular])
def test_clusters_do_not_claim_a_share_of_hours_as_their_reason(make):
    detector, hours = make().fit(days(28)), days(7, 28, [(at(2, 3), "turn_off")])
    row = 2 * 24 + 3
    assert detector.predict(hours)[row] == -1
    column = hours.names.index(("house", "turn_off"))
    assert detector.explain(hours, row, column).startswith("far from the clusters")


def test_discoveries_are_those_of_benjamini_and_yekutieli():
    p = np.array([0.001, 0.008, 0.015, 0.018, 0.6, 0.9])
    want = stats.false_discovery_control(p, method="by") <= 0.05
    assert np.array_equal(discoveries(p, 0.05), want)
    assert want.sum() == 1
    day = np.array([0, 0, 0, 0, 9, 9])
    assert weekly_discoveries(p, day, 0.05).sum() == 4


def test_hours_that_depend_on_each_other_keep_the_discovery_rate():
    random = np.random.default_rng(1)
    # the worst that p-values of a week may do together: 1 in 10 weeks has k of them
    # just as small as Benjamini and Hochberg need for k discoveries
    n, weeks = 20, 4000
    false = 0
    for at in random.uniform(size=weeks):
        p = random.uniform(0.5, 1, size=n)
        steps = np.cumsum(0.3 / np.arange(1, n + 1))
        k = int(np.searchsorted(steps, at)) + 1
        if k <= n:
            p[random.permutation(n)[:k]] = 0.3 * k / n * random.uniform(0.99, 1)
        false += discoveries(p, 0.3).any()
    assert false / weeks <= 0.3


def alarms_at(extra, rate=None):
    learn, hours = days(28), days(7, 28, extra)
    found = judged(ENSEMBLE, ENSEMBLE.make(0).fit(learn), hours, rate)
    return alarms_of(found, learn, user="owner")


def test_an_alarm_says_what_when_and_why():
    extra = [(at(2, 3, i), "turn_off") for i in range(9)] + [(at(5, 12), NEW)]
    alarms = alarms_at(extra)
    by_hour = {alarm.hour: alarm for alarm in alarms}
    burst = by_hour["2026-02-04T03:00+00:00"]
    assert (burst.user, burst.device, burst.activity) == ("owner", "house", "turn_off")
    assert burst.reason == "9 times; never more than 1 in an hour on 28 days"
    assert burst.p < 1e-3
    new = by_hour["2026-02-07T12:00+00:00"]
    assert new.reason == "once; it never happened on 28 days"
    assert len(alarms) <= 2 + 2  # one usual hour in five days


def test_alarms_at_a_discovery_rate_are_asked_for_in_shares():
    extra = [(at(2, 3, i), "turn_off") for i in range(9)]
    (alarm,) = alarms_at(extra, rate=0.05)
    assert alarm.activity == "turn_off"
    with pytest.raises(RequestError, match="rate of false discoveries"):
        alarms_at(extra, rate=1.5)
