"""Are conversations of ours those of tshark: each packet, byte, stamp, flag and TTL?

Two views of tshark are compared with records without timeouts: what it says of every
packet, added up by its streams, and its own tables of conversations. Of fragments it is
asked not to make whole packets, as everywhere in this project.
"""

import ipaddress
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.flows import CONVERSATIONS, FlowRecords, Subject, extract

FIELDS = (
    *("frame.time_epoch", "frame.len", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst"),
    *("ip.proto", "tcp.stream", "udp.stream", "tcp.srcport", "udp.srcport"),
    *("tcp.dstport", "udp.dstport", "tcp.len", "udp.length", "tcp.flags"),
    *("ip.ttl", "ipv6.hlim"),
)
SETTINGS = (
    *("ip.defragment:FALSE", "ipv6.defragment:FALSE"),
    *("tcp.desegment_tcp_streams:FALSE", "tcp.analyze_sequence_numbers:FALSE"),
)
_ROW = re.compile(r"^(\S+) +<-> (\S+) +(\d+) \d+ (?:bytes|.B) +(\d+) \d+ (?:bytes|.B) ")
_TITLE = re.compile(r"^(TCP|UDP) Conversations")
_NUMBER = {"TCP": 6, "UDP": 17}
_UDP_HEAD_B = 8
Row = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What both sides say of one capture.

    packets   that are TCP or UDP;  ours, theirs  conversations
    differ    some that only one side has, as text
    """

    packets: int
    ours: int
    theirs: int
    differ: tuple[str, ...]


def compare(path: Path) -> Compared:
    """Compare one capture. Raises CaptureError, or OSError without tshark."""
    lines = _tshark(path)
    at = next((k for k, line in enumerate(lines) if line.startswith("====")), None)
    packets = [line.split("\x1f") for line in lines[:at]]
    theirs = Counter(_streams(packets))
    records = FlowRecords.joined(list(extract([path], [Subject()], CONVERSATIONS)))
    records = records.take(np.isin(records.protocol, (6, 17)))
    ours = Counter(_rows(records))
    differ = [f"only tshark: {row}" for row in theirs - ours]
    differ += [f"only ours: {row}" for row in ours - theirs]
    tables = Counter(_table(lines[at:] if at is not None else []))
    own = Counter(_short(row) for row in ours.elements())
    differ += [f"only in tshark's table: {row}" for row in tables - own]
    differ += [f"not in tshark's table: {row}" for row in own - tables]
    n = int((records.packets_out + records.packets_in).sum())
    return Compared(
        packets=n,
        ours=ours.total(),
        theirs=theirs.total(),
        differ=tuple(differ[:8]),
    )


def _tshark(path: Path) -> list[str]:
    words = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    words += ["-E", "separator=\x1f", "-E", "occurrence=f"]
    words += [word for field in FIELDS for word in ("-e", field)]
    words += [word for each in SETTINGS for word in ("-o", each)]
    words += ["-z", "conv,tcp", "-z", "conv,udp"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def _streams(packets: Sequence[Sequence[str]]) -> Iterator[Row]:
    """Add packets up by stream, seen from who sent the first."""
    found: dict[tuple[int, str], list[Sequence[str]]] = {}
    for of in packets:
        is_tcp = of[7] != "" and of[6] in ("6", "")
        is_udp = of[8] != "" and of[6] in ("17", "") and not is_tcp
        if is_tcp or is_udp:
            key = (6, of[7]) if is_tcp else (17, of[8])
            found.setdefault(key, []).append(of)
    for (protocol, _), rows in found.items():
        yield _added_up(protocol, rows)


def _added_up(protocol: int, rows: Sequence[Sequence[str]]) -> Row:
    first = rows[0]
    at = 9 if protocol == 6 else 10
    began = (_address(first[2] or first[3]), first[at])
    other = (_address(first[4] or first[5]), first[at + 2])
    sides: tuple[list[Sequence[str]], list[Sequence[str]]] = ([], [])
    for of in rows:
        sides[(_address(of[2] or of[3]), of[at]) != began].append(of)
    stamps = [_ns(of[0]) for of in rows]
    sums: list[int] = []
    for side in sides:
        sums += [
            len(side),
            sum(int(of[1]) for of in side),
            sum(_payload_b(protocol, of) for of in side),
            _or(int(of[15] or "0", 16) & 255 for of in side),
            min((int(of[16] or of[17] or 0) for of in side), default=0),
        ]
    return (protocol, *began, *other, min(stamps), max(stamps), *sums)


def _payload_b(protocol: int, of: Sequence[str]) -> int:
    if protocol == 6:
        return int(of[13] or 0)
    return max(int(of[14] or 0) - _UDP_HEAD_B, 0)


def _or(numbers: Iterator[int]) -> int:
    total = 0
    for number in numbers:
        total |= number
    return total


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _ns(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))


def _rows(records: FlowRecords) -> Iterator[Row]:
    names = ("protocol", "device_address", "device_port", "remote_address")
    names += ("remote_port", "start_ns", "end_ns")
    for side in ("out", "in"):
        names += (f"packets_{side}", f"bytes_{side}", f"payload_{side}_b")
        names += (f"tcp_flags_{side}", f"ttl_{side}")
    columns = [getattr(records, name).tolist() for name in names]
    columns[2] = list(map(str, columns[2]))
    columns[4] = list(map(str, columns[4]))
    return zip(*columns, strict=True)


def _short(row: Row) -> Row:
    """Return what a table of tshark says of a conversation."""
    ends = ((row[1], row[2], row[7]), (row[3], row[4], row[12]))
    return (row[0], *sorted(ends))


def _table(lines: Sequence[str]) -> Iterator[Row]:
    protocol = 0
    for line in lines:
        if title := _TITLE.match(line):
            protocol = _NUMBER[title.group(1)]
        if row := _ROW.match(line):
            received, sent = int(row.group(3)), int(row.group(4))
            ends = []
            for text, n in ((row.group(1), sent), (row.group(2), received)):
                address, _, port = text.rpartition(":")
                ends.append((_address(address.strip("[]")), port, n))
            yield (protocol, *sorted(ends))
