"""Find what TLS encrypted in streams of which the beginning was not captured.

Captures roll on within connections, and within records: without their beginning nobody
says that they are TLS. Records are known by their heads (RFC 8446, 5.1), each of which
stands where the one before says, and what is encrypted by its looks. Nothing is passed
over: who reads what this finds knows that letters are there by chance.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.identifiers.streams import (
    MOST_RECORD_B,
    RECORD_HEAD_B,
    Stretch,
)

_HEAD = re.compile(rb"(?s)(?=([\x14-\x17])\x03[\x00-\x04](..))")
_APPLICATION = b"\x17"
_LEAST_B = 256  # of fewer bytes nobody can say whether they are random
_WINDOW_B = 64
_LEAST_HIGH, _MOST_HIGH = 12, 52  # of a window: random in all but one of three million
_CHI_SQUARE = 255 + 8 * 22.6  # of 256 values: mean, and eight deviations
_WIDE = re.compile(rb"\x00[ -~]\x00[ -~]\x00")  # letters of UTF-16

_Key = tuple[int, tuple[int, int]]  # conversation, ports


class Part(NamedTuple):
    """Bytes of a stretch, and whether TLS encrypted them."""

    data: bytes
    encrypted: bool


class Records:
    """Takes the stretches of one capture apart, each side by itself."""

    def __init__(self) -> None:
        self._left: dict[_Key, int] = {}

    def parts(self, stretch: Stretch) -> Iterator[Part]:
        """Yield the parts of a stretch, in order.

        A body that ended in the stretch before is in no part.
        """
        key, data, old_b = (stretch.flow, stretch.ports), stretch.data, stretch.old_b
        left_b = 0 if stretch.alone else self._left.pop(key, 0)
        bodies, left_b = _bodies(data, old_b, left_b)
        if left_b and not stretch.alone:
            self._left[key] = left_b
        done = 0
        for at, end in bodies:
            if not looks_encrypted(data[at:end]):
                continue
            if at > done:
                yield Part(data[done:at], encrypted=False)
            if end > old_b:
                yield Part(data[at:end], encrypted=True)
            done = end
        if done < len(data):
            yield Part(data[done:], encrypted=False)


def _bodies(data: bytes, old_b: int, left_b: int) -> tuple[list[tuple[int, int]], int]:
    """Return where records of applications lie, and how much of the last is to come.

    old_b   so many bytes are the end of the stretch before
    left_b  so many behind them are of a record that began there
    """
    ends: dict[int, int] = {}
    for found in _HEAD.finditer(data):
        size_b = int.from_bytes(found[2])
        if 0 < size_b <= MOST_RECORD_B:
            ends[found.start()] = found.start() + RECORD_HEAD_B + size_b
    bodies, follows = [], -1
    if old_b and left_b:
        follows = old_b + left_b
        bodies.append((0, min(follows, len(data))))
    for at, end in ends.items():  # by place
        if at == follows or (at > follows and end in ends):
            follows = end
            if data[at : at + 1] == _APPLICATION:
                bodies.append((at + RECORD_HEAD_B, min(end, len(data))))
    return bodies, max(0, follows - len(data))


def looks_encrypted(data: bytes) -> bool:
    """Say whether all of some bytes look random.

    Texts of any script, zeros and counters do not. What is packed well does, and what
    holds a word or a short sentence.
    """
    if len(data) < _LEAST_B or _WIDE.search(data):
        return False
    values: NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8)
    whole = len(data) // _WINDOW_B * _WINDOW_B
    for windows in (values[:whole], values[-whole:]):
        high = (windows >= 128).reshape(-1, _WINDOW_B).sum(axis=1)
        if high.min() < _LEAST_HIGH or high.max() > _MOST_HIGH:
            return False
    counts = np.bincount(values, minlength=256).astype(np.float64)
    even = len(data) / 256
    return bool(((counts - even) ** 2).sum() / even <= _CHI_SQUARE)
