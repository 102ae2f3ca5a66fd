"""Packets of a table as shapes: offsets, and numbers instead of addresses."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.packets import PacketTable
from analysis.pcap.twin_format import PACKETS
from analysis.twins.model import Shapes

_MOST_PACKETS = 20_000  # of one trial; what comes later is left out
_TCP, _UDP = 6, 17
Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


def groups_of(table: PacketTable) -> Int32:
    """Return the number of each packet's group, (n,): with whom, about which service.

    A service has one port and is asked from many: of a device that is asked by others,
    that port is its own, and each connection has another one at the other end.
    """
    own, far = _ports(table)
    ends = table.remote.astype(np.int64), table.protocol.astype(np.int64), own, far
    coded = (((ends[0] << 8) + ends[1] << 16) + own << 16) + far
    _codes, at, of = np.unique(coded, return_index=True, return_inverse=True)
    rows = list(zip(*(each[at].tolist() for each in ends), strict=True))
    asking: dict[tuple[int, ...], set[int]] = {}
    for remote, protocol, near, away in rows:
        asking.setdefault((protocol, near), set()).add(away)
        asking.setdefault((remote, protocol, away), set()).add(near)
    known: dict[tuple[int, ...], int] = {}
    group = []
    for remote, protocol, near, away in rows:
        serves = len(asking[protocol, near]) > len(asking[remote, protocol, away])
        key = (remote, protocol, near if serves else away, serves)
        group.append(known.setdefault(key, len(known)))
    numbers: Int32 = np.array(group, dtype=np.int32)[of]
    return numbers


def _ports(table: PacketTable) -> tuple[Int64, Int64]:
    """Return own and far port of each packet, (n,) int64; 0 where there are none."""
    has_port = np.isin(table.protocol, (_TCP, _UDP))
    source = table.src_port.astype(np.int64) * has_port
    target = table.dst_port.astype(np.int64) * has_port
    out = table.outbound
    return np.where(out, source, target), np.where(out, target, source)


def shapes_of(
    table: PacketTable, first: Int64, last: Int64, start_ns: Int64, group: Int32
) -> Shapes:
    """Return the packets of row spans, their offsets counted from `start_ns`.

    group  of each packet of the table
    """
    last = np.minimum(last, first + _MOST_PACKETS)
    spans = zip(first.tolist(), last.tolist(), strict=True)
    rows = np.concatenate([np.arange(a, b) for a, b in spans] or [first])
    counts = last - first
    taken = table.take(rows)
    own, far = _ports(taken)
    ends = (group[rows], own, far, np.repeat(np.arange(first.size), counts))
    columns = {
        "offset_ns": taken.time_ns - np.repeat(start_ns, counts),
        "length_b": taken.length_b,
        "payload_b": taken.payload_b,
        "outbound": taken.outbound,
        "rare": np.zeros(rows.size, dtype=np.bool_),
        "ethertype": taken.ethertype,
        "protocol": taken.protocol,
        "tcp_flags": taken.tcp_flags,
        "remote": taken.remote,
        "remote_port": far,
        "own_port": own,
        "group": group[rows],
        "flow": _flows(*ends),
    }
    typed = {name: columns[name].astype(dtype) for name, dtype in PACKETS.items()}
    return Shapes(
        packets=typed, first=np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    )


def _flows(group: Any, own: Any, far: Any, trial: Any) -> Int32:
    """Return numbers of the connections of each group within each trial, (n,)."""
    known: dict[tuple[int, ...], int] = {}
    counts: Counter[tuple[int, int]] = Counter()
    found = []
    columns = (each.tolist() for each in (trial, group, own, far))
    for key in zip(*columns, strict=True):
        if key not in known:
            known[key] = counts[key[:2]]
            counts[key[:2]] += 1
        found.append(known[key])
    return np.array(found, dtype=np.int32)


def mark_rare(shapes: Shapes, activity: NDArray[np.int32]) -> None:
    """Mark lengths that one trial of an activity has and no other."""
    counts = np.diff(shapes.first)
    trial = np.repeat(np.arange(len(shapes)), counts)
    length = shapes.packets["length_b"].astype(np.int64)
    pairs = np.unique(np.stack((activity[trial], length, trial), axis=1), axis=0)
    kinds, where, n = np.unique(
        pairs[:, :2], axis=0, return_inverse=True, return_counts=True
    )
    del kinds
    alone = {tuple(row) for row in pairs[n[where.ravel()] == 1].tolist()}
    keys = zip(activity[trial].tolist(), length.tolist(), trial.tolist(), strict=True)
    rare: Any = shapes.packets["rare"]
    rare[:] = [key in alone for key in keys]
