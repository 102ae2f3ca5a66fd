"""Arrivals, bursts, background, openings and windows, each by itself."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array

from analysis.classifiers.model import Reads
from analysis.features.matrix import feature_names, features_of
from analysis.packets.destination import Destination
from analysis.streaming.arrivals import Arrivals, Sorter
from analysis.streaming.background import Background, learn_background
from analysis.streaming.bursts import SHAPE, Burst, Bursts
from analysis.streaming.folds import folds_of
from analysis.streaming.gather import Acts, Quiet
from analysis.streaming.model import Stage
from analysis.streaming.openings import Openings, OpeningsOfMany
from analysis.streaming.windows import EARLY_NS, Recent, Seen

S = 10**9
CLOUD = int(Destination.CLOUD_UDP)


def arrivals(*packets):
    """Make packets of (seconds, signed length, flow); a payload but for length 60."""
    time_s, signed, flow = (list(each) for each in zip(*packets, strict=True))
    length = np.abs(np.array(signed)).astype(np.uint32)
    return Arrivals(
        time_ns=np.array([round(t * S) for t in time_s], dtype=np.int64),
        length_b=length,
        outbound=np.array(signed) > 0,
        destination=np.full(length.size, CLOUD, dtype=np.uint8),
        payload_b=np.where(length == 60, 0, length).astype(np.uint32),
        flow=np.array(flow, dtype=np.int64),
    )


def burst(at_s, *shape):
    return Burst(
        destination=CLOUD,
        start_ns=round(at_s * S),
        last_ns=round((at_s + 0.1) * S),
        shape=list(shape),
    )


def test_a_pause_in_a_conversation_ends_its_burst_and_others_do_not_matter():
    made = Bursts().take(arrivals((0, 90, 1), (0.9, -80, 1), (1.5, 70, 2), (2, 90, 1)))
    assert [b.start_ns for b in made] == [0, round(1.5 * S), 2 * S]
    assert [b.shape for b in made] == [[90, -80], [70], [90]]


def test_a_burst_goes_on_in_the_next_batch():
    bursts = Bursts()
    (first,) = bursts.take(arrivals((0, 90, 1)))
    assert bursts.take(arrivals((0.5, -80, 1))) == []
    assert first.shape == [90, -80]
    assert first.last_ns == S // 2
    assert len(bursts.take(arrivals((1.6, 90, 1)))) == 1


def test_a_shape_is_of_packets_that_say_something_and_stops_growing():
    (made,) = Bursts().take(arrivals((0, 60, 1), *((0.1, 90, 1) for _ in range(99))))
    assert made.shape == [90] * (SHAPE + 1)
    assert made.is_long


def test_what_comes_again_and_again_is_explained_and_what_opens_activities_is_not():
    rng = np.random.default_rng(5)
    beats = [burst(20 * k, 90 + int(rng.integers(6)), -80) for k in range(200)]
    rare = [burst(900, 300, -200), burst(2900, 300, -200)]
    known = learn_background([*beats, *rare], [], idle_s=4000, acted_s=40)
    assert known.explains(burst(0, 93, -81))
    for other in ((93,), (93, 81), (140, -80), (300, -200), (90, -80) * 5):
        assert not known.explains(burst(0, *other)), other
    assert known.heartbeats[0].period_s == pytest.approx(20)
    same = learn_background(beats, beats[:40], idle_s=4000, acted_s=40)
    assert not same.explains(burst(0, 93, -81))


def test_openings_are_unexplained_and_what_follows_within_a_moment_belongs_to_them():
    known = learn_background(
        [burst(20 * k, 90, -80) for k in range(200)], [], idle_s=4000, acted_s=40
    )
    openings = Openings(known)
    openings.take([burst(1, 90, -80), burst(2), burst(3, 500), burst(3.3, 700)])
    openings.take([burst(9, 500)])
    assert openings.until(4 * S) == []  # it may go on
    assert openings.until(5 * S) == [3 * S]
    assert openings.until(60 * S) == [9 * S]


def test_a_long_burst_opens_at_once_and_a_slow_one_after_three_seconds():
    openings = Openings(Background())
    slow = burst(20, 500)
    openings.take([burst(10, *[500] * 9), slow])
    assert openings.until(10 * S + 1) == [10 * S]
    slow.last_ns = round(22.5 * S)
    assert openings.until(23 * S) == []
    assert openings.until(23 * S + S // 10) == [20 * S]


def test_windows_over_pieces_are_those_over_the_whole():
    rng = np.random.default_rng(4)
    times = np.sort(rng.uniform(0, 100, 400))
    packets = [(t, int(rng.integers(61, 1500)), 1) for t in times]
    whole, recent, starts = arrivals(*packets), Recent(), np.array((60 * S, 80 * S))
    for first in range(0, 400, 7):
        recent.append(arrivals(*packets[first : first + 7]))
        recent.forget(min(60 * S, int(packets[first][0] * S)))
    seen = recent.look(starts, 10 * S)
    for column, length_ns in ((0, 10 * S), (1, EARLY_NS[0])):
        ends = starts + length_ns
        windows = SimpleNamespace(
            start_ns=starts,
            end_ns=ends,
            first=np.searchsorted(whole.time_ns, starts),
            last=np.searchsorted(whole.time_ns, ends),
        )
        names, x = features_of(whole, windows)
        here = slice(column * len(names), (column + 1) * len(names))
        times = [name.endswith("_s") for name in names]
        coarse = np.where(times, np.maximum(x, 0.005), x)
        assert np.array_equal(seen.x[:, here], coarse)
    assert len(recent) < 200


def test_times_finer_than_a_network_lets_them_be_are_not_seen():
    recent = [Recent(), Recent()]
    for each, pause_s in zip(recent, (0.0001, 0.003), strict=True):
        each.append(arrivals(*((1 + pause_s * k, 300, 1) for k in range(9))))
    slow, quick = (each.look(np.array([S]), 10 * S).x for each in recent)
    names = [name for name in feature_names() if name.endswith("_gap_p50_s")]
    columns = [feature_names().index(name) for name in names]
    assert np.array_equal(slow[:, columns], quick[:, columns])


def test_windows_open_by_each_background_as_by_that_alone():
    known = learn_background(
        [burst(20 * k, 90, -80) for k in range(200)], [], idle_s=4000, acted_s=40
    )
    both = OpeningsOfMany([known, Background()])
    both.take([burst(1, 90, -80), burst(5, 500)])
    assert both.until(60 * S) == [S, 5 * S]
    assert both.of == ({5 * S}, {S, 5 * S})


def acts_in(*sessions):
    m = len(sessions)
    return Acts(
        start_ns=np.arange(m) * 100 * S,
        end_ns=np.arange(m) * 100 * S + 8 * S,
        activity=np.array(["on"] * m),
        session=np.array(sessions),
        is_label=np.ones(m, dtype=bool),
    )


def test_sessions_are_held_out_whole_and_one_session_in_stretches():
    folds = folds_of(acts_in("b", "b", "a", "c", "d", "e"))
    assert (folds.n, folds.fold.tolist()) == (4, [0, 0, 1, 2, 3, 0])
    assert folds.at(np.array([-S, 150 * S, 250 * S])).tolist() == [0, 0, 1]
    alone = folds_of(acts_in(*["a"] * 16))
    assert alone.fold.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] * 2


def test_what_is_learnt_without_a_fold_has_nothing_of_it():
    acts = acts_in("a", "b", "c", "d", "a")
    quiet = Quiet(
        spans_ns=tuple((t * 100 * S + 30 * S, t * 100 * S + 90 * S) for t in range(5))
    )
    others, still = folds_of(acts).without(0, acts, quiet)
    assert others.session.tolist() == ["b", "c", "d"]
    assert [start // (100 * S) for start, _end in still.spans_ns] == [1, 2, 3]


def answer_of(shares, groups, known_from=0.5):
    stage = Stage(
        length_ns=S,
        watcher=None,
        namer=SimpleNamespace(classes_=np.array(["off", "on", "read"])),
        reads=Reads.STATISTICS,
        groups=groups,
        event_from=0.5,
        known_from=known_from,
        choice_from=0.3,
    )
    return stage._answer(np.array(shares), 0.9)


def test_what_cannot_be_told_apart_is_answered_as_a_group_with_its_probability():
    groups = (("off", "on"), ("read",))
    both = answer_of((0.5, 0.4, 0.1), groups)
    assert (both.activity, both.likeliest) == ("off|on", "off")
    assert both.probability == pytest.approx(0.9 * 0.9)
    assert both.likeliest_probability == pytest.approx(0.9 * 0.5)
    assert set(both.choices) == {"off", "on"}
    one = answer_of((0.1, 0.2, 0.7), groups)
    assert (one.activity, one.likeliest) == ("read", "read")
    none = answer_of((0.4, 0.3, 0.3), groups, known_from=0.8)
    assert (none.activity, none.likeliest) == ("unknown", "")


def decoded(n, **columns):
    from analysis.pcap.decode import Decoded

    made = Decoded.zeros(n)
    for name, values in columns.items():
        getattr(made, name)[:] = values
    return made


def test_what_is_sent_again_is_dropped_and_stamps_do_not_run_back():
    from analysis.dataset import Device

    n = 4
    ends = np.array([[0, 0xFFFF_0A00_000C], [0, 0xFFFF_CB00_7109]], dtype=np.uint64)
    packets = decoded(
        n,
        src_mac=0x12,
        dst_mac=0x01,
        ethertype=0x0800,
        src=ends[0],
        dst=ends[1],
        protocol=6,
        src_port=40_000,
        dst_port=443,
        payload_b=100,
        tcp_flags=16,
        window=500,
        seq=[1000, 1100, 1000, 1200],
        ack=1,
    )
    sorter = Sorter([Device(name="plug", mac="00:00:00:00:00:12")])
    stamps = np.array([5, 6, 4, 7], dtype=np.int64) * S
    lengths = np.full(n, 166, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    found = sorter.sort(stamps, lengths, packets, none)["plug"]
    assert found.time_ns.tolist() == [5 * S, 6 * S, 7 * S]
    assert set(found.destination.tolist()) == {int(Destination.CLOUD_TLS)}
    assert found.outbound.all()


def test_a_forest_is_asked_quickly_and_says_the_same():
    from sklearn.ensemble import ExtraTreesClassifier

    from analysis.models.asking import shares_of

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(90, 5)), rng.choice(["a", "b", "idle"], 90)
    forest = ExtraTreesClassifier(7, random_state=0).fit(x, y)
    new = rng.normal(size=(20, 5)) * 1e30
    assert np.array_equal(shares_of(forest, new), forest.predict_proba(new))


@pytest.mark.parametrize(("n", "held"), [(3, 3), (9, 9), (19, 18), (99, 90)])
def test_choices_hold_the_truth_as_often_as_they_promise(n, held):
    from analysis.streaming.fit import _choice_from

    right = np.random.default_rng(n).permutation(np.arange(1, n + 1)) / (n + 1)
    level = _choice_from(right)
    assert 0.0 <= level <= 1.0
    assert (right >= level - 1e-12).sum() == held


def test_an_activity_of_one_session_says_nothing_of_whom_it_is_like():
    from analysis.streaming.fit import TREES, Rows, _groups, _held_out

    label = np.array(["off", "on", "read"] * 8 + ["party"] * 6)
    session = np.repeat(np.arange(5), 6)
    session[-6:] = 3
    centre = np.select([label == "on", label == "off", label == "read"], (0, 5, 10), 15)
    x = np.random.default_rng(0).normal(centre[:, None], 0.1)
    rows = Rows(
        start_ns=np.arange(30) * S,
        seen=Seen(x=x, sequence=csr_array((30, 1))),
        label=label,
        session=session.astype(np.str_),
        fold=session,
        is_kept=np.ones(30, dtype=bool),
        is_quiet=np.zeros(30, dtype=bool),
    )
    asked = _held_out([rows] * 4, TREES, 0, acted_only=True)
    assert asked.right.min() > 0.9
    names = ("off", "on", "party", "read")
    assert sorted(_groups(asked, names)) == [(name,) for name in names]


def test_a_window_that_opens_before_its_label_is_held_out_with_its_own_session():
    from analysis.streaming.learn import _labelled

    acts = acts_in("a", "b")
    known = SimpleNamespace(acts=acts, quiet=Quiet(spans_ns=()), folds=folds_of(acts))
    start_ns = np.array([S // 10, 50 * S, 100 * S - S // 5, 150 * S])
    made = _labelled(start_ns, Seen(x=np.zeros((4, 1)), sequence=None), known)
    assert made.label.tolist() == ["on", "idle", "on", "idle"]
    assert made.session.tolist() == ["a", "a", "b", "b"]
    assert made.fold.tolist() == [0, 0, 1, 1]
