"""Names of hosts in single packets: DNS, mDNS, TLS, HTTP.

What cannot be parsed is passed over, for packets can hold anything. Addresses are IPv6
numbers, IPv4 ones mapped. Names are in lower case, without the dot at their end.
"""

import re
import struct
from collections.abc import Iterator

DNS_PORT, MDNS_PORT = 53, 5353
_MAPPED = 0xFFFF << 32
_MOST_LABELS = 128
_MOST_RECORDS = 1024
_POINTER = 0xC0
_A, _CNAME, _AAAA = 1, 5, 28
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
_MOST_TTL_S = 1 << 31  # from here on it counts as 0
HELLO_AT, _RECORD_HEAD_B = 5, 5
_HTTP_HOST = re.compile(rb"(?i)\r\nhost:[ \t]*([^\r\n]*?)[ \t]*\r\n")
_ADDRESS = re.compile(rb"[0-9.]+")
# the first four bytes of requests
METHODS = (
    *(b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"CONN"),
    *(b"SUBS", b"UNSU", b"NOTI", b"M-SE", b"PROP", b"REPO", b"TRAC"),
)


def dns_answers(payload: bytes) -> tuple[str, list[int]]:
    """Return the name that a DNS answer is about, and the addresses it gives.

    They belong to the name that was asked for, whatever aliases lie between. ('', [])
    for what is no such answer.
    """
    name, found = dns_lifetimes(payload)
    return name, [address for address, _ in found]


def dns_lifetimes(payload: bytes) -> tuple[str, list[tuple[int, int]]]:
    """Return as `dns_answers` does, each address with the seconds that it holds.

    That is the least of its own TTL and those of the aliases before it.
    """
    try:
        _, bits, questions, answers = struct.unpack_from(">HHHH", payload)
        if not bits & 0x8000 or bits & 15 or questions != 1:
            return "", []
        name, at = _dns_name(payload, 12)
        found = list(_lifetimes(payload, at + 4, answers))
    except (struct.error, IndexError, ValueError):
        return "", []
    return (name, found) if name and found else ("", [])


def _lifetimes(payload: bytes, at: int, answers: int) -> Iterator[tuple[int, int]]:
    least_s = _MOST_TTL_S
    for kind, _, ttl_s, address in _records(payload, at, answers):
        if kind == _CNAME:
            least_s = min(least_s, ttl_s)
        elif address is not None:
            yield address, min(least_s, ttl_s)


def mdns_lifetimes(payload: bytes) -> list[tuple[str, int, int]]:
    """Return (name, address, seconds that it holds) that an mDNS answer tells.

    0 s say that it holds no more.
    """
    found = []
    try:
        _, bits, questions, *counts = struct.unpack_from(">6H", payload)
        if not bits & 0x8000 or bits & 15:
            return []
        at = 12
        for _ in range(min(questions, _MOST_RECORDS)):
            at = _behind_name(payload, at) + 4
        for _, owner, ttl_s, address in _records(payload, at, sum(counts)):
            if address is not None:
                name, _ = _dns_name(payload, owner)
                found.append((name, address, ttl_s))
    except (struct.error, IndexError, ValueError):
        pass  # cut short: what was read before still holds
    return [each for each in found if each[0]]


def _records(
    payload: bytes, at: int, n: int
) -> Iterator[tuple[int, int, int, int | None]]:
    """Yield kind, place of the name, TTL in s, and the address, if it tells one."""
    for _ in range(min(n, _MOST_RECORDS)):
        owner, at = at, _behind_name(payload, at)
        kind, _, ttl_s, size = struct.unpack_from(">HHIH", payload, at)
        at += 10
        data = payload[at : at + size]
        if len(data) < size:
            return  # cut short: what was read before still holds
        address = None
        if kind == _A and size == 4:
            address = _MAPPED | int.from_bytes(data, "big")
        elif kind == _AAAA and size == 16:
            address = int.from_bytes(data, "big")
        yield kind, owner, ttl_s if ttl_s < _MOST_TTL_S else 0, address
        at += size


def _dns_name(payload: bytes, at: int) -> tuple[str, int]:
    """Return a name, and the place behind it. Raises ValueError."""
    labels: list[bytes] = []
    behind = -1
    for _ in range(_MOST_LABELS):
        size = payload[at]
        if size >= _POINTER:
            behind = at + 2 if behind < 0 else behind
            at = (size & 0x3F) << 8 | payload[at + 1]
            continue
        at += 1
        if not size:
            return host_of(b".".join(labels)), at if behind < 0 else behind
        if size > 63 or at + size > len(payload):
            break
        labels.append(payload[at : at + size])
        at += size
    raise ValueError("no name in full")


def _behind_name(payload: bytes, at: int) -> int:
    for _ in range(_MOST_LABELS):
        size = payload[at]
        if size >= _POINTER:
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
            return host_of(name) if what == 0 and len(name) == length else ""
        at += 4 + size
    return ""


def host_of(raw: bytes) -> str:
    """Return the name of a host, '' when it is none."""
    name = raw.decode("ascii", errors="replace").lower().rstrip(".")
    return name if _HOST.fullmatch(name) else ""


def hello_lacks_b(payload: bytes) -> int:
    """Return how many bytes a ClientHello that begins here goes on behind them."""
    size = int.from_bytes(payload[3:_RECORD_HEAD_B])
    return max(0, _RECORD_HEAD_B + size - len(payload))


def request_host(head: bytes) -> str | None:
    """Return the name of the host that a request of HTTP asks, without its port.

    '' when it says none or an address, None when its head goes on behind these bytes.
    """
    whole, ended, _ = head.partition(b"\r\n\r\n")
    found = _HTTP_HOST.search(whole + b"\r\n" if ended else head)
    if found is None:
        return "" if ended else None
    name, _, port = found[1].partition(b":")
    if (port and not port.isdigit()) or _ADDRESS.fullmatch(name):
        return ""
    return host_of(name)
