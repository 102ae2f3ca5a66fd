"""Drivers against recorded dialogues, and the recording of them.

The files in tests/golden/dialogues were recorded with `testbed record` in the virtual
lab; the stand-ins know nothing but these files.
"""

import re
import shutil
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.clock import SystemClock
from testbed.drivers import tap
from testbed.drivers.phone_avc import open_phone
from testbed.drivers.phone_facts import QUESTIONS, phone_facts
from testbed.drivers.plug_wemo import open_plug
from testbed.errors import ConfigError, DriverError, DriverRefusedError
from testbed.model.dialogue import (
    Answers,
    Dialogue,
    Exchange,
    UnknownRequestError,
    read_dialogue,
    write_dialogue,
)
from testbed.model.lab import Lab, PhoneAt, PlugAt
from testbed.model.load import load_profiles
from testbed.model.steps import Selector, Step
from testbed.runner.apps.walk import walk
from testbed.runner.record import RecordOrder, listen, redacted
from testbed.virtual.phone.loopback import LoopbackPhone
from testbed.virtual.phone.replay import replayed_phone
from testbed.virtual.rehearsal import LoopThread, Rehearsal
from testbed.virtual.wemo import start_wemo
from testbed.virtual.wemo.replay import replayed_plug
from tests.ports import free_port, own_address

ROOT = Path(__file__).parents[2]
DIALOGUES = ROOT / "tests" / "golden" / "dialogues"
PHONE = DIALOGUES / "phone_tplink_hs110.jsonl"
PLUG = DIALOGUES / "plug_insight.jsonl"
KASA = "com.tplink.kasa_android"
NOW_NS = 1_795_000_000 * 10**9


@pytest.fixture(scope="module")
def profiles():
    return load_profiles(ROOT / "devices")


@contextmanager
def stand_in(play, path, sock):
    """Play a dialogue in a thread of its own; yields the unknown requests."""
    with LoopThread() as loop:
        playing = play(read_dialogue(path), sock, path.name)
        unknown = loop.run(playing.__aenter__())
        try:
            yield unknown
        finally:
            loop.run(playing.__aexit__(None, None, None))


@contextmanager
def replayed(tmp_path):
    assert shutil.which("adb"), "needs the program adb: sudo apt install adb"
    sock = socket.create_server(("127.0.0.1", 0))
    serial = f"127.0.0.1:{sock.getsockname()[1]}"
    at = PhoneAt(serial=serial, adb_port=free_port(), connect=True)
    with (
        stand_in(replayed_phone, PHONE, sock) as unknown,
        open_phone(at, SystemClock(), home=tmp_path, call_timeout_s=30) as phone,
    ):
        yield phone, unknown


def test_the_phone_driver_passes_against_the_recorded_phone(tmp_path, profiles):
    with replayed(tmp_path) as (phone, unknown):
        assert phone.describe().android == "10"
        assert phone.describe_app(KASA).version == "2.35.0"
        walked = walk(phone, profiles["tplink_hs110"])
        assert (walked.missing, walked.trouble) == ((), "")
        assert phone.evidence().screenshot_png.startswith(b"\x89PNG")
        assert unknown == []


def test_what_the_recorded_phone_was_not_asked_is_an_error_that_says_so(tmp_path):
    with replayed(tmp_path) as (phone, unknown):
        with pytest.raises(DriverRefusedError, match=r"has no answer to 'dumpsys pack"):
            phone.app_version("com.example.other")
        assert unknown == ["dumpsys package com.example.other"]


def test_a_touch_that_was_not_recorded_is_refused(tmp_path):
    with replayed(tmp_path) as (phone, unknown):
        phone.perform(Step.model_validate({"open_app": KASA}))
        assert phone.see(Selector.model_validate({"text": "Turn on"}), 30)
        with pytest.raises(DriverError, match="has no answer to 'input"):
            phone.perform(Step.model_validate({"tap": {"text": "Turn on"}}))
        assert len(unknown) == 1


def recorded_udn():
    told = " ".join(e.answer for e in read_dialogue(PLUG).exchanges)
    return re.search(r"<UDN>(.+?)</UDN>", told)[1]


@contextmanager
def replayed_wemo():
    host = own_address(0)
    sock = socket.create_server((host, 49153))
    with stand_in(replayed_plug, PLUG, sock) as unknown:
        at = PlugAt(host=host, udn=recorded_udn())
        plug = open_plug("plug", at, SystemClock())
        yield plug, unknown
        plug.close()


def test_the_plug_driver_passes_against_the_recorded_plug():
    with replayed_wemo() as (plug, unknown):
        assert plug.read_power() is True
        assert plug.read_power_w() > 0
        bracket = plug.set_power(True)
        assert bracket.issue_ns <= bracket.instant_ns <= bracket.return_ns
        assert unknown == []


def test_what_the_recorded_plug_was_not_asked_is_noted():
    with replayed_wemo() as (plug, unknown):
        with pytest.raises(DriverError):
            plug.set_power(False)
        assert any("<BinaryState>0</BinaryState>" in request for request in unknown)


@pytest.mark.parametrize(
    "path", sorted(DIALOGUES.glob("*.jsonl")), ids=lambda p: p.stem
)
def test_a_shipped_dialogue_is_simulated_and_names_nothing_of_a_lab(path):
    assert read_dialogue(path).simulated
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"10\.7[78]\.|VIRTUAL0001|SIM0000|02:00:00:00:00:31", text) == []


def exchange(request, answer):
    return Exchange(at_s=0, took_s=0, request=request, answer=answer)


def test_answers_come_in_order_and_the_last_one_ever_after():
    answers = Answers(
        [exchange("a", "1"), exchange("b", "x"), exchange("a", "2")], "evening.jsonl"
    )
    assert [answers.to("a").answer for _ in range(3)] == ["1", "2", "2"]
    with pytest.raises(
        UnknownRequestError, match=r"evening.jsonl has no answer to 'c'"
    ):
        answers.to("c")
    assert answers.unknown == ["c"]


def test_a_dialogue_comes_back_from_its_file(tmp_path):
    told = Dialogue(
        instrument="plug",
        driver="pywemo",
        simulated=True,
        recorded="2026-11-22",
        redacted={"mac": 1},
        exchanges=(exchange("a", 'ü "\n\t'), exchange("b", "")),
    )
    write_dialogue(tmp_path / "new" / "d.jsonl", told)
    assert read_dialogue(tmp_path / "new" / "d.jsonl") == told


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"dialogue": 9}'])
def test_another_file_is_no_dialogue(text, tmp_path):
    (tmp_path / "d.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"d\.jsonl"):
        read_dialogue(tmp_path / "d.jsonl")


def lab(**sections):
    router = {"host": "10.9.8.7", "interface": "br-lan", "beacon": "10.9.8.7:1"}
    return Lab.model_validate({"lab": "bench", "router": router, **sections})


def test_a_recorded_phone_holds_what_it_was_asked_and_no_secret(tmp_path, profiles):
    assert shutil.which("adb"), "needs the program adb: sudo apt install adb"
    clock = SystemClock()
    stage = Rehearsal({"tplink_hs110": {"switch": "off"}})
    with LoopbackPhone(stage, clock, versions={KASA: "2.35.0"}) as loopback:
        at = {
            "serial": loopback.serial,
            "adb_port": str(free_port()),
            "connect": "true",
        }
        order = RecordOrder(
            instrument="phone",
            lab=lab(phone=at),
            profiles=profiles,
            profile=profiles["tplink_hs110"],
            secrets=("kasa hs110",),
        )
        opener = lambda _kind, _name, at, clock: open_phone(at, clock, home=tmp_path)  # noqa: E731
        heard = listen(order, clock, opener)
        dialogue = redacted(order, heard, NOW_NS)
    asked = [e.request for e in dialogue.exchanges]
    assert "wm size" in asked
    assert f"am start -n {KASA}/.Main" in asked
    assert not any(request.startswith("input ") for request in asked)
    assert any("Kasa HS110" in e.answer for e in heard)
    assert not any("Kasa HS110" in e.answer for e in dialogue.exchanges)
    assert dialogue.recorded == "2026-11-18"


def test_a_phone_that_is_only_read_is_neither_opened_nor_dumped(tmp_path, profiles):
    assert shutil.which("adb"), "needs the program adb: sudo apt install adb"
    clock = SystemClock()
    with LoopbackPhone(Rehearsal({}), clock, versions={KASA: "2.35.0"}) as loopback:
        at = {
            "serial": loopback.serial,
            "adb_port": str(free_port()),
            "connect": "true",
        }
        order = RecordOrder(
            instrument="phone",
            lab=lab(phone=at),
            profiles=profiles,
            profile=profiles["tplink_hs110"],
            passive=True,
        )
        opener = lambda _kind, _name, at, clock: open_phone(at, clock, home=tmp_path)  # noqa: E731
        asked = [e.request for e in listen(order, clock, opener)]
    assert not any(
        re.match("am start|input|cp /dev/null", request) for request in asked
    )
    assert f"dumpsys package {KASA}" in asked


def test_a_recorded_plug_is_left_as_it_was(profiles):
    clock, udn = SystemClock(), "uuid:Insight-1_0-SIM00000031"
    stage = Rehearsal({"omna_180": {"power": "on"}})
    host = own_address(0)
    with LoopThread() as loop:
        running = loop.run(
            start_wemo(
                stage,
                socket.create_server((host, 49153)),
                name="plug",
                udn=udn,
                mac="02:00:00:00:00:31",
                firmware="WeMo",
                clock=clock,
                seed=1,
                feeds="omna_180",
            )
        )
        try:
            plugs = {"plug_camera": {"host": host, "udn": udn, "feeds": "omna_180"}}
            order = RecordOrder(
                instrument="plug",
                lab=lab(plugs=plugs),
                profiles=profiles,
                plug="plug_camera",
            )
            dialogue = redacted(order, listen(order, clock), NOW_NS)
        finally:
            loop.run(running.close())
    sets = [e.request for e in dialogue.exchanges if "SetBinaryState" in e.request]
    assert len(sets) == 1
    assert "<BinaryState>1</BinaryState>" in sets[0]
    assert "SIM00000031" not in "".join(e.answer for e in dialogue.exchanges)


def test_an_instrument_that_the_lab_has_not_is_named(profiles):
    order = RecordOrder(instrument="phone", lab=lab(), profiles=profiles)
    with pytest.raises(ConfigError, match="has no phone"):
        listen(order, SystemClock())
    order = RecordOrder(instrument="plug", lab=lab(), profiles=profiles, plug="x")
    with pytest.raises(ConfigError, match="'x' is not a plug; there are: none"):
        listen(order, SystemClock())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"instrument": "plug", "plug": "mine"}, "mine is a device under test"),
        ({"instrument": "voice"}, "cache from which a campaign speaks"),
    ],
)
def test_who_only_reads_does_not_ask_a_device_under_test(what, said, profiles):
    plugs = {"mine": {"host": "h", "udn": "u-1_0-2", "is_device": "wemo_insight"}}
    of = lab(plugs=plugs, voice={})

    def opened(*_):
        raise AssertionError

    order = RecordOrder(lab=of, profiles=profiles, passive=True, **what)
    with pytest.raises(ConfigError, match=said):
        listen(order, SystemClock(), opened)


PROPERTIES = """\
[bluetooth.device.name]: [Anna phone]
[gsm.operator.alpha]: [Swisscom]
[net.hostname]: [android-1a2b3c4d5e6f7a8b]
[persist.sys.locale]: [de-DE]
[persist.sys.note]: [two
lines of it]
[ro.boot.em.did]: [20abc123def45678]
[ro.boot.wifimacaddr]: [d4a1b2c3d4e5]
[ro.build.host]: [annas-laptop]
[ro.build.version.release]: [13]
[ro.product.model]: [Pixel 4a]
[ro.product.model.owner]: [Anna]
"""


def test_of_a_phones_properties_only_those_are_kept_that_are_read(profiles):
    of = lab(phone={"serial": "R58M123ABC"})
    order = RecordOrder(instrument="phone", lab=of, profiles=profiles)
    heard = [exchange("getprop", PROPERTIES), exchange("wm size", "Anna 1x2")]
    first, second = redacted(order, heard, NOW_NS).exchanges
    assert first.answer == (
        "[persist.sys.locale]: [de-DE]\n"
        "[ro.build.version.release]: [13]\n"
        "[ro.product.model]: [Pixel 4a]\n"
    )
    assert second.answer == "Anna 1x2"
    facts = phone_facts([first.answer, *("null\n" for _ in QUESTIONS[1:])])
    assert (facts.model, facts.android, facts.locale) == ("Pixel 4a", "13", "de-DE")


def test_a_word_that_somebody_names_is_hidden_however_short_and_common(profiles):
    of = lab(phone={"serial": "R58M123ABC"})
    secrets = ("Bob", "admin")
    order = RecordOrder(instrument="phone", lab=of, profiles=profiles, secrets=secrets)
    heard = [exchange("a", "Bob's ADMIN bob, bobbin")]
    (told,) = redacted(order, heard, NOW_NS).exchanges
    assert told.answer == "secret2's secret1 secret2, bobbin"


def test_nobody_is_told_after_the_recording():
    heard = []
    with tap.listening(lambda *said: heard.append(said)):
        tap.tell("a", "b", 0, 0.0)
    tap.tell("c", "d", 0, 0.0)
    assert heard == [("a", "b", 0, 0.0)]
    assert not tap.is_heard()
