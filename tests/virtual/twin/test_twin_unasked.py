from dataclasses import replace

import numpy as np
import pytest

from testbed.virtual.twin.draw import Drawer
from testbed.virtual.twin.parts import joined
from testbed.virtual.twin.read import Shape
from testbed.virtual.twin.unasked import is_chance, pieces, unasked_of

S = 10**9
BEAT_B = (120, 140, 66)


def beat(like, at_ns, lengths=BEAT_B, flags=0x18):
    """Return a question, its answer and what acknowledges it."""
    three = like.take(np.arange(3))
    columns = {
        **three.columns,
        "offset_ns": at_ns + np.array([0, 40_000_000, 41_000_000]),
        "length_b": np.array(lengths, dtype=np.uint32),
        "outbound": np.array([True, False, True]),
        "tcp_flags": np.full(3, flags, dtype=np.uint8),
    }
    return Shape(columns=columns)


def beating(twin, in_trials, mean_s=8.0, odd_flags=0x18):
    """Return a twin whose trials have the named beats, and some between them.

    odd_flags  of one of these
    """
    like = twin.trials["ask"][0].shape
    (source,) = twin.idle
    flags = (0x18, 0x18, 0x18, odd_flags)
    events = tuple(
        beat(like, 0, (120 + k, 140 + k, 66), each) for k, each in enumerate(flags)
    )
    trials = tuple(
        replace(trial, shape=joined([trial.shape, *(beat(like, *b) for b in beats)]))
        for trial, beats in zip(twin.trials["ask"], in_trials, strict=True)
    )
    idle = (replace(source, events=events, mean_s=mean_s, cv=1.0),)
    return replace(twin, trials={"ask": trials}, idle=idle)


@pytest.fixture
def by_chance(twin):
    """Return a twin, two of whose six trials have a beat."""
    return beating(twin, [[(2 * S,)], [], [], [(3 * S,)], [], []])


def n_beats(shape):
    return sum(rows.size == 3 for rows in pieces(shape))


def test_what_is_also_said_between_trials_is_taken_out_of_them(by_chance):
    assert sum(n_beats(trial.shape) for trial in by_chance.trials["ask"]) == 2
    left = unasked_of(by_chance).trials["ask"]
    assert [n_beats(trial.shape) for trial in left] == [0] * 6
    recorded = by_chance.trials["ask"]
    n_left = sum(
        len(r.shape) - len(t.shape) for r, t in zip(recorded, left, strict=True)
    )
    assert n_left == 6


def test_what_every_trial_says_is_asked_for_and_stays(twin):
    asked = beating(twin, [[(2 * S,)]] * 6, mean_s=60.0)
    found = unasked_of(asked)
    assert [n_beats(trial.shape) for trial in found.trials["ask"]] == [1] * 6
    assert found.senders["ask"] == ()


def test_other_lengths_are_another_saying(twin):
    longer = (2 * S, (420, 140, 66))
    found = unasked_of(beating(twin, [[longer]] * 6))
    assert [n_beats(trial.shape) for trial in found.trials["ask"]] == [1] * 6


def test_odd_pieces_are_unasked_where_odd_ones_are_said_between_trials(twin):
    odd = (2 * S, (420, 140, 66), 0x19)
    trials = [[odd], [], [], [], [], []]
    found = unasked_of(beating(twin, trials))
    assert [n_beats(trial.shape) for trial in found.trials["ask"]] == [1, 0, 0, 0, 0, 0]
    found = unasked_of(beating(twin, trials, odd_flags=0x1B))
    assert [n_beats(trial.shape) for trial in found.trials["ask"]] == [0] * 6


def test_a_trial_of_nothing_but_what_is_unasked_leaves_all_as_they_were(by_chance):
    like = by_chance.trials["ask"][0].shape
    (first, *rest) = by_chance.trials["ask"]
    alone = replace(first, shape=beat(like, 2 * S))
    found = unasked_of(replace(by_chance, trials={"ask": (alone, *rest)}))
    assert found.trials["ask"] == (alone, *rest)
    assert found.senders["ask"] == ()


def test_drawn_trials_say_as_much_unasked_as_recorded_ones_but_not_in_step(by_chance):
    drawer, rng = Drawer(by_chance), np.random.default_rng(0)
    drawn = [drawer.trial("ask", k, rng) for k in range(150)]
    assert all((np.diff(each.columns["offset_ns"]) >= 0).all() for each in drawn)
    counts = [n_beats(each) for each in drawn]
    assert 0.2 < np.mean(counts) < 0.6
    # both sessions have one trial in three with a beat, and never two
    assert max(counts) > 1
    begins = [
        int(each.columns["offset_ns"][rows[0]]) / S
        for each in drawn
        for rows in pieces(each)
        if rows.size == 3
    ]
    assert np.std(begins) > 0.5


def test_what_began_before_the_window_still_goes_on(by_chance):
    unasked = unasked_of(by_chance)
    rng = np.random.default_rng(1)
    begins = [
        at_ns for _ in range(2000) for at_ns, _ in unasked.drawn("ask", 4 * S, rng)
    ]
    assert min(begins) >= -41_000_000
    assert any(at_ns < 0 for at_ns in begins)
    assert max(begins) < 4 * S


def test_what_opens_a_connection_unasked_is_none_of_the_others(twin):
    opening = beating(twin, [[]] * 6, mean_s=2.0)
    (source,) = opening.idle
    events = tuple(
        replace(e, columns={**e.columns, "tcp_flags": np.full(3, 2, dtype=np.uint8)})
        for e in source.events
    )
    opening = replace(opening, idle=(replace(source, events=events),))
    drawer, rng = Drawer(opening), np.random.default_rng(0)
    flows = [
        set(columns["flow"][columns["tcp_flags"] == 2].tolist())
        for columns in (drawer.trial("ask", k, rng).columns for k in range(40))
    ]
    assert any(flows)
    assert all(0 not in each for each in flows)


@pytest.mark.parametrize(
    ("n", "expected", "said"),
    [
        (0, 0.0, True),
        (1, 0.0, False),
        (1, 0.2, True),
        (2, 0.2, False),
        (9, 5.0, True),
        (20, 5.0, False),
        (1500, 1000.0, True),
        (2000, 1000.0, False),
    ],
)
def test_as_many_as_chance_makes_are_not_asked_for(n, expected, said):
    assert is_chance(n, expected) is said
