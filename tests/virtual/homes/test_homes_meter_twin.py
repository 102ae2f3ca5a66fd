"""The meter of the homes against the one that reads captures: the same records."""

import numpy as np
import pytest

from analysis.flows import kernels
from analysis.flows import meter as captured
from testbed.virtual.homes.meter import ACTIVE_S, IDLE_S, Meter
from testbed.virtual.homes.segments import Packets
from testbed.virtual.homes.sheet import ACK, FIN, RST

SECOND_NS = 1_000_000_000
END_NS = 480 * SECOND_NS
DEVICE, REMOTE = (0, 0x0A00_0001), (0, 0x0A00_0002)


def drawn(seed):
    """Return (connection, stamp, out, frame, flags) of packets by time."""
    rng = np.random.default_rng(seed)
    n = 1_500
    return (
        rng.integers(0, 30, n),
        np.sort(rng.integers(0, END_NS, n)),
        rng.random(n) < 0.5,
        60 + rng.integers(0, 900, n),
        rng.choice((0, ACK, FIN, RST), n, p=(0.5, 0.35, 0.1, 0.05)),
    )


def by_columns(number, time_ns, out, frame_b, flags):
    packets = Packets(
        number=number,
        time_ns=time_ns,
        out=out,
        frame_b=frame_b,
        payload_b=frame_b - 60,
        flags=flags,
    )
    return Meter().records(packets, END_NS, last=True)


def by_capture(number, time_ns, out, frame_b, flags):
    n = time_ns.size
    own, other = (np.array([a] * n, dtype=np.uint64) for a in (DEVICE, REMOTE))
    own_port, other_port = (1_000 + number).astype(np.uint16), np.uint16(443)
    meter = captured.Meter(
        idle_ns=round(IDLE_S * SECOND_NS), active_ns=round(ACTIVE_S * SECOND_NS)
    )
    packets = captured.Packets(
        time_ns=time_ns,
        length_b=frame_b,
        payload_b=frame_b - 60,
        outbound=out,
        ttl=np.full(n, 64, dtype=np.uint8),
        protocol=np.full(n, 6, dtype=np.uint8),
        src=np.where(out[:, None], own, other),
        dst=np.where(out[:, None], other, own),
        src_port=np.where(out, own_port, other_port),
        dst_port=np.where(out, other_port, own_port),
        segment=np.full(n, True),
        tcp_flags=flags.astype(np.uint8),
        seq=np.zeros(n, dtype=np.uint32),
        ack=np.zeros(n, dtype=np.uint32),
    )
    return captured.joined([meter.add(packets), meter.finish(END_NS)])


@pytest.mark.parametrize("seed", range(4))
def test_both_meters_make_the_same_records(seed):
    short, long = by_columns(*drawn(seed)), by_capture(*drawn(seed))
    ours = np.argsort(short.start_ns)
    theirs = np.argsort(long.totals[:, kernels.START])
    totals = long.totals[theirs]
    for name, at in (("start_ns", kernels.START), ("end_ns", kernels.LAST)):
        assert np.array_equal(getattr(short, name)[ours], totals[:, at])
    assert np.array_equal(short.end[ours], totals[:, kernels.END])
    assert np.array_equal(short.outbound[ours], totals[:, kernels.OUTBOUND] == 1)
    for name in ("packets", "bytes", "flags"):
        at = getattr(kernels, name.upper())
        assert np.array_equal(getattr(short, name)[:, ours], totals[:, at : at + 2].T)
    n_gaps = totals[:, kernels.PACKETS : kernels.PACKETS + 2].sum(axis=1) - 1
    many = n_gaps > 0
    gaps = long.gaps[theirs][many]
    gaps[:, kernels.SQUARES] = np.sqrt(gaps[:, kernels.SQUARES] / n_gaps[many])
    found = short.gaps_s[:, ours][:, many].T
    assert found == pytest.approx(gaps, abs=1e-6)
    assert many.any()
    assert (~many).any()
