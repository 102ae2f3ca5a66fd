"""Which packets of a capture are a device's, and which of them it sent."""

import ipaddress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.pcap.beacons import BEACON_PORT, decode
from analysis.pcap.decode import UDP, Decoded
from analysis.pcap.walk import Batch

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]

_MAPPED = np.uint64(0xFFFF << 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Packets of one device in a batch.

    rows      (m,) int64, increasing
    outbound  (m,) bool, whether the device sent it
    """

    rows: Int64
    outbound: Bool


class Selector:
    """Picks the packets of one device.

    A packet belongs to the devices whose MAC it names; one between two devices belongs
    to both. Captures without MACs of both sides (Linux cooked, raw IP) go by the
    device's IP address, where it is known. A device with `every_packet` gets all.
    Beacons belong to nobody.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._mac = np.uint64(int(device.mac.replace(":", ""), 16))
        self._ip = address_of(device.ip) if device.ip else None

    def of(self, decoded: Decoded, beacons: Int64) -> Selected:
        """Return the device's packets among those of a batch; see `beacon_rows`."""
        sent = decoded.src_mac == self._mac
        mine = sent | (decoded.dst_mac == self._mac)
        if not self._mac:  # stands for a MAC that is not known
            sent[:], mine[:] = False, False
        if self._ip is not None:
            bare = decoded.dst_mac == 0
            if bare.any():
                from_ip = bare & (decoded.src == self._ip).all(axis=1)
                sent |= from_ip
                mine |= from_ip | (bare & (decoded.dst == self._ip).all(axis=1))
        if self.device.every_packet:
            mine[:] = True
        mine[beacons] = False
        rows = np.flatnonzero(mine)
        return Selected(rows=rows, outbound=sent[rows])


def beacon_rows(batch: Batch, decoded: Decoded) -> Int64:
    """Return the rows of a batch that are beacons, (b,) int64."""
    likely = np.flatnonzero(
        (decoded.dst_port == BEACON_PORT) & (decoded.protocol == UDP)
    )
    found = [row for row in likely.tolist() if _is_beacon(batch, decoded, row)]
    return np.array(found, dtype=np.int64)


def _is_beacon(batch: Batch, decoded: Decoded, row: int) -> bool:
    start = int(batch.start[row])
    at = start + int(decoded.payload_at[row])
    end = min(start + int(batch.captured_b[row]), at + int(decoded.payload_b[row]))
    return decode(batch.data[at:end].tobytes()) is not None


def address_of(ip: str) -> NDArray[np.uint64]:
    """Return an address as the two halves that `Decoded` holds, (2,) uint64."""
    address = ipaddress.ip_address(ip)
    if address.version == 4:
        return np.array([0, int(_MAPPED) | int(address)], dtype=np.uint64)
    return np.array([int(address) >> 64, int(address) & (1 << 64) - 1], dtype=np.uint64)
