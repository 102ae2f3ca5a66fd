"""Flows of Joy: one JSON object per line, as of CESNET's smart-home sets.

Joy counts bytes above TCP and UDP; frames are reckoned from these with plain heads (14
bytes of Ethernet, 20 or 40 of IP, 20 of TCP, 8 of UDP), which is a little too little
where TCP has options. Gaps are known to the millisecond, where all packets are listed.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import DatasetError
from analysis.flows.foreign import (
    ETHERNET_B,
    IPV4_B,
    IPV6_B,
    Row,
    RowError,
    ns_of_float,
    whole,
)

_MOST = 1 << 48  # more than any flow has; sums of it still fit into 64 bits
_HEADS = {6: 20, 17: 8}
_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
_WAYS = {">": 0, "<": 1}
_SIDES = ("out", "in")
_BROKEN = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)
_ENDS = {"a": "active", "i": "idle"}


def joy_rows(path: Path) -> Iterator[Row]:
    """Read a file of Joy, line by line. Raises DatasetError, with the line."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                found = json.loads(line) if line.strip() else {}
                # else a line about the program itself
                row = _row(found) if "sa" in found else None
            except KeyError as exc:
                reason = f"line {number}: lacks {exc.args[0]!r}"
                raise DatasetError(f"{path}: is no flow of Joy: {reason}") from exc
            except RowError as exc:
                reason = f"line {number}: {exc}"
                raise DatasetError(f"{path}: is no flow of Joy: {reason}") from exc
            except _BROKEN as exc:
                reason = f"line {number}: is not as Joy writes it, or cut"
                raise DatasetError(f"{path}: is no flow of Joy: {reason}") from exc
            if row is not None:
                yield row


def _row(of: Mapping[str, Any]) -> Row:
    protocol = whole(of["pr"], "pr", 0, 255)
    packets = (_count(of, "num_pkts_out", None), _count(of, "num_pkts_in"))
    payload_b = (_count(of, "bytes_out", None), _count(of, "bytes_in"))
    is_v6 = ":" in of["sa"]
    head_b = ETHERNET_B + (IPV6_B if is_v6 else IPV4_B) + _HEADS.get(protocol, 0)
    flags = _flags(of)
    closed = (flags[0] | flags[1]) & 4 or flags[0] & flags[1] & 1
    end = _ENDS.get(str(of.get("expire_type")), "capture")
    return Row(
        start_ns=ns_of_float(of["time_start"]),
        end_ns=ns_of_float(of["time_end"]),
        protocol=protocol,
        addresses=(str(of["sa"]), str(of["da"])),
        ports=(_port(of["sp"]), _port(of["dp"])),
        packets=packets,
        bytes=(payload_b[0] + head_b * packets[0], payload_b[1] + head_b * packets[1]),
        payload_b=payload_b,
        tcp_flags=flags,
        ttl=_ttl(of),
        gaps_s=_gaps(of.get("ppi", ()), sum(packets)),
        server_name=_name(of),
        end="closed" if closed else end,
    )


def _count(of: Mapping[str, Any], name: str, missing: int | None = 0) -> int:
    """Return a number of packets or bytes; KeyError where it must be there and is not.

    missing  what it is then; None where it must be there
    """
    value = of[name] if missing is None else of.get(name, missing)
    return whole(value, name, 0, _MOST)


def _port(value: Any) -> int:
    return whole(value or 0, "a port", 0, (1 << 16) - 1)


def _ttl(of: Mapping[str, Any]) -> tuple[int, int]:
    about = of.get("ip", {})
    sent, received = (int(about.get(side, {}).get("ttl", 0)) & 255 for side in _SIDES)
    return sent, received


def _flags(of: Mapping[str, Any]) -> tuple[int, int]:
    """Return the flags of all listed packets, or of the first SYN where none is."""
    seen = [0, 0]
    for side, way in (("out", 0), ("in", 1)):
        for letter in str(of.get("tcp", {}).get(side, {}).get("flags", "")):
            seen[way] |= _BITS.get(letter, 0)
    for packet in of.get("ppi", ()):
        way = _WAYS[packet["dir"]]
        for letter in str(packet.get("flags", "")):
            seen[way] |= _BITS.get(letter, 0)
    return seen[0], seen[1]


def _gaps(listed: Any, n: int) -> tuple[float, float, float, float] | None:
    if n < 2 or len(listed) != n:
        return None
    gaps_s = np.diff(np.sort([float(packet["t"]) for packet in listed])) / 1e3
    return (
        float(gaps_s.mean()),
        float(gaps_s.std()),
        float(gaps_s.min()),
        float(gaps_s.max()),
    )


def _name(of: Mapping[str, Any]) -> str:
    names = of.get("tls", {}).get("sni") or ()
    return str(names[0]).lower() if names else ""
