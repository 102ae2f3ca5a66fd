"""Features of packets that come piece by piece are those of the whole table."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.features import chunks as module
from analysis.features.chunks import features_over
from analysis.features.matrix import feature_names, features_of
from analysis.features.sequence import sequence_of

START_NS = 1_780_000_000 * 10**9


def packets(time_ns, seed=0):
    rng = np.random.default_rng(seed)
    n = len(time_ns)
    return SimpleNamespace(
        time_ns=np.array(time_ns, dtype=np.int64) + START_NS,
        length_b=rng.integers(60, 1515, n).astype(np.uint32),
        outbound=rng.random(n) < 0.4,
        destination=rng.integers(0, 8, n).astype(np.uint8),
    )


def pieces(table, at):
    edges = [0, *sorted(at), table.time_ns.size]
    for a, b in pairwise(edges):
        yield SimpleNamespace(
            time_ns=table.time_ns[a:b],
            length_b=table.length_b[a:b],
            outbound=table.outbound[a:b],
            destination=table.destination[a:b],
        )


def spans(pairs):
    start_ns, end_ns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T + START_NS
    return SimpleNamespace(start_ns=start_ns, end_ns=end_ns)


def with_rows(table, made):
    first = np.searchsorted(table.time_ns, made.start_ns)
    last = np.maximum(first, np.searchsorted(table.time_ns, made.end_ns))
    return SimpleNamespace(**vars(made), first=first, last=last)


@st.composite
def cases(draw):
    # few different stamps, so that seams and ends of windows often fall on equal ones
    instant = st.integers(0, draw(st.sampled_from((3, 60, 10**6))))
    stamps = sorted(draw(st.lists(instant, max_size=120)))
    pairs = draw(st.lists(st.tuples(instant, instant), max_size=12))
    seams = draw(st.lists(st.integers(0, len(stamps)), max_size=20))
    return stamps, pairs, seams


@given(case=cases(), seed=st.integers(0, 9))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_any_chunking_gives_every_bit_of_the_whole_table(case, seed):
    stamps, pairs, seams = case
    table, made = packets(stamps, seed), spans(pairs)
    rows = with_rows(table, made)
    names, want = features_of(table, rows)
    got_names, x, n_packets, sequence = features_over(pieces(table, seams), made)
    assert got_names == names
    assert x.tobytes() == want.tobytes()
    assert n_packets.tolist() == (rows.last - rows.first).tolist()
    assert (sequence != sequence_of(table, rows)).nnz == 0


def test_what_did_not_come_is_as_late_as_the_longest_window_that_ends_last():
    made = spans([(0, 10), (20, 30), (100, 10**9)])
    _names, x, n_packets, _sequence = features_over(
        pieces(packets([1, 15, 31, 200]), [2]), made
    )
    delay = feature_names().index("both_delay_s")
    assert n_packets.tolist() == [1, 0, 1]
    assert x[1, delay] == (10**9 - 100) / 1e9


def test_no_more_than_the_open_windows_are_kept(monkeypatch):
    kept = []

    class Watched(module._Pending):
        def forget(self, before_ns):
            super().forget(before_ns)
            kept.append((self.time_ns.size, self._columns[0].size))

    monkeypatch.setattr(module, "_Pending", Watched)
    n, chunk = 200_000, 1_000
    table = packets(np.arange(n) * 10)
    starts = np.arange(0, n * 10, 40_000)
    made = spans(np.column_stack((starts, starts + 20_000)))
    features_over(pieces(table, range(chunk, n, chunk)), made)
    assert len(kept) > 150
    live, room = np.max(kept, axis=0)
    assert live <= 2_000 + chunk
    assert room <= 4 * (2_000 + chunk)


def test_reading_stops_when_the_last_window_has_ended():
    table = packets(np.arange(100))
    read = []

    def source():
        for piece in pieces(table, range(10, 100, 10)):
            read.append(piece)
            yield piece

    features_over(source(), spans([(3, 7), (12, 25)]))
    assert len(read) == 3


def test_packets_out_of_order_are_refused_within_a_chunk_and_over_the_seam():
    made = spans([(0, 100)])
    with pytest.raises(ValueError, match="sorted"):
        features_over([packets([1, 5, 4])], made)
    with pytest.raises(ValueError, match="sorted"):
        features_over([packets([1, 5]), packets([4, 9])], made)
