"""Names of hosts in single packets: DNS, mDNS, TLS, HTTP.

What cannot be parsed is passed over, for packets can hold anything. Addresses are IPv6
numbers, IPv4 ones mapped. Names are in lower case, without the dot at their end.
"""

import re
import struct

from analysis.pcap.dns import (
    CNAME,
    HEAD_B,
    address_of,
    head_of,
    is_answer,
    labels_at,
    questions,
    records,
)

DNS_PORT, MDNS_PORT = 53, 5353
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
    if not is_answer(payload) or payload[4:6] != b"\0\1":
        return "", []
    labels, at = labels_at(payload, HEAD_B)
    name = host_of(b".".join(labels)) if labels else ""
    if not name:
        return "", []
    least_s, found = _MOST_TTL_S, []
    answers = payload[6] << 8 | payload[7]
    for _, kind, ttl_s, begin, end in records(payload, at + 4, answers):
        if ttl_s >= _MOST_TTL_S:
            ttl_s = 0
        if kind == CNAME:
            least_s = min(least_s, ttl_s)
        elif (address := address_of(kind, payload[begin:end])) is not None:
            found.append((address, min(least_s, ttl_s)))
    return (name, found) if found else ("", [])


def mdns_lifetimes(payload: bytes) -> list[tuple[str, int, int]]:
    """Return (name, address, seconds that it holds) that an mDNS answer tells.

    0 s say that it holds no more.
    """
    head = head_of(payload)
    if head is None or not is_answer(payload):
        return []
    _, at = questions(payload, head)
    n, found = head.answers + head.authorities + head.more, []
    for owner, kind, ttl_s, begin, end in records(payload, at, n):
        address = address_of(kind, payload[begin:end])
        if address is not None:
            name = host_of(b".".join(labels_at(payload, owner)[0]))
            if name:
                found.append((name, address, ttl_s if ttl_s < _MOST_TTL_S else 0))
    return found


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
