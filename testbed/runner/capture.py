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
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from analysis.pcap.beacons import Beacon, encode
from testbed.errors import DriverError, JournalError, LabError
from testbed.model.events import (
    CaptureFileFetched,
    CaptureStarted,
    CaptureStopped,
    ClockMeasured,
)
from testbed.model.protocols import CaptureEnd, CaptureFile
from testbed.runner.fold import CampaignState
from testbed.runner.site import Site
from testbed.runner.stop import StoppedError
from testbed.runner.tending import Task, Tender

RAW = "raw"
RESTARTS = 3  # how often in one run a capture that died is started anew
_BURST = 3  # clock measurements at the start and at the end
_NUMBER = re.compile(r"-(\d+)\.pcap(?:ng)?$")
_SUFFIXES = frozenset({".pcap", ".pcapng"})


class RollingCapture:
    """Records one campaign, session after session, into its `raw/` folder.

    heartbeat  called as often as the lease on the router is renewed
    """

    def __init__(
        self, site: Site, before: CampaignState, heartbeat: Callable[[], None]
    ) -> None:
        self._site = site
        self._heartbeat = heartbeat
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
        self._n_restarts = 0
        self._beats, self._chores = self._tenders()
        self.failure: BaseException | None = None

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
        self._start(session)
        tending = self._tend_beside()
        try:
            yield
        except KeyboardInterrupt:
            self._ended.set()  # now means now: the lease ends it, resume fetches
            self._over.set()
            raise
        except BaseException as exc:
            self._stop(tending)
            if isinstance(exc, StoppedError):
                self._raise_failure()  # that is why it was stopped
            raise
        self._stop(tending)
        self._raise_failure()

    def tend(self) -> None:
        """Do what is due: beat, fetch, measure. Raises LabError, JournalError."""
        self._beats.tend()
        self._chores.tend()

    def measure(self) -> None:
        """Measure the clock offset once; raises DriverError."""
        with self._turn:
            sample = self._site.bench.capture.clock_offset()
            self._site.journal.write(
                ClockMeasured(
                    session=self._session,
                    at_ns=sample.at_ns,
                    offset_ns=sample.offset_ns,
                    error_ns=sample.error_ns,
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
        beats = [Task(act=self._beat, every_s=min(router.lease / 4, 15.0))]
        chores = [
            Task(act=self._revive, every_s=0.0),
            Task(act=self.measure, every_s=settings.clock_every_s),
            Task(act=self.fetch, every_s=settings.fetch_every_s),
        ]
        name, clock, patience_s = "capture point", self._site.clock, router.lease / 2
        return (
            Tender(name, clock, beats, patience_s=patience_s),
            Tender(name, clock, chores, patience_s=patience_s),
        )

    def _tend_beside(self) -> list[Future[None]]:
        """Tend in threads of their own, where there are any."""
        self._beats.begin()
        self._chores.begin()
        if not self._site.settings.threads:
            return []
        pool = ThreadPoolExecutor(2, thread_name_prefix="capture")
        tending = [
            pool.submit(self._tend_until, self._chores, self._ended),
            pool.submit(self._tend_until, self._beats, self._over),
        ]
        for one in tending:
            one.add_done_callback(self._note_failure)
        pool.shutdown(wait=False)
        return tending

    def _tend_until(self, tender: Tender, end: threading.Event) -> None:
        while not end.wait(self._site.settings.tick_s):
            tender.tend()

    def _note_failure(self, tended: Future[None]) -> None:
        failure = tended.exception()
        if failure is not None:
            self._fail(failure)

    def _beat(self) -> None:
        self._heartbeat()
        capture = self._capture
        if not capture:
            return
        self._site.bench.capture.renew_lease()
        if not self._site.bench.capture.is_recording():
            self._dead = capture

    def _revive(self) -> None:
        """Start the capture anew when it died; raises LabError when it does not live.

        What was not recorded meanwhile is found by its missing beacons, and voided.
        """
        with self._turn:
            if not self._capture or self._dead != self._capture:
                return
            end = self._stopped()
            if end.stopped_by == "disk":
                self.fetch()  # that makes room
            self._note_end(self._capture, end)
            self._capture = ""
            self._n_restarts += 1
            if self._n_restarts > RESTARTS:
                raise LabError(
                    f"the capture ended by itself {self._n_restarts} times, the last "
                    f"time by {end.stopped_by}; look at the router, then resume"
                )
            self._start(self._session)

    def _start(self, session: str) -> None:
        campaign, capture = self._site.journal.campaign, f"c{self._n + 1:02d}"
        self._session = session
        try:
            # One name for the whole campaign: what an earlier session recorded and
            # nobody fetched is then listed again.
            self._site.bench.capture.start_capture(campaign, self.probe)
            finished = self._site.bench.capture.finished_files()
        except DriverError as exc:
            raise LabError(f"the capture does not start: {exc}") from exc
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
        try:
            for _ in range(_BURST):
                self.measure()
        except DriverError as exc:
            self._end()
            raise LabError(f"the clock offset cannot be measured: {exc}") from exc

    def _stop(self, tending: list[Future[None]]) -> None:
        self._ended.set()
        try:
            wait(tending[:1])
            for step in (self.probe, *(self.measure for _ in range(_BURST))):
                try:
                    step()
                except DriverError as exc:
                    self._fail(LabError(f"the capture point was lost: {exc}"))
                    break
            self._end()
        finally:
            self._over.set()
            wait(tending)

    def _end(self) -> None:
        """Stop the capture and fetch the rest; what cannot be had is journalled so."""
        with self._turn:
            capture, self._capture = self._capture, ""
            end = self._stopped() if capture else None
            try:
                self.fetch()
            except DriverError as exc:
                self._fail(LabError(f"the capture did not end well: {exc}"))
            if end is not None:
                self._note_end(capture, end)

    def _stopped(self) -> CaptureEnd:
        try:
            return self._site.bench.capture.stop_capture()
        except DriverError as exc:
            self._fail_at_end(exc)
            return _lost(self._site.lab.router.tool, str(exc))

    def _fail_at_end(self, exc: DriverError) -> None:
        if self._ended.is_set():  # a capture that is started anew may yet do well
            self._fail(LabError(f"the capture did not end well: {exc}"))

    def _fail(self, failure: BaseException) -> None:
        if self.failure is None:
            self.failure = failure
            self._site.stop.request(str(failure))

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _name_for(self, file: CaptureFile) -> str:
        """Return the file's name here: its own, or the next number if that is taken."""
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
