"""Devices of which the captures hold no packet: a wrong MAC address, most often."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream

_SHOWN = 6


class SeenMacs:
    """Counts who was seen in captures, batch by batch."""

    def __init__(self) -> None:
        self._sent: Counter[int] = Counter()
        self._addressed: set[int] = set()

    def add(self, src_mac: NDArray[np.uint64], dst_mac: NDArray[np.uint64]) -> None:
        """Take in the packets of a batch: columns of `Decoded`, (k,) uint64 each."""
        macs, counts = np.unique(src_mac, return_counts=True)
        self._sent.update(dict(zip(macs.tolist(), counts.tolist(), strict=True)))
        self._addressed.update(np.unique(dst_mac).tolist())

    def tell_unseen(self, device: Device) -> str | None:
        """Return a sentence when no packet names the device's MAC, else None."""
        mac = int(device.mac.replace(":", ""), 16)
        if mac in self._sent or mac in self._addressed:
            return None
        senders = {each: n for each, n in self._sent.items() if each}
        if not senders:
            reason = "the captures hold no MAC addresses; the device's ip is needed"
            return f"device {device.name}: {reason}"
        common = ", ".join(
            f"{each.to_bytes(6).hex(':')} ({count})"
            for each, count in Counter(senders).most_common(_SHOWN)
        )
        return (
            f"device {device.name}: no capture holds a packet of {device.mac}; "
            f"the most seen are {common}"
        )


def unseen_in(captures: Iterable[Path], devices: Sequence[Device]) -> list[str]:
    """Read captures; return a sentence for each device that no packet names."""
    seen = SeenMacs()
    for path in captures:
        with open_capture_stream(path) as stream:
            for batch in stream:
                decoded = decode_batch(batch)
                seen.add(decoded.src_mac, decoded.dst_mac)
    told = (seen.tell_unseen(device) for device in devices)
    return [sentence for sentence in told if sentence is not None]
