"""The short way to flow records against the long one, by packets, of the fast lab.

The same exchanges go both ways. What may differ is stated here and in docs/homes.md.
"""

import ipaddress
from dataclasses import replace

import numpy as np
import pytest

from testbed.virtual.fast.frames import ETHERNET_B, IP_B, SYN, SYN_B, TCP, TCP_B, UDP_B
from testbed.virtual.fast.wire import Network, Wire
from testbed.virtual.homes import lines as homes_lines
from testbed.virtual.homes.meter import Meter
from testbed.virtual.homes.places import draw_homes
from testbed.virtual.homes.segments import Packets, packets
from testbed.virtual.homes.sheet import empty_sheet
from testbed.virtual.house import House
from testbed.virtual.house.hosts import NODES

START_NS = 1_790_000_000_000_000_000
HOURS = 3
END_NS = START_NS + (HOURS + 1) * 3_600_000_000_000
DELAY_S, LOSS = 0.018, 0.008


def exchanges(profile, seed):
    """Return some hours of background with an activity every ten minutes or so."""
    house, device = House(seed, {profile.device: profile}), profile.device
    found = []
    for at_s, exchange in house.background(device):
        if at_s > HOURS * 3_600:
            break
        found.append((START_NS + round(at_s * 1e9), exchange))
    rng = np.random.default_rng(seed)
    ways = [(a, c) for a, x in profile.activities.items() for c in x.channels]
    for at_s in rng.uniform(0, HOURS * 3_600, HOURS * 6):
        activity, channel = ways[rng.integers(len(ways))]
        done = house.react(
            device,
            activity,
            channel=channel.value,
            network="lan",
            parameters={},
            state=house.initial(device),
        )
        found += [(START_NS + round(at_s * 1e9), e) for e in done.exchanges]
    return sorted(found, key=lambda row: row[0])


def by_the_short_way(device, played):
    home = replace(
        draw_homes(1, 1, 1)[0], delay_s=DELAY_S, loss=LOSS, nat_s=1e9, resets=0.0
    )
    home = replace(home, resolver=f"{home.network}.1")
    sheet = empty_sheet()
    lines = homes_lines.Lines(device, home, sheet, seed=1)
    for at_ns, exchange in played:
        lines.play(at_ns, exchange)
    return packets(sheet.take(), sheet.ends, np.random.default_rng(0))


def by_packets(device, played):
    wire = Wire(Network(loss=LOSS, wan_delay_s=DELAY_S), np.random.default_rng(0))
    for at_ns, exchange in played:
        wire.add(at_ns, exchange)
    ip = ipaddress.ip_address(NODES[device].ip).packed
    rows, numbers = [], {}
    for packet in wire.packets_until(END_NS):
        way = packet.way
        if way.protocol == 0 or ip not in (way.source_ip, way.target_ip):
            continue
        out = way.source_ip == ip
        ends = [(way.source_ip, way.source_port), (way.target_ip, way.target_port)]
        key = (way.protocol, *(ends if out else ends[::-1]))
        head_b = UDP_B
        if way.protocol == TCP:
            head_b = SYN_B if packet.flags & SYN else TCP_B
        size_b = len(packet.payload)
        frame_b = ETHERNET_B + IP_B + head_b + size_b
        number = numbers.setdefault(key, len(numbers))
        rows.append((number, packet.time_ns, out, frame_b, size_b, packet.flags))
    number, time_ns, out, frame_b, size_b, flags = np.array(rows, dtype=np.int64).T
    return Packets(
        number=number,
        time_ns=time_ns,
        out=out.astype(np.bool_),
        frame_b=frame_b,
        payload_b=size_b,
        flags=flags,
    )


@pytest.fixture(scope="module")
def both(echo):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(homes_lines, "farther_s", lambda host, home: 0.0)
        played = exchanges(echo, 3)
        short = by_the_short_way("echo_dot", played)
    long = by_packets("echo_dot", played).sorted()
    return tuple(Meter().records(p, END_NS, last=True) for p in (short, long))


def test_records_are_as_many_within_three_percent(both):
    short, long = (len(r.number) for r in both)
    assert short == pytest.approx(long, rel=0.03)


def test_packets_and_bytes_agree_within_ten_and_three_percent_each_way(both):
    short, long = both
    assert short.packets.sum(1) == pytest.approx(long.packets.sum(1), rel=0.10)
    assert short.bytes.sum(1) == pytest.approx(long.bytes.sum(1), rel=0.03)
    assert short.payload_b.sum(1) == pytest.approx(long.payload_b.sum(1), rel=0.01)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_records_are_spread_alike(both, share):
    packets_of, bytes_of, lasts_s = (
        [np.quantile(f(r), share) for r in both]
        for f in (
            lambda r: r.packets.sum(0),
            lambda r: r.bytes.sum(0),
            lambda r: (r.end_ns - r.start_ns) / 1e9,
        )
    )
    assert packets_of[0] == pytest.approx(packets_of[1], abs=1)
    assert bytes_of[0] == pytest.approx(bytes_of[1], rel=0.05)
    assert lasts_s[0] == pytest.approx(lasts_s[1], rel=0.05, abs=0.003)


def test_connections_are_closed_alike(both):
    short, long = (np.bincount(r.end, minlength=4) for r in both)
    assert short[2] == long[2] > 10
