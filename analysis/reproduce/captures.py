"""Compare labelled captures packet by packet: stamp, label, bytes."""

import struct
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from analysis.pcap import blocks
from analysis.pcap.stream import open_capture_stream
from analysis.reproduce.cells import Told, said

_HEAD_B = 28  # of a block with a packet, before its bytes
_Packet = tuple[int, str, bytes]


def capture_differences(published: Path, remade: Path) -> Iterator[Told]:
    """Yield the differences of two labelled captures of other bytes."""
    alike = True
    pairs = zip_longest(_packets(published), _packets(remade))
    for frame, (one, two) in enumerate(pairs, start=1):
        if one == two:
            continue
        alike = False
        place = f"frame {frame}"
        if one is None or two is None:
            lost = "is missing, but made anew" if one is None else "is not made anew"
            yield place, f"{lost}; so may be more", "", ""
            return
        if one[0] != two[0]:
            yield said(f"{place}, time_ns", one[0], two[0])
        if one[1] != two[1]:
            yield said(f"{place}, label", one[1], two[1])
        if one[2] != two[2]:
            yield place, "holds other bytes than the raw capture", "", ""
    if alike:
        what = "differs beside its packets: a section, an interface, another block"
        yield "", what, "", ""


def _packets(path: Path) -> Iterator[_Packet]:
    with open_capture_stream(path) as stream:
        for batch in stream:
            for row in range(len(batch)):
                at, size_b = int(batch.block[row]), int(batch.block_b[row])
                block = batch.data[at : at + size_b].tobytes()
                start = int(batch.start[row])
                end = start + int(batch.captured_b[row])
                data = batch.data[start:end].tobytes()
                yield int(batch.time_ns[row]), _comment(block, batch.order), data


def _comment(block: bytes, order: str) -> str:
    """Return the first comment of a block with a packet, '' for none."""
    kind, size_b = (struct.unpack_from(f"{order}I", block, at)[0] for at in (0, 20))
    if kind not in (blocks.PACKET, blocks.OLD_PACKET):
        return ""
    at = _HEAD_B + size_b + blocks.padding(size_b)
    for code, value in blocks.parse_options(block[:-4], at, order):
        if code == blocks.OPT_COMMENT:
            return value.decode("utf-8", "replace")
    return ""
