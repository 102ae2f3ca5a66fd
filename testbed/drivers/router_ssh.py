"""A router reached by SSH that records its packets and tells its time.

The work on the router is done by `capture_supervisor.sh`, which lives on when this
program dies and ends by itself when it is not heard of for `lease` seconds. Here are
the promises of `CapturePoint`: a capture is proven to record before it counts as
started, is drained before it is stopped, and a file leaves the router only after its
copy was checked.
"""

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from testbed.clock import Clock, wait_until
from testbed.drivers import router_reports
from testbed.drivers.registry import Driver
from testbed.drivers.router_clock import ClockHelper
from testbed.drivers.router_lookout import RouterLookout
from testbed.drivers.router_supervisor import Supervisor, remove
from testbed.errors import (
    DriverGarbledError,
    DriverRefusedError,
    DriverTimeoutError,
    JournalError,
)
from testbed.model.inspection import RouterFacts
from testbed.model.lab import RouterAt
from testbed.model.protocols import CaptureEnd, CaptureFile, ClockSample

if TYPE_CHECKING:
    import paramiko

    from testbed.drivers.router_link import SshLink

INSTRUMENT = "router"
# The kernel hands a partly filled block of packets over after at most 1 s (TPACKET_V3);
# packets in it are lost when the tool is stopped before that.
DRAIN_S = 1.3
READY_S = 30.0  # tshark takes 1-2 s, more on a busy machine
PROOF_S = 12.0
POKE_EVERY_S = 0.25
PATIENCE_S = 60  # the last file may be long, and a router slow


class SshRouter:
    """The capture point of a lab; keeps the promises of `CapturePoint`.

    drain_s     wait before a stop
    patience_s  how long the tool may take to finish its last file
    """

    def __init__(
        self,
        link: "SshLink",
        at: RouterAt,
        clock: Clock,
        *,
        drain_s: float = DRAIN_S,
        patience_s: int = PATIENCE_S,
    ) -> None:
        self._link = link
        self._at = at
        self._clock = clock
        self._drain_s = drain_s
        self._patience_s = patience_s
        self._version = ""
        self._helper = ClockHelper(link, clock, INSTRUMENT)
        self._supervisor = Supervisor(link, at, INSTRUMENT, patience_s=patience_s)
        self._lookout = RouterLookout(link, INSTRUMENT, at.interface, at.folder)

    def start_capture(self, name: str, poke: Callable[[], None] | None) -> None:
        """Start the rolling capture `name`; return once it is proven to record.

        poke  sends a beacon across the captured interface, called until the growing
              file holds a packet; None takes the tool's word that it is ready

        A capture that ran before under this name goes on with its numbers, and its
        files that were not fetched are listed again.
        Raises DriverRefusedError with the remedy when the router cannot capture.
        """
        request = f"start capture {name!r}"
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,127}", name):
            reason = "a name has letters, digits, '.', '-' and '_' only"
            raise DriverRefusedError(INSTRUMENT, request, reason)
        facts = self._supervisor.check(request, name)
        self._version = facts.get("version", "")
        self._supervisor.start(request, name)
        try:
            self._await_ready(request, facts)
            if poke is not None:
                self._await_packets(request, poke)
        except BaseException:
            self._supervisor.reap()
            raise

    def is_recording(self) -> bool:
        """Say whether the capture still records.

        False once its tool or its supervisor has ended for whatever reason, and before
        any start.
        """
        return self._supervisor.is_recording("look after the capture")

    def finished_files(self) -> Sequence[CaptureFile]:
        """List files of the running capture that are complete and not yet removed."""
        return self._supervisor.finished("list finished files")

    def fetch(self, file: CaptureFile, target: Path) -> None:
        """Copy one finished file, check size and sha256, then remove it there.

        `target` appears whole or not at all. One that is there already with the right
        content is left as it is; one with other content is never overwritten. The lease
        is renewed while a long file comes over.
        Raises JournalError when this machine cannot keep the copy.
        """
        request = f"fetch {file.name}"
        remote = self._supervisor.path(request, "done", file.name)
        with _kept_here(target):
            there = _sha256(target) if target.exists() else None
        if there is None:
            self._copy(request, file, remote, target)
        elif there != file.sha256:
            reason = f"{target} exists with other content; move it away first"
            raise DriverRefusedError(INSTRUMENT, request, reason)
        self._link.files(request, lambda sftp: remove(sftp, remote))

    def renew_lease(self) -> None:
        """Tell the supervisor that the controller lives."""
        self._supervisor.beat("renew the lease")

    def stop_capture(self) -> CaptureEnd:
        """Drain, then stop; return once all files are complete and no process is left.

        Says so as well when the capture had ended by itself: by its lease, for want of
        space, or because its tool or its supervisor was killed ('gone').
        """
        request = "stop the capture"
        supervisor = self._supervisor
        if supervisor.is_running(request):
            self._clock.sleep(self._drain_s)
            supervisor.write(request, "stop", "")
            wait_until(
                lambda: supervisor.exists(request, "status"),
                clock=self._clock,
                deadline_s=self._patience_s + 30.0,
                poll_s=0.1,
            )
        if not supervisor.exists(request, "status"):
            supervisor.reap()
        status = router_reports.parse_pairs(supervisor.text(request, "status"))
        log = supervisor.text(request, "log")
        counts = router_reports.parse_counts(self._at.tool, log)
        return CaptureEnd(
            tool=self._at.tool,
            version=self._version,
            received=counts.received,
            dropped=counts.dropped,
            stopped_by=status.get("stopped_by", "gone"),
            log=log,
        )

    def reap(self) -> Sequence[str]:
        """End what an earlier controller left behind; return what was ended.

        Ends only processes whose command line names our folder on the router.
        """
        return self._supervisor.reap()

    def describe(self) -> RouterFacts:
        """Return what the router offers; ends and removes nothing."""
        request = "look around"
        offers = self._supervisor.offers(request, "doctor")
        return RouterFacts(
            shortcoming=self._supervisor.shortcoming(offers),
            offers=offers,
            orphans=self._supervisor.orphans(request),
        )

    def discard_capture(self) -> None:
        """Remove all that the capture which was stopped left on the router."""
        self._supervisor.discard("remove the capture")

    def clock_offset(self) -> ClockSample:
        """Measure the offset of its clock by what many round trips have in common."""
        return self._helper.sample()

    def free_b(self) -> int:
        """Return how many bytes are free where captures are written."""
        return self._lookout.free_b()

    def heard_s(self, mac: str) -> float | None:
        """Return how many seconds ago `mac` was last heard; None where unknown."""
        return self._lookout.heard_s(mac)

    def internet_ok(self, host_port: str) -> bool:
        """Say whether a TCP connection from the router to `host:port` opens."""
        return self._lookout.internet_ok(host_port)

    def close(self) -> None:
        """Leave; a running capture goes on until its lease ends."""
        self._helper.close()
        self._link.close()

    def _await_ready(self, request: str, facts: Mapping[str, str]) -> None:
        sign = router_reports.READY[self._at.tool]

        def ready_or_over() -> bool:
            log = self._supervisor.text(request, "log")
            return sign in log or self._supervisor.exists(request, "status")

        done = wait_until(ready_or_over, clock=self._clock, deadline_s=READY_S)
        self._refuse_if_over(request, facts)
        if not done:
            raise DriverTimeoutError(
                INSTRUMENT,
                request,
                f"{self._at.tool} did not start within {READY_S:g} s; it said: "
                f"{self._said(request)}",
            )

    def _refuse_if_over(self, request: str, facts: Mapping[str, str]) -> None:
        if not self._supervisor.exists(request, "status"):
            return
        log = self._supervisor.text(request, "log")
        path = facts.get("dumpcap") or facts.get("tool", self._at.tool)
        reason = router_reports.explain(log, self._at.interface, path)
        raise DriverRefusedError(INSTRUMENT, request, reason)

    def _await_packets(self, request: str, poke: Callable[[], None]) -> None:
        def seen() -> bool:
            poke()
            heads = self._supervisor.heads(request)
            return any(map(router_reports.holds_packet, heads)) or bool(
                self._supervisor.finished(request)
            )

        if not wait_until(
            seen, clock=self._clock, deadline_s=PROOF_S, poll_s=POKE_EVERY_S
        ):
            raise DriverTimeoutError(
                INSTRUMENT,
                request,
                f"{self._at.tool} saw no packet on {self._at.interface} while beacons "
                f"went to {self._at.beacon}; do they cross this interface, and does "
                "router.filter let them through?",
            )

    def _said(self, request: str) -> str:
        text = self._supervisor.text(request, "log") + self._supervisor.text(
            request, "shell.log"
        )
        return (text.strip().splitlines() or ["nothing"])[-1]

    def _copy(self, request: str, file: CaptureFile, remote: str, target: Path) -> None:
        part = target.with_name(target.name + ".part")

        def act(sftp: "paramiko.SFTPClient") -> None:
            with closing(_LocalCopy(part)) as local:
                sink = cast("IO[bytes]", local)  # paramiko only writes
                sftp.getfo(remote, sink, callback=self._beats())
                local.finish()

        with _kept_here(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._link.transfer(request, act)
            with _kept_here(target):
                got_b, got = part.stat().st_size, _sha256(part)
            if (got_b, got) != (file.size_b, file.sha256):
                raise DriverGarbledError(
                    INSTRUMENT,
                    request,
                    f"the copy has {got_b} bytes and sha256 {got[:12]}..., the router "
                    f"said {file.size_b} bytes and {file.sha256[:12]}...; the file is "
                    "still there, fetch it again",
                )
            with _kept_here(target):
                part.replace(target)
                _sync_folder(target.parent)
        finally:
            with _kept_here(target):
                part.unlink(missing_ok=True)

    def _beats(self) -> Callable[[int, int], None]:
        """Return what renews the lease now and then while bytes come over."""
        every_s = self._at.lease / 4
        due_s = self._clock.monotonic_s() + every_s

        def came(_got_b: int, _of_b: int) -> None:
            nonlocal due_s
            if self._clock.monotonic_s() >= due_s:
                self.renew_lease()
                due_s = self._clock.monotonic_s() + every_s

        return came


class _LocalCopy:
    """A file of ours whose faults are not taken for the router's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _kept_here(path):
            self._file = path.open("wb")

    def write(self, data: bytes) -> int:
        with _kept_here(self._path):
            return self._file.write(data)

    def finish(self) -> None:
        with _kept_here(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        with _kept_here(self._path):
            self._file.close()


def _sync_folder(folder: Path) -> None:
    """Wait until the names in it are on the disk: the router's copy goes next."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def open_router(at: RouterAt, clock: Clock) -> SshRouter:
    """Connect to the router of lab.yaml.

    Raises DriverRefusedError for a key, host key or user that does not fit,
    DriverTimeoutError when nobody answers.
    """
    from testbed.drivers.router_link import SshLink  # paramiko only when it is needed

    link = SshLink(at, INSTRUMENT)
    link.connect()
    return SshRouter(link, at, clock)


@contextmanager
def _kept_here(path: Path) -> Iterator[None]:
    """Turn what this machine refuses about a copy into JournalError."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full; free some space and resume"
        else:
            reason = (exc.strerror or str(exc)).lower()
        raise JournalError(f"{path} cannot be written: {reason}") from exc


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


DRIVER = Driver(kind="router", name="ssh", open=open_router)
