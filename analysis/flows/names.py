"""Names of servers, as far as anybody on the path can read them.

A TLS ClientHello names the server of its own connection; a DNS answer names addresses
before anything goes there. Both are parsed from single packets: a ClientHello whose
name lies in its second segment, DNS over TCP, TLS or HTTPS, and QUIC tell nothing.
What cannot be parsed is passed over, for packets can hold anything.
"""

import re
import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterator

DNS_PORT = 53
_MAPPED = 0xFFFF << 32
_MOST_LABELS = 128
_A, _AAAA = 1, 28
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
_MOST_KEYS = 1 << 16
_MOST_TOLD = 16


def dns_answers(payload: bytes) -> tuple[str, list[int]]:
    """Return the name that a DNS answer is about, and the addresses it gives.

    Addresses are IPv6 numbers, IPv4 ones mapped. They belong to the name that was asked
    for, whatever aliases lie between. ('', []) for what is no such answer.
    """
    try:
        _, bits, questions, answers = struct.unpack_from(">HHHH", payload)
        if not bits & 0x8000 or bits & 15 or questions != 1:
            return "", []
        name, at = _dns_name(payload, 12)
        found = list(_addresses(payload, at + 4, answers))
    except (struct.error, IndexError, ValueError):
        return "", []
    return (name, found) if name and found else ("", [])


def _addresses(payload: bytes, at: int, answers: int) -> Iterator[int]:
    for _ in range(answers):
        at = _behind_name(payload, at)
        kind, _, _, size = struct.unpack_from(">HHIH", payload, at)
        at += 10
        data = payload[at : at + size]
        if kind == _A and len(data) == 4:
            yield _MAPPED | int.from_bytes(data, "big")
        elif kind == _AAAA and len(data) == 16:
            yield int.from_bytes(data, "big")
        elif len(data) < size:
            return  # cut short: what was read before still holds
        at += size


def _dns_name(payload: bytes, at: int) -> tuple[str, int]:
    """Return a name written in full and the place behind it. Raises ValueError."""
    labels: list[bytes] = []
    for _ in range(_MOST_LABELS):
        size = payload[at]
        at += 1
        if not size:
            return _host(b".".join(labels)), at
        if size > 63 or at + size > len(payload):
            break
        labels.append(payload[at : at + size])
        at += size
    raise ValueError("no name in full")


def _behind_name(payload: bytes, at: int) -> int:
    for _ in range(_MOST_LABELS):
        size = payload[at]
        if size >= 0xC0:
            return at + 2
        at += 1 + size
        if not size:
            return at
    raise ValueError("a name without end")


def server_name(payload: bytes) -> str:
    """Return the name in a TLS ClientHello that begins here, '' when there is none."""
    try:
        if payload[0] != 22 or payload[5] != 1:
            return ""
        at = 9 + 2 + 32
        at += 1 + payload[at]
        at += 2 + struct.unpack_from(">H", payload, at)[0]
        at += 1 + payload[at]
        (size,) = struct.unpack_from(">H", payload, at)
        return _name_extension(payload, at + 2, at + 2 + size)
    except (struct.error, IndexError):
        return ""


def _name_extension(payload: bytes, at: int, end: int) -> str:
    while at + 4 <= end:
        kind, size = struct.unpack_from(">HH", payload, at)
        if kind == 0:
            _, what, length = struct.unpack_from(">HBH", payload, at + 4)
            name = payload[at + 9 : at + 9 + length]
            return _host(name) if what == 0 and len(name) == length else ""
        at += 4 + size
    return ""


def _host(raw: bytes) -> str:
    """Return the name of a host, '' when it is none."""
    name = raw.decode("ascii", errors="replace").lower().rstrip(".")
    return name if _HOST.fullmatch(name) else ""


class Told:
    """Who was told which name when, of a limited number of keys, newest kept."""

    def __init__(self, most_keys: int = _MOST_KEYS) -> None:
        self._told: OrderedDict[Hashable, tuple[list[int], list[str]]] = OrderedDict()
        self._most = most_keys

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._told)

    def add(self, key: Hashable, time_ns: int, name: str) -> None:
        """Take a name that was told at a time; times do not decrease."""
        times, names = self._told.setdefault(key, ([], []))
        self._told.move_to_end(key)
        if names and names[-1] == name:
            return
        times.append(time_ns)
        names.append(name)
        if len(names) > _MOST_TOLD:
            del times[0], names[0]
        while len(self._told) > self._most:
            self._told.popitem(last=False)

    def at(self, key: Hashable, time_ns: int) -> str:
        """Return the name that was told last until this time, '' for none."""
        found = self._told.get(key)
        if found is None:
            return ""
        row = bisect_right(found[0], time_ns)
        return found[1][row - 1] if row else ""
