"""What a device says and is told in its windows, message by message.

A *message* is what one side sends in a flow before the other answers, decoded to text;
`>` stands before what the device sent, `<` before what it received.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.packets import PacketTable
from analysis.payload.copies import Segment
from analysis.payload.text import masked
from analysis.payload.turns import may_hold_text, texts_in, turns_of
from analysis.pcap.decode import TCP, UDP, decode_frames
from analysis.pcap.reader import Frames, read_frames
from analysis.windows import Windows

Messages = tuple[tuple[str, ...], ...]

_MOST_OPEN = 2  # captures


class Captures:
    """The raw captures of a campaign, to look up the payload of packets.

    Of the files only the two last asked for are open: windows come in order of time,
    and one may reach from a capture into the next.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._paths = {path.name: path for path in files}
        self._open: dict[str, tuple[Frames, NDArray[np.int32]]] = {}

    def payload(self, capture: str, frame: int, size_b: int) -> bytes:
        """Return what was captured of a packet's payload of `size_b` bytes.

        capture, frame  name of the file and number of the packet in it, from 1

        Raises CaptureError when the file cannot be read or is damaged.
        """
        frames, payload_at = self._opened(capture)
        at = int(payload_at[frame - 1])
        return frames.frame(frame - 1)[at : at + size_b]

    def _opened(self, capture: str) -> tuple[Frames, NDArray[np.int32]]:
        held = self._open.pop(capture, None)
        if held is None:
            while len(self._open) >= _MOST_OPEN:
                del self._open[next(iter(self._open))]
            frames = read_frames(self._paths[capture])
            held = frames, decode_frames(frames).payload_at
        self._open[capture] = held  # those asked for last come last
        return held


def texts_of(captures: Captures, table: PacketTable, windows: Windows) -> Messages:
    """Return the distinct messages of each window, as they were sent, in order.

    table  the packets that `windows` were cut from
    """
    pairs = zip(windows.first.tolist(), windows.last.tolist(), strict=True)
    return tuple(_window(captures, table, first, last) for first, last in pairs)


def masked_all(texts: Sequence[Sequence[str]]) -> Messages:
    """Return the distinct messages of each window with variable fields masked."""
    return tuple(tuple(dict.fromkeys(map(masked, window))) for window in texts)


def messages_of(captures: Captures, table: PacketTable, windows: Windows) -> Messages:
    """Return the distinct messages of each window, masked; see `texts_of`."""
    return masked_all(texts_of(captures, table, windows))


def _window(
    captures: Captures, table: PacketTable, first: int, last: int
) -> tuple[str, ...]:
    turns = turns_of(_segments(captures, table, first, last))
    in_time = sorted(turns, key=lambda turn: min(each.time_ns for each in turn))
    said = (
        f"{'>' if turn[0].outbound else '<'}{text}"
        for turn in in_time
        for text in texts_in(turn)
    )
    return tuple(dict.fromkeys(said))


def _segments(
    captures: Captures, table: PacketTable, first: int, last: int
) -> Iterator[Segment]:
    for i in range(first, last):
        protocol, size_b = int(table.protocol[i]), int(table.payload_b[i])
        if not size_b or protocol not in (TCP, UDP):
            continue
        capture = table.captures[int(table.capture[i])]
        ports = int(table.src_port[i]), int(table.dst_port[i])
        payload = captures.payload(capture, int(table.frame[i]), size_b)
        if not payload or not may_hold_text(payload, ports):
            continue
        outbound, remote = bool(table.outbound[i]), table.remotes[table.remote[i]]
        names = (table.device, remote) if outbound else (remote, table.device)
        source, target = (names[0], ports[0]), (names[1], ports[1])
        yield Segment(
            flow=(protocol, *sorted((source, target))),
            source=source,
            target=target,
            seq=int(table.seq[i]) if protocol == TCP else None,
            number=0,
            time_ns=int(table.time_ns[i]),
            outbound=outbound,
            payload=payload,
            captures={capture},
        )
