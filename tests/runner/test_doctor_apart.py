"""The doctor keeps off what somebody else uses, or an earlier look of its own."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.clock import SystemClock
from testbed.errors import DriverTimeoutError, JournalError, LabError
from testbed.model.inspection import RouterFacts
from testbed.model.protocols import Bracket
from testbed.runner.doctor import examine as examination
from testbed.runner.doctor import phone as phone_part
from testbed.runner.doctor.examine import Order, examine, lock_of
from testbed.runner.doctor.findings import PARTS, Verdict
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import open_store

ROOT = Path(__file__).parents[2]
LAB_FILE = """\
lab: bench
phone: {serial: x}
voice: {command: [play, "{wav}"]}
router:
  host: r
  interface: br-lan
  beacon: "127.0.0.1:47777"
  key_file: key
  host_key_file: keys
"""
OFFERS = {
    "tool": "/usr/bin/tshark",
    "version": "TShark 4",
    "interfaces": "lo br-lan",
    "writable": "yes",
    "private": "yes",
    "digest": "yes",
    "free_kb": "9000000",
}


@pytest.fixture
def order(tmp_path):
    for name in ("devices", "scenarios"):
        (tmp_path / name).mkdir()
    for device in ("echo_dot", "iview_bulb", "tplink_hs110"):
        text = (ROOT / "devices" / f"{device}.yaml").read_text()
        (tmp_path / "devices" / f"{device}.yaml").write_text(text)
    (tmp_path / "lab.yaml").write_text(LAB_FILE)
    return Order(
        lab_file=tmp_path / "lab.yaml",
        devices=tmp_path / "devices",
        scenarios=tmp_path / "scenarios",
        captures=tmp_path / "out",
        journal=str(tmp_path / "out" / "journal.sqlite"),
    )


class HangingPhone:
    """A phone that hangs at its first step until it is let go; keeps what it did."""

    def __init__(self):
        self.let_go = threading.Event()
        self.opened = []

    def app_version(self, package):
        self.opened.append(f"version {package}")
        return "1.0"

    def expect(self, interrupts):
        pass

    def perform(self, step):
        self.let_go.wait(120)
        self.opened.append(step.open_app)
        return Bracket(issue_ns=1, return_ns=2, instant_ns=1)

    def see(self, selector, within_s):
        return True


def verdicts(examined):
    return {f.name: f.said for f in examined.examination.findings}


def test_a_walk_that_is_late_keeps_the_other_apps_closed_and_no_lock_is_made(
    order, monkeypatch
):
    monkeypatch.setattr(phone_part, "_WALK_S", 0.2)
    phone, clock = HangingPhone(), SystemClock()
    order = replace(order, only=("phone", "voice"))

    def opener(kind, *_):
        if kind == "phone":
            return phone
        raise DriverTimeoutError(kind, "open", "no answer; is it on?")

    try:
        examined = examine(order, clock, opener=opener)
        asked = [word for word in phone.opened if word]
    finally:
        phone.let_go.set()
    said = verdicts(examined)
    assert "0.2 s" in said["phone.selectors:iview_bulb"].said
    for name in ("phone.app:tplink_hs110", "phone.selectors:echo_dot"):
        assert said[name].verdict is Verdict.NOT_LOOKED
        assert "not over in time" in said[name].said
    assert "not over in time" in said["voice.heard:echo_dot"].said
    assert asked == ["version com.iview.smart"]
    with pytest.raises(LabError, match=r"phone\.selectors:iview_bulb did not end in"):
        lock_of(examined, clock)


def test_an_app_whose_build_is_told_late_is_not_said_to_be_missing(order, monkeypatch):
    monkeypatch.setattr(phone_part, "_ASK_S", 0.2)
    phone = HangingPhone()
    phone.app_version = lambda _package: phone.let_go.wait(120)
    order = replace(order, only=("phone",))
    try:
        examined = examine(order, SystemClock(), opener=lambda *_: phone)
    finally:
        phone.let_go.set()
    said = verdicts(examined)
    assert "not over in time" in said["phone.selectors:iview_bulb"].said
    assert said["phone.app:tplink_hs110"].verdict is Verdict.NOT_LOOKED


def touched(*_):
    raise AssertionError


@pytest.mark.parametrize("only", [PARTS, ("router",)])
def test_without_a_journal_no_instrument_is_touched(order, tmp_path, only):
    (tmp_path / "journal").mkdir()
    order = replace(order, journal=str(tmp_path / "journal"), only=only)
    examined = examine(order, SystemClock(), opener=touched)
    said = verdicts(examined)
    assert said["here.journal"].verdict is Verdict.BAD
    assert said["router.all"].verdict is Verdict.NOT_LOOKED
    assert "journal" in said["router.all"].said
    assert examined.examination.exit_code == 3


def test_a_journal_that_cannot_be_written_keeps_the_lab_untouched(order, monkeypatch):
    def full(*_):
        raise JournalError("the journal cannot be written; free some space")

    monkeypatch.setattr(Lease, "acquire", full)
    examined = examine(order, SystemClock(), opener=touched)
    said = verdicts(examined)
    assert said["here.writable"].verdict is Verdict.BAD
    assert said["phone.all"].verdict is Verdict.NOT_LOOKED


def test_a_lab_that_is_held_is_told_even_where_nobody_asked_for_it(order):
    clock = SystemClock()
    with open_store(order.journal, clock) as store:
        lease = Lease(store, "bench", clock)
        lease.acquire("evening-1")
        order = replace(order, only=("router",))
        examined = examine(order, clock, opener=touched)
        lease.release()
    assert verdicts(examined)["here.held"].verdict is Verdict.BAD
    assert examined.examination.exit_code == 3


def test_files_alone_need_no_journal(order):
    order = replace(order, only=("files",))
    assert examine(order, SystemClock(), opener=touched).examination.ok
    assert not Path(order.journal).exists()


class BusyRouter:
    """A router on which a campaign of another journal records."""

    def __init__(self, orphans, later=None):
        self.asked = [orphans, later or orphans]
        self.started = self.reaped = self.discarded = 0

    def describe(self):
        orphans = self.asked.pop(0) if len(self.asked) > 1 else self.asked[0]
        return RouterFacts(shortcoming="", offers=OFFERS, orphans=orphans)

    def start_capture(self, name, poke):
        self.started += 1
        raise DriverTimeoutError("router", "start", "no packet was seen; why?")

    def reap(self):
        self.reaped += 1

    def discard_capture(self):
        self.discarded += 1


MUCH = ("evening-1: processes 12 14", "evening-1: 2 files not fetched")


def router_seen(order, router):
    order = replace(order, only=("router", "clock"))
    return verdicts(examine(order, SystemClock(), opener=lambda *_: router))


def test_a_capture_that_no_lease_tells_of_is_left_alone(order):
    router = BusyRouter(MUCH)
    said = router_seen(order, router)
    assert said["router.busy"].verdict is Verdict.BAD
    assert said["router.busy"].measured["at_work"] == ["evening-1: processes 12 14"]
    assert said["router.test_capture"].verdict is Verdict.NOT_LOOKED
    assert (router.started, router.reaped) == (0, 0)


def test_a_capture_that_began_meanwhile_is_not_ended_with_ours(order):
    router = BusyRouter((), later=MUCH)
    said = router_seen(order, router)
    assert said["router.test_capture"].verdict is Verdict.BAD
    assert (router.started, router.reaped, router.discarded) == (1, 0, 1)


@pytest.mark.parametrize("left", [(), ("doctor: processes 7",), MUCH[1:]])
def test_what_nobody_records_any_more_is_ended_with_ours(order, left):
    router = BusyRouter(left)
    said = router_seen(order, router)
    assert "router.busy" not in said
    assert (router.started, router.reaped) == (1, 1)


def test_a_loudspeaker_that_is_late_is_not_asked_for_more(order, monkeypatch):
    over = threading.Event()

    def slow(ward, _voice, _sentence):
        ward.examiner.say("voice.loopback", lambda: over.wait(120), deadline_s=0.05)

    monkeypatch.setattr(examination, "look_at_voice", lambda _ward: "a loudspeaker")
    monkeypatch.setattr(examination, "listen", slow)
    order = replace(order, only=("voice",))
    phone = HangingPhone()
    phone.let_go.set()
    try:
        said = verdicts(examine(order, SystemClock(), opener=lambda *_: phone))
    finally:
        over.set()
    assert said["voice.heard:echo_dot"].verdict is Verdict.NOT_LOOKED
