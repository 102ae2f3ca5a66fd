"""Have tshark dissect a capture, and search every line of what it says.

It knows protocols that nobody here reads, puts fragments together and unpacks bodies.
It gets the packets from which something can be read: of a connection under TLS the
beginning, of any other the first hundreds. All bytes are read by `looking` anyway.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.audit.captures import plain_rows
from analysis.exporters.audit.looking import Looker, View, pieces
from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import Decoded, decode_batch
from analysis.pcap.rewrite import rewritten
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

MOST_OF_ONE = 400  # packets of a connection
MOST_OF_TLS = 24
MOST_OF_CAPTURE = 200_000
_TLS_PORTS = (443, 8443, 8883)
_FRAME = re.compile(rb"(?m)^Frame (\d+):")


def dissect_capture(looker: Looker, file: str, path: Path) -> None:
    """Search what tshark says of a capture; note it when tshark cannot be asked."""
    if shutil.which("tshark") is None:
        _once(
            looker, "tshark is not installed: nothing was dissected by a second reader"
        )
        return
    with tempfile.TemporaryDirectory(prefix="testbed-audit-") as place:
        part = Path(place) / "part.pcapng"
        frames = _chosen(path, part)
        if len(frames) >= MOST_OF_CAPTURE:
            most = f"only the first {MOST_OF_CAPTURE} packets that tell something"
            looker.notes.append(f"{file}: tshark dissected {most}")
        looker.looked_at.dissected += len(frames)
        if len(frames):
            _searched(looker, file, part, frames)


def _once(looker: Looker, note: str) -> None:
    if note not in looker.notes:
        looker.notes.append(note)


def _chosen(path: Path, target: Path) -> Int64:
    """Copy the packets that tell something; return their numbers in the capture."""
    budget, found, n = _Budget(), [], 0
    with rewritten(target) as writer, open_capture_stream(path) as capture:
        writer.begin(capture)
        for batch in capture:
            rows = budget.rows(batch, decode_batch(batch))[: MOST_OF_CAPTURE - n]
            n += rows.size
            writer.write(batch, rows)
            found.append(rows + batch.first_frame + 1)
        writer.close()
        writer.keep()
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


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


def _searched(looker: Looker, file: str, part: Path, frames: Int64) -> None:
    command = ["tshark", "-r", str(part), "-n", "-V"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as asked:
        try:
            assert asked.stdout is not None  # noqa: S101 -- for the type checker
            _look_at_lines(looker, file, asked.stdout, frames)
        finally:
            asked.kill()
    if asked.returncode not in (0, -9):
        looker.notes.append(f"{file}: tshark stopped with code {asked.returncode}")


def _look_at_lines(looker: Looker, file: str, lines: IO[bytes], frames: Int64) -> None:
    frame = 0
    for _base, data, span in pieces(cast(BinaryIO, lines), looker.margin_b):
        marks = [(m.start(), int(m.group(1))) for m in _FRAME.finditer(data)]
        starts, begun = [at for at, _ in marks], frame

        def place(
            at: int,
            starts: list[int] = starts,
            marks: list[tuple[int, int]] = marks,
            begun: int = begun,
        ) -> str:
            row = int(np.searchsorted(starts, at, side="right")) - 1
            number = marks[row][1] if row >= 0 else begun
            return f"packet {frames[number - 1] if number else '?'}"

        view = View(file=file, reader="tshark", place=place)
        looker.look_at_text(view, data, span)
        if marks:
            frame = marks[-1][1]
