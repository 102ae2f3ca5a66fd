"""Bytes that belong to no message: trailers of frames, what lies behind a length.

Cards and programs have filled them with what was in memory. Nobody dissects them.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import TCP, UDP, Decoded
from analysis.pcap.network import WHOLE
from analysis.pcap.walk import Batch

_ARP = 0x0806
_OF_ARP_B = 42  # with the header of Ethernet
_LEAST_B = 6  # fewer are a checksum of the frame, or nothing
_NTP, _NTP_B = 123, 48
_DNS_B = 12
_MOST_NTP = 4


def slack(
    batch: Batch, decoded: Decoded, own: NDArray[np.bool_]
) -> Iterator[tuple[int, bytes]]:
    """Yield (row, bytes) of what lies behind the messages of packets, but for zeros.

    own  rows that are to be looked at
    """
    ported = (decoded.protocol == TCP) | (decoded.protocol == UDP)
    ported &= decoded.fragment == WHOLE
    arp = decoded.ethertype == _ARP
    said_b = decoded.payload_at.astype(np.int64) + decoded.payload_b
    said_b = np.where(arp, _OF_ARP_B, said_b)
    left_b = batch.captured_b.astype(np.int64) - said_b
    rows = np.flatnonzero(own & (ported | arp) & (left_b >= _LEAST_B))
    ends = (batch.start[rows] + batch.captured_b[rows]).tolist()
    for row, size_b, end in zip(
        rows.tolist(), left_b[rows].tolist(), ends, strict=True
    ):
        rest = batch.data[end - size_b : end].tobytes()
        if len(rest.strip(b"\0")) >= _LEAST_B:
            yield row, rest


def is_of_names(port: int, data: bytes) -> bool:
    """Say whether a datagram on a port of names or times can be dissected as such.

    DNS, mDNS, LLMNR and NetBIOS count their records in two bytes each, few of them.
    """
    if port == _NTP:
        return len(data) >= _NTP_B and 0 < data[0] >> 3 & 7 <= _MOST_NTP
    return len(data) >= _DNS_B and any(data[4:12]) and not any(data[4:12:2])
