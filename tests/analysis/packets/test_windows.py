from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dataset import ActivityLog, load_activities, load_campaign
from analysis.errors import LabelError
from analysis.labelling import Overlap
from analysis.packets import find_raw, read_tables
from analysis.windows import (
    IDLE_ACTIVITY,
    IDLE_MARGIN_NS,
    cut,
    draw_idle,
    free_stretches,
    rows_between,
    without_power,
)

S = 10**9
slow = settings(derandomize=True, deadline=None, max_examples=200)


@slow
@given(
    st.lists(st.integers(0, 30), max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=6),
)
def test_rows_are_those_of_the_naive_twin(time_ns, spans):
    time_ns = sorted(time_ns)
    start, length = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    first, last = rows_between(np.array(time_ns, dtype=np.int64), start, start + length)
    for k, (at, size) in enumerate(spans):
        rows = [n for n, t in enumerate(time_ns) if at <= t < at + size]
        assert list(range(first[k], last[k])) == rows


@pytest.fixture
def evening(campaign, craft):
    """Ten minutes with a packet per second, and activities in two sessions."""
    packets = [(t, craft.udp4(b"x")) for t in range(600)]
    rows = [
        (60, {}),
        (120, {"activity": "turn_off", "channel": "voice"}),
        (180, {"outcome": "no_effect"}),
        (300, {"session": "s2", "delta_ns": 8 * S}),
        (None, {"outcome": "aborted"}),
    ]
    folder = campaign([packets[:350], packets[350:]], rows)
    tables = read_tables(find_raw(folder), load_campaign(folder).devices)
    return tables["lamp"], load_activities(folder)


def test_each_labelled_activity_is_one_window(evening, craft):
    windows = cut(*evening, "lamp")
    assert windows.activity.tolist() == ["turn_on", "turn_off", "turn_on"]
    assert windows.channel.tolist() == ["phone", "voice", "phone"]
    assert windows.session.tolist() == ["s1", "s1", "s2"]
    assert windows.trial.tolist() == ["0001", "0002", "0004"]
    assert windows.first.tolist() == [60, 120, 300]
    assert windows.n_packets.tolist() == [5, 5, 8]
    assert windows.start_ns[0] == craft.start_ns + 60 * S
    with pytest.raises(ValueError, match="read-only"):
        windows.first[0] = 1


def test_idle_windows_touch_no_activity_of_any_outcome(evening, craft):
    table, log = evening
    windows = cut(table, log, "lamp", n_idle=1000, rng=np.random.default_rng(1))
    assert (np.diff(windows.start_ns) > 0).all()
    assert (windows.start_ns[1:] >= windows.end_ns[:-1]).all()
    idle = windows.take(windows.activity == IDLE_ACTIVITY)
    assert 50 < len(idle) < 120
    assert set(((idle.end_ns - idle.start_ns) // S).tolist()) <= {5, 8}
    for at_s, delta_s in ((60, 5), (120, 5), (180, 5), (300, 8)):
        start = craft.start_ns + at_s * S
        end = start + delta_s * S + IDLE_MARGIN_NS
        assert ((idle.end_ns <= start) | (idle.start_ns >= end)).all()
    assert (idle.end_ns <= craft.start_ns + 599 * S + 1).all()
    late = idle.start_ns > craft.start_ns + 300 * S
    assert set(idle.session[late].tolist()) == {"s2"}
    assert set(idle.session[~late].tolist()) == {"s1"}
    assert idle.n_packets.min() >= 4


def test_idle_windows_are_drawn_by_the_seed(evening):
    def starts(seed):
        rng = np.random.default_rng(seed)
        return cut(*evening, "lamp", n_idle=9, rng=rng).start_ns.tolist()

    assert starts(1) == starts(1)
    assert starts(1) != starts(2)
    assert len(starts(1)) == 3 + 9
    with pytest.raises(ValueError, match="give a generator"):
        cut(*evening, "lamp", n_idle=9)


def _acts(*rows):
    """(t, activity, outcome) as the log of one device."""
    names = ("t_ns", "activity", "outcome")
    columns = zip(*rows, strict=True)
    frame = pl.DataFrame(dict(zip(names, columns, strict=True)))
    return ActivityLog(path=None, frame=frame)


def test_a_device_has_no_power_from_power_off_to_its_next_act_with_an_effect():
    told = _acts(
        (10, "turn_on", "confirmed"),
        (20, "power_off", "confirmed"),
        (30, "turn_on", "no_effect"),
        (40, "power_on", "confirmed"),
        (50, "power_off", "failed"),
        (60, "turn_off", "unchecked"),
        (70, "turn_on", "confirmed"),
        (80, "power_off", "no_effect"),
    )
    spans = without_power(told)
    assert spans[:2] == [(20, 40), (50, 60)]
    assert spans[2][0] == 80
    assert spans[2][1] > 2**61
    assert len(spans) == 3


def test_what_lies_before_a_power_that_came_on_was_without():
    (first,) = without_power(_acts((40, "power_on", "unchecked")))
    assert first[0] < 0
    assert first[1] == 40
    told = _acts((10, "turn_on", "confirmed"), (40, "power_on", "confirmed"))
    assert without_power(told) == [(10, 40)]
    assert without_power(_acts((40, "power_on", "failed"))) == []


def test_idle_windows_are_drawn_where_the_device_has_power(campaign, craft):
    rows = [
        (60, {}),
        (120, {"activity": "power_off"}),
        (300, {"activity": "power_on"}),
        (400, {"activity": "power_off", "outcome": "no_effect"}),
    ]
    folder = campaign([[(t, craft.udp4(b"x")) for t in range(600)]], rows)
    table = read_tables(find_raw(folder), load_campaign(folder).devices)["lamp"]
    rng = np.random.default_rng(1)
    windows = cut(table, load_activities(folder), "lamp", n_idle=1000, rng=rng)
    idle = windows.take(windows.activity == IDLE_ACTIVITY)
    at_s = (idle.start_ns - craft.start_ns) / S
    assert len(idle) > 20
    assert not ((at_s > 115) & (at_s < 305)).any()
    assert not (at_s > 395).any()
    assert windows.unpowered_ns == (180 + 199) * S + 1


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=5)


@slow
@given(spans, spans)
def test_free_stretches_are_those_of_the_naive_twin(covered, busy):
    covered = [(at * S, (at + size) * S) for at, size in covered]
    busy = [(at * S, (at + size) * S) for at, size in busy]

    def is_free(at):
        return any(a <= at <= b for a, b in covered) and not any(
            a <= at < b + IDLE_MARGIN_NS for a, b in busy
        )

    free = free_stretches(covered, busy)
    for at in range(0, 90 * S, S // 2):
        assert any(a <= at < b for a, b in free) == is_free(at)
    assert all(a < b for a, b in free)
    assert all(b <= c for (_a, b), (c, _d) in pairwise(free))


def test_no_room_gives_no_idle_window():
    rng = np.random.default_rng(1)
    assert draw_idle([(0, 4 * S)], [], np.array([5 * S]), 3, rng) == []


def test_a_device_without_activities_or_packets_has_no_windows(evening):
    table, log = evening
    none = cut(
        table, log.of_device("plug"), "plug", n_idle=3, rng=np.random.default_rng(1)
    )
    assert len(none) == 0


def test_overlap_is_refused_or_handled_as_asked(campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in range(30)]
    folder = campaign([packets], [(10, {}), (13, {})])
    tables = read_tables(find_raw(folder), load_campaign(folder).devices)
    log = load_activities(folder)
    with pytest.raises(LabelError):
        cut(tables["lamp"], log, "lamp")
    assert cut(tables["lamp"], log, "lamp", overlap=Overlap.CUT).n_packets.tolist() == [
        3,
        5,
    ]
    assert len(cut(tables["lamp"], log, "lamp", overlap=Overlap.DROP)) == 0


def test_windows_without_a_capture_are_left_out_and_counted(evening):
    table, log = evening
    rows = log.frame.with_columns(
        t_ns=pl.when(pl.col("trial") == "0002")
        .then(pl.col("t_ns") + 3600 * S)
        .otherwise(pl.col("t_ns"))
    )
    moved = ActivityLog(path=log.path, frame=rows)
    rng = np.random.default_rng(1)
    windows = cut(table, moved, "lamp", n_idle=5, rng=rng)
    labelled = windows.take(windows.activity != IDLE_ACTIVITY)
    assert labelled.trial.tolist() == ["0001", "0004"]
    assert (windows.n_uncovered, labelled.n_uncovered) == (1, 1)
    unknown = replace(table, covered_ns=())
    assert len(cut(unknown, moved, "lamp")) == 3
