"""The whole examination: all parts side by side, nothing left behind."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from testbed.clock import Clock, basic_time
from testbed.errors import LabError
from testbed.model.applock import AppLock
from testbed.model.profile import DeviceProfile
from testbed.model.protocols import Voice
from testbed.runner.apps.drift import locked_app, locked_phone
from testbed.runner.bench import Opener, expand
from testbed.runner.doctor.files import Files, look_at_files
from testbed.runner.doctor.findings import PARTS, Examination, Examiner, Finding
from testbed.runner.doctor.here import NO_JOURNAL, look_at_disk, open_journal, take_lab
from testbed.runner.doctor.phone import PhoneSeen, look_at_phone, on_phone
from testbed.runner.doctor.plugs import look_at_plugs
from testbed.runner.doctor.router import look_at_router
from testbed.runner.doctor.voice import listen, look_at_voice
from testbed.runner.doctor.ward import Ward

TESTING = "testing one two three"  # no wake word: no device is meant
_INSTRUMENTS = ("router", "clock", "phone", "plugs", "voice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be examined.

    scenario   its name or file; '' looks at everything that the profiles know
    captures   folder of campaigns; journal: a path or a database URL; None means the
               lab file's own
    only       parts that are looked at
    switching  whether plugs may be switched
    """

    lab_file: Path
    devices: Path
    scenarios: Path
    scenario: str = ""
    captures: Path | None = None
    journal: str | None = None
    only: Sequence[str] = PARTS
    switching: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The findings, and what an app lock is made of."""

    examination: Examination
    phone: PhoneSeen
    lab: str


def examine(
    order: Order,
    clock: Clock,
    *,
    opener: Opener | None = None,
    noted: Callable[[Finding], None] = lambda _: None,
) -> Examined:
    """Look at a lab; raises nothing for what is wrong with it.

    opener  as `testbed.drivers.registry.open_driver`, which is the default
    noted   called with each finding as it is made, by several threads
    """
    start_s = clock.monotonic_s()
    examiner = Examiner(clock, order.only, noted)
    files = look_at_files(
        examiner, order.lab_file, order.devices, order.scenarios, order.scenario
    )
    seen = PhoneSeen()
    if files.lab is None:
        _skip_all(examiner, ("here", *_INSTRUMENTS), "the lab file is faulty")
    else:
        with ExitStack() as closing:
            ward = _ward(order, files, examiner, clock, closing, opener)
            seen = _look_at_lab(ward)
    examination = Examination(
        lab=files.lab.lab if files.lab is not None else "",
        scenario=order.scenario,
        findings=examiner.findings,
        took_s=clock.monotonic_s() - start_s,
    )
    return Examined(examination=examination, phone=seen, lab=examination.lab)


def lock_of(examined: Examined, clock: Clock, before: AppLock | None = None) -> AppLock:
    """Return the app lock that keeps what was seen.

    before  keeps its entries of devices that were not looked at

    Raises LabError when the phone was not seen, a look at it may still touch what
    others saw, or an app lacks something.
    """
    seen = examined.phone
    late = [f.name for f in examined.examination.findings if f.late and on_phone(f)]
    if late:
        raise LabError(
            f"no app lock was made: {', '.join(late)} did not end in time, so the "
            "screens that came after it are not to be trusted; try again"
        )
    if seen.facts is None or not seen.walks:
        raise LabError("no app lock was made: the phone was not seen")
    lame = [d for d, w in seen.walks.items() if w.missing or w.trouble]
    if lame:
        raise LabError(
            f"no app lock was made: selectors of {', '.join(lame)} were not found; "
            "correct the profiles, or leave those devices out with a scenario"
        )
    devices = dict(before.devices) if before is not None else {}
    for device, walked in seen.walks.items():
        devices[device] = locked_app(seen.apps[device], walked)
    return AppLock(
        lab=examined.lab,
        made=basic_time(clock.now_ns()),
        phone=locked_phone(seen.facts),
        devices=dict(sorted(devices.items())),
    )


def _ward(
    order: Order,
    files: Files,
    examiner: Examiner,
    clock: Clock,
    closing: ExitStack,
    opener: Opener | None,
) -> Ward:
    assert files.lab is not None  # noqa: S101 - looked at before
    if opener is None:
        from testbed.drivers.registry import open_driver  # drivers only when needed

        opener = open_driver
    return Ward(
        lab=files.lab,
        profiles=_concerned(files),
        plan=files.plan,
        lock=files.lock,
        captures=order.captures or Path(files.lab.captures),
        journal=order.journal or expand(files.lab.journal),
        examiner=examiner,
        clock=clock,
        open_one=opener,
        closing=closing,
        switching=order.switching,
    )


def _concerned(files: Files) -> Mapping[str, DeviceProfile]:
    """Return the devices of the plan; all where there is none."""
    if files.plan is None:
        return files.profiles
    planned = {t.device for t in files.plan.trials}
    return {d: p for d, p in files.profiles.items() if d in planned}


def _look_at_lab(ward: Ward) -> PhoneSeen:
    wants = ward.examiner.wants
    if not any(wants(part) for part in ("here", *_INSTRUMENTS)):
        return PhoneSeen()
    look_at_disk(ward)
    store = open_journal(ward)
    taken = take_lab(ward, store) if store is not None else NO_JOURNAL
    if taken:
        _skip_all(ward.examiner, _INSTRUMENTS, taken)
        return PhoneSeen()
    with ThreadPoolExecutor(4, thread_name_prefix="doctor") as pool:
        voice = pool.submit(_voice, ward) if wants("voice") else _nothing()
        others: list[Future[None]] = []
        if wants("plugs"):
            others.append(pool.submit(look_at_plugs, ward))
        if wants("router") or wants("clock"):
            others.append(pool.submit(look_at_router, ward))
        seen = PhoneSeen()
        if wants("phone") or wants("voice"):
            seen = look_at_phone(ward, voice.result)
        voice.result()
        for one in others:
            one.result()
    return seen


def _voice(ward: Ward) -> Voice | None:
    voice = look_at_voice(ward)
    if voice is None:
        ward.examiner.skip("voice.loopback", "the loudspeaker does not speak")
    else:
        listen(ward, voice, TESTING)
    # What is late may still speak, and would be heard in place of the questions.
    return voice if not ward.examiner.is_late("voice") else None


def _nothing() -> "Future[Voice | None]":
    future: Future[Voice | None] = Future()
    future.set_result(None)
    return future


def _skip_all(examiner: Examiner, parts: Sequence[str], why: str) -> None:
    for part in parts:
        examiner.skip(f"{part}.all", why)
