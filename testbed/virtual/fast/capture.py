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
from testbed.virtual.fast.frames import I64, blocks
from testbed.virtual.fast.recorder import Recorder
from testbed.virtual.fast.truth import Truth

_SLICE_NS = 120_000_000_000
_POKE_S = 0.1
_DRAIN_S = 1.0
_TOOL, _VERSION = "fast", "1"


class SkewedClock:
    """The router's clock: wrong by an offset that drifts from `start_ns` on."""

    def __init__(self, clock: RouterClock, start_ns: int) -> None:
        self._offset_ns = round(clock.offset * 1e9)
        self._drift_ppm = clock.drift_ppm
        self._start_ns = start_ns

    def offset_ns(self, lab_ns: int) -> int:
        """Return router minus lab at a moment of the lab's clock."""
        drifted = (lab_ns - self._start_ns) * self._drift_ppm / 1e6
        return self._offset_ns + round(drifted)

    def stamps_ns(self, lab_ns: I64) -> I64:
        """Return what the router's clock shows at moments of the lab's clock."""
        drifted = (lab_ns - self._start_ns) * (self._drift_ppm / 1e6)
        stamps: I64 = lab_ns + self._offset_ns + np.rint(drifted).astype(np.int64)
        return stamps


class _Writing:
    """The file that is being written."""

    def __init__(self, path: Path, since_ns: int) -> None:
        self.path = path
        self.since_ns = since_ns
        self.frames = 0
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
    ) -> None:
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
        if self._writing is not None:
            raise DriverRefusedError("router", f"start {name!r}", "one runs already")
        self._recorder.packets_until(self._clock.now_ns())  # what nobody captured
        self._name = name
        self._received = 0
        self._open()
        if poke is not None:
            poke()
        self._clock.sleep(_POKE_S)

    def is_recording(self) -> bool:
        """Say whether a capture was started and not stopped."""
        return self._writing is not None

    def finished_files(self) -> Sequence[CaptureFile]:
        """List files of the running capture that are complete and not yet removed."""
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
        if self._finished.pop(file.name, None) is None:
            raise DriverRefusedError("router", f"fetch {file.name}", "no such file")
        shutil.move(self._path(file.name), target)

    def renew_lease(self) -> None:
        """Do nothing: the controller and the router are one."""

    def stop_capture(self) -> CaptureEnd:
        """Drain, then stop."""
        if self._writing is not None:
            self._clock.sleep(_DRAIN_S)
            self.pump()
            self._end_file()
        return CaptureEnd(
            tool=_TOOL,
            version=_VERSION,
            received=self._received,
            dropped=0,
            stopped_by="INT",
            log=f"{self._received} packets captured",
        )

    def reap(self) -> Sequence[str]:
        """End a capture that still runs; return its name."""
        if self._writing is None:
            return ()
        self.stop_capture()
        return (self._name,)

    def clock_offset(self) -> ClockSample:
        """Measure the router's clock with the error of a short round trip."""
        trip_s = float(self._rng.uniform(0.0006, 0.002))
        self._clock.sleep(trip_s)
        error_ns = round(trip_s * 1e9 / 2)
        at_ns = self._clock.now_ns() - error_ns
        wrong_ns = round(self._rng.uniform(-0.5, 0.5) * error_ns)
        offset_ns = self._router_clock.offset_ns(at_ns) + wrong_ns
        return ClockSample(at_ns=at_ns, offset_ns=offset_ns, error_ns=error_ns)

    def close(self) -> None:
        """Leave; a running capture ends, and files that were not fetched are gone."""
        self.reap()
        shutil.rmtree(self._folder, ignore_errors=True)

    def pump(self) -> None:
        """Write all packets up to now, a slice of time after the other."""
        now_ns = self._clock.now_ns()
        writing = self._writing
        if writing is None:
            self._recorder.packets_until(now_ns)
            return
        self._write_activities()
        at_ns = writing.since_ns
        while at_ns < now_ns:
            at_ns = min(at_ns + _SLICE_NS, now_ns)
            self._write_slice(at_ns)

    def _write_activities(self) -> None:
        causes, self._recorder.causes = self._recorder.causes, []
        offset_ns = self._router_clock.offset_ns
        self._truth.activities(
            [(c, c.instant_ns + offset_ns(c.instant_ns)) for c in causes]
        )

    def _write_slice(self, until_ns: int) -> None:
        packets = self._recorder.packets_until(until_ns)
        writing = self._writing
        if writing is None or not packets:
            return
        lab_ns = np.fromiter((p.time_ns for p in packets), np.int64, len(packets))
        writing.file.write(blocks(packets, self._router_clock.stamps_ns(lab_ns)))
        self._truth.packets(writing.path.name, writing.frames + 1, packets)
        writing.frames += len(packets)
        self._received += len(packets)
        if writing.file.tell() > self._at.rotate_mb * 1_000_000:
            self._end_file()
            self._open(until_ns)

    def _open(self, since_ns: int | None = None) -> None:
        count = self._truth.next_file(self._name)
        path = self._path(f"{self._at.point}-{count:05d}.pcapng")
        path.parent.mkdir(parents=True, exist_ok=True)
        now_ns = self._clock.now_ns() if since_ns is None else since_ns
        self._writing = _Writing(path, now_ns)

    def _end_file(self) -> None:
        if self._writing is None:
            return
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
