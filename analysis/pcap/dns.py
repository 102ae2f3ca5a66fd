"""Messages of DNS, mDNS and LLMNR as they are built: where each record lies.

Names may point back, so one message can be made to say the same name a thousand times:
a name has 128 labels and 255 bytes at most, a message so many records. What does not
fit ends it; what was read before still holds.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

PORTS = (53, 5353, 5355)
A, NS, CNAME, PTR, TXT, AAAA, SRV = 1, 2, 5, 12, 16, 28, 33
MOST_RECORDS = 1024
HEAD_B = 12
_MAPPED = 0xFFFF << 32
_POINTER, _MOST_LABEL_B = 0xC0, 63
_MOST_LABELS, _MOST_NAME_B = 128, 255
_HEAD = struct.Struct(">6H")
_FIELDS = struct.Struct(">HHIH")


# one question or answer: place of its name, number of its type, seconds that it holds,
# first byte of its data, byte behind it; a question has neither seconds nor data
Record = tuple[int, int, int, int, int]


class Head(NamedTuple):
    """The numbers at the beginning: bits, and how many records of each section."""

    bits: int
    questions: int
    answers: int
    authorities: int
    more: int


def is_answer(payload: bytes) -> bool:
    """Say whether a message answers, and without an error."""
    return len(payload) >= HEAD_B and payload[2] > 127 and not payload[3] & 15


def head_of(payload: bytes) -> Head | None:
    """Return the numbers of a message, None for what is too short."""
    if len(payload) < HEAD_B:
        return None
    return Head(*_HEAD.unpack_from(payload)[1:])


def questions(payload: bytes, head: Head) -> tuple[list[Record], int]:
    """Return the questions, and the place behind them; -1 when they do not fit."""
    at = HEAD_B
    found: list[Record] = []
    for _ in range(min(head.questions, MOST_RECORDS)):
        owner, at = at, behind_name(payload, at)
        if at < 0 or at + 4 > len(payload):
            return found, -1
        kind = payload[at] << 8 | payload[at + 1]
        at += 4
        found.append((owner, kind, 0, at, at))
    return found, at


def records(payload: bytes, at: int, n: int) -> Iterator[Record]:
    """Yield up to n records from a place on, those of all sections alike."""
    size_b = len(payload)
    for _ in range(min(n, MOST_RECORDS)):
        if at < 0:
            return
        owner, at = at, behind_name(payload, at)
        if at < 0 or at + 10 > size_b:
            return
        kind, _, ttl_s, size = _FIELDS.unpack_from(payload, at)
        at += 10
        if at + size > size_b:
            return
        yield owner, kind, ttl_s, at, at + size
        at += size


def address_of(kind: int, data: bytes) -> int | None:
    """Return the address that a record gives as an IPv6 number, IPv4 ones mapped."""
    if kind == A and len(data) == 4:
        return _MAPPED | int.from_bytes(data)
    if kind == AAAA and len(data) == 16:
        return int.from_bytes(data)
    return None


def labels_at(payload: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the labels of a name, and the place behind it; ([], -1) for none."""
    labels: list[bytes] = []
    behind, said_b, size_b = -1, 0, len(payload)
    for _ in range(_MOST_LABELS):
        if at >= size_b:
            break
        size = payload[at]
        if size >= _POINTER:
            if at + 1 >= size_b:
                break
            behind = at + 2 if behind < 0 else behind
            at = (size & 0x3F) << 8 | payload[at + 1]
            continue
        at += 1
        if not size:
            return labels, at if behind < 0 else behind
        said_b += 1 + size
        if size > _MOST_LABEL_B or at + size > size_b or said_b > _MOST_NAME_B:
            break
        labels.append(payload[at : at + size])
        at += size
    return [], -1


def behind_name(payload: bytes, at: int) -> int:
    """Return the place behind a name, -1 for none."""
    size_b = len(payload)
    for _ in range(_MOST_LABELS):
        if at >= size_b:
            break
        size = payload[at]
        if size >= _POINTER:
            return at + 2
        at += 1 + size
        if not size:
            return at
    return -1
