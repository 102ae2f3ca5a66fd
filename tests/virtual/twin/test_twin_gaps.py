from dataclasses import replace

import numpy as np
import pytest

from testbed.virtual.twin.gaps import Gaps, gaps_of
from testbed.virtual.twin.groups import connections, roles_of


def with_gaps(part, gaps):
    offset = np.concatenate(([0], np.cumsum(gaps))).astype(np.int64)
    return replace(part, columns={**part.columns, "offset_ns": offset})


def test_gaps_that_are_always_the_same_stay_and_others_move_a_little(twin):
    part = twin.trials["ask"][0].shape
    rng = np.random.default_rng(0)
    n = len(part) - 1
    is_reply = part.columns["outbound"][:-1] & ~part.columns["outbound"][1:]
    parts = [
        with_gaps(part, np.where(is_reply, 1_000_000, rng.gamma(2, 4e6, n)))
        for _ in range(9)
    ]
    moved = Gaps(parts).moved(parts[0], 1.0, rng)
    ratio = moved / gaps_of(parts[0])
    # of the first there are too few to tell
    assert ratio[is_reply][1:] == pytest.approx(1.0, abs=1e-3)
    others = ratio[~is_reply]
    assert 0.01 < np.abs(np.log(others)).mean() < 0.08
    assert (others > 0.9).all()
    assert (others < 1.11).all()


def test_without_spread_no_gap_moves_far(twin):
    part = twin.trials["ask"][0].shape
    moved = Gaps([part]).moved(part, 0.0, np.random.default_rng(0))
    assert moved == pytest.approx(gaps_of(part), rel=2e-3)


def test_a_service_of_the_twin_is_told_by_its_one_port(twin):
    assert roles_of(twin) == {0: (6, 443, False)}
    (first, *rest) = twin.trials["ask"]
    far = np.arange(len(first.shape), dtype=np.uint16) + 40_000
    asked = replace(first.shape, columns={**first.shape.columns, "remote_port": far})
    trials = {"ask": (replace(first, shape=asked), *rest), "stop": twin.trials["stop"]}
    assert roles_of(replace(twin, trials=trials)) == {0: (6, 40_000, True)}


def test_connections_of_a_part_are_told_apart_and_in_order(twin):
    part = twin.trials["ask"][0].shape
    flow = np.arange(len(part), dtype=np.int32) % 3
    parted = connections(replace(part, columns={**part.columns, "flow": flow}))
    assert [int(each.columns["flow"][0]) for each in parted] == [0, 1, 2]
    assert sum(map(len, parted)) == len(part)
