"""The capture point of the fast lab: packets straight into rolling pcapng files.

A file is made when somebody asks for finished files, so a campaign that never asks has
one long file; a file also ends when it is larger than `rotate_mb`.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.random import Generator

from analysis.pcap.blocks import LINK_ETHERNET, Interface
from analysis.pcap.writer import CaptureWriter
from testbed.clock import Clock
from testbed.errors import DriverRefusedError
from testbed.model.lab import RouterAt, RouterClock
from testbed.model.protocols import CaptureEnd, CaptureFile, ClockSample
from testbed.virtual.fast.around import Around
from testbed.virtual.fast.frames import I64, Packet, blocks, numbers
from testbed.virtual.fast.recorder import Recorder
from testbed.virtual.fast.truth import Truth

_SLICE_NS = 120_000_000_000
_TOGETHER = 4096  # packets that are made into blocks at once, for speed
_BLOCK_MOST_B = 1700  # no block is larger
_POKE_S = 0.1
_DRAIN_S = 1.0
_TOOL, _VERSION = "fast", "1"


class SkewedClock:
    """The router's clock: wrong by an offset that drifts from `start_ns` on.

    steps  when it is wrong by how much more: begin and end (lab's ns), and by what (ns)
    """

    def __init__(
        self,
        clock: RouterClock,
        start_ns: int,
        steps: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        self._steps = tuple(steps)
        self._offset_ns = round(clock.offset * 1e9)
        self._drift_ppm = clock.drift_ppm
        self._start_ns = start_ns

    def offset_ns(self, lab_ns: int) -> int:
        """Return router minus lab at a moment of the lab's clock."""
        drifted = (lab_ns - self._start_ns) * self._drift_ppm / 1e6
        stepped = sum(by for begin, end, by in self._steps if begin <= lab_ns < end)
        return self._offset_ns + round(drifted) + stepped

    def stamps_ns(self, lab_ns: I64) -> I64:
        """Return what the router's clock shows at moments of the lab's clock."""
        drifted = (lab_ns - self._start_ns) * (self._drift_ppm / 1e6)
        stamps: I64 = lab_ns + self._offset_ns + np.rint(drifted).astype(np.int64)
        for begin_ns, end_ns, by_ns in self._steps:
            stamps[(lab_ns >= begin_ns) & (lab_ns < end_ns)] += by_ns
        return stamps


class _Writing:
    """The file that is being written; packets wait to be written together.

    ids  IP identifications of what waits
    """

    def __init__(self, path: Path, since_ns: int) -> None:
        self.path = path
        self.since_ns = since_ns
        self.frames = 0
        self.waiting: list[Packet] = []
        self.ids: list[I64] = []
        self.file: BinaryIO = path.open("wb")
        CaptureWriter(self.file).interface(Interface(link=LINK_ETHERNET))


class FastCapture:
    """A `CapturePoint` without a router.

    folder  where files are kept until they are fetched; what is there goes away
    """

    def __init__(
        self,
        at: RouterAt,
        recorder: Recorder,
        clock: Clock,
        *,
        router_clock: SkewedClock,
        truth: Truth,
        rng: Generator,
        folder: Path,
        around: Around,
    ) -> None:
        self._around = around
        self._ended_by = ""
        self._n_dropped = 0
        self._since_ns = 0  # when the capture that runs was started
        self._at = at
        self._recorder = recorder
        self._clock = clock
        self._router_clock = router_clock
        self._truth = truth
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)  # of somebody who was killed
        self._rng = rng
        self._writing: _Writing | None = None
        self._finished: dict[str, CaptureFile] = {}
        self._name = ""
        self._received = 0

    def start_capture(self, name: str, poke: Callable[[], None] | None) -> None:
        """Start the rolling capture `name`; return once it records."""
        request = f"start {name!r}"
        self._around.answer(request)
        if self._writing is not None:
            raise DriverRefusedError("router", request, "one runs already")
        if self._around.free_b() < self._at.free_mb * 1_000_000:
            raise DriverRefusedError("router", request, "its disk is full")
        self._since_ns, self._ended_by, self._n_dropped = self._clock.now_ns(), "", 0
        self._recorder.packets_until(self._clock.now_ns())  # what nobody captured
        self._name = name
        self._received = 0
        self._open()
        if poke is not None:
            poke()
        self._clock.sleep(_POKE_S)

    def is_recording(self) -> bool:
        """Say whether a capture was started and has not ended."""
        self._mind("look after the capture")
        return self._writing is not None

    def finished_files(self) -> Sequence[CaptureFile]:
        """List files of the running capture that are complete and not yet removed."""
        self._mind("list finished files")
        if self._writing is not None:
            now_ns = self._clock.now_ns()
            due_ns = self._writing.since_ns + round(self._at.rotate * 1e9)
            if now_ns >= due_ns:
                self.pump()
                self._end_file()
                self._open()
        return tuple(self._finished.values())

    def fetch(self, file: CaptureFile, target: Path) -> None:
        """Move one finished file to `target`."""
        self._mind(f"fetch {file.name}")
        if self._finished.pop(file.name, None) is None:
            raise DriverRefusedError("router", f"fetch {file.name}", "no such file")
        shutil.move(self._path(file.name), target)

    def renew_lease(self) -> None:
        """Do nothing where the router answers: it and the controller are one."""
        self._mind("renew the lease")

    def stop_capture(self) -> CaptureEnd:
        """Drain, then stop."""
        self._mind("stop the capture")
        if self._writing is not None:
            self._clock.sleep(_DRAIN_S)
            self.pump()
            self._end_file()
            self._ended_by = "INT"
        return CaptureEnd(
            tool=_TOOL,
            version=_VERSION,
            received=self._received,
            dropped=self._n_dropped,
            stopped_by=self._ended_by or "gone",
            log=f"{self._received} packets captured",
        )

    def reap(self) -> Sequence[str]:
        """End a capture that still runs; return its name."""
        self._mind("reap")
        if self._writing is None:
            return ()
        self.stop_capture()
        return (self._name,)

    def clock_offset(self) -> ClockSample:
        """Measure the router's clock with the error of a short round trip."""
        self._mind("tell the time")
        trip_s = float(self._rng.uniform(0.0006, 0.002))
        self._clock.sleep(trip_s)
        error_ns = round(trip_s * 1e9 / 2)
        at_ns = self._clock.now_ns() - error_ns
        wrong_ns = round(self._rng.uniform(-0.5, 0.5) * error_ns)
        offset_ns = self._router_clock.offset_ns(at_ns) + wrong_ns
        return ClockSample(at_ns=at_ns, offset_ns=offset_ns, error_ns=error_ns)

    def close(self) -> None:
        """Leave; a running capture ends, and files that were not fetched are gone."""
        if self._writing is not None:
            self.pump()
            self._end_file()
        shutil.rmtree(self._folder, ignore_errors=True)

    def free_b(self) -> int:
        """Return how many bytes are free where captures are written."""
        return self._around.free_b()

    def heard_s(self, mac: str) -> float | None:
        """Return how many seconds ago `mac` was last heard; None where unknown."""
        return self._around.heard_s(mac)

    def internet_ok(self, host_port: str) -> bool:
        """Say whether a TCP connection from the router to `host:port` opens."""
        return self._around.internet_ok(host_port)

    def pump(self) -> None:
        """Write all packets up to now, or to where the capture died."""
        end = self._around.end_of_capture(self._since_ns)
        if self._writing is None or end is None:
            self._pump(self._clock.now_ns())
            return
        end_ns, self._ended_by = end
        self._pump(end_ns)
        self._end_file()
        if self._around.loses_files(end_ns):
            self._finished.clear()

    def _mind(self, request: str) -> None:
        """Let happen what has happened to the router; then it may not answer."""
        if self._writing is not None and self._around.end_of_capture(self._since_ns):
            self.pump()
        self._around.answer(request)

    def _pump(self, now_ns: int) -> None:
        writing = self._writing
        if writing is None:
            self._recorder.packets_until(now_ns)
            return
        self._write_activities()
        at_ns = writing.since_ns
        while at_ns < now_ns:
            at_ns = min(at_ns + _SLICE_NS, now_ns)
            self._write_slice(at_ns)
        if self._writing is not None:
            self._write_waiting(self._writing)

    def _write_activities(self) -> None:
        causes, self._recorder.causes = self._recorder.causes, []
        offset_ns = self._router_clock.offset_ns
        self._truth.activities(
            [(c, c.instant_ns + offset_ns(c.instant_ns)) for c in causes]
        )

    def _write_slice(self, until_ns: int) -> None:
        packets = self._recorded(self._recorder.packets_until(until_ns))
        writing = self._writing
        if writing is None or not packets:
            return
        writing.waiting += packets
        writing.ids.append(numbers(len(packets)))
        self._received += len(packets)
        limit_b = self._at.rotate_mb * 1_000_000
        at_most_b = writing.file.tell() + len(writing.waiting) * _BLOCK_MOST_B
        if len(writing.waiting) < _TOGETHER and at_most_b <= limit_b:
            return
        self._write_waiting(writing)
        if writing.file.tell() > limit_b:
            self._end_file()
            self._open(until_ns)

    def _write_waiting(self, writing: _Writing) -> None:
        packets = writing.waiting
        if not packets:
            return
        lab_ns = np.fromiter((p[0] for p in packets), np.int64, len(packets))
        stamps_ns = self._router_clock.stamps_ns(lab_ns)
        writing.file.write(blocks(packets, stamps_ns, np.concatenate(writing.ids)))
        self._truth.packets(writing.path.name, writing.frames + 1, packets)
        writing.frames += len(packets)
        writing.waiting, writing.ids = [], []

    def _recorded(self, packets: list[Packet]) -> list[Packet]:
        """Return the packets that the tool does not drop."""
        for spell in self._around.drops():
            kept = [
                p for p in packets if not spell.begin_ns <= p.time_ns < spell.end_ns
            ]
            self._n_dropped += len(packets) - len(kept)
            packets = kept
        return packets

    def _open(self, since_ns: int | None = None) -> None:
        count = self._truth.next_file(self._name)
        path = self._path(f"{self._at.point}-{count:05d}.pcapng")
        path.parent.mkdir(parents=True, exist_ok=True)
        now_ns = self._clock.now_ns() if since_ns is None else since_ns
        self._writing = _Writing(path, now_ns)

    def _end_file(self) -> None:
        if self._writing is None:
            return
        self._write_waiting(self._writing)
        self._writing.file.close()
        path, self._writing = self._writing.path, None
        path_bytes = path.read_bytes()
        self._finished[path.name] = CaptureFile(
            name=path.name,
            size_b=len(path_bytes),
            sha256=hashlib.sha256(path_bytes).hexdigest(),
        )

    def _path(self, name: str) -> Path:
        return self._folder / self._name / name
