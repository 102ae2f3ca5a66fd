"""Have tshark dissect a capture, and search every line of what it says.

It knows protocols that nobody here reads, puts fragments together and unpacks bodies.
It gets the packets from which something can be read: of a connection under TLS the
beginning, of any other the first hundreds. All bytes are read by `looking` anyway.
"""

import re
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from analysis.errors import RequestError
from analysis.exporters.audit.alike import Alike
from analysis.exporters.audit.captures import plain_rows
from analysis.exporters.audit.looking import Looker, View, fixed, pieces
from analysis.exporters.audit.model import UNREAD
from analysis.exporters.audit.tshark import (
    REMEDY,
    TsharkError,
    fault_of_tshark,
    said_by,
)
from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import Decoded, decode_batch
from analysis.pcap.rewrite import rewritten
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

MOST_OF_ONE = 400  # packets of a connection
MOST_OF_TLS = 24
MOST_OF_PART = 200_000  # packets that one tshark gets, whose memory grows with them
TSHARK = "tshark"  # by which it is accepted that there is none
_TLS_PORTS = (443, 8443, 8883)
_MOST_WAITING_B = 1 << 28
_NONE = np.zeros(0, dtype=np.int64)
_FRAME = re.compile(rb"Frame (\d+):")
# what tshark makes of four bytes: sequence numbers and stamps are any number by chance
_NUMBER = re.compile(rb"\d{1,10}(?![^\s,\])(])")
_ANNOUNCED = re.compile(rb"(?:[:=]\s?|[(\[]|TSval |TSecr )\Z")
_ANNOUNCED_B = 8
_TURN = 1 << 32


class Frames:
    """Which packet of which capture each packet of the part is.

    counts  for how many packets that are alike each of them stands
    """

    def __init__(
        self, files: tuple[str, ...], numbers: Sequence[Int64], counts: list[int]
    ) -> None:
        self._files = files
        self.counts = counts
        self._ends = np.cumsum([each.size for each in numbers]).tolist()
        self._numbers = np.concatenate(numbers)

    def __len__(self) -> int:
        """Return how many packets there are."""
        return self._numbers.size

    def of(self, frame: int) -> tuple[str, str]:
        """Return the file and the place of a packet of the part, from 1."""
        row = min(max(frame, 1), len(self)) - 1
        file = self._files[bisect_right(self._ends, row)]
        return file, f"packet {self._numbers[row]}"

    def count(self, frame: int) -> int:
        """Return for how many packets one of the part stands, from 1."""
        return self.counts[min(max(frame, 1), len(self)) - 1]


class SecondReader:
    """Collects packets of captures, and has them dissected, many at once.

    Captures that follow each other and whose names differ in digits alone are one
    rolling capture, read as one: to start tshark takes as long as a thousand packets.
    """

    def __init__(self, looker: Looker) -> None:
        self._looker = looker
        self._fault = fault_of_tshark()
        self._told = False
        self._waiting: list[tuple[str, Path]] = []
        self._waiting_b = 0

    def add(self, file: str, path: Path) -> None:
        """Take a capture, which can be read. Raises CaptureError when it cannot."""
        if self._fault:
            self._tell()
            return
        rolling = bool(self._waiting) and series(self._waiting[-1][0]) == series(file)
        if not rolling or self._waiting_b > _MOST_WAITING_B:
            self.finish()
        self._waiting.append((file, path))
        self._waiting_b += path.stat().st_size

    def _tell(self) -> None:
        if not self._told:
            why = f"{self._fault}, so there was no second reader"
            self._looker.unread("all captures", why, name=TSHARK, remedy=REMEDY)
            self._told = True

    def finish(self) -> None:
        """Have dissected what waits."""
        waiting, self._waiting, self._waiting_b = self._waiting, [], 0
        if not waiting:
            return
        with tempfile.TemporaryDirectory(prefix="testbed-audit-") as place:
            for part, frames in parts(waiting, Path(place)):
                _searched(self._looker, part, frames)


def refuse_without_tshark(accepted: Collection[str]) -> None:
    """Raise RequestError where tshark cannot be used, unless that is accepted.

    To be asked before the work that an audit would refuse at its end.
    """
    fault = fault_of_tshark()
    if fault and f"{UNREAD}:{TSHARK}" not in accepted:
        why = f"{fault}, so there would be no second reader"
        raise RequestError(f"{why}; {REMEDY}, or --accept '{UNREAD}:{TSHARK}'")


def parts(
    captures: Sequence[tuple[str, Path]], place: Path
) -> Iterator[tuple[Path, Frames]]:
    """Yield the packets of captures that tell something, some at a time.

    place  folder for a file that is overwritten each time
    """
    part, done = place / "part.pcapng", 0
    while True:
        frames = _chosen(captures, part, done)
        if len(frames):
            yield part, frames
        if len(frames) < MOST_OF_PART:
            return
        done += len(frames)


def series(file: str) -> str:
    """Return the name of a capture without its numbers."""
    return re.sub(r"\d+", "#", file)


def _chosen(captures: Sequence[tuple[str, Path]], target: Path, done: int) -> Frames:
    """Copy packets that tell something, behind those done; return whence each comes."""
    budget, alike, found, n = _Budget(), Alike(), [], 0
    with rewritten(target) as writer:
        for _, path in captures:
            numbers = []
            alike.begin()
            with open_capture_stream(path) as capture:
                writer.begin(capture)
                for batch in capture:
                    decoded = decode_batch(batch)
                    chosen = budget.rows(batch, decoded)
                    chosen = alike.firsts(batch, decoded, chosen, n)
                    begin, end = max(0, done - n), done + MOST_OF_PART - n
                    n += chosen.size
                    rows = chosen[begin : max(begin, end)]
                    writer.write(batch, rows)
                    numbers.append(rows + batch.first_frame + 1)
            found.append(np.concatenate(numbers) if numbers else _NONE)
        writer.close()
        writer.keep()
    counts = alike.counts(done, sum(each.size for each in found))
    return Frames(tuple(file for file, _ in captures), found, counts)


class _Budget:
    """Counts packets of each connection, so that none takes all of the time."""

    def __init__(self) -> None:
        self._conversations = Conversations()
        self._spent = np.zeros(1 << 10, dtype=np.int64)

    def rows(self, batch: Batch, decoded: Decoded) -> Int64:
        """Return the packets of a batch to dissect, increasing."""
        flow = self._conversations.add(batch.time_ns, decoded).flow.astype(np.int64)
        said = flow >= 0
        empty = (decoded.payload_b == 0) & (decoded.protocol == 6)
        while flow.max(initial=0) >= self._spent.size:
            self._spent = np.concatenate((self._spent, np.zeros_like(self._spent)))
        rows = np.flatnonzero(said & ~empty)
        order = np.argsort(flow[rows], kind="stable")
        sorted_flow = flow[rows][order]
        first = np.searchsorted(sorted_flow, sorted_flow, side="left")
        nth = np.empty(rows.size, dtype=np.int64)
        nth[order] = np.arange(rows.size) - first
        nth += self._spent[flow[rows]]
        np.add.at(self._spent, flow[rows], 1)
        sealed = np.isin(decoded.src_port, _TLS_PORTS)
        sealed |= np.isin(decoded.dst_port, _TLS_PORTS)
        most = np.where(sealed[rows], MOST_OF_TLS, MOST_OF_ONE)
        chosen = ~said | plain_rows(decoded)
        chosen[rows] |= nth < most
        return np.flatnonzero(chosen)


def _searched(looker: Looker, part: Path, frames: Frames) -> None:
    try:
        with said_by(["-V"], part) as lines:
            told, whole = _look_at_lines(looker, lines, frames)
        demand(frames, told, whole=whole)
    except TsharkError as exc:
        file, place = frames.of(1)
        until, last = frames.of(len(frames))
        span = f"{place} to {last if file == until else f'{last} of {until}'}"
        looker.unread(file, f"{exc}, in {span}")


def _look_at_lines(looker: Looker, lines: BinaryIO, frames: Frames) -> tuple[int, bool]:
    """Search what tshark says.

    Returns how many packets it said something of, and whether the last one is complete.
    """
    frame, last, told, end = 1, 0, 0, b""
    for _base, data, span in pieces(lines, looker.margin_b):
        marks = list(_frames(data))
        starts = [at for at, _ in marks]
        seen: Counter[tuple[int, int, str]] = Counter()
        for at, row, encoding in looker.hits(data, span):
            if looker.identifiers[row].kind == "ipv4" and is_chance(data, at):
                continue
            mark = bisect_right(starts, at) - 1
            seen[marks[mark][1] if mark >= 0 else frame, row, encoding] += 1
        for (number, row, encoding), n in sorted(seen.items()):
            file, place = frames.of(number)
            view = View(file=file, reader="tshark", place=fixed(place))
            looker.note(view, row, encoding, place, n * frames.count(number))
        # a piece begins with the end of the one before
        told += sum(number > last for _, number in marks)
        end = data[-2:]
        if marks:
            frame = last = marks[-1][1]
    looker.looked_at.dissected += told
    return told, end == b"\n\n"


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (place, number) of lines that begin a packet.

    Searching for the end of the line before is several times as fast as a pattern.
    """
    at = 0
    while True:
        if found := _FRAME.match(data, at):
            yield at, int(found.group(1))
        at = data.find(b"\nFrame ", at) + 1
        if not at:
            return


def demand(frames: Frames, told: int, *, whole: bool) -> None:
    """Raise TsharkError unless tshark told of every packet that it got, to the end.

    whole  whether the last thing that it told is complete
    """
    if told != len(frames) or not whole:
        cut = "" if whole else ", the last one in part"
        raise TsharkError(f"tshark told of {told} of {len(frames)} packets{cut}")


def is_chance(data: bytes, at: int) -> bool:
    """Say whether a hit is the value of a field of four bytes, written as a number.

    What is said as text is found by those who read bytes, whatever it looks like here.
    """
    number = _NUMBER.match(data, at)
    if number is None or int(number.group()) >= _TURN:
        return False
    return _ANNOUNCED.search(data, max(0, at - _ANNOUNCED_B), at) is not None
