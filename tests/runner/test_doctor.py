"""The doctor with scripted instruments: verdicts, remedies, deadlines, nothing left."""

import json
import re
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed.clock import SystemClock
from testbed.errors import DriverRefusedError, DriverTimeoutError, LabError
from testbed.model.inspection import RouterFacts
from testbed.model.protocols import CaptureEnd
from testbed.runner.doctor import router as router_part
from testbed.runner.doctor.examine import Order, examine
from testbed.runner.doctor.findings import (
    PARTS,
    Examination,
    Examiner,
    Finding,
    Said,
    Verdict,
)
from testbed.runner.doctor.plugs import look_at_plugs
from testbed.runner.doctor.router import look_at_router
from testbed.runner.doctor.ward import Ward
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import open_store

ROOT = Path(__file__).parents[2]
KEYS = {"check", "target", "part", "verdict", "said", "measured", "remedy", "took_s"}
OFFERS = {
    "tool": "/usr/bin/tshark",
    "version": "TShark 4",
    "interfaces": "lo br-lan",
    "writable": "yes",
    "private": "yes",
    "digest": "yes",
    "free_kb": "9000000",
}


class InspectedCapture:
    """A scripted capture point that tells what it offers, too."""

    def __init__(self, capture):
        self._capture = capture
        self.facts = RouterFacts(shortcoming="", offers=OFFERS, orphans=())
        self.end = None  # in place of the capture's own
        self.loses = set()  # numbers of beacons
        self.discarded = 0
        self.n = 0

    def __getattr__(self, name):
        return getattr(self._capture, name)

    def send(self, payload):
        self.n += 1
        if self.n - 1 not in self.loses:  # the first one proves the start
            self._capture.see_packet(payload)

    def describe(self):
        return self.facts

    def discard_capture(self):
        self.discarded += 1

    def stop_capture(self):
        end = self._capture.stop_capture()
        return self.end or end

    def close(self):
        pass


@pytest.fixture
def ward(rig, monkeypatch):
    """A scripted lab to look at; `ward.router` and `ward.bench` are its parts."""
    one = rig()
    capture = InspectedCapture(one.capture)
    monkeypatch.setattr(router_part, "UdpBeacons", lambda _address: capture)
    parts = {"router": capture, "phone": one.bench.phone, "voice": one.bench.voice}
    with ExitStack() as closing:

        def make(**changes):
            def opened(kind, _driver, at, _clock):
                if kind != "plug":
                    return parts[kind]
                names = [n for n, p in one.lab.plugs.items() if p == at]
                return one.bench.plugs[names[0]]

            values = {
                "lab": one.lab,
                "profiles": one.profiles,
                "plan": None,
                "lock": None,
                "captures": one.folder,
                "journal": str(one.folder / "journal.sqlite"),
                "examiner": Examiner(one.clock),
                "clock": one.clock,
                "open_one": opened,
                "closing": closing,
            }
            return Ward(**(values | changes))

        make.router, make.rig = capture, one
        yield make


def by_name(ward):
    return {f.name: f.said for f in ward.examiner.findings}


def refused(reason):
    def act():
        raise DriverRefusedError("plug", "read state", reason)

    return act


def test_what_a_look_raises_is_its_verdict_with_the_remedy_apart():
    examiner = Examiner(SystemClock())
    assert (
        examiner.look("plugs.state", refused("it is off; plug it in"), deadline_s=60)
        is None
    )
    (finding,) = examiner.findings
    assert finding.said.verdict is Verdict.BAD
    assert (finding.said.said, finding.said.remedy) == ("it is off", "plug it in")


def test_a_look_that_hangs_is_bad_in_time_and_the_next_one_is_made():
    examiner, over = Examiner(SystemClock()), threading.Event()

    def hang():
        over.wait(120)
        return Said(said="at last")

    try:
        assert not examiner.say("phone.answers", hang, deadline_s=0.05)
        assert examiner.say("router.link", lambda: Said(said="ok"), deadline_s=60)
    finally:
        over.set()
    hung = examiner.findings[1]
    assert hung.said.verdict is Verdict.BAD
    assert "0.05 s" in hung.said.said
    assert 0.05 <= hung.took_s < 60


def test_a_bug_of_ours_is_no_finding():
    def wrong():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Examiner(SystemClock()).say("phone.answers", wrong, deadline_s=60)


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ({}, 0),
        ({"router.link": Verdict.WARNING, "phone.app": Verdict.NOT_LOOKED}, 0),
        ({"router.link": Verdict.BAD}, 3),
        ({"router.link": Verdict.BAD, "files.lab": Verdict.BAD}, 2),
    ],
)
def test_the_exit_code_says_whether_a_campaign_would_be_stopped(checks, code):
    findings = tuple(
        Finding(check=c, target="", said=Said(said="x", verdict=v))
        for c, v in checks.items()
    )
    found = Examination(lab="l", scenario="", findings=findings, took_s=1.0)
    assert found.exit_code == code
    assert found.ok is (code == 0)


def test_parts_that_are_not_wanted_leave_no_finding():
    examiner = Examiner(SystemClock(), ("phone",))
    examiner.skip("router.link", "nobody asked")
    examiner.skip("phone.answers", "there is none")
    assert [f.check for f in examiner.findings] == ["phone.answers"]


def test_a_router_that_records_all_is_well_and_left_as_it_was(ward):
    one = ward()
    look_at_router(one)
    said = by_name(one)
    assert {s.verdict for s in said.values()} == {Verdict.OK}
    proof = said["router.test_capture"].measured
    assert proof["beacons_sent"] == proof["beacons_captured"] >= 20
    clock = said["clock.quality"].measured
    assert clock["offset_ms"] == pytest.approx(49_000, abs=1)
    assert clock["drift_ppm"] == pytest.approx(20, abs=1)
    assert clock["uncertainty_ms"] < 5
    assert ward.router.discarded == 1
    assert list(ward.rig.capture.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ({1, 2, 3}, "lost are 1-3, the beginning"),
        ({4, 5, 9}, "lost are 4-5, 9, in the middle"),
        (set(range(1, 99)), "all of them"),
    ],
)
def test_a_loss_is_named(ward, lost, words):
    ward.router.loses = lost
    one = ward()
    look_at_router(one)
    said = by_name(one)["router.test_capture"]
    assert said.verdict is Verdict.BAD
    assert words in said.said


@pytest.mark.parametrize(
    ("end", "verdict", "words"),
    [
        ({"stopped_by": "gone"}, Verdict.BAD, "did not end in order (gone)"),
        ({"dropped": 7}, Verdict.WARNING, "7 packets were dropped"),
        ({"dropped": None}, Verdict.OK, "nothing dropped"),
    ],
)
def test_how_a_capture_ended_counts(ward, end, verdict, words):
    values = {"tool": "tshark", "version": "4", "received": 9, "dropped": 0}
    ward.router.end = CaptureEnd(**(values | {"stopped_by": "INT", "log": ""} | end))
    one = ward()
    look_at_router(one)
    said = by_name(one)["router.test_capture"]
    assert (said.verdict, words in said.said) == (verdict, True)


def test_a_capture_that_does_not_start_is_bad_and_removed(ward):
    refusal = DriverRefusedError("router", "start", "it may not capture; setcap it")
    ward.rig.world.broken["capture start"] = [refusal]
    one = ward()
    look_at_router(one)
    said = by_name(one)
    assert said["router.test_capture"].remedy == "setcap it"
    assert said["clock.quality"].verdict is Verdict.NOT_LOOKED
    assert (ward.router.discarded, ward.rig.capture.reaped) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"tool": ""}, "router.tool"),
        ({"interfaces": "lo"}, "router.interface"),
        ({"writable": "no"}, "router.folder"),
        ({"free_kb": "1000"}, "router.space"),
    ],
)
def test_what_a_router_lacks_is_bad_at_its_own_check(ward, changes, check):
    offers = OFFERS | changes
    ward.router.facts = RouterFacts(
        shortcoming="it lacks something; give it", offers=offers, orphans=()
    )
    one = ward()
    look_at_router(one)
    said = by_name(one)
    bad = {name for name, s in said.items() if s.verdict is Verdict.BAD}
    assert bad == {check}
    assert said[check].remedy == "give it"
    assert said["router.test_capture"].verdict is Verdict.NOT_LOOKED
    assert ward.rig.capture.names == []  # nothing was started


def test_what_an_earlier_campaign_left_is_listed(ward):
    ward.router.facts = RouterFacts(
        shortcoming="",
        offers=OFFERS,
        orphans=("demo-1: 3 files not fetched", "doctor: 1 files not fetched"),
    )
    one = ward()
    look_at_router(one)
    said = by_name(one)["router.orphans"]
    assert said.verdict is Verdict.WARNING
    assert said.measured["orphans"] == ["demo-1: 3 files not fetched"]


def test_plugs_are_read_and_not_switched(ward):
    ward.rig.world.power["plug_lamp"] = True
    one = ward()
    look_at_plugs(one)
    said = by_name(one)
    assert said["plugs.state:plug_lamp"].measured["power_w"] == 6.0
    assert said["plugs.switches:plug_lamp"].verdict is Verdict.NOT_LOOKED
    assert ward.rig.world.acts == []


def test_a_silent_plug_is_not_said_to_be_why_nothing_was_switched(ward):
    def silent():
        raise DriverTimeoutError("plug", "read state", "no answer; is it on?")

    ward.rig.bench.plugs["plug_lamp"].read_power = silent
    one = ward()
    look_at_plugs(one)
    said = by_name(one)["plugs.switches:plug_lamp"].said
    assert said.startswith("only with --switch")


def test_a_plug_that_is_switched_comes_back_to_where_it_was(ward):
    ward.rig.world.power["plug_lamp"] = True
    one = ward(switching=True)
    look_at_plugs(one)
    assert by_name(one)["plugs.switches:plug_lamp"].verdict is Verdict.OK
    assert ward.rig.world.acts == ["plug_lamp off", "plug_lamp on"]


def test_a_plug_without_current_a_stuck_one_and_a_wrong_one_are_told_apart(ward):
    world = ward.rig.world
    world.power["plug_lamp"] = True
    world.dead.add("plug_lamp")
    stuck = DriverTimeoutError("plug", "switch off", "it still reports on; its button?")
    world.broken["plug_lamp off"] = [stuck]

    def wrong():
        raise DriverRefusedError(
            "plug", "read state", "h is uuid:B and not u; correct udn"
        )

    ward.rig.bench.plugs["plug_dut"].read_power = wrong
    one = ward(switching=True)
    look_at_plugs(one)
    said = by_name(one)
    assert said["plugs.state:plug_lamp"].verdict is Verdict.WARNING
    assert "nothing draws power" in said["plugs.state:plug_lamp"].said
    assert said["plugs.switches:plug_lamp"].said == "it still reports on"
    assert world.power["plug_lamp"] is True
    assert said["plugs.state:plug_dut"].said == "h is uuid:B and not u"


LAB_FILE = """\
lab: bench
phone: {serial: x}
router:
  host: r
  interface: br-lan
  beacon: "10.77.0.1:47777"
  key_file: key
  host_key_file: keys
"""


@pytest.fixture
def order(tmp_path):
    (tmp_path / "devices").mkdir()
    (tmp_path / "scenarios").mkdir()
    profile = (ROOT / "devices" / "tplink_hs110.yaml").read_text()
    (tmp_path / "devices" / "tplink_hs110.yaml").write_text(profile)
    (tmp_path / "lab.yaml").write_text(LAB_FILE)
    return Order(
        lab_file=tmp_path / "lab.yaml",
        devices=tmp_path / "devices",
        scenarios=tmp_path / "scenarios",
        captures=tmp_path / "out",
        journal=str(tmp_path / "out" / "journal.sqlite"),
    )


def nobody(kind, _driver, _at, _clock):
    raise DriverTimeoutError(kind, "connect", "no answer; is it on?")


def test_one_dead_instrument_does_not_stop_the_others(order):
    found = examine(order, SystemClock(), opener=nobody).examination
    names = {f.name: f.said.verdict for f in found.findings}
    assert names["router.link"] is names["phone.answers"] is Verdict.BAD
    assert names["phone.selectors:tplink_hs110"] is Verdict.NOT_LOOKED
    assert names["here.writable"] is Verdict.OK
    assert found.exit_code == 3


def test_the_json_has_the_keys_that_are_documented(order):
    found = examine(order, SystemClock(), opener=nobody).examination.plain()
    plain = json.loads(json.dumps(found))
    page = (ROOT / "docs" / "doctor.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) >= KEYS | set(plain)
    assert {frozenset(f) for f in plain["findings"]} == {frozenset(KEYS)}
    assert {f["verdict"] for f in plain["findings"]} <= set(plain["counts"])
    assert {f["part"] for f in plain["findings"]} <= set(PARTS)
    told = set(
        re.findall(r"`((?:files|here|router|clock|phone|plugs|voice)\.\w+)`", page)
    )
    assert {f["check"] for f in plain["findings"]} <= told


def test_a_faulty_lab_file_is_told_and_nothing_is_touched(order):
    order.lab_file.write_text(f"{LAB_FILE}colour: red\n")

    def touched(*_):
        raise AssertionError

    found = examine(order, SystemClock(), opener=touched).examination
    assert found.exit_code == 2
    (bad,) = [f for f in found.findings if f.said.verdict is Verdict.BAD]
    assert "colour" in bad.said.said
    assert not Path(order.journal).exists()


def test_a_faulty_profile_does_not_keep_the_lab_from_being_looked_at(order):
    (order.devices / "broken.yaml").write_text("device: broken\n")
    found = examine(order, SystemClock(), opener=nobody).examination
    names = {f.name: f.said.verdict for f in found.findings}
    assert names["files.devices"] is names["router.link"] is Verdict.BAD
    assert found.exit_code == 2


def test_a_lab_that_is_held_is_not_touched_and_its_holder_is_named(order):
    clock = SystemClock()

    def touched(*_):
        raise AssertionError

    with open_store(order.journal, clock) as store:
        lease = Lease(store, "bench", clock)
        lease.acquire("evening-1")
        found = examine(order, clock, opener=touched).examination
        lease.release()
    named = {f.name: f.said for f in found.findings}
    assert "evening-1 on " in named["here.held"].said
    assert "evening-1 on " in named["phone.all"].said
    assert named["phone.all"].verdict is Verdict.NOT_LOOKED
    assert found.exit_code == 3


def test_an_examination_gives_the_lab_back(order):
    clock = SystemClock()
    examine(order, clock, opener=nobody)
    with open_store(order.journal, clock) as store:
        assert store.campaigns() == []
        lease = Lease(store, "bench", clock)
        lease.acquire("evening-1")
        lease.release()


def test_no_app_lock_is_made_of_a_phone_that_was_not_seen(order):
    from testbed.runner.doctor.examine import lock_of

    examined = examine(order, SystemClock(), opener=nobody)
    with pytest.raises(LabError, match="the phone was not seen"):
        lock_of(examined, SystemClock())
