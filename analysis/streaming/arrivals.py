"""From captured packets to those of each device, cleaned, in the memory of a batch.

Retransmissions are dropped as far as they can be told by what was seen so far, and so
are malformed packets. Wrong checksums are kept: whether a network card makes them can
only be told from the whole.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.packets.destination import Destination, destinations
from analysis.packets.select import Selector, beacon_rows
from analysis.pcap.conversations import Analysed, Conversations, Keys
from analysis.pcap.decode import Decoded, Error, decode_batch
from analysis.pcap.tcp import Retransmission
from analysis.pcap.walk import Batch

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]
UInt32 = NDArray[np.uint32]

# conversations that are remembered, some 20 MB; then all are forgotten, and what is
# sent again right after that is taken for new
MOST_CONVERSATIONS = 65_536
_REPEATS = (Retransmission.RETRANSMISSION, Retransmission.FAST, Retransmission.SPURIOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Cleaned packets of one device, in order of time.

    time_ns      (n,) int64, ns UTC on the capture's clock, not decreasing
    length_b     (n,) uint32, bytes of the frame on the wire
    outbound     (n,) bool, True when the device sent it
    destination  (n,) uint8, numbers of `Destination`
    payload_b    (n,) uint32, bytes above TCP or UDP
    flow         (n,) int64, number of the conversation, -1 for what is not IP
    """

    time_ns: Int64
    length_b: UInt32
    outbound: Bool
    destination: UInt8
    payload_b: UInt32
    flow: Int64

    def __len__(self) -> int:
        return self.time_ns.size


class Sorter:
    """Sorts packets to devices, batch by batch.

    now_ns  highest stamp so far; a stamp that runs back is taken for it
    """

    def __init__(self, devices: Sequence[Device]) -> None:
        self._selectors = [Selector(device) for device in devices]
        self._conversations = Conversations()
        self._first_flow = 0
        self._classes = np.zeros((1024, 2), dtype=np.uint8)
        self._n_classed = 0
        self.now_ns = 0
        self.n_packets = 0

    def take(self, batch: Batch) -> Mapping[str, Arrivals]:
        """Return the packets of each device that has some; nothing refers to bytes."""
        decoded = decode_batch(batch)
        return self.sort(
            batch.time_ns, batch.length_b, decoded, beacon_rows(batch, decoded)
        )

    def sort(
        self, time_ns: Int64, length_b: Int64, decoded: Decoded, beacons: Int64
    ) -> Mapping[str, Arrivals]:
        """Return the packets of each device that has some."""
        if not time_ns.size:
            return {}
        if len(self._conversations) > MOST_CONVERSATIONS:
            self._forget()
        self.n_packets += time_ns.size
        stamps = np.maximum.accumulate(np.maximum(time_ns, self.now_ns))
        self.now_ns = int(stamps[-1])
        analysed = self._conversations.add(time_ns, decoded)
        self._class_new()
        good = ~np.isin(analysed.retransmission, _REPEATS)
        good &= (decoded.error & int(Error.MALFORMED)) == 0
        found = {}
        for selector in self._selectors:
            chosen = selector.of(decoded, beacons)
            kept = good[chosen.rows]
            rows, outbound = chosen.rows[kept], chosen.outbound[kept]
            if rows.size:
                found[selector.device.name] = Arrivals(
                    time_ns=stamps[rows],
                    length_b=length_b[rows].astype(np.uint32),
                    outbound=outbound,
                    destination=self._destination(analysed, rows, outbound),
                    payload_b=decoded.payload_b[rows],
                    flow=self._flow(analysed, rows),
                )
        return found

    def _flow(self, analysed: Analysed, rows: Int64) -> Int64:
        flow = analysed.flow[rows].astype(np.int64)
        return np.where(flow >= 0, flow + self._first_flow, -1)

    def _destination(self, analysed: Analysed, rows: Int64, outbound: Bool) -> UInt8:
        flow = analysed.flow[rows]
        found = np.full(rows.size, int(Destination.LINK), dtype=np.uint8)
        inside = flow >= 0
        # whether the device sent the first packet of the conversation
        is_source = outbound != analysed.reverse[rows]
        side = np.where(is_source, 0, 1)
        found[inside] = self._classes[flow[inside], side[inside]]
        return found

    def _class_new(self) -> None:
        """Class the conversations that are new, as seen from either end."""
        n = len(self._conversations)
        if n == self._n_classed:
            return
        while n > len(self._classes):
            self._classes = np.concatenate(
                (self._classes, np.zeros_like(self._classes))
            )
        keys = self._conversations.keys(self._n_classed)
        for side in (0, 1):
            self._classes[self._n_classed : n, side] = _classes_of(keys, side)
        self._n_classed = n

    def _forget(self) -> None:
        self._first_flow += len(self._conversations)
        self._conversations = Conversations()
        self._n_classed = 0


def _classes_of(keys: Keys, side: int) -> UInt8:
    """Return the class of conversations for who is their source (0) or target (1)."""
    other = (keys.dst, keys.src)[side]
    texts = [_text(high << 64 | low) for high, low in other.tolist()]
    return destinations(
        protocol=keys.protocol,
        outbound=np.full(keys.protocol.size, side == 0),
        src_port=keys.src_port,
        dst_port=keys.dst_port,
        remote=np.arange(keys.protocol.size, dtype=np.int32),
        remotes=texts,
    )


def _text(number: int) -> str:
    address = ipaddress.IPv6Address(number)
    return str(address.ipv4_mapped or address)
