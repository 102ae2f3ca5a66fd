from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.packets.table import PacketTable, empty_table
from analysis.twins import idle, learn_twin, limits_of
from analysis.twins.shapes import groups_of

START_NS = 1_767_607_200_000_000_000
EXAMPLE = Path(__file__).parents[3] / "captures" / "example"


@pytest.fixture
def table():
    """Return a function that makes the packets of flows: remote, protocol, ports."""

    def make(*flows, outbound=True):
        empty = empty_table("lamp")
        n = len(flows)
        remote, protocol, own, far = (np.array(c) for c in zip(*flows, strict=True))
        columns = {
            name: np.zeros(n, dtype=getattr(empty, name).dtype)
            for name in PacketTable.__dataclass_fields__
            if isinstance(getattr(empty, name), np.ndarray)
            and getattr(empty, name).ndim == 1
        }
        columns |= {
            "remote": remote.astype(np.int32),
            "src_port": own.astype(np.uint16),
        }
        columns |= {"dst_port": far.astype(np.uint16), "outbound": np.full(n, outbound)}
        columns |= {"protocol": protocol.astype(np.uint8)}
        others = {
            name: getattr(empty, name)
            for name in PacketTable.__dataclass_fields__
            if name not in columns
        }
        return PacketTable(**{**others, **columns})

    return make


def test_all_who_ask_a_service_of_the_device_from_one_place_are_one_group(table):
    asked = [(0, 6, 49153, port) for port in (40_001, 40_002, 40_003)]
    asks = [(1, 6, port, 443) for port in (50_001, 50_002)]
    other = [(2, 6, 50_003, 443), (1, 17, 50_001, 443), (-1, 0, 0, 0)]
    found = groups_of(table(*asked, *asks, *other)).tolist()
    assert len(set(found[:3])) == 1
    assert len(set(found[3:5])) == 1
    assert len(set(found)) == 5


def test_groups_are_the_same_from_either_end(table):
    flows = [(0, 6, 49153, port) for port in (40_001, 40_002)] + [(1, 6, 50_001, 443)]
    turned = [(remote, protocol, far, own) for remote, protocol, own, far in flows]
    one, other = groups_of(table(*flows)), groups_of(table(*turned, outbound=False))
    assert one.tolist() == other.tolist()


def test_a_capture_that_is_idle_for_some_ms_teaches_no_flood(table, monkeypatch):
    seen = ((START_NS, START_NS + 3_000_000),)
    monkeypatch.setattr(idle, "free_stretches", lambda *_: seen)
    windows = SimpleNamespace(start_ns=np.zeros(0), end_ns=np.zeros(0))
    packets = table((1, 17, 5000, 9998), (1, 17, 5000, 9998))
    times = np.array([START_NS + 1, START_NS + 2_000_000], dtype=np.int64)
    packets = replace(packets, time_ns=times, covered_ns=seen)
    learnt = idle.learn_idle(packets, windows, np.zeros(2, dtype=np.int32))
    assert learnt.observed_s == 0.003
    assert learnt.mean_s.tolist() == [2.0]


def test_what_was_not_learnt_is_told_by_activity():
    learnt = learn_twin(EXAMPLE, "tplink_hs110", activities=["turn_on"])
    limits = limits_of(EXAMPLE, learnt)
    assert [(e.activity, e.n_learnt, e.n_recorded) for e in limits.activities] == [
        ("turn_off", 0, 2),
        ("turn_on", 2, 2),
    ]
    assert [each.activity for each in limits.left_out()] == ["turn_off"]
    assert [each.activity for each in limits.few()] == ["turn_on"]
    assert limits.plaintext
    assert limits.idle_s > 30


def test_ways_that_become_one_mixture_are_told():
    limits = limits_of(EXAMPLE, learn_twin(EXAMPLE, "echo_dot"))
    assert all(not each.ways or len(each.ways) > 1 for each in limits.activities)
