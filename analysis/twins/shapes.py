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


class Groups:
    """Numbers other ends: address, protocol and port."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], int] = {}

    def numbers(self, remote: Any, protocol: Any, port: Any) -> NDArray[np.int32]:
        """Return the number of each packet's group, (n,) int32."""
        keys = zip(remote.tolist(), protocol.tolist(), port.tolist(), strict=True)
        known = self._known
        found = [known.setdefault(key, len(known)) for key in keys]
        return np.array(found, dtype=np.int32)


def shapes_of(
    table: PacketTable, first: Int64, last: Int64, start_ns: Int64, groups: Groups
) -> Shapes:
    """Return the packets of row spans, their offsets counted from `start_ns`."""
    last = np.minimum(last, first + _MOST_PACKETS)
    spans = zip(first.tolist(), last.tolist(), strict=True)
    rows = np.concatenate([np.arange(a, b) for a, b in spans] or [first])
    counts = last - first
    outbound = table.outbound[rows]
    has_port = np.isin(table.protocol[rows], (_TCP, _UDP))
    out, back = table.src_port[rows], table.dst_port[rows]
    own = np.where(outbound, out, back) * has_port
    remote_port = np.where(outbound, back, out) * has_port
    protocol, remote = table.protocol[rows], table.remote[rows]
    # of a datagram the larger port is whichever end opened: both name one group
    group = groups.numbers(remote, protocol, remote_port)
    columns = {
        "offset_ns": table.time_ns[rows] - np.repeat(start_ns, counts),
        "length_b": table.length_b[rows],
        "payload_b": table.payload_b[rows],
        "outbound": outbound,
        "rare": np.zeros(rows.size, dtype=np.bool_),
        "ethertype": table.ethertype[rows],
        "protocol": protocol,
        "tcp_flags": table.tcp_flags[rows],
        "remote": remote,
        "remote_port": remote_port,
        "own_port": own,
        "group": group,
        "flow": _flows(group, own, np.repeat(np.arange(first.size), counts)),
    }
    typed = {name: columns[name].astype(dtype) for name, dtype in PACKETS.items()}
    return Shapes(
        packets=typed, first=np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    )


def _flows(group: Any, own: Any, trial: Any) -> NDArray[np.int32]:
    """Return numbers of the connections of each group within each trial, (n,)."""
    known: dict[tuple[int, int, int], int] = {}
    counts: Counter[tuple[int, int]] = Counter()
    found = []
    for key in zip(trial.tolist(), group.tolist(), own.tolist(), strict=True):
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
