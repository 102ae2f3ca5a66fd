"""Headers inside tunnels get the pseudonyms that headers outside get."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.spans import Spans
from analysis.exporters.identifiers.tunnels import Inside, inside, may_be
from analysis.pcap.decode import UDP
from analysis.pcap.walk import Batch

Uint8 = NDArray[np.uint8]

_TCP, _ICMP, _ICMPV6 = 6, 1, 58
_CHECKS = {_TCP: 16, UDP: 6, _ICMP: 2, _ICMPV6: 2}  # protocol -> place
_ONES = 0xFFFF


def write_tunnels(
    batch: Batch, new: Uint8, spans: Spans, pseudonyms: Pseudonyms, changed: Uint8
) -> None:
    """Write addresses inside tunnels, and bring checksums inside up to date.

    To be done behind all else that writes into packets, but for outer checksums.

    changed  (n,) uint8, set for packets that are tunnels
    """
    addresses = _Addresses(pseudonyms)
    for row, protocol, ports in _tunnels(spans):
        at = int(spans.above[row])
        end = int(batch.start[row] + batch.captured_b[row])
        data = batch.data[at:end].tobytes()
        found = inside(data, protocol, ports)
        if not found.fields:
            continue
        made = bytearray(new[at:end].tobytes())
        for place, size, turned in found.fields:
            made[place : place + size] = addresses.of(
                data[place : place + size], turned=turned
            )
        _repair(data, made, found)
        new[at:end] = np.frombuffer(bytes(made), dtype=np.uint8)
        changed[row] = 1


def _tunnels(spans: Spans) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Yield row, protocol and ports of packets that may be tunnels."""
    decoded = spans.decoded
    carried = may_be(decoded) & (spans.above > spans.network)
    for row in np.flatnonzero(carried).tolist():
        ports = (int(decoded.src_port[row]), int(decoded.dst_port[row]))
        yield row, int(decoded.protocol[row]), ports


class _Addresses:
    """Pseudonyms of addresses that were asked for."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._known: dict[bytes, bytes] = {}
        self._of: dict[int, Callable[[bytes], bytes]] = {
            4: lambda raw: pseudonyms.ipv4(int.from_bytes(raw)).to_bytes(4),
            6: pseudonyms.mac,
            16: pseudonyms.ipv6,
        }

    def of(self, raw: bytes, *, turned: bool) -> bytes:
        """Return what stands there afterwards.

        turned  whether all bits of it are turned
        """
        if turned:
            return _turned(self.of(_turned(raw), turned=False))
        if raw not in self._known:
            self._known[raw] = self._of[len(raw)](raw)
        return self._known[raw]


def _turned(raw: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in raw)


def _repair(data: bytes, made: bytearray, found: Inside) -> None:
    """Bring checksums up to date, from the inside out."""
    for at, version in reversed(found.packets):
        head_b = (data[at] & 15) * 4 if version == 4 else 40
        first, end = (at + 12, at + 20) if version == 4 else (at + 8, at + 40)
        ends = _changed(data, made, first, end)
        if version == 4:
            last = min(at + head_b, len(data))
            _update(data, made, at + 10, _changed(data, made, at + 12, last))
            if int.from_bytes(data[at + 6 : at + 8]) & 0x1FFF:
                continue
        protocol = data[at + (9 if version == 4 else 6)]
        behind = at + head_b
        check = behind + _CHECKS.get(protocol, len(data))
        if check + 2 > len(data) or (protocol == UDP and not any(data[check:][:2])):
            continue
        size_b = int.from_bytes(data[at + 2 : at + 4]) if version == 4 else 0
        if version == 6:
            size_b = 40 + int.from_bytes(data[at + 4 : at + 6])
        last = min(at + size_b, len(data)) if size_b else len(data)
        if protocol == _ICMP:
            ends = 0  # knows nothing of addresses
        made[check : check + 2] = data[check : check + 2]
        ends += _changed(data, made, behind, last)
        _update(data, made, check, ends, never_zero=protocol == UDP)
    for check in reversed(found.sums):
        if check + 2 > len(data):
            continue
        made[check : check + 2] = data[check : check + 2]
        _update(data, made, check, _changed(data, made, check - 4, len(data)))


def _changed(data: bytes, made: bytearray, first: int, end: int) -> int:
    """Return what is added to a sum of words for bytes from a place on."""
    return _sum(bytes(made[first:end])) - _sum(data[first:end])


def _sum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    return int(np.frombuffer(data, dtype=">u2").sum(dtype=np.int64))


def _update(
    data: bytes, made: bytearray, check: int, added: int, *, never_zero: bool = False
) -> None:
    """Write a checksum to which a difference of what it covers is added."""
    if not added:
        return
    total = (_ONES - int.from_bytes(data[check : check + 2])) + added
    value = _ONES - (total % _ONES or _ONES)
    made[check : check + 2] = (value or (_ONES if never_zero else 0)).to_bytes(2)
