"""From one capture to packet tables: a function of the file and the devices alone.

Captures do not share state: conversations, retransmissions and order are judged within
a file, as by any tool that opens it. So captures can be tabulated in any order, side by
side, and on other machines, with the same result.
"""

import ipaddress
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.packets.block import Block, blocks_of
from analysis.packets.counts import COUNTED, Counts
from analysis.packets.flows import FlowTotals, write_flows
from analysis.packets.index import CapturePart, DevicePart
from analysis.packets.runs import SortedRuns
from analysis.packets.select import Selected, Selector
from analysis.pcap.ahead import ahead
from analysis.pcap.conversations import Analysed, Conversations, Keys
from analysis.pcap.errors import CaptureError
from analysis.pcap.link import DECODED
from analysis.pcap.links import name_of
from analysis.pcap.stream import CaptureStream, open_capture_stream

Int64 = NDArray[np.int64]

_WRITERS = 2  # threads that compress tables while packets are read

# called with the bytes of the file that were read so far; what it raises ends the work
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureJob:
    """One capture to be tabulated: all that another machine needs to know.

    path     the capture
    devices  whose packets are wanted
    folder   campaign folder; tables go to `packets/` and `flows/` in it
    """

    path: Path
    devices: tuple[Device, ...]
    folder: Path


def tabulate_capture(job: CaptureJob, progress: Progress | None = None) -> CapturePart:
    """Write the tables of one capture; return what is in them.

    Nothing is left behind when it fails. Raises CaptureError when the capture is
    damaged or of link types that are not understood, OSError when a table cannot be
    written.
    """
    state = job.path.stat()
    work = _Work(job)
    try:
        with open_capture_stream(job.path) as stream:
            for block in ahead(blocks_of(stream)):
                work.take(block)
                if progress is not None:
                    progress(stream.size_b)
            refuse_foreign(stream, work.n_frames, work.n_foreign)
            return work.finished(stream, state.st_mtime_ns)
    except BaseException:
        work.discard()
        raise


class _Work:
    """What is known of a capture so far."""

    def __init__(self, job: CaptureJob) -> None:
        self._job = job
        self._conversations = Conversations()
        self._addresses = _Addresses(self._conversations)
        self._pool = ThreadPoolExecutor(max_workers=_WRITERS)
        self._devices = [_DeviceWork(device, job, self._pool) for device in job.devices]
        self.n_frames = 0
        self.n_foreign = 0
        self._n_one_sided = 0
        self._n_backwards = 0
        self._last_ns: int | None = None
        self._span: tuple[int, int] | None = None

    def take(self, block: Block) -> None:
        """Sort the packets of a block to their devices."""
        self._time(block.time_ns)
        self.n_frames += block.time_ns.size
        self.n_foreign += block.n_foreign
        self._n_one_sided += block.n_one_sided
        analysed = self._conversations.add(block.time_ns, block.decoded)
        self._addresses.update()
        for each in self._devices:
            each.take(block, analysed, self._addresses)

    def _time(self, time_ns: Int64) -> None:
        stamped = time_ns[time_ns != 0]  # simple packets have no stamp
        if not stamped.size:
            return
        before = stamped[:1] if self._last_ns is None else [self._last_ns]
        steps = np.diff(stamped, prepend=before)
        self._n_backwards += int(np.count_nonzero(steps < 0))
        self._last_ns = int(stamped[-1])
        first, last = int(stamped.min()), int(stamped.max())
        if self._span is not None:
            first, last = min(first, self._span[0]), max(last, self._span[1])
        self._span = first, last

    def finished(self, stream: CaptureStream, mtime_ns: int) -> CapturePart:
        """Write what is left."""
        first_ns, last_ns = self._span or (None, None)
        keys = self._conversations.keys()
        for each in self._devices:
            each.flush()
        devices = {each.name: each.finished(keys) for each in self._devices}
        self._pool.shutdown()
        return CapturePart(
            name=self._job.path.name,
            size_b=stream.size_b,
            mtime_ns=mtime_ns,
            digest=stream.digest,
            n_frames=self.n_frames,
            n_conversations=len(self._conversations),
            first_ns=first_ns,
            last_ns=last_ns,
            truncated_at=stream.truncated_at,
            n_backwards=self._n_backwards,
            n_foreign=self.n_foreign,
            n_one_sided=self._n_one_sided,
            devices=devices,
        )

    def discard(self) -> None:
        """Leave nothing behind."""
        for each in self._devices:
            each.discard()
        self._pool.shutdown()


class _Addresses:
    """Texts of the endpoints of conversations, each once, in order of appearance."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._known: dict[tuple[int, int], int] = {}
        self.texts: list[str] = []
        self.ends = np.zeros((1024, 2), dtype=np.int32)  # of source, destination
        self._n = 0

    def update(self) -> None:
        """Take in the conversations that are new."""
        n = len(self._conversations)
        while n > len(self.ends):
            self.ends = np.concatenate((self.ends, np.zeros_like(self.ends)))
        keys = self._conversations.keys(self._n)
        for column, side in enumerate((keys.src, keys.dst)):
            self.ends[self._n : n, column] = self._numbers(side)
        self._n = n

    def _numbers(self, halves: NDArray[np.uint64]) -> NDArray[np.int32]:
        pairs = map(tuple, halves.tolist())
        return np.array([self._number(pair) for pair in pairs], dtype=np.int32)

    def _number(self, halves: tuple[int, int]) -> int:
        number = self._known.setdefault(halves, len(self.texts))
        if number == len(self.texts):
            address = ipaddress.IPv6Address(halves[0] << 64 | halves[1])
            self.texts.append(str(address.ipv4_mapped or address))
        return number


class _DeviceWork:
    """The packets of one device in a capture."""

    def __init__(self, device: Device, job: CaptureJob, pool: Executor) -> None:
        self.name = device.name
        self._selector = Selector(device)
        self._capture = job.path.name
        place = f"device={device.name}"
        about = {"capture": self._capture, "device": device.name}
        folder = job.folder / "packets" / place
        self._runs = SortedRuns(folder, self._capture, about, pool)
        self._flows = job.folder / "flows" / place / f"{self._capture}.parquet"
        self._totals = FlowTotals()
        self._counts = Counts()

    def take(self, block: Block, analysed: Analysed, addresses: _Addresses) -> None:
        selected = self._selector.of(block.decoded, block.beacons)
        if not selected.rows.size:
            return
        columns = _columns(block, analysed, selected, addresses.ends)
        self._counts.add(**{name: columns[name] for name in COUNTED})
        summed = ("flow", "outbound", "time_ns", "length_b", "payload_b", "tcp_flags")
        self._totals.add(
            reverse=analysed.reverse[selected.rows],
            retransmission=columns["retransmission"],
            **{name: columns[name] for name in summed},
        )
        self._runs.addresses = addresses.texts
        self._runs.add(columns)

    def flush(self) -> None:
        self._runs.flush()

    def finished(self, keys: Keys) -> DevicePart:
        files = self._runs.close()
        flows_b = 0
        if len(self._totals):
            tables = self._totals.tables(keys, device=self.name)
            flows_b = write_flows(self._flows, tables, self._capture)
        return replace(
            self._counts.part(),
            files=files,
            flows_b=flows_b,
            n_flows=len(self._totals),
        )

    def discard(self) -> None:
        self._runs.discard()
        self._flows.unlink(missing_ok=True)


def _columns(
    block: Block, analysed: Analysed, selected: Selected, ends: NDArray[np.int32]
) -> dict[str, NDArray[Any]]:
    """Return the columns of a device's packets, as `SortedRuns.add` takes them."""
    rows, outbound, decoded = selected.rows, selected.outbound, block.decoded
    flow = analysed.flow[rows]
    # the other end is where a packet goes to, or where one comes from that is received
    other = np.where(outbound, 1, 0) ^ analysed.reverse[rows]
    remote = np.full(rows.size, -1, dtype=np.int32)
    inside = flow >= 0
    remote[inside] = ends[flow[inside], other[inside]]
    return {
        "time_ns": block.time_ns[rows],
        "length_b": block.length_b[rows].astype(np.uint32),
        "outbound": outbound,
        "ethertype": decoded.ethertype[rows],
        "protocol": decoded.protocol[rows],
        "remote": remote,
        "src_port": decoded.src_port[rows],
        "dst_port": decoded.dst_port[rows],
        "payload_b": decoded.payload_b[rows],
        "tcp_flags": decoded.tcp_flags[rows],
        "seq": decoded.seq[rows],
        "ack": decoded.ack[rows],
        "flow": flow,
        "retransmission": analysed.retransmission[rows],
        "error": decoded.error[rows],
        "frame": rows + (block.first_frame + 1),
    }


def refuse_foreign(stream: CaptureStream, n_frames: int, n_foreign: int) -> None:
    """Refuse a capture of which no packet can be understood. Raises CaptureError."""
    if not n_frames or n_foreign < n_frames:
        return
    links = sorted({each.link for each in stream.interfaces} - DECODED)
    named = ", ".join(name_of(link) for link in links)
    reason = (
        f"holds packets of {named} only, which are not understood; Ethernet, "
        "Linux cooked, raw IP, BSD loopback and IEEE 802.11 are"
    )
    raise CaptureError(stream.path, 0, reason)
