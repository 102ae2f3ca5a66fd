"""Addresses that STUN hides, which no pattern finds.

An IPv6 address in STUN is combined with the number of its transaction, so that it never
looks the same twice. It becomes what headers get.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.spans import Spans
from analysis.pcap.decode import TCP, UDP
from analysis.pcap.walk import Batch

Uint8 = NDArray[np.uint8]

_COOKIE = np.array([0x21, 0x12, 0xA4, 0x42], dtype=np.uint8)
_HEAD_B, _FRAME_B = 20, 2  # over TCP a length may stand before a message
_PLAIN = (0x0001, 0x0004, 0x0005, 0x8023, 0x802B, 0x802C)
_HIDDEN = (0x0020, 0x8020, 0x0012, 0x0016)
_SIZES = {1: 4, 2: 16}


def write_mapped(
    batch: Batch, new: Uint8, spans: Spans, pseudonyms: Pseudonyms, changed: Uint8
) -> None:
    """Write the pseudonyms of addresses in messages of STUN that begin a payload.

    changed  (n,) uint8, set for packets in which there are some
    """
    for row, at, end in _messages(batch, spans):
        data = batch.data[at:end].tobytes()
        for place, size, mask in _addresses(data):
            changed[row] = 1
            own = _combined(data[place : place + size], mask)
            if size == 4:
                made = pseudonyms.ipv4(int.from_bytes(own)).to_bytes(4)
            else:
                made = pseudonyms.ipv6(own)
            raw = np.frombuffer(_combined(made, mask), dtype=np.uint8)
            new[at + place : at + place + size] = raw


def _messages(batch: Batch, spans: Spans) -> Iterator[tuple[int, int, int]]:
    """Yield packets with a message, and where it lies in the bytes of a batch."""
    protocol, last = spans.decoded.protocol, batch.data.size - 1
    for number, before_b in ((UDP, 0), (TCP, 0), (TCP, _FRAME_B)):
        begin = spans.begin + before_b
        there = (protocol == number) & (spans.end - begin > _HEAD_B)
        for k, byte in enumerate(_COOKIE):
            there &= batch.data[np.minimum(begin + 4 + k, last)] == byte
        for row in np.flatnonzero(there).tolist():
            yield row, int(begin[row]), int(spans.end[row])


def _addresses(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield place and size of each address, and what hides it."""
    at = _HEAD_B
    while at + 8 < len(message):
        kind = int.from_bytes(message[at : at + 2])
        size = int.from_bytes(message[at + 2 : at + 4])
        address_b = _SIZES.get(message[at + 5], 0)
        whole = size == 4 + address_b and at + 4 + size <= len(message)
        if address_b and whole and kind in (*_PLAIN, *_HIDDEN):
            mask = message[4:_HEAD_B] if kind in _HIDDEN else bytes(16)
            yield at + 8, address_b, mask
        at += 4 + size + (-size & 3)


def _combined(data: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, mask, strict=False))
