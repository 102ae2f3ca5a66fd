"""Find identifiers that stand in bytes as such: wide texts, MACs, addresses, UUIDs.

Any bytes could be an address. So these count: a MAC of a maker whose devices are there,
an address in the network of who sends or receives, both among small numbers or text; a
UUID of a known version behind a word that announces one.
"""

import re
import uuid
from collections.abc import Iterable, Iterator

from analysis.exporters.identifiers.naming import is_full_name
from analysis.exporters.identifiers.texts import Candidate, candidates

_LATIN = rb"[ -~\xa0-\xff]"
_LITTLE = re.compile(rb"(?:" + _LATIN + rb"\x00){5,}")
_BIG = re.compile(rb"(?:\x00" + _LATIN + rb"){5,}")
_MAYBE = re.compile(rb"\x00[ -~]\x00[ -~]\x00")  # in either order, and soon told
_SHARE = re.compile(r"\\\\([\w.\-]{2,64})\\")
_NAMED_UUID = re.compile(
    rb"(?i)(?:(?:uuid|guid|udn)[:=\x00 ]{1,2}|\bids?[:=])(.{16})", re.DOTALL
)
_AROUND_B, _HIGH_ALLOWED, _LEAST_HIGH = 13, 4, 4


def wide(data: bytes) -> Iterator[Candidate]:
    """Yield what texts in UTF-16 tell."""
    if not _MAYBE.search(data):
        return
    for pattern, code in ((_LITTLE, "utf-16-le"), (_BIG, "utf-16-be")):
        runs = [raw.decode(code) for raw in pattern.findall(data)]
        if not runs:
            continue
        yield from candidates("\n".join(runs).encode())
        for text in runs:
            if is_full_name(text.strip()):
                yield "person", text.strip()
            for host in _SHARE.findall(text):
                yield "name", host


def in_bytes(
    data: bytes, networks: Iterable[bytes], makers: Iterable[bytes]
) -> Iterator[Candidate]:
    """Yield addresses that stand in a message as bytes.

    networks  first three bytes of private IPv4 addresses; makers  of MACs
    """
    for head in networks:
        for at in _places(data, head, 4):
            yield "ipv4", ".".join(str(byte) for byte in data[at : at + 4])
    for head in makers:
        if head.count(0) > 1:
            continue
        for at in _places(data, head, 6):
            yield "mac", data[at : at + 6].hex()
    for raw in _NAMED_UUID.findall(data):
        found = uuid.UUID(bytes=raw)
        if found.variant == uuid.RFC_4122 and _high(raw) >= _LEAST_HIGH:
            yield "uuid", str(found)


def _places(data: bytes, head: bytes, size: int) -> Iterator[int]:
    """Yield where `size` bytes begin with a head, among text or small numbers."""
    at = data.find(head)
    while at >= 0 and at + size <= len(data):
        around = data[max(0, at - _AROUND_B) : at] + data[at + size :][:_AROUND_B]
        if _high(around) <= _HIGH_ALLOWED:
            yield at
        at = data.find(head, at + size)


def _high(data: bytes) -> int:
    return sum(byte > 127 for byte in data)
