"""The rolling capture around a campaign, and the clock beside it.

While trials run, somebody tends it: renews the lease, fetches finished files, measures
the clock offset. With threads that is a thread; under a virtual clock the runner calls
`tend` between trials.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.pcap.beacons import Beacon, encode
from testbed.errors import DriverError, JournalError, LabError, TestbedError
from testbed.model.events import (
    CaptureFileFetched,
    CaptureStarted,
    CaptureStopped,
    ClockMeasured,
)
from testbed.model.protocols import CaptureEnd, CaptureFile
from testbed.runner.fold import CampaignState
from testbed.runner.site import Site

RAW = "raw"
_BURST = 3  # clock measurements at the start and at the end
_TEND_S = 1.0
_MAX_FAILURES = 5  # in a row; then the capture point counts as lost
_NUMBER = re.compile(r"-(\d+)\.pcap(?:ng)?$")


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
        self._turn = threading.RLock()
        self._ended = threading.Event()
        self._due_s: dict[str, float] = {}
        self._session = ""
        self._capture = ""
        self.failure: TestbedError | None = None

    def recover(self) -> None:
        """End what an earlier controller left behind, and count in what it fetched."""
        reaped = self._site.bench.capture.reap()
        for capture in self._before:
            if capture.end is None:
                log = "; ".join(("its controller was gone", *reaped))
                self._note_end(capture.capture, _lost(capture.tool, log))
        for path in sorted(self._raw.glob("*.pcap*")):
            if path.name not in self._sha256 and self._before:
                self._note_file(self._before[-1].capture, path)

    @contextmanager
    def recording(self, session: str) -> Iterator[None]:
        """Record while the context lasts; all files are here when it is left.

        Entered only after packets were seen. Raises LabError when the capture does not
        start, or when the capture point was lost meanwhile.
        """
        self._start(session)
        tender = threading.Thread(target=self._tend_on, name="capture", daemon=True)
        if self._site.settings.threads:
            tender.start()
        try:
            yield
        except KeyboardInterrupt:
            self._ended.set()  # now means now: the lease ends it, resume fetches
            raise
        except BaseException:
            self._stop(tender)
            raise
        self._stop(tender)
        if self.failure is not None:
            raise self.failure

    def tend(self) -> None:
        """Do what is due: beat, fetch, measure. Raises DriverError, JournalError."""
        router = self._site.lab.router
        with self._turn:
            if self._is_due("beat", min(router.lease / 4, 15.0)):
                self._site.bench.capture.renew_lease()
                self._heartbeat()
            if self._is_due("clock", self._site.settings.clock_every_s):
                self.measure()
            if self._is_due("fetch", self._site.settings.fetch_every_s):
                self.fetch()

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

    def fetch(self, capture: str = "") -> None:
        """Fetch every finished file; raises DriverError, JournalError."""
        with self._turn:
            for file in self._site.bench.capture.finished_files():
                target = self._raw / self._name_for(file)
                self._site.bench.capture.fetch(file, target)
                self._note_file(capture or self._capture, target, file)

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

    def _start(self, session: str) -> None:
        campaign = self._site.journal.campaign
        self._session, self._capture = session, f"c{self._n + 1:02d}"
        self._ended.clear()
        try:
            # One name for the whole campaign: what an earlier session recorded and
            # nobody fetched is then listed again.
            self._site.bench.capture.start_capture(campaign, self.probe)
        except DriverError as exc:
            raise LabError(f"the capture does not start: {exc}") from exc
        if self._before:
            # What is finished at this moment is of the capture before this one.
            self.fetch(self._before[-1].capture)
        self._n += 1
        self._site.journal.write(
            CaptureStarted(
                capture=self._capture, session=session, tool=self._site.lab.router.tool
            )
        )
        now_s = self._site.clock.monotonic_s()
        self._due_s = dict.fromkeys(("beat", "clock", "fetch"), now_s)
        try:
            for _ in range(_BURST):
                self.measure()
        except DriverError as exc:
            self._end()
            raise LabError(f"the clock offset cannot be measured: {exc}") from exc

    def _stop(self, tender: threading.Thread) -> None:
        self._ended.set()
        if tender.is_alive():
            tender.join()
        for step in (self.probe, *(self.measure for _ in range(_BURST))):
            try:
                step()
            except DriverError as exc:
                self._fail(LabError(f"the capture point was lost: {exc}"))
                break
        self._end()

    def _end(self) -> None:
        """Stop the capture and fetch the rest; what cannot be had is journalled so."""
        with self._turn:
            try:
                end = self._site.bench.capture.stop_capture()
                self.fetch()
            except DriverError as exc:
                end = _lost(self._site.lab.router.tool, str(exc))
                self._fail(LabError(f"the capture did not end well: {exc}"))
            self._note_end(self._capture, end)

    def _tend_on(self) -> None:
        failures = 0
        while not self._ended.wait(_TEND_S):
            try:
                self.tend()
                failures = 0
            except DriverError as exc:
                failures += 1
                if failures >= _MAX_FAILURES:
                    self._fail(LabError(f"the capture point was lost: {exc}"))
                    return
            except TestbedError as exc:
                self._fail(exc)
                return

    def _fail(self, failure: TestbedError) -> None:
        if self.failure is None:
            self.failure = failure
            if not self._site.stop.requested:
                self._site.stop.request(str(failure))

    def _is_due(self, task: str, every_s: float) -> bool:
        now_s = self._site.clock.monotonic_s()
        if now_s < self._due_s[task]:
            return False
        self._due_s[task] = now_s + every_s
        return True

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
