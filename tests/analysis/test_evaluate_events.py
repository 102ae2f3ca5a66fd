import itertools

import numpy as np
import pytest

from analysis.evaluate.patterns.events import (
    Happening,
    collar_curve,
    f1_interval,
    false_rate,
    score_events,
)

S = 1_000_000_000


def at(start_s, activity="turn_on", device="lamp", told_s=None, group="", length_s=8):
    return Happening(
        device=device,
        activity=activity,
        start_ns=round(start_s * S),
        end_ns=round((start_s + length_s) * S),
        told_ns=None if told_s is None else round(told_s * S),
        group=group,
    )


def score(happened, detected, **options):
    return score_events(happened, detected, **options)


def test_an_event_found_once_counts_once():
    found = score([at(10), at(30)], [at(10.5), at(29)])
    assert (found.f1, found.precision, found.recall) == (1.0, 1.0, 1.0)
    assert [pair.onset_error_s for pair in found.pairs] == [0.5, -1.0]


def test_a_second_detection_of_one_event_is_false_and_the_nearer_one_is_kept():
    found = score([at(10)], [at(11), at(10.2)])
    assert [pair.detected.start_ns for pair in found.pairs] == [round(10.2 * S)]
    assert len(found.false) == 1
    assert found.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(("shift_ns", "is_found"), [(0, True), (1, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_collar_belongs_to_the_event_and_the_nanosecond_after_it_does_not(
    shift_ns, is_found, sign
):
    late = Happening(
        device="lamp",
        activity="turn_on",
        start_ns=10 * S + sign * (2 * S + shift_ns),
        end_ns=20 * S,
    )
    assert bool(score([at(10)], [late]).pairs) is is_found


def test_overlapping_events_find_partners_even_where_the_nearest_first_would_not():
    # nearest first pairs 11.5 with 11.6 and leaves 10 and 13.4 apart
    found = score([at(10), at(11.6)], [at(11.5), at(13.4)])
    assert len(found.pairs) == 2
    assert [pair.onset_error_s for pair in found.pairs] == pytest.approx([1.5, 1.8])


def test_of_all_largest_matchings_the_one_with_the_smallest_errors_is_taken():
    found = score([at(10), at(11)], [at(10.1), at(11.1)])
    assert [pair.onset_error_s for pair in found.pairs] == pytest.approx([0.1, 0.1])


def test_another_activity_is_false_when_activities_matter_and_found_when_not():
    happened, detected = [at(10, "turn_on")], [at(10, "turn_off")]
    aware = score(happened, detected)
    assert (aware.f1, len(aware.missed), len(aware.false)) == (0.0, 1, 1)
    assert score(happened, detected, class_aware=False).f1 == 1.0


def test_another_device_is_never_a_partner():
    assert not score([at(10)], [at(10, device="tv")], class_aware=False).pairs


def test_unknown_finds_an_event_only_where_activities_do_not_matter():
    assert score([at(10)], [at(10, "unknown")]).f1 == 0.0
    assert score([at(10)], [at(10, "unknown")], class_aware=False).f1 == 1.0


def test_nothing_at_all_scores_nothing():
    assert score([], []).f1 == 0.0
    assert score([], []).onset_error_s(0.5) is None
    assert len(score([], [at(1)]).false) == len(score([at(1)], []).missed) == 1


def test_latency_is_from_the_true_end_until_it_was_told():
    found = score([at(10, length_s=8)], [at(11, told_s=19.5)])
    assert found.latency_s(0.5) == pytest.approx(1.5)
    assert score([at(10)], [at(11)]).latency_s(0.5) is None


def test_quantiles_of_the_onset_error_look_at_its_size():
    happened = [at(100 * i) for i in range(4)]
    found = score(happened, [at(100 * i + e) for i, e in enumerate((-1, 1, 1, -1))])
    assert found.onset_error_s(0.5) == pytest.approx(1.0)


def test_the_curve_never_falls_with_the_collar():
    rng = np.random.default_rng(7)
    happened = [at(s) for s in rng.uniform(0, 600, 40)]
    detected = [at(s) for s in rng.uniform(0, 600, 40)]
    f1 = [value for _collar, value in collar_curve(happened, detected)]
    assert f1 == sorted(f1)
    assert f1[0] < f1[-1]


def test_no_other_choice_of_pairs_is_larger_or_nearer():
    rng = np.random.default_rng(3)
    for _ in range(40):
        true, found = rng.uniform(0, 9, 4), rng.uniform(0, 9, 4)
        got = score([at(s) for s in true], [at(s) for s in found])
        size, error = len(got.pairs), sum(abs(p.onset_error_s) for p in got.pairs)
        best = min(
            _worth([abs(true[i] - found[j]) for i, j in enumerate(order)])
            for order in itertools.permutations(range(4))
        )
        assert (-size, error) == (best[0], pytest.approx(best[1], abs=1e-6))


def _worth(errors):
    within = [error for error in errors if error <= 2]
    return -len(within), sum(within)


def test_the_interval_is_drawn_over_groups_and_holds_the_score():
    happened = [at(100 * i, group=f"s{i % 5}") for i in range(50)]
    detected = [at(100 * i, group=f"s{i % 5}") for i in range(50) if i % 7]
    found = score(happened, detected)
    low, high = f1_interval(found, seed=1)
    assert low < found.f1 < high
    assert f1_interval(found, seed=1) == (low, high)
    assert f1_interval(score([at(1)], [at(1)]), seed=1) is None


def test_false_events_are_told_per_device_and_day_with_what_may_be():
    rate = false_rate(0, [(0, 3 * 86_400 * S)])
    assert rate.per_device_day == 0
    assert rate.high == pytest.approx(3.69 / 3, abs=0.01)  # the exact "rule of three"
    assert false_rate(6, [(0, 86_400 * S)] * 3).per_device_day == pytest.approx(2)
    with pytest.raises(ValueError, match="length"):
        false_rate(1, [])


def test_days_on_which_all_was_found_are_not_certain():
    acts = [at(100 * k, group=str(k % 3)) for k in range(12)]
    low, high = f1_interval(score(acts, acts), seed=1)
    assert low == pytest.approx(0.757, abs=0.005)  # Wilson, 12 of 12
    assert high == 1.0
