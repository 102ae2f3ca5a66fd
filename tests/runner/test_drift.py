"""A dry walk through apps, the lock that keeps it, the report when they differ."""

import json
from dataclasses import dataclass, field

import pytest

from testbed.clock import SystemClock
from testbed.errors import DriverTimeoutError, JournalError, LabError
from testbed.model.applock import AppLock, load_lock, lock_beside, write_lock
from testbed.model.inspection import AppFacts, PhoneFacts, Sighting
from testbed.model.protocols import Bracket, Evidence
from testbed.model.source import FaultyFilesError
from testbed.runner.apps.drift import phone_changes, require_no_drift
from testbed.runner.apps.state import AppState, app_state
from testbed.runner.apps.walk import screens, walk
from testbed.runner.doctor.examine import Order, examine, lock_of
from testbed.runner.doctor.findings import Verdict

PROFILE = """\
device: lamp
vendor: V
model: M
category: light
mac: "02:00:00:00:00:01"
app: {package: com.lamp, version: "1.0"}
interrupts: [{tap: {text: Not now}}]
activities:
  turn_on:
    delta: 5 s
    phone:
      - open_app: com.lamp
      - tap: {any: [{id: tile}, {text: Lamp}]}
      - tap: {any: [{id: btn_on}, {text: Turn on}]}
      - wait_for: {text: "On"}
  turn_off:
    delta: 5 s
    phone:
      - open_app: com.lamp
      - tap: {any: [{id: tile}, {text: Lamp}]}
      - tap: {any: [{id: btn_off}, {text: Turn off}]}
  dim:
    delta: 5 s
    phone:
      - open_app: com.lamp
      - tap: {at: [10, 20]}
"""
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
BUILD = AppFacts(package="com.lamp", version="1.0", version_code="10")
FACTS = PhoneFacts(
    model="Pixel",
    android="13",
    width=1080,
    height=2340,
    density=440,
    locale="en-US",
    font_scale="1",
    awake=True,
    locked=False,
    stays_on=True,
    animations=("0", "0", "0"),
)


@dataclass
class LampPhone:
    """A phone with one app of two screens: a list with a tile, and two buttons."""

    home: dict = field(default_factory=lambda: {"tile": "Lamp"})
    page: dict = field(
        default_factory=lambda: {"btn_on": "Turn on", "btn_off": "Turn off"}
    )
    build: AppFacts = BUILD
    facts: PhoneFacts = FACTS
    popup: bool = False
    gone_after: int = 99
    taps: list = field(default_factory=list)
    shown: dict = field(default_factory=dict)
    interrupts: tuple = ()
    n: int = 0

    def expect(self, interrupts):
        self.interrupts = tuple(interrupts)

    def perform(self, step):
        self.n += 1
        if self.n > self.gone_after:
            raise DriverTimeoutError("phone", step.act, "no answer; is it on?")
        detail = {}
        if step.open_app:
            self.shown = self.home
        elif self.popup and self.interrupts:
            self.popup, detail = False, {"interrupt": "text 'Not now'"}
        if step.tap:
            self.taps.append(step.tap.any[0].id)
            self.shown = self.page
        elif step.wait_for and not self.sight([step.wait_for])[0]:
            raise DriverTimeoutError("phone", "wait", "it is not there")
        return Bracket(issue_ns=1, return_ns=2, instant_ns=1, detail=detail)

    def sight(self, selectors):
        views = {} if self.popup else self.shown
        return tuple(self._found(s, views) for s in selectors)

    def _found(self, selector, views):
        for rung in selector.any:
            for place, (name, text) in enumerate(views.items()):
                if (rung.id or name, rung.text or text) == (name, text) and not rung.at:
                    return Sighting(rung=rung.name, text=text, point=(0, place))
        return None

    def see(self, selector, within_s):
        return self.sight([selector])[0] is not None

    def evidence(self):
        return Evidence(screenshot_png=b"\x89PNG", view_tree_xml="<hierarchy/>")

    def describe(self):
        return self.facts

    def describe_app(self, package):
        return self.build

    def app_version(self, package):
        return self.build.version

    def set_network(self, network):
        raise AssertionError


@pytest.fixture
def lamp(tmp_path):
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "lamp.yaml").write_text(PROFILE)
    (tmp_path / "lab.yaml").write_text(LAB_FILE)
    from testbed.model.load import load_profile

    return load_profile(tmp_path / "devices" / "lamp.yaml")


@pytest.fixture
def look(lamp, tmp_path):
    """Examine the phone part of a lab with this phone; return all of it."""
    order = Order(
        lab_file=tmp_path / "lab.yaml",
        devices=tmp_path / "devices",
        scenarios=tmp_path / "scenarios",
        captures=tmp_path / "out",
        journal=str(tmp_path / "out" / "journal.sqlite"),
        only=("phone",),
    )

    def examined(phone):
        return examine(order, SystemClock(), opener=lambda *_: phone)

    return examined


def named(examined):
    return {f.check: f.said for f in examined.examination.findings}


def locked(look, tmp_path, phone=None):
    made = lock_of(look(phone or LampPhone()), SystemClock())
    write_lock(tmp_path / "app.lock.yaml", made)
    return made


def test_each_screen_is_visited_once_and_the_nearest_first(lamp):
    found = screens(lamp)
    assert [[w.place for w in s.wants] for s in found] == [
        ["turn_on/2", "turn_off/2", "dim/2"],
        ["turn_on/3", "turn_off/3"],
    ]


def test_a_walk_touches_what_leads_to_a_trigger_and_never_the_trigger(lamp):
    phone = LampPhone()
    walked = walk(phone, lamp)
    assert phone.taps == ["tile"]
    assert not walked.missing
    rungs = {s.want.place: s.rung for s in walked.seen}
    assert rungs == {
        "turn_on/2": "id",
        "turn_off/2": "id",
        "turn_on/3": "id",
        "turn_off/3": "id",
        "dim/2": "at",
    }


def test_a_walk_that_breaks_off_says_why_and_misses_the_rest(lamp):
    walked = walk(LampPhone(gone_after=1), lamp)
    assert "no answer" in walked.trouble
    assert [w.place for w in walked.missing] == ["turn_on/3", "turn_off/3"]


def test_a_phone_that_cannot_be_inspected_is_asked_selector_by_selector(lamp):
    class Plain:
        def __init__(self, phone):
            for name in ("expect", "perform", "see", "evidence", "app_version"):
                setattr(self, name, getattr(phone, name))

    plain = Plain(LampPhone())
    assert not walk(plain, lamp).missing
    assert app_state(plain, "com.lamp") == AppState(package="com.lamp", version="1.0")


def test_a_healthy_phone_is_well_but_for_the_lock_that_is_not_there(look):
    said = named(look(LampPhone()))
    assert said["phone.selectors"].said == "5 selectors found"
    assert said["phone.lock"].verdict is Verdict.WARNING
    assert {s.verdict for c, s in said.items() if c != "phone.lock"} == {Verdict.OK}


def test_a_lock_comes_back_as_it_was_written_and_makes_all_well(look, tmp_path):
    made = locked(look, tmp_path)
    assert load_lock(tmp_path / "app.lock.yaml") == made
    assert made.devices["lamp"].selectors["turn_on/3"].text == "Turn on"
    assert made.phone.density == 440
    assert {s.verdict for s in named(look(LampPhone())).values()} == {Verdict.OK}


def test_a_lock_keeps_devices_that_were_not_looked_at(look, tmp_path):
    before = locked(look, tmp_path)
    other = before.devices["lamp"].model_copy(update={"package": "com.other"})
    before = before.model_copy(update={"devices": {"zebra": other}})
    made = lock_of(look(LampPhone()), SystemClock(), before)
    assert list(made.devices) == ["lamp", "zebra"]


def test_no_lock_is_made_of_selectors_that_were_not_found(look):
    with pytest.raises(LabError, match="selectors of lamp"):
        lock_of(look(LampPhone(page={"btn_on": "Turn on"})), SystemClock())


@pytest.mark.parametrize(
    ("changes", "check", "verdict", "words"),
    [
        ({"popup": True}, "phone.selectors", Verdict.WARNING, "Not now"),
        ({"page": {"x": "Turn on", "btn_off": "Turn off"}}, "phone.selectors",
         Verdict.WARNING, "turn_on/3 by text instead of id"),
        ({"page": {"btn_on": "Turn off", "btn_off": "Turn on"}}, "phone.selectors",
         Verdict.WARNING, "turn_on/3 'Turn off' instead of 'Turn on'"),
        ({"page": {"btn_on": "Turn on"}}, "phone.selectors",
         Verdict.BAD, "turn_off/3 (id 'btn_off' or text 'Turn off')"),
        ({"gone_after": 1}, "phone.selectors", Verdict.BAD, "no answer"),
        ({"build": AppFacts(package="com.lamp", version="1.1", version_code="11")},
         "phone.app", Verdict.BAD, "version 1.0 -> 1.1, version_code 10 -> 11"),
        ({"build": AppFacts(package="com.lamp", version="")}, "phone.app",
         Verdict.BAD, "not installed"),
    ],
)  # fmt: skip
def test_what_is_not_as_in_the_lock_is_found(
    look, tmp_path, changes, check, verdict, words
):
    locked(look, tmp_path)
    said = named(look(LampPhone(**changes)))[check]
    assert (said.verdict, words in said.said) == (verdict, True), said
    assert said.remedy


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"locked": True}, Verdict.BAD, "locked"),
        ({"awake": False}, Verdict.WARNING, "off"),
        ({"animations": ("1.0", "", "0")}, Verdict.WARNING, "animations"),
        ({"stays_on": False}, Verdict.WARNING, "may go off"),
    ],
)
def test_a_screen_that_taps_may_not_reach_is_told(look, changes, verdict, words):
    from dataclasses import replace

    said = named(look(LampPhone(facts=replace(FACTS, **changes))))["phone.screen"]
    assert (said.verdict, words in said.said) == (verdict, True)


def test_another_density_is_a_change_and_an_unknown_one_is_none(look, tmp_path):
    from dataclasses import replace

    made = locked(look, tmp_path)
    other = replace(FACTS, density=320)
    assert phone_changes(other, made.phone) == {"density": ("440", "320")}
    unknown = made.phone.model_copy(update={"density": 0})
    assert phone_changes(other, unknown) == {}
    said = named(look(LampPhone(facts=other)))["phone.lock"]
    assert said.measured["changes"] == ["density 440 -> 320"]


def test_a_campaign_on_the_locked_apps_writes_nothing(look, lamp, tmp_path):
    made, phone = locked(look, tmp_path), LampPhone()
    folder = tmp_path / "drift"
    require_no_drift(
        phone, {"lamp": lamp}, ["lamp"], lock=made, folder=folder, clock=SystemClock()
    )
    assert not folder.exists()
    assert phone.n == 0  # no app was opened


def test_a_report_says_what_changed_and_escapes_what_an_app_says(look, lamp, tmp_path):
    made = locked(look, tmp_path)
    phone = LampPhone(
        build=AppFacts(package="com.lamp", version="2<script>", version_code="20"),
        page={"btn_on": "<b>Light & on</b>", "other": "Turn off"},
        facts=FACTS,
    )
    folder = tmp_path / "drift"
    with pytest.raises(LabError, match=r"version 1.0 -> 2<script>.*doctor --lock"):
        require_no_drift(
            phone,
            {"lamp": lamp},
            ["lamp"],
            lock=made,
            folder=folder,
            clock=SystemClock(),
        )
    (app,) = json.loads((folder / "drift.json").read_text())["apps"]
    assert app["changes"]["version"] == {"was": "1.0", "is": "2<script>"}
    verdicts = {s["place"]: s["verdict"] for s in app["selectors"]}
    assert verdicts == {
        "turn_on/2": "same",
        "turn_off/2": "same",
        "turn_on/3": "another text",
        "turn_off/3": "another rung",
        "dim/2": "same",
    }
    page = (folder / "drift.html").read_text()
    assert "<script>" not in page
    assert "&lt;b&gt;Light &amp; on&lt;/b&gt;" in page
    assert (folder / app["picture"]).read_bytes() == b"\x89PNG"
    assert (folder / app["tree"]).read_text() == "<hierarchy/>"


def test_an_app_that_was_removed_is_drift_and_one_that_is_not_locked_is_none(
    look, lamp, tmp_path
):
    made = locked(look, tmp_path)
    removed = LampPhone(build=AppFacts(package="com.lamp", version=""))
    none = made.model_copy(update={"devices": {}})
    how = {"folder": tmp_path / "drift", "clock": SystemClock()}
    require_no_drift(removed, {"lamp": lamp}, ["lamp"], lock=none, **how)
    with pytest.raises(LabError, match=r"1\.0 -> none"):
        require_no_drift(removed, {"lamp": lamp}, ["lamp"], lock=made, **how)


def test_builds_differ_only_where_both_are_known():
    then = AppState(package="p", version="1", version_code="", signer="ab")
    now = AppState(package="p", version="2", version_code="7", signer="")
    assert now.differs_from(then) == {"version": ("1", "2")}


def test_a_lock_that_somebody_edited_is_a_faulty_file(tmp_path):
    path = lock_beside(tmp_path / "lab.yaml")
    assert load_lock(path) is None
    path.write_text("lab: bench\nmade: x\ncolour: red\n")
    with pytest.raises(FaultyFilesError, match="colour"):
        load_lock(path)


def test_a_lock_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(JournalError, match="cannot be written"):
        write_lock(tmp_path / "no" / "app.lock.yaml", AppLock(lab="l", made="x"))
    assert list(tmp_path.iterdir()) == []
