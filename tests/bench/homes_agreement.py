"""The short way to flow records beside the long one, by packets of the fast lab.

The same exchanges of the house go both ways: `short` by the columns of the simulated
homes, `long` by packets. Used by the tests, at a smaller size, and by the bench.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from testbed.model.profile import DeviceProfile
from testbed.virtual.fast.frames import (
    ETHERNET_B,
    IP_B,
    SYN,
    SYN_B,
    TCP,
    TCP_B,
    UDP_B,
    Packet,
)
from testbed.virtual.fast.wire import Network, Wire
from testbed.virtual.homes.lines import Lines
from testbed.virtual.homes.meter import Meter, Records
from testbed.virtual.homes.places import draw_homes
from testbed.virtual.homes.segments import Packets, packets
from testbed.virtual.homes.sheet import empty_sheet
from testbed.virtual.house import House
from testbed.virtual.house.hosts import NODES
from testbed.virtual.traffic import Exchange

START_NS = 1_790_000_000_000_000_000
_HOUR_NS = 3_600_000_000_000
_DELAY_S, _LOSS = 0.018, 0.008
_VALUES = {"colour": "red", "brightness": "60"}
Played = Sequence[tuple[int, Exchange]]


class _Near(Lines):
    """Lines whose servers are all as far as those of the fast lab."""

    def _far_end(self, other: str, port: int, at_ns: int) -> tuple[str, str, int, int]:
        remote, name, ttl, delay_ns = super()._far_end(other, port, at_ns)
        return remote, name, ttl, min(delay_ns, round(_DELAY_S * 1e9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """Records of the same exchanges, made either way."""

    long: Records
    short: Records


def both(profile: DeviceProfile, hours: int, seed: int) -> Both:
    """Return the records of some hours of one device."""
    played = sorted(_exchanges(profile, hours, seed), key=lambda row: row[0])
    end_ns = START_NS + (hours + 1) * _HOUR_NS
    short = _by_columns(profile.device, played)
    long = _by_packets(profile.device, played, end_ns)
    return Both(
        long=Meter().records(long, end_ns, last=True),
        short=Meter().records(short, end_ns, last=True),
    )


def figures(found: Both) -> dict[str, tuple[float, float]]:
    """Return what is compared: of the long way, of the short one."""
    rows: dict[str, tuple[float, float]] = {}
    pair = (found.long, found.short)
    rows["records"] = _two(len(r.number) for r in pair)
    rows["closed"] = _two((r.end == 2).sum() for r in pair)
    for name in ("packets", "bytes", "payload_b"):
        for k, side in enumerate(("out", "in")):
            label = f"{name.removesuffix('_b')} {side}"
            rows[label] = _two(getattr(r, name)[k].sum() for r in pair)
    for q in (0.25, 0.5, 0.75, 0.9, 0.95):
        label = f"{q:.0%} of records: "
        rows[label + "packets"] = _two(np.quantile(r.packets.sum(0), q) for r in pair)
        rows[label + "bytes"] = _two(np.quantile(r.bytes.sum(0), q) for r in pair)
        rows[label + "s"] = _two(
            np.quantile((r.end_ns - r.start_ns) / 1e9, q) for r in pair
        )
    return rows


def _two(values: Iterator[float]) -> tuple[float, float]:
    long, short = (float(value) for value in values)
    return long, short


def _exchanges(
    profile: DeviceProfile, hours: int, seed: int
) -> Iterator[tuple[int, Exchange]]:
    """Yield background, and an activity every ten minutes or so."""
    house, device = House(seed, {profile.device: profile}), profile.device
    for at_s, exchange in house.background(device):
        if at_s > hours * 3_600:
            break
        yield START_NS + round(at_s * 1e9), exchange
    rng = np.random.default_rng(seed)
    ways = [
        (name, channel.value)
        for name, activity in profile.activities.items()
        for channel in activity.channels
        if channel.value != "power"
    ]
    for at_s in rng.uniform(0, hours * 3_600, hours * 6):
        activity, channel = ways[rng.integers(len(ways))]
        done = house.react(
            device,
            activity,
            channel=channel,
            network="lan",
            parameters=_VALUES,
            state=house.initial(device),
        )
        if done is not None:
            for exchange in done.exchanges:
                yield START_NS + round(at_s * 1e9), exchange


def _by_columns(device: str, played: Played) -> Packets:
    home = draw_homes(1, 1, 1)[0]
    home = replace(
        home,
        delay_s=_DELAY_S,
        loss=_LOSS,
        nat_s=1e9,
        resets=0.0,
        resolver=f"{home.network}.1",
    )
    sheet = empty_sheet()
    lines = _Near(device, home, sheet, seed=1)
    for at_ns, exchange in played:
        lines.play(at_ns, exchange)
    return packets(sheet.take(), sheet.ends, np.random.default_rng(0))


def _by_packets(device: str, played: Played, end_ns: int) -> Packets:
    network = Network(loss=_LOSS, wan_delay_s=_DELAY_S)
    wire = Wire(network, np.random.default_rng(0))
    for at_ns, exchange in played:
        wire.add(at_ns, exchange)
    ip = ipaddress.ip_address(NODES[device].ip).packed
    rows, numbers = [], {}
    for packet in wire.packets_until(end_ns):
        way = packet.way
        if way.protocol == 0 or ip not in (way.source_ip, way.target_ip):
            continue
        out = way.source_ip == ip
        ends = [(way.source_ip, way.source_port), (way.target_ip, way.target_port)]
        key = (way.protocol, *(ends if out else ends[::-1]))
        number = numbers.setdefault(key, len(numbers))
        row = (packet.time_ns, out, _frame_b(packet), len(packet.payload), packet.flags)
        rows.append((number, *row))
    number, time_ns, out, frame_b, size_b, flags = np.array(rows, dtype=np.int64).T
    return Packets(
        number=number,
        time_ns=time_ns,
        out=out.astype(np.bool_),
        frame_b=frame_b,
        payload_b=size_b,
        flags=flags,
    )


def _frame_b(packet: Packet) -> int:
    head_b = UDP_B
    if packet.way.protocol == TCP:
        head_b = SYN_B if packet.flags & SYN else TCP_B
    return ETHERNET_B + IP_B + head_b + len(packet.payload)
