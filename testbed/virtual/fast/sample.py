"""Trials of the house model by themselves: no background, no instruments, no files.

For comparing the model with real traffic. Each trial is alone on the wire, on
connections that are already open.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
from testbed.virtual.house import background, catalogue, speaker
from testbed.virtual.house.act import Act
from testbed.virtual.house.hosts import NODES
from testbed.virtual.house.unit import Unit, generator
from testbed.virtual.house.utterances import Command
from testbed.virtual.traffic import Exchange

_SPACING_NS = 150_000_000_000
_START_NS = 1_800_000_000_000_000_000
_LOSS = 0.008


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The packets of one device in one trial.

    time_s   (n,) float64, from the cause, increasing
    frame_b  (n,) int64, Ethernet frame bytes
    out      (n,) bool, True when the device sent it
    """

    label: str
    time_s: NDArray[np.float64]
    frame_b: NDArray[np.int64]
    out: NDArray[np.bool_]


def sample_activity(
    unit: Unit, act: Act, n: int, *, seed: int, cloud_only: bool = False
) -> tuple[Trace, ...]:
    """Return `n` trials of one activity of one device.

    cloud_only  leave out what others say to the device's own LAN API
    """
    scripts = []
    for k in range(n):
        rng = generator("sample", seed, unit.device, act.activity, act.channel, k)
        exchanges = catalogue.script(unit, act, rng)
        if cloud_only:
            exchanges = tuple(e for e in exchanges if e.server != unit.device)
        scripts.append((act.activity, exchanges))
    return _play(unit, scripts, seed)


def sample_commands(
    unit: Unit, commands: Sequence[Command], repeats: int, *, seed: int
) -> tuple[Trace, ...]:
    """Return `repeats` trials of each spoken command of an Echo, in turn."""
    scripts = [
        (c.name, speaker.spoken(unit, c, generator("sample", seed, c.name, k)))
        for c in commands
        for k in range(repeats)
    ]
    return _play(unit, scripts, seed)


def _play(
    unit: Unit, scripts: Sequence[tuple[str, tuple[Exchange, ...]]], seed: int
) -> tuple[Trace, ...]:
    wire = Wire(Network(loss=_LOSS), generator("sample wire", seed, unit.device))
    for exchange in background.boot(unit, generator("sample boot", seed)):
        wire.add(_START_NS - _SPACING_NS, exchange)
    wire.packets_until(_START_NS)
    ip = ipaddress.ip_address(NODES[unit.device].ip).packed
    traces = []
    for number, (label, exchanges) in enumerate(scripts):
        start_ns = _START_NS + number * _SPACING_NS
        for exchange in exchanges:
            wire.add(start_ns, exchange, 1)
        packets = wire.packets_until(start_ns + _SPACING_NS - 1_000_000_000)
        traces.append(_trace(label, packets, ip, start_ns))
    return tuple(traces)


def _trace(label: str, packets: Sequence[Packet], ip: bytes, start_ns: int) -> Trace:
    own = [
        p
        for p in packets
        if p.way.protocol and p.cause and ip in (p.way.source_ip, p.way.target_ip)
    ]
    return Trace(
        label=label,
        time_s=np.array([(p.time_ns - start_ns) / 1e9 for p in own]),
        frame_b=np.array([_frame_b(p) for p in own], dtype=np.int64),
        out=np.array([p.way.source_ip == ip for p in own], dtype=np.bool_),
    )


def _frame_b(packet: Packet) -> int:
    header_b = UDP_B
    if packet.way.protocol == TCP:
        header_b = SYN_B if packet.flags & SYN else TCP_B
    return ETHERNET_B + IP_B + header_b + len(packet.payload)
