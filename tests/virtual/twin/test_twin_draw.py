from dataclasses import replace

import numpy as np
import pytest

from testbed.virtual.twin.draw import Drawer, session_mates
from testbed.virtual.twin.parts import between, lengthened, says_same, thinned, walked

SYN = 2


def drawn(twin, activity, n, seed=0):
    rng = np.random.default_rng(seed)
    drawer = Drawer(twin)
    return [drawer.trial(activity, k, rng).columns for k in range(n)]


def told(columns):
    lengths, ways = columns["length_b"].tolist(), columns["outbound"].tolist()
    return list(zip(lengths, ways, strict=True))


def longest_shared(one, other):
    """Return the most packets on end that two trials have in common."""
    best, row = 0, [0] * (len(other) + 1)
    for mine in one:
        new = [0] * (len(other) + 1)
        for k, theirs in enumerate(other):
            if mine == theirs:
                new[k + 1] = row[k] + 1
        best, row = max(best, *new), new
    return best


def test_a_drawn_trial_is_in_order_and_within_its_window(twin):
    for columns in drawn(twin, "ask", 20):
        offset = columns["offset_ns"]
        assert offset.size > 30
        assert (np.diff(offset) >= 0).all()
        assert offset[0] >= 0
        assert offset[-1] < twin.delta_ns["ask"]


def test_no_drawn_trial_has_the_times_or_all_the_lengths_of_a_recorded_one(twin):
    recorded = [t.shape.columns for t in twin.trials["ask"]]
    for columns in drawn(twin, "ask", 20):
        for known in recorded:
            assert told(columns) != told(known)
            shared = np.isin(np.diff(columns["offset_ns"]), np.diff(known["offset_ns"]))
            assert shared.mean() < 0.1


def test_amounts_vary_about_as_much_as_those_that_were_recorded(twin):
    counts = [len(c["offset_ns"]) for c in drawn(twin, "ask", 60)]
    known = [len(t.shape) for t in twin.trials["ask"]]
    assert np.mean(counts) == pytest.approx(np.mean(known), rel=0.1)
    assert 0.4 < np.std(counts) / np.std(known) < 2.5


def test_without_spread_amounts_hardly_differ_within_a_session(twin):
    def deviation(spread):
        rng = np.random.default_rng(0)
        drawer = Drawer(replace(twin, spread=spread))
        return np.std([len(drawer.trial("ask", 0, rng)) for _ in range(40)])

    assert deviation(0.0) < 0.8 * deviation(2.0)


def test_the_same_seed_draws_the_same_trial_and_another_one_does_not(twin):
    one, again, other = (drawn(twin, "stop", 1, seed)[0] for seed in (4, 4, 5))
    assert one["offset_ns"].tolist() == again["offset_ns"].tolist()
    assert one["offset_ns"].tolist() != other["offset_ns"].tolist()


def test_sessions_are_taken_in_turn(twin):
    found = [{t.session for t in session_mates(twin, "ask", k)} for k in range(3)]
    assert found == [{0}, {1}, {0}]


def test_a_walk_takes_packets_of_several_trials_and_stays_about_as_long(twin):
    parts = [t.shape for t in twin.trials["ask"]]
    known = [np.diff(part.columns["offset_ns"]) for part in parts]
    rng = np.random.default_rng(1)
    most = []
    for _ in range(20):
        made = walked(parts, rng)
        assert 50 <= len(made) <= 110
        gaps = np.diff(made.columns["offset_ns"])
        assert gaps.min() >= 0
        most.append(max(np.isin(gaps, each).mean() for each in known))
    assert np.mean(most) < 0.85


def test_what_opens_a_connection_is_neither_repeated_nor_left_out(twin):
    part = twin.trials["ask"][5].shape
    flags = part.columns["tcp_flags"].copy()
    flags[20] = SYN
    part = replace(part, columns={**part.columns, "tcp_flags": flags})
    rng = np.random.default_rng(2)
    for factor in (0.5, 0.8, 1.3, 1.9):
        made = thinned(lengthened(part, factor, rng), True, factor, rng)
        assert (made.columns["tcp_flags"] == SYN).sum() == 1


def test_longer_and_shorter_is_by_about_the_factor(twin):
    part = twin.trials["ask"][5].shape
    rng = np.random.default_rng(2)
    for factor in (0.7, 1.4):
        sizes = [len(lengthened(part, factor, rng)) for _ in range(30)]
        assert np.mean(sizes) == pytest.approx(factor * len(part), rel=0.12)


def test_between_two_that_say_the_same_gaps_lie_between(twin):
    first = twin.trials["ask"][0].shape
    slow = {**first.columns, "offset_ns": first.columns["offset_ns"] * 2}
    made = between(first, replace(first, columns=slow), np.random.default_rng(0))
    ratio = np.diff(made.columns["offset_ns"]) / np.diff(first.columns["offset_ns"])
    assert (ratio > 0.6).all()
    assert (ratio < 3.0).all()
    assert ratio.std() > 0.01


def test_two_say_the_same_when_their_packets_differ_in_lengths_and_times_alone(twin):
    one, other = twin.trials["ask"][0].shape, twin.trials["ask"][3].shape
    assert not says_same(one, other)
    columns = {
        name: other.columns[name][: len(one)] for name in ("offset_ns", "length_b")
    }
    assert says_same(one, replace(one, columns={**one.columns, **columns}))


def asked(shape, n, rng):
    """Return n connections of five packets each, to a port of the twin's own."""
    rows = np.tile(np.arange(5), n)
    flow = np.repeat(np.arange(n), 5).astype(np.int32)
    columns = shape.take(rows).columns
    columns["offset_ns"] = np.cumsum(rng.gamma(2.0, 4e6, 5 * n)).astype(np.int64)
    far = (40_000 + rng.integers(9_000, size=n))[flow].astype(np.uint16)
    own = np.full(5 * n, 49_153, dtype=np.uint16)
    return replace(
        shape, columns={**columns, "flow": flow, "own_port": own, "remote_port": far}
    )


def test_short_parts_that_nobody_says_the_same_are_drawn_by_connection(twin):
    rng = np.random.default_rng(5)
    first, *_ = known = twin.trials["ask"]
    trials = [
        replace(t, shape=asked(first.shape, 2 + k, rng)) for k, t in enumerate(known)
    ]
    trials = tuple(replace(t, session=0) for t in trials)
    for columns in drawn(replace(twin, trials={"ask": trials}), "ask", 12):
        n = len(columns["flow"]) // 5
        assert 2 <= n <= 7
        assert np.bincount(columns["flow"]).tolist() == [5] * n
        gaps = np.diff(columns["offset_ns"])
        for each in trials:
            recorded = np.diff(each.shape.columns["offset_ns"])
            assert np.isin(gaps, recorded).mean() < 0.25


def test_runs_that_a_drawn_trial_shares_are_not_longer_than_those_of_a_new_one(twin):
    *known, new = [told(t.shape.columns) for t in twin.trials["ask"]]
    usual = max(longest_shared(new, each) for each in known)
    for columns in drawn(twin, "ask", 6):
        assert max(longest_shared(told(columns), each) for each in known) <= usual + 20
