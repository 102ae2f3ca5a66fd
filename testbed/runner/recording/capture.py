"""The rolling capture around a campaign, and the clock beside it.

While trials run, somebody tends it. One thread does nothing but beat, so that neither
the lease on the router nor the one on the lab waits for a long copy, and asks whether
the capture lives. Another fetches finished files, measures the clock offset and starts
a capture that died anew. Under a virtual clock the runner calls `tend` between trials.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from analysis.pcap.beacons import Beacon, encode
from testbed.clock import stepped_ns
from testbed.errors import DriverError, JournalError, LabError
from testbed.model.events import (
    CaptureFileFetched,
    CaptureStarted,
    CaptureStopped,
    ClockMeasured,
)
from testbed.model.protocols import CaptureEnd, CaptureFile
from testbed.runner.journal.fold import CampaignState
from testbed.runner.journal.store import LostLeaseError
from testbed.runner.pauses.suspenders import DISKS, ROUTER
from testbed.runner.pauses.watches import ClockWatch
from testbed.runner.recording.beside import Beside, Task, Tender
from testbed.runner.stop import StoppedError
from testbed.runner.trials.site import Site

RAW = "raw"
RESTARTS = 3  # how often in one run a capture that died is started anew
_LOOK_S = 2.0  # between two looks whether the capture lives; it is a cheap one
_BURST = 3  # clock measurements at the start and at the end
_NUMBER = re.compile(r"-(\d+)\.pcap(?:ng)?$")
_SUFFIXES = frozenset({".pcap", ".pcapng"})
_NEEDS = DISKS | {ROUTER}
_Answer = TypeVar("_Answer")


class RollingCapture:
    """Records one campaign, session after session, into its `raw/` folder.

    heartbeat  called as often as the lease on the router is renewed
    clock      told of every measurement
    """

    def __init__(
        self,
        site: Site,
        before: CampaignState,
        heartbeat: Callable[[], None],
        clock: ClockWatch,
    ) -> None:
        self._site = site
        self._heartbeat = heartbeat
        self._clock_watch = clock
        self._raw = site.folder / RAW
        self._n = len(before.captures)
        self._sha256 = {
            f.name: f.sha256 for c in before.captures.values() for f in c.files
        }
        self._before = list(before.captures.values())
        self._latest = self._before[-1].capture if self._before else ""
        self._owner: dict[str, str] = {}  # file not yet fetched -> its capture
        self._turn = threading.RLock()
        self._ended = threading.Event()  # no more trials
        self._over = threading.Event()  # nor files
        self._session = ""
        self._capture = ""  # the one that runs, or ''
        self._dead = ""  # the one that was seen not to record any more
        self._is_open = False  # between a start that went well and the stop
        self._is_wanted = False  # while open: one is to be started, none runs
        self._may_run = False  # a start failed in the middle
        self._n_restarts = 0
        self._n_pauses = 0
        self._beside = Beside("capture", site.stop, site.settings.tick_s)
        self._beats, self._chores = self._tenders()

    def recover(self) -> None:
        """End what an earlier controller left behind, and count in what it fetched."""
        reaped = self._site.bench.capture.reap()
        for capture in self._before:
            if capture.end is None:
                log = "; ".join(("its controller was gone", *reaped))
                self._note_end(capture.capture, _lost(capture.tool, log))
        for path in sorted(self._raw.iterdir()):
            if path.suffix == ".part":
                path.unlink()  # half a copy; the router has the whole file
            elif path.suffix in _SUFFIXES and self._latest:
                self._note_file(self._latest, path)

    @contextmanager
    def recording(self, session: str) -> Iterator[None]:
        """Record while the context lasts; all files are here when it is left.

        Entered only after packets were seen. Raises LabError when the capture does not
        start or was lost meanwhile, and whatever else ended those who tend it.
        """
        self._ended.clear()
        self._over.clear()
        self._heartbeat()
        tending = self._tend_beside()
        try:
            self._open(session)
            yield
        except BaseException as exc:
            if self._is_to_be_left(exc):
                self._ended.set()
                self._over.set()
            else:
                self._stop(tending)
            if isinstance(exc, StoppedError):
                self._beside.raise_failure()  # that is why it was stopped
            raise
        self._stop(tending)
        self._beside.raise_failure()

    def _is_to_be_left(self, exc: BaseException) -> bool:
        """Say whether what runs on the router is no longer ours to stop or to fetch.

        After a second Ctrl-C now means now: its lease ends the capture, and resume
        fetches. After the lab was lost it is another controller's, whoever saw that
        first: this thread, one beside it or one that looks at what may go bad.
        """
        lost = isinstance(self._site.stop.failure, LostLeaseError)
        return lost or isinstance(exc, KeyboardInterrupt | LostLeaseError)

    def tend(self) -> None:
        """Do what is due: beat, fetch, measure. Raises LabError, JournalError."""
        self._beats.tend()
        self._tend_chores()

    def measure(self) -> None:
        """Measure the clock offset once; raises DriverError."""
        with self._turn:
            sample = self._site.bench.capture.clock_offset()
            self._clock_watch.note(sample)
            self._site.journal.write(
                ClockMeasured(
                    session=self._session,
                    at_ns=sample.at_ns,
                    offset_ns=sample.offset_ns,
                    error_ns=sample.error_ns,
                    stepped_ns=stepped_ns(self._site.clock),
                )
            )

    def fetch(self) -> None:
        """Fetch every finished file; raises DriverError, JournalError."""
        with self._turn:
            for file in self._site.bench.capture.finished_files():
                target = self._raw / self._name_for(file)
                self._site.bench.capture.fetch(file, target)
                owner = self._owner.pop(file.name, self._latest)
                self._note_file(owner, target, file)

    def probe(self) -> None:
        """Send a beacon that belongs to no trial."""
        beacon = Beacon(
            campaign=self._site.journal.campaign,
            trial="",
            attempt=0,
            phase="probe",
            sent_ns=self._site.clock.now_ns(),
        )
        self._site.bench.beacons.send(encode(beacon))

    def _tenders(self) -> tuple[Tender, Tender]:
        settings, router = self._site.settings, self._site.lab.router
        beats = [
            Task(act=self._beat, every_s=min(router.lease / 4, 15.0)),
            Task(act=self._look, every_s=_LOOK_S),
        ]
        chores = [
            Task(act=self._revive, every_s=0.0),
            Task(act=self.measure, every_s=settings.clock_every_s),
            Task(act=self.fetch, every_s=settings.fetch_every_s),
        ]
        clock, patience_s = self._site.clock, router.lease / 2

        def tender(tasks: list[Task]) -> Tender:
            return Tender(
                "capture point",
                clock,
                tasks,
                patience_s=patience_s,
                excused=lambda: bool(self._site.pauses.suspect(_NEEDS)),
            )

        return tender(beats), tender(chores)

    def _tend_beside(self) -> list[Future[None]]:
        """Tend in threads of their own, where there are any."""
        self._beats.begin()
        self._chores.begin()
        if not self._site.settings.threads:
            return []
        return self._beside.begin(
            (self._tend_chores, self._ended), (self._beats.tend, self._over)
        )

    def _tend_chores(self) -> None:
        if self._is_open:
            self._chores.tend()

    def _beat(self) -> None:
        self._heartbeat()
        if self._capture:
            self._site.bench.capture.renew_lease()

    def _look(self) -> None:
        capture = self._capture
        if capture and not self._site.bench.capture.is_recording():
            self._dead = capture

    def _revive(self) -> None:
        """Start the capture anew when it died; raises DriverError, to be tried again.

        What was not recorded meanwhile is found by its missing beacons, and voided.
        Raises LabError when it dies again and again for no known reason.
        """
        with self._turn:
            if self._capture and self._dead == self._capture:
                end = self._site.bench.capture.stop_capture()
                if end.stopped_by == "disk":
                    self.fetch()  # that makes room
                self._note_end(self._capture, end)
                self._capture, self._is_wanted = "", True
                self._count_end(end)
            if self._is_wanted:
                self._start(self._session)

    def _count_end(self, end: CaptureEnd) -> None:
        n_pauses = self._site.pauses.n_suspended(_NEEDS)
        if n_pauses > self._n_pauses:  # that is why it ended
            self._n_pauses = n_pauses
            return
        self._n_restarts += 1
        if self._n_restarts > RESTARTS:
            raise LabError(
                f"the capture ended by itself {self._n_restarts} times, the last "
                f"time by {end.stopped_by}; look at the router, then resume"
            )

    def _open(self, session: str) -> None:
        """Start the first capture of a session; raises LabError."""
        try:
            self._patiently(lambda: self._start(session))
        except DriverError as exc:
            raise LabError(f"the capture does not start: {exc}") from exc
        try:
            self._patiently(self._measure_burst)
        except DriverError as exc:
            raise LabError(f"the clock offset cannot be measured: {exc}") from exc
        self._is_open = True

    def _patiently(self, act: Callable[[], _Answer]) -> _Answer:
        """Do an act on the router; where it went bad, wait and do it again.

        Raises DriverError where it failed for another reason, or a stop was requested;
        StoppedError when one is requested meanwhile.
        """
        while True:
            try:
                return act()
            except DriverError:
                if self._site.stop.requested or not self._site.pauses.suspect(_NEEDS):
                    raise
                self._site.pauses.wait(_NEEDS)

    def _start(self, session: str) -> None:
        """Start a capture; raises DriverError."""
        point, campaign = self._site.bench.capture, self._site.journal.campaign
        capture = f"c{self._n + 1:02d}"
        self._session = session
        if self._may_run:
            point.reap()
        self._may_run = True
        # One name for the whole campaign: what an earlier session recorded and nobody
        # fetched is then listed again.
        point.start_capture(campaign, self.probe)
        finished = point.finished_files()
        self._may_run = self._is_wanted = False
        self._clock_watch.forget()
        # What is finished at this moment is of the capture before this one.
        owner = self._latest or capture
        for file in finished:
            self._owner.setdefault(file.name, owner)
        self._n += 1
        self._capture = self._latest = capture
        self._site.journal.write(
            CaptureStarted(
                capture=capture, session=session, tool=self._site.lab.router.tool
            )
        )

    def _measure_burst(self) -> None:
        for _ in range(_BURST):
            self.measure()

    def _stop(self, tending: list[Future[None]]) -> None:
        was_open, self._is_open = self._is_open, False
        self._ended.set()
        try:
            wait(tending[:1])
            self._heartbeat()  # LostLeaseError: nobody may have seen it yet
            if was_open:
                self._close()
            if was_open or self._capture:
                self._end()
        finally:
            self._over.set()
            wait(tending)

    def _close(self) -> None:
        """Send and measure a last time, for the label windows that just ended."""
        try:
            self._patiently(self.probe)
            self._patiently(self._measure_burst)
        except DriverError as exc:
            self._lose(f"the capture point was lost: {exc}")
        except StoppedError:
            return

    def _end(self) -> None:
        """Stop the capture and fetch the rest; what cannot be had is journalled so."""
        with self._turn:
            capture, self._capture = self._capture, ""
            end = self._stopped() if capture else None
            try:
                self._patiently(self.fetch)
            except DriverError as exc:
                self._lose(f"the capture did not end well: {exc}")
            except StoppedError:
                pass  # the next run fetches the rest
            if end is not None:
                self._note_end(capture, end)

    def _stopped(self) -> CaptureEnd:
        try:
            return self._patiently(self._site.bench.capture.stop_capture)
        except DriverError as exc:
            self._lose(f"the capture did not end well: {exc}")
            return _lost(self._site.lab.router.tool, str(exc))
        except StoppedError:
            return _lost(self._site.lab.router.tool, "the router was not reached")

    def _lose(self, why: str) -> None:
        """Let the campaign fail, unless it ends for another reason already."""
        if not self._site.stop.requested:
            self._beside.fail(LabError(why))

    def _name_for(self, file: CaptureFile) -> str:
        """Return the file's name here: its own, or the next number if that is taken.

        One that is here already, copied and not yet removed there, keeps its name.
        """
        for name, sha256 in self._sha256.items():
            if sha256 == file.sha256:
                return name
        if self._sha256.get(file.name, file.sha256) == file.sha256:
            return file.name
        numbers = [int(m[1]) for m in map(_NUMBER.search, self._sha256) if m]
        suffix = Path(file.name).suffix
        return f"{self._site.lab.router.point}-{max(numbers) + 1:05d}{suffix}"

    def _note_file(
        self, capture: str, path: Path, file: CaptureFile | None = None
    ) -> None:
        sha256 = file.sha256 if file is not None else sha256_of(path)
        if self._sha256.get(path.name) == sha256:
            return
        self._sha256[path.name] = sha256
        self._site.journal.write(
            CaptureFileFetched(
                capture=capture,
                name=path.name,
                size_b=path.stat().st_size,
                sha256=sha256,
            )
        )

    def _note_end(self, capture: str, end: CaptureEnd) -> None:
        self._site.journal.write(
            CaptureStopped(
                capture=capture,
                tool=end.tool,
                version=end.version,
                received=end.received,
                dropped=end.dropped,
                stopped_by=end.stopped_by,
                log=end.log,
            )
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; raises JournalError when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise JournalError(f"{path} cannot be read: {exc.strerror}") from exc


def _lost(tool: str, log: str) -> CaptureEnd:
    return CaptureEnd(
        tool=tool,
        version="",
        received=None,
        dropped=None,
        stopped_by="gone",
        log=log,
    )
