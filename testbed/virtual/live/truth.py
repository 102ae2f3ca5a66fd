"""Read the ground truth, and say of each packet of a capture what caused it.

TCP packets are matched by sequence numbers, datagrams by a checksum of their payload;
so retransmissions, losses and a capture that begins late do not confuse it. Packets
without data get the cause of what they serve: an acknowledgement that of the bytes it
acknowledges, SYN and FIN that of who opened and closed.
"""

import bisect
import csv
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.reader import read_frames
from testbed.virtual.house.hosts import CONTROLLER, NODES
from testbed.virtual.live.skew import Skew

_IPV4, _ARP = 0x0800, 0x0806
_ICMP, _TCP, _UDP = 1, 6, 17
_SYN = 2
_LEAD_NS = 20_000_000  # a packet may be stamped before its write is noted
_BEACON = b"TBB1"
_CONTROLLER = NODES[CONTROLLER].ip

Cause = tuple[int, str]  # number of the activity (0: none) and kind
Key = tuple[str, int, str, int]  # client and server as seen on br-lan


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueActivity:
    """An activity as it truly began; `true_ns` is on the lab's own clock."""

    number: int
    device: str
    activity: str
    channel: str
    network: str
    parameters: str
    true_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketCauses:
    """For each packet of a capture, in its order, what caused it.

    activity  (n,) int64, number of the true activity, 0 for none
    kind      'activity', 'background', 'boot', 'api', 'beacon', 'arp', 'instrument' or
              'foreign' (nobody knows)
    """

    activity: NDArray[np.int64]
    kind: tuple[str, ...]


def true_activities(truth: Path) -> list[TrueActivity]:
    """Return all true activities in the order in which they were caused."""
    with (truth / "activities.csv").open(newline="", encoding="utf-8") as file:
        return [
            TrueActivity(
                number=int(row["id"]),
                device=row["device"],
                activity=row["activity"],
                channel=row["channel"],
                network=row["network"],
                parameters=row["parameters"],
                true_ns=int(row["true_ns"]),
            )
            for row in csv.DictReader(file)
        ]


def true_capture_ns(true_ns: int, truth: Path) -> int:
    """Return what the capture's clock showed at a true instant."""
    return Skew.load(truth / "clock.json").at(true_ns)


def packet_causes(capture: Path, truth: Path) -> PacketCauses:
    """Match every packet of a capture with what caused it."""
    skew = Skew.load(truth / "clock.json")
    known = _load_writes(truth / "writes.jsonl")
    frames = read_frames(capture)
    causes = [
        known.cause_of(frames.frame(row), _true_ns(int(frames.time_ns[row]), skew))
        for row in range(len(frames))
    ]
    return PacketCauses(
        activity=np.array([number for number, _ in causes], dtype=np.int64),
        kind=tuple(kind for _, kind in causes),
    )


def _true_ns(shown_ns: int, skew: Skew) -> int:
    # Good to a ns per second of drift at 20 ppm after a day; matching needs a few ms.
    guess_ns = shown_ns - skew.offset_ns
    return shown_ns - (skew.at(guess_ns) - guess_ns)


@dataclass(slots=True)
class _Direction:
    """Bytes of one direction of a connection: starts and causes, by offset."""

    first_sequence: int | None = None
    starts: list[int] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    end: int = 0

    def add(self, first: int, last: int, cause: Cause) -> None:
        self.starts.append(first)
        self.causes.append(cause)
        self.end = max(self.end, last)

    def offset(self, sequence: int) -> int | None:
        """Return the offset of a sequence number; -1 is the SYN."""
        if self.first_sequence is None:
            return None
        ahead = (sequence - self.first_sequence) & 0xFFFFFFFF
        return ahead - (1 << 32) if ahead > 1 << 31 else ahead

    def over(self, first: int, last: int) -> Cause | None:
        """Return the cause of bytes [first, last); an activity before background."""
        at = max(0, bisect.bisect_right(self.starts, first) - 1)
        found: Cause | None = None
        while at < len(self.starts) and (self.starts[at] < last or found is None):
            if found is None or self.causes[at][0]:
                found = self.causes[at]
            if found[0]:
                break
            at += 1
        return found


@dataclass(slots=True)
class _Connection:
    opened_ns: int
    opener: Cause
    up: _Direction = field(default_factory=_Direction)
    down: _Direction = field(default_factory=_Direction)

    def cause(self, up: bool, segment: bytes, payload_b: int) -> Cause:
        sequence, acknowledged = struct.unpack_from(">II", segment, 4)
        own, other = (self.up, self.down) if up else (self.down, self.up)
        if segment[13] & _SYN:
            if own.first_sequence is None:  # an end that the lab does not play
                own.first_sequence = (sequence + 1) & 0xFFFFFFFF
            return self.opener
        offset = own.offset(sequence)
        if payload_b and offset is not None:
            return own.over(offset, offset + payload_b) or self.opener
        served = other.offset(acknowledged)
        if offset is not None and offset >= own.end and segment[13] & 5:
            return own.over(own.end - 1, own.end) or self.opener  # FIN or RST
        if served is not None and served > 0:
            return other.over(served - 1, served) or self.opener
        return self.opener


@dataclass(slots=True)
class _Writes:
    """All that was written, ready to be looked up."""

    tcp: dict[Key, list[_Connection]] = field(default_factory=dict)
    udp: dict[tuple[Key, bool, int], list[tuple[int, Cause]]] = field(
        default_factory=dict
    )

    def cause_of(self, frame: bytes, true_ns: int) -> Cause:
        """Return the cause of one Ethernet frame seen at `true_ns`."""
        kind = int.from_bytes(frame[12:14])
        if kind != _IPV4 or len(frame) < 34:
            return (0, "arp" if kind == _ARP else "foreign")
        head_b = (frame[14] & 15) * 4
        packet = frame[14 : 14 + int.from_bytes(frame[16:18])]
        body = packet[head_b:]
        source = ".".join(map(str, packet[12:16]))
        target = ".".join(map(str, packet[16:20]))
        if packet[9] == _TCP and len(body) >= 20:
            return self._tcp(source, target, body, true_ns)
        if packet[9] == _UDP and len(body) >= 8:
            return self._udp(source, target, body, true_ns)
        return (0, "foreign")

    def _tcp(self, source: str, target: str, body: bytes, true_ns: int) -> Cause:
        payload_b = len(body) - (body[12] >> 4) * 4
        for key, up in _keys(source, target, body):
            opened = [
                c for c in self.tcp.get(key, ()) if c.opened_ns <= true_ns + _LEAD_NS
            ]
            if opened:
                return opened[-1].cause(up, body, payload_b)
        # what the testbed itself says to plugs that are instruments
        return (0, "instrument" if _CONTROLLER in (source, target) else "foreign")

    def _udp(self, source: str, target: str, body: bytes, true_ns: int) -> Cause:
        data = body[8:]
        if data.startswith(_BEACON):
            return (0, "beacon")
        for key, up in _keys(source, target, body):
            found = self.udp.get((key, up, zlib.crc32(data)))
            if found:
                return min(found, key=lambda at: abs(at[0] - true_ns))[1]
        return (0, "foreign")


def _keys(source: str, target: str, body: bytes) -> Iterator[tuple[Key, bool]]:
    source_port, target_port = struct.unpack_from(">HH", body)
    yield (source, source_port, target, target_port), True
    yield (target, target_port, source, source_port), False


def _load_writes(path: Path) -> _Writes:
    writes = _Writes()
    with path.open(encoding="ascii") as file:
        for line in file:
            if not line.endswith("\n"):
                break  # the lab was killed in the middle of it
            _take(writes, *json.loads(line))
    return writes


def _take(
    writes: _Writes,
    protocol: str,
    *row: object,  # as `GroundTruth.write` has them
) -> None:
    client, client_port, server, server_port, up, first, last, number, kind, at = row
    key: Key = (str(client), int(str(client_port)), str(server), int(str(server_port)))
    start, end, time_ns = int(str(first)), int(str(last)), int(str(at))
    cause = (int(str(number)), str(kind))
    if protocol == "udp":
        writes.udp.setdefault((key, bool(up), end), []).append((time_ns, cause))
        return
    known = writes.tcp.setdefault(key, [])
    if protocol == "open":
        known.append(_Connection(time_ns, cause))
    elif known:
        direction = known[-1].up if up else known[-1].down
        if protocol == "isn":
            direction.first_sequence = start
        else:
            direction.add(start, end, cause)
