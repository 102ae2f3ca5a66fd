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
_HEAD_B = 12
_POINTER, _MOST_LABEL_B = 0xC0, 63
_MOST_LABELS, _MOST_NAME_B = 128, 255
_HEAD = struct.Struct(">6H")
_FIELDS = struct.Struct(">HHIH")


class Record(NamedTuple):
    """One question or answer; a question has no TTL and no data.

    owner  place of its name
    kind   number of its type
    ttl_s  seconds that it holds
    begin  first byte of its data
    end    byte behind it
    """

    owner: int
    kind: int
    ttl_s: int
    begin: int
    end: int


class Head(NamedTuple):
    """The numbers at the beginning: bits, and how many records of each section."""

    bits: int
    questions: int
    answers: int
    authorities: int
    more: int

    @property
    def is_answer(self) -> bool:
        """Say whether it answers, and without an error."""
        return bool(self.bits & 0x8000) and not self.bits & 15


def head_of(payload: bytes) -> Head | None:
    """Return the numbers of a message, None for what is too short."""
    if len(payload) < _HEAD_B:
        return None
    return Head(*_HEAD.unpack_from(payload)[1:])


def questions(payload: bytes, head: Head) -> tuple[list[Record], int]:
    """Return the questions, and the place behind them; -1 when they do not fit."""
    at = _HEAD_B
    found: list[Record] = []
    for _ in range(min(head.questions, MOST_RECORDS)):
        owner, at = at, behind_name(payload, at)
        if at < 0 or at + 4 > len(payload):
            return found, -1
        kind = payload[at] << 8 | payload[at + 1]
        at += 4
        found.append(Record(owner, kind, 0, at, at))
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
        yield Record(owner, kind, ttl_s, at, at + size)
        at += size


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
