"""Labels as they stand in a labelled capture: the first comment of each packet."""

import struct
from collections.abc import Iterator
from pathlib import Path

from analysis.pcap import blocks
from analysis.pcap.stream import open_capture_stream

_HEAD_B = 28  # of a block with a packet, before its bytes
Packet = tuple[int, str, bytes]  # stamp, comment, bytes


def labelled_packets(path: Path) -> Iterator[Packet]:
    """Yield stamp (ns UTC), first comment and bytes of each packet of a capture.

    Raises CaptureError where it cannot be read.
    """
    with open_capture_stream(path) as stream:
        for batch in stream:
            for row in range(len(batch)):
                at, size_b = int(batch.block[row]), int(batch.block_b[row])
                block = batch.data[at : at + size_b].tobytes()
                start = int(batch.start[row])
                data = batch.data[start : start + int(batch.captured_b[row])].tobytes()
                yield int(batch.time_ns[row]), _comment(block, batch.order), data


def _comment(block: bytes, order: str) -> str:
    """Return the first comment of an enhanced packet block, '' for none."""
    kind, size_b = (struct.unpack_from(f"{order}I", block, at)[0] for at in (0, 20))
    if kind not in (blocks.PACKET, blocks.OLD_PACKET):
        return ""
    at = _HEAD_B + size_b + blocks.padding(size_b)
    for code, value in blocks.parse_options(block[:-4], at, order):
        if code == blocks.OPT_COMMENT:
            return value.decode("utf-8", "replace")
    return ""
