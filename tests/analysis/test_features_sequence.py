"""The sequence block against counting by hand; what it cannot see; how wide it is."""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.features import sequence as module
from analysis.features.sequence import (
    BLOCKS,
    n_columns,
    sequence_of,
    window_sequence,
)

packet = st.tuples(
    st.sampled_from((0, 60, 66, 1514, 1535, 1536, 1663, 1664, 65_000, 2**31)),
    st.booleans(),
    st.integers(0, 7),
)


def table_of(packets):
    size, out, place = zip(*packets, strict=True) if packets else ((), (), ())
    return SimpleNamespace(
        time_ns=np.arange(len(packets)),
        length_b=np.array(size, dtype=np.uint32),
        outbound=np.array(out, dtype=bool),
        destination=np.array(place, dtype=np.uint8),
    )


def whole(table):
    n = len(table.time_ns)
    return SimpleNamespace(first=np.array([0]), last=np.array([n]))


def token(size, out, place):
    kept = size if size < 1536 else min(1536 + (size - 1536) // 128, 2047)
    return (place, out, kept)


def counts_of(row, block):
    start = row.indptr[0]
    cells = zip(row.indices[start:].tolist(), row.data[start:].tolist(), strict=True)
    where = BLOCKS[block]
    return {c - where.start: n for c, n in cells if where.start <= c < where.stop}


@given(packets=st.lists(packet, max_size=40))
@settings(deadline=None, derandomize=True)
def test_tokens_and_pairs_are_those_that_one_counts_by_hand(packets):
    table = table_of(packets)
    row = sequence_of(table, whole(table))
    tokens = [token(*each) for each in packets]
    single = Counter((p * 2 + o) * 2048 + s for p, o, s in tokens)
    assert counts_of(row, "unigrams") == single
    pairs = []
    for place in range(8):
        here = [each for each in tokens if each[0] == place]
        pairs += pairwise(here)
    got = counts_of(row, "bigrams")
    assert sum(got.values()) == len(pairs)
    # a hash may put two kinds of pairs together, hardly ever so few of them
    assert sorted(got.values()) == sorted(Counter(pairs).values())


@given(packets=st.lists(packet, max_size=60), edges=st.lists(st.integers(0, 60)))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_a_window_has_the_same_tokens_alone_live_and_among_others(packets, edges):
    table = table_of(packets)
    n = len(packets)
    edges = sorted(min(e, n) for e in edges)
    first, last = np.array(edges[:-1], int), np.array(edges[1:], int)
    rows = sequence_of(table, SimpleNamespace(first=first, last=last))
    assert rows.shape == (first.size, n_columns())
    columns = table.time_ns, table.length_b, table.outbound, table.destination
    for i, (a, b) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        live = window_sequence(*columns, a, b)
        assert (live != rows[i : i + 1]).nnz == 0


def test_many_windows_are_counted_in_batches_with_the_same_result(monkeypatch):
    rng = np.random.default_rng(2)
    table = table_of(
        [(int(s), bool(s % 2), int(s % 5)) for s in rng.integers(0, 99, 500)]
    )
    first = np.sort(rng.integers(0, 400, 30))
    made = SimpleNamespace(first=first, last=first + rng.integers(0, 100, 30))
    want = sequence_of(table, made)
    monkeypatch.setattr(module, "_MOST", 60)
    assert (sequence_of(table, made) != want).nnz == 0


def test_the_hash_of_pairs_is_the_one_that_models_were_trained_with():
    table = table_of([(60, True, 5), (1514, False, 5), (66, True, 5), (60, True, 1)])
    row = sequence_of(table, whole(table))
    assert sorted(counts_of(row, "bigrams")) == [17159, 200751]


def test_length_of_windows_and_time_are_nothing_that_the_block_can_see():
    packets = [(60, True, 5), (1514, False, 5), (66, True, 1)]
    near, far = table_of(packets), table_of(packets)
    far.time_ns = far.time_ns * 10**15
    same = sequence_of(near, whole(near)) != sequence_of(far, whole(far))
    assert same.nnz == 0


def test_no_windows_give_no_rows_but_all_columns():
    nothing = SimpleNamespace(first=np.zeros(0, int), last=np.zeros(0, int))
    assert sequence_of(table_of([]), nothing).shape == (0, n_columns())


def test_rows_that_are_not_in_the_table_are_refused():
    table = table_of([(60, True, 0)])
    with pytest.raises(ValueError, match="cut from"):
        sequence_of(table, SimpleNamespace(first=np.array([0]), last=np.array([2])))
    table.destination = table.destination[1:]
    with pytest.raises(ValueError, match="equally long"):
        sequence_of(table, whole(table))
