"""Records end where they should, whatever the day's end cuts through."""

import numpy as np
import pytest

from testbed.virtual.homes.meter import END_WORDS, Meter
from testbed.virtual.homes.segments import Packets
from testbed.virtual.homes.sheet import ACK, FIN, RST

SECOND_NS = 1_000_000_000
HOUR_NS = 3_600 * SECOND_NS


def packets(rows):
    """Return packets of rows (connection, s, out, frame_b, flags)."""
    number, at_s, out, frame_b, flags = zip(*rows, strict=True)
    frames = np.array(frame_b, dtype=np.int64)
    return Packets(
        number=np.array(number, dtype=np.int64),
        time_ns=np.round(np.array(at_s) * SECOND_NS).astype(np.int64),
        out=np.array(out, dtype=np.bool_),
        frame_b=frames,
        payload_b=frames - 60,
        flags=np.array(flags, dtype=np.int64),
    )


def ends_of(records):
    return [END_WORDS[code] for code in records.end]


def test_a_gap_of_the_idle_timeout_does_not_end_a_record_but_more_does():
    found = Meter().records(
        packets(
            [(0, 0.0, True, 60, 0), (0, 15.0, True, 60, 0), (0, 30.1, True, 60, 0)]
        ),
        HOUR_NS,
        last=True,
    )
    assert found.packets[0].tolist() == [2, 1]
    assert ends_of(found) == ["idle", "idle"]


def test_a_record_is_cut_when_it_is_as_old_as_the_active_timeout():
    rows = [(0, 10.0 * k, k % 2 == 0, 100, ACK) for k in range(9)]
    found = Meter().records(packets(rows), HOUR_NS, last=True)
    assert (found.start_ns // SECOND_NS).tolist() == [0, 60]
    assert found.packets.tolist() == [[3, 2], [3, 1]]
    assert ends_of(found) == ["active", "idle"]


def test_connections_are_closed_by_both_ends_or_by_a_reset():
    rows = [
        (0, 0.0, True, 60, FIN | ACK),
        (0, 0.1, False, 60, FIN | ACK),
        (1, 0.0, True, 60, FIN | ACK),
        (2, 0.0, False, 60, RST),
    ]
    found = Meter().records(packets(rows), HOUR_NS, last=True)
    assert dict(zip(found.number.tolist(), ends_of(found), strict=True)) == {
        0: "closed",
        1: "idle",
        2: "closed",
    }


def test_what_still_goes_on_ends_with_the_capture():
    rows = [(0, 3_590.0, True, 60, 0), (1, 3_580.0, True, 60, 0)]
    found = Meter().records(packets(rows), HOUR_NS, last=True)
    assert ends_of(found) == ["idle", "capture"]


def test_gaps_are_those_between_all_packets_of_a_record():
    rows = [(0, s, s > 1, 60, 0) for s in (0.0, 1.0, 4.0)]
    found = Meter().records(packets(rows), HOUR_NS, last=True)
    assert found.gaps_s[:, 0] == pytest.approx([2.0, 1.0, 1.0, 3.0])


@pytest.mark.parametrize("seed", range(8))
def test_days_one_by_one_give_the_records_of_all_days_at_once(seed):
    rng = np.random.default_rng(seed)
    n, day_s = 1_200, 120.0
    columns = (
        rng.integers(0, 30, n),
        rng.uniform(0, 4 * day_s, n),
        rng.random(n) < 0.5,
        60 + rng.integers(0, 900, n),
        rng.choice((0, ACK, FIN), n, p=(0.5, 0.4, 0.1)),
    )
    rows = list(zip(*(c.tolist() for c in columns), strict=True))
    whole = Meter().records(packets(rows), round(4 * day_s) * SECOND_NS, last=True)
    meter, parts = Meter(), []
    for day in range(4):
        end_s = (day + 1) * day_s
        part = [r for r in rows if day * day_s <= r[1] < end_s]
        until_ns = round(end_s) * SECOND_NS
        parts.append(meter.records(packets(part), until_ns, last=day == 3))
    for name in ("number", "start_ns", "end_ns", "packets", "bytes", "gaps_s", "end"):
        found = np.concatenate([getattr(p, name) for p in parts], axis=-1)
        assert np.array_equal(found, getattr(whole, name), equal_nan=name == "gaps_s")
    assert set(ends_of(whole)) == set(END_WORDS)
