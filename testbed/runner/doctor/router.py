"""The router: what it offers, and a capture of three seconds that must prove itself."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from analysis.pcap.beacons import Beacon, encode, find_beacons
from analysis.pcap.errors import CaptureError
from testbed.clock import basic_time
from testbed.errors import DriverError, DriverGarbledError
from testbed.model.events import ClockMeasured
from testbed.model.inspection import RouterFacts, RouterInspector
from testbed.model.lab import RouterAt
from testbed.model.protocols import CaptureEnd, CapturePoint
from testbed.runner.bench import BeaconSender, UdpBeacons, expanded
from testbed.runner.doctor.clock import clock_quality
from testbed.runner.doctor.findings import Finding, Said, Value, Verdict
from testbed.runner.doctor.ward import Ward

CAPTURE = "doctor"  # its name on the router; the folder is removed in the end
LENGTH_S = 3.0
EVERY_S = 0.1
_CLOCK_EVERY = 5  # beacons between two measurements of the clock
_LINK_S = 25.0
_CAPTURE_S = 90.0
_NOT_THERE = "the router does not answer"


def look_at_router(ward: Ward) -> None:
    """Look at the router, what it offers, its capture and its clock."""
    examiner = ward.examiner

    def connect() -> tuple[Said, CapturePoint]:
        router: CapturePoint = ward.opened("router", ward.lab.router)
        return Said(
            said="it answers, with the pinned key", measured=_link(ward)
        ), router

    router = examiner.look("router.link", connect, deadline_s=_LINK_S)
    if router is None:
        for check in ("router.offers", "router.test_capture", "clock.quality"):
            examiner.skip(check, _NOT_THERE)
        return
    if not _look_at_offers(ward, router):
        for check in ("router.test_capture", "clock.quality"):
            examiner.skip(check, "the router would refuse a capture")
        return
    _look_at_capture(ward, router)


def _link(ward: Ward) -> dict[str, Value]:
    at = expanded(ward.lab.router)
    pinned = "router.host_key" if at.host_key else "router.host_key_file"
    where = f"{at.host}:{at.port}"
    return {"address": where, "user": at.user, "pinned_by": pinned}


def _look_at_offers(ward: Ward, router: CapturePoint) -> bool:
    """Say what the router offers; return whether a capture may be tried."""
    examiner = ward.examiner
    if not isinstance(router, RouterInspector):
        examiner.skip("router.offers", "this driver does not tell what a router offers")
        return True

    def ask() -> tuple[Said, RouterFacts]:
        facts = router.describe()
        return Said(said=facts.offers.get("version", "it answers")), facts

    facts = examiner.look("router.offers", ask, deadline_s=_LINK_S)
    if facts is None:
        return False
    for check, said in _offers(ward, facts):
        examiner.note(Finding(check=check, target="", said=said))
    return not (facts.shortcoming or _at_work(facts.orphans))


def _offers(ward: Ward, facts: RouterFacts) -> Iterator[tuple[str, Said]]:
    """Yield a verdict on each thing that a capture needs of the router."""
    at, offers = expanded(ward.lab.router), facts.offers
    interfaces = offers.get("interfaces", "").split()
    free_mb = int(offers.get("free_kb") or 0) // 1000
    safe = all(offers.get(k) == "yes" for k in ("writable", "private", "digest"))
    tool = offers.get("tool", "")
    holds = {
        "router.tool": (bool(tool), f"{at.tool} is there"),
        "router.interface": (
            at.interface in (*interfaces, "any"),
            f"{at.interface} is there",
        ),
        "router.folder": (safe, f"{at.folder} is ours alone"),
        "router.space": (free_mb >= at.free_mb, f"{free_mb} MB free"),
    }
    measured: dict[str, dict[str, Value]] = {
        "router.tool": {"tool": tool, "version": offers.get("version", "")},
        "router.interface": {"interfaces": interfaces},
        "router.folder": {"folder": at.folder},
        "router.space": _space(ward, at, free_mb),
    }
    reason, _, remedy = facts.shortcoming.partition("; ")
    for check, (good, what) in holds.items():
        facts_of = measured[check]
        if good:
            yield check, _roomy(check, what, facts_of)
            continue
        yield (
            check,
            Said(said=reason, verdict=Verdict.BAD, measured=facts_of, remedy=remedy),
        )
    yield "router.orphans", _orphans(facts.orphans)
    if facts.shortcoming and all(good for good, _ in holds.values()):
        said = Said(said=reason, verdict=Verdict.BAD, remedy=remedy)
        yield "router.busy", said
    elif at_work := _at_work(facts.orphans):
        yield "router.busy", _busy(at_work)


def _space(ward: Ward, at: RouterAt, free_mb: int) -> dict[str, Value]:
    return {
        "free_mb": free_mb,
        "limit_mb": at.free_mb,
        "expected_mb": ward.expected_b() // 10**6,
    }


def _roomy(check: str, said: str, measured: dict[str, Value]) -> Said:
    """Return an ok, or a warning where the whole campaign would not fit.

    Files leave the router as they are finished, so this matters only while nobody
    fetches them.
    """
    expected_mb = int(str(measured.get("expected_mb", 0)))
    if check == "router.space" and expected_mb:
        said = f"{said}, the campaign may take {expected_mb} MB"
        if int(str(measured["free_mb"])) < expected_mb:
            return Said(
                said=said,
                verdict=Verdict.WARNING,
                measured=measured,
                remedy="files are fetched meanwhile; keep the link to it up",
            )
    return Said(said=said, measured=measured)


def _at_work(found: Sequence[str]) -> list[str]:
    """Return the captures of this lab that run just now, but for one of our own."""
    return [one for one in _of_others(found) if ": processes" in one]


def _of_others(found: Sequence[str]) -> list[str]:
    # What an examination left that was killed goes with this one.
    return [one for one in found if not one.startswith(f"{CAPTURE}:")]


def _busy(at_work: Sequence[str]) -> Said:
    """Tell of a capture whose campaign this journal may not know."""
    return Said(
        said=f"a capture of this lab runs there: {'; '.join(at_work)}",
        verdict=Verdict.BAD,
        measured={"at_work": list(at_work)},
        remedy="is a campaign under way with another --out or journal? Wait for it; "
        "one that was killed is ended by `testbed resume`, or by itself",
    )


def _orphans(found: Sequence[str]) -> Said:
    orphans = _of_others(found)
    if not orphans:
        return Said(said="nothing is left of earlier campaigns")
    return Said(
        said=f"left of earlier campaigns: {'; '.join(orphans)}",
        verdict=Verdict.WARNING,
        measured={"orphans": list(orphans)},
        remedy="`testbed resume` of the campaign fetches its files and ends the rest",
    )


def _look_at_capture(ward: Ward, router: CapturePoint) -> None:
    samples: list[ClockMeasured] = []
    beacons: list[tuple[int, int]] = []

    def capture() -> Said:
        sender = UdpBeacons(expanded(ward.lab.router).beacon)
        with contextlib.closing(sender):
            return _captured(ward, router, sender, samples, beacons)

    examiner = ward.examiner
    examiner.say("router.test_capture", capture, deadline_s=_CAPTURE_S)
    if not samples:
        examiner.skip("clock.quality", "the test capture did not come to it")
        return
    limit_s = ward.lab.limits.clock_uncertainty
    examiner.say(
        "clock.quality",
        lambda: clock_quality(samples, beacons, limit_s),
        deadline_s=10.0,
    )


def _captured(
    ward: Ward,
    router: CapturePoint,
    sender: BeaconSender,
    samples: list[ClockMeasured],
    seen: list[tuple[int, int]],
) -> Said:
    """Record for three seconds; leave nothing on the router, whatever happens."""
    campaign = f"{CAPTURE}-{basic_time(ward.clock.now_ns())}"

    def send(number: int) -> None:
        now_ns = ward.clock.now_ns()
        beacon = Beacon(
            campaign=campaign, trial="", attempt=number, phase="probe", sent_ns=now_ns
        )
        sender.send(encode(beacon))

    try:
        router.start_capture(CAPTURE, lambda: send(0))
        n_sent = _record(ward, router, send, samples)
        end = router.stop_capture()
        got = _fetched(router, campaign)
    except BaseException:
        with contextlib.suppress(DriverError):
            _end_ours(router)
        raise
    finally:
        if isinstance(router, RouterInspector):
            with contextlib.suppress(DriverError):
                router.discard_capture()
    seen += [(sent_ns, at_ns) for at_ns, sent_ns in got.values()]
    return _verdict(n_sent, sorted(got), end)


def _end_ours(router: CapturePoint) -> None:
    """End the capture that went wrong; that ends all of this lab, so only ours may be.

    Beside one of somebody else ours is left to its lease. Raises DriverError.
    """
    if isinstance(router, RouterInspector) and _at_work(router.describe().orphans):
        return
    router.reap()


def _record(
    ward: Ward,
    router: CapturePoint,
    send: Callable[[int], None],
    samples: list[ClockMeasured],
) -> int:
    """Send numbered beacons for three seconds, and measure the clock now and then."""
    end_s = ward.clock.monotonic_s() + LENGTH_S
    number = 0
    while ward.clock.monotonic_s() < end_s:
        number += 1
        send(number)
        if number % _CLOCK_EVERY == 1:
            one = router.clock_offset()
            samples.append(
                ClockMeasured(
                    session=CAPTURE,
                    at_ns=one.at_ns,
                    offset_ns=one.offset_ns,
                    error_ns=one.error_ns,
                )
            )
        ward.clock.sleep(EVERY_S)
    return number


def _fetched(router: CapturePoint, campaign: str) -> dict[int, tuple[int, int]]:
    """Return number -> (captured ns, sent ns) of the beacons that were recorded."""
    found: dict[int, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory(prefix="testbed-doctor-") as folder:
        for file in router.finished_files():
            target = Path(folder, file.name)
            router.fetch(file, target)
            try:
                beacons = find_beacons(target)
            except (CaptureError, OSError) as exc:
                reason = f"{file.name} cannot be read: {exc}; is its disk sound?"
                raise DriverGarbledError("router", "record", reason) from exc
            for at_ns, _, beacon in beacons:
                if beacon.campaign == campaign and beacon.attempt:
                    found[beacon.attempt] = (at_ns, beacon.sent_ns)
    return found


def _verdict(n_sent: int, numbers: Sequence[int], end: CaptureEnd) -> Said:
    """Judge a capture by its own beacons."""
    dropped = -1 if end.dropped is None else end.dropped
    measured: dict[str, Value] = {
        "beacons_sent": n_sent,
        "beacons_captured": len(numbers),
        "received": -1 if end.received is None else end.received,
        "dropped": dropped,
        "stopped_by": end.stopped_by,
        "tool": end.version or end.tool,
    }
    said = f"{len(numbers)} of {n_sent} beacons are in it"
    if end.stopped_by not in ("INT", "TERM"):
        return Said(
            said=f"the capture did not end in order ({end.stopped_by}); {said}",
            verdict=Verdict.BAD,
            measured=measured,
            remedy="look at the router: what ends its capture tool?",
        )
    if len(numbers) < n_sent:
        lost = sorted(set(range(1, n_sent + 1)) - set(numbers))
        return Said(
            said=f"{said}; lost are {_ranges(lost)}, {_where(lost, n_sent)}",
            verdict=Verdict.BAD,
            measured={**measured, "lost": len(lost)},
            remedy="is the router overloaded, or its filter or buffer too small?",
        )
    if dropped > 0:
        return Said(
            said=f"{said}, but {dropped} packets were dropped",
            verdict=Verdict.WARNING,
            measured=measured,
            remedy="is the router overloaded?",
        )
    return Said(said=f"{said}, nothing dropped", measured=measured)


def _ranges(numbers: Sequence[int]) -> str:
    """Return '3-5, 9' for 3, 4, 5, 9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs)


def _where(lost: Sequence[int], n_sent: int) -> str:
    """Say where in the capture the loss is."""
    if len(lost) == n_sent:
        return "all of them"
    if lost[-1] == len(lost):
        return "the beginning"
    if lost[0] == n_sent - len(lost) + 1:
        return "the end"
    return "in the middle"
