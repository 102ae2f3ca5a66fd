"""Devices of which the captures hold no packet: a wrong MAC address, most often."""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.packets.select import address_of
from analysis.pcap.decode import DECODED, Decoded, decode_batch
from analysis.pcap.links import name_of
from analysis.pcap.stream import open_capture_stream

_SHOWN = 6
_DECODED = np.array(sorted(DECODED), dtype=np.int32)


class SeenEnds:
    """Counts who was seen in captures, batch by batch: by MAC, without one by IP."""

    def __init__(self) -> None:
        self._sent: Counter[int] = Counter()
        self._addressed: set[int] = set()
        self._sent_bare: Counter[int] = Counter()
        self._addressed_bare: set[int] = set()
        self._foreign: set[int] = set()
        self._n_understood = 0

    def add(self, link: NDArray[np.int32], decoded: Decoded) -> None:
        """Take in the packets of a batch: their (k,) int32 link types, and the rest."""
        _count(decoded.src_mac, self._sent)
        self._addressed.update(np.unique(decoded.dst_mac).tolist())
        bare = (decoded.src_mac == 0) & (decoded.dst_mac == 0)
        if not bare.any():
            self._n_understood += link.size
            return
        foreign = ~np.isin(link, _DECODED)
        self._foreign.update(np.unique(link[foreign]).tolist())
        self._n_understood += int(np.count_nonzero(~foreign))
        _count_addresses(decoded.src[bare], self._sent_bare)
        addressed: Counter[int] = Counter()
        _count_addresses(decoded.dst[bare], addressed)
        self._addressed_bare.update(addressed)

    def tell_unseen(self, device: Device) -> str | None:
        """Return a sentence when no packet names the device, else None."""
        mac = int(device.mac.replace(":", ""), 16)
        if mac in self._sent or mac in self._addressed:
            return None
        if device.ip:
            number = _number(device.ip)
            if number in self._sent_bare or number in self._addressed_bare:
                return None
        return f"device {device.name}: {self._reason(device)}"

    def _reason(self, device: Device) -> str:
        links = ", ".join(name_of(link) for link in sorted(self._foreign))
        if links and not self._n_understood:
            return f"the captures hold packets of {links} only, not understood"
        besides = f"; packets of {links} are not understood" if links else ""
        if not self._n_understood:
            return "the captures hold no packet"
        senders = Counter({each: n for each, n in self._sent.items() if each})
        if senders:
            common = _shown(senders, lambda each: each.to_bytes(6).hex(":"))
            reason = f"no capture holds a packet of {device.mac}; the most seen are "
            return f"{reason}{common}{besides}"
        if not device.ip:
            reason = "the captures hold no MAC addresses; the device's ip is needed"
            return reason + besides
        senders = Counter({each: n for each, n in self._sent_bare.items() if each})
        reason = f"the captures hold no MAC addresses and no packet of {device.ip}"
        if senders:
            reason += f"; the most seen are {_shown(senders, _text)}"
        return reason + besides


def unseen_in(captures: Iterable[Path], devices: Sequence[Device]) -> list[str]:
    """Read captures; return a sentence for each device that no packet names."""
    seen = SeenEnds()
    for path in captures:
        with open_capture_stream(path) as stream:
            for batch in stream:
                seen.add(batch.link, decode_batch(batch))
    told = (seen.tell_unseen(device) for device in devices)
    return [sentence for sentence in told if sentence is not None]


def _count(values: NDArray[np.uint64], into: Counter[int]) -> None:
    found, counts = np.unique(values, return_counts=True)
    into.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _count_addresses(halves: NDArray[np.uint64], into: Counter[int]) -> None:
    """Count addresses, (k, 2) uint64, by their number as IPv6."""
    found, counts = np.unique(halves, axis=0, return_counts=True)
    for (high, low), count in zip(found.tolist(), counts.tolist(), strict=True):
        into[high << 64 | low] += count


def _number(ip: str) -> int:
    high, low = address_of(ip).tolist()
    return int(high << 64 | low)


def _text(number: int) -> str:
    address = ipaddress.IPv6Address(number)
    return str(address.ipv4_mapped or address)


def _shown(counts: Counter[int], name: Callable[[int], str]) -> str:
    common = counts.most_common(_SHOWN)
    return ", ".join(f"{name(each)} ({count})" for each, count in common)
