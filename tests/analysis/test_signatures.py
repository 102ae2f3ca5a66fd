"""Signatures: what is a pair, which pairs mark an activity, and where it was."""

import numpy as np
import pytest

from analysis.classifiers.model import UNKNOWN
from analysis.packets.table import COLUMNS, PacketTable
from analysis.signatures import (
    PairRange,
    Pairs,
    Signature,
    SignatureMatcher,
    alike,
    pairs_in,
    spot,
)

SECOND = 10**9


def table(packets):
    """Make a table of (time in s, signed payload, flow)."""
    n = len(packets)
    columns = {name: np.zeros(n, dtype=kind) for name, kind in COLUMNS.items()}
    columns["time_ns"] = np.array(
        [round(t * SECOND) for t, _b, _f in packets], np.int64
    )
    columns["payload_b"] = np.array([abs(b) for _t, b, _f in packets], np.uint32)
    columns["outbound"] = np.array([b > 0 for _t, b, _f in packets], np.bool_)
    columns["flow"] = np.array([f for _t, _b, f in packets], np.int32)
    return PacketTable(device="plug", **columns)


def pairs(*lengths, at_s=0.0, step_s=0.1):
    """Make the pairs of a window, `step_s` apart."""
    return Pairs(
        first=np.array([a for a, _b in lengths], np.int64),
        second=np.array([b for _a, b in lengths], np.int64),
        time_ns=np.array(
            [round((at_s + step_s * i) * SECOND) for i in range(len(lengths))], np.int64
        ),
    )


def test_neighbours_of_one_conversation_that_go_opposite_ways_are_pairs():
    packets = [
        (0.0, 490, 1),
        (0.1, 60, 2),
        (0.2, -1027, 1),
        (0.3, 0, 1),
        (0.4, 31, 1),
        (0.5, 99, 1),
        (0.6, -7, 2),
    ]
    got = pairs_in(table(packets))
    want = [(490, -1027), (60, -7), (-1027, 31), (31, 0), (99, 0), (-7, 0)]
    assert list(zip(got.first.tolist(), got.second.tolist(), strict=True)) == want
    assert (np.diff(got.time_ns) > 0).all()
    part = pairs_in(table(packets), 4, 6)
    assert part.first.tolist() == [31, 99]


def windows(rng, *, n=12):
    """On and off: the reply tells them apart; chatter is everywhere."""
    made, activity = [], []
    for i in range(n):
        chatter = [(int(rng.integers(20, 1400)), 0) for _ in range(3)]
        name = ("on", "off", "idle")[i % 3]
        told = {"on": [(490, -1027)], "off": [(491, -1129)], "idle": []}[name]
        made.append(pairs(*chatter, *told, (52, -52)))
        activity.append(name)
    return made, np.array(activity)


def test_what_only_one_activity_holds_is_its_signature():
    made, activity = windows(np.random.default_rng(1), n=60)
    learnt = SignatureMatcher(made).fit(np.arange(60), activity)
    assert set(learnt.signatures) == {"on", "off"}
    (pair,) = learnt.signatures["on"].pairs
    assert (pair.first, pair.second) == ((490, 490), (-1027, -1027))
    assert (pair.support, pair.elsewhere, pair.also) == (1.0, 0.0, ())
    assert "> 490 B, then < 1027 B (in 100% of its windows" in str(
        learnt.signatures["on"]
    )
    assert learnt.predict(np.arange(60)).tolist() == activity.tolist()


def test_lengths_that_vary_become_a_range_with_a_margin():
    rng = np.random.default_rng(2)
    made = [pairs((200 + 3 * i, -64)) for i in range(6)]
    made += [pairs((int(rng.integers(600, 1400)), -64)) for _ in range(6)]
    activity = np.array(["on"] * 6 + ["off"] * 6)
    learnt = SignatureMatcher(made).fit(np.arange(12), activity)
    (pair,) = learnt.signatures["on"].pairs
    assert (pair.first, pair.second) == ((190, 225), (-74, -54))


def test_few_windows_do_not_prove_a_length_exact():
    made = [pairs((300, -64)) for _ in range(19)]
    learnt = SignatureMatcher(made).fit(np.arange(19), np.array(["on"] * 19))
    assert learnt.signatures["on"].pairs[0].first == (290, 310)
    made.append(pairs((300, -64)))
    learnt = SignatureMatcher(made).fit(np.arange(20), np.array(["on"] * 20))
    assert learnt.signatures["on"].pairs[0].first == (300, 300)


def test_pairs_of_a_signature_come_together_and_share_no_packet():
    always = [(300, -64), (-64, 500), (700, -128)]
    made = [pairs(*always, *([(900, -96)] if i % 5 else [])) for i in range(20)]
    learnt = SignatureMatcher(made).fit(np.arange(20), np.array(["on"] * 20))
    lengths = [pair.first[0] for pair in learnt.signatures["on"].pairs]
    assert sorted(lengths) == [300, 700]  # the answer of the first is no pair again


def test_activities_that_look_alike_are_said_to():
    made = [pairs((300, -64)) for _ in range(8)] + [pairs((52, -52)) for _ in range(4)]
    activity = np.array(["on", "off"] * 4 + ["idle"] * 4)
    learnt = SignatureMatcher(made).fit(np.arange(12), activity)
    assert learnt.signatures["on"].also == ("off",)
    words = str(learnt.signatures["on"])
    assert "in 100% of its windows, in 100% of those of off, in at most 0% of" in words
    assert words.endswith("; alone it cannot tell on from off")
    assert alike(learnt.signatures) == (("off", "on"),)
    assert set(learnt.predict(np.arange(8))) <= {"on", "off"}
    assert set(learnt.predict(np.arange(8, 12))) == {"idle"}


def test_an_activity_with_lengths_of_its_own_is_told_from_one_without():
    made = [pairs((300, -64)) for _ in range(8)]
    made += [pairs((300, -64), (700, -128)) for _ in range(8)]
    activity = np.array(["on"] * 8 + ["off"] * 8)
    learnt = SignatureMatcher(made).fit(np.arange(16), activity)
    assert learnt.signatures["on"].also == ("off",)
    assert alike(learnt.signatures) == ()
    assert (learnt.predict(np.arange(16)) == activity).all()


def test_what_idle_windows_hold_marks_nothing():
    made = [pairs((300, -64)) for _ in range(8)]
    learnt = SignatureMatcher(made).fit(np.arange(8), np.array(["on", "idle"] * 4))
    assert learnt.signatures["on"].pairs == ()
    assert "no packet lengths mark it" in str(learnt.signatures["on"])


def test_without_idle_a_window_that_holds_no_signature_is_unknown():
    made = [pairs((300, -64)) for _ in range(4)] + [pairs((52, -52))]
    learnt = SignatureMatcher(made).fit(np.arange(4), np.array(["on"] * 4))
    assert learnt.predict(np.array([4, 0])).tolist() == [UNKNOWN, "on"]


def test_two_windows_are_too_few_for_a_signature():
    made = [pairs((300, -64)) for _ in range(2)]
    learnt = SignatureMatcher(made).fit(np.arange(2), np.array(["on"] * 2))
    assert learnt.signatures["on"].pairs == ()
    assert str(learnt.signatures["on"]) == "on: too few windows (2)"


def test_nothing_is_learnt_from_test_windows():
    made, activity = windows(np.random.default_rng(3))
    rows = np.arange(9)
    want = SignatureMatcher(made).fit(rows, activity[rows]).signatures
    strange = [*made[:9], *(pairs((7, -7)) for _ in range(3))]
    assert SignatureMatcher(strange).fit(rows, activity[rows]).signatures == want


def two_pairs(span_s):
    ranges = [
        PairRange(first=(n, n), second=(-n, -n), support=1.0, elsewhere=0.0)
        for n in (10, 20)
    ]
    return Signature(activity="on", pairs=tuple(ranges), span_s=span_s, n_windows=9)


@pytest.mark.parametrize(
    ("times_s", "want_s"),
    [
        ([(1.0, 10), (1.5, 20)], [1.0]),
        ([(1.0, 20), (1.5, 10)], [1.0]),
        ([(1.0, 10), (3.5, 20)], []),
        ([(1.0, 10), (1.2, 20), (1.4, 10), (9.0, 10), (9.9, 20)], [1.0, 9.0]),
        ([(1.0, 10), (1.2, 10)], []),
    ],
)
def test_an_event_is_where_all_pairs_come_within_the_span_and_told_once(
    times_s, want_s
):
    found = Pairs(
        first=np.array([n for _t, n in times_s], np.int64),
        second=np.array([-n for _t, n in times_s], np.int64),
        time_ns=np.array([round(t * SECOND) for t, _n in times_s], np.int64),
    )
    assert (spot(two_pairs(1.0), found) / SECOND).tolist() == want_s


def test_the_span_is_that_of_training_with_a_margin():
    made = [pairs((100, -100), (200, -200), step_s=2.0) for _ in range(4)]
    learnt = SignatureMatcher(made).fit(np.arange(4), np.array(["on"] * 4))
    assert learnt.signatures["on"].span_s == pytest.approx(3.0)
