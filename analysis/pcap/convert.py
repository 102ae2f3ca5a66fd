"""Turn any readable capture into pcapng, or part of several into one."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from analysis.pcap.blocks import Interface
from analysis.pcap.errors import CaptureError
from analysis.pcap.reader import Frames, is_pcapng
from analysis.pcap.writer import CaptureWriter


def write_pcapng(frames: Frames, target: Path) -> None:
    """Write a capture as pcapng; one that is whole and pcapng stays byte for byte.

    What remains of a packet at the end of a truncated file is left out. Raises
    CaptureError when a stamp lies before 1970.
    """
    if is_pcapng(frames.path) and frames.truncated_at is None:
        shutil.copyfile(frames.path, target)
        return
    with target.open("wb") as file:
        writer = CaptureWriter(file)
        numbers = declare(writer, [frames])[0]
        for row in range(len(frames)):
            copy_packet(writer, frames, row, numbers)


def declare(writer: CaptureWriter, captures: Sequence[Frames]) -> list[list[int]]:
    """Declare each different interface once, and all names.

    Return, for each capture, the number in the new file of each of its interfaces.
    """
    known: dict[Interface, int] = {}
    numbers = []
    for frames in captures:
        for each in frames.interfaces:
            if each not in known:
                known[each] = writer.interface(each)
        numbers.append([known[each] for each in frames.interfaces])
    for body in dict.fromkeys(body for frames in captures for body in frames.names):
        writer.names(body)
    return numbers


def copy_packet(
    writer: CaptureWriter,
    frames: Frames,
    row: int,
    numbers: Sequence[int],
    comment: bytes = b"",
) -> None:
    """Copy one packet, with `comment` beside it; `numbers` is of `declare`."""
    time_ns = int(frames.time_ns[row])
    if time_ns < 0:
        raise CaptureError(frames.path, int(frames.offset[row]), "is from before 1970")
    writer.packet(
        time_ns,
        frames.frame(row),
        interface=numbers[int(frames.interface[row])],
        length_b=int(frames.length_b[row]),
        comment=comment,
    )
