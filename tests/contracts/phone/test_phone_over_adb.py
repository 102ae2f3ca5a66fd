"""What the real driver does when adb, the cable or the phone misbehave."""

import asyncio
import re
import socket
import threading
from contextlib import suppress

import numpy as np
import pytest

from testbed.clock import wait_until
from testbed.drivers.adb_server import AdbServer, find_adb
from testbed.drivers.phone_client import Deadline, open_session
from testbed.drivers.phone_link import PhoneLink
from testbed.drivers.phone_screen import Screen
from testbed.errors import (
    DriverError,
    DriverGarbledError,
    DriverRefusedError,
    DriverTimeoutError,
    LabError,
)
from testbed.model.steps import Selector
from testbed.virtual.phone.commands import Delays, Programs

BULB = "com.iview.smart"
ON = {"id": "btn_turn_on"}
STATUS_ON = Selector.model_validate({"id": "status", "text": "On"})


class Amid:
    """A deed that is done once, while the phone is at a program.

    The program waits for the deed. Make it before the phone; `arm` when it is time.

    struck  the program has begun and the deed with it
    cut     the phone has broken the program off
    """

    def __init__(self, monkeypatch, program):
        self.armed, self.struck, self.cut = (threading.Event() for _ in range(3))
        self._hand = None
        real = getattr(Programs, f"_{program}")

        async def watched(programs, words):
            if self.armed.is_set() and not self.struck.is_set():
                self.struck.set()
                try:
                    while self._hand.is_alive():
                        await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    self.cut.set()
                    raise
            return await real(programs, words)

        monkeypatch.setattr(Programs, f"_{program}", watched)

    def arm(self, deed):
        def do():
            if self.struck.wait(60):
                deed()

        self._hand = threading.Thread(target=do)
        self._hand.start()
        self.armed.set()

    def join(self):
        self._hand.join(60)
        return self.struck.is_set() and not self._hand.is_alive()


@pytest.fixture
def amid_a_tap(monkeypatch):
    return Amid(monkeypatch, "input")


@pytest.fixture
def amid_a_dump(monkeypatch):
    return Amid(monkeypatch, "uiautomator")


def test_twenty_taps_in_a_row_leave_no_threads_behind(adb, make_step):
    phone = adb.open(adb.switch_on().serial)
    phone.perform(make_step(open_app=BULB))
    phone.perform(make_step(tap=ON))
    before = threading.active_count()
    for _ in range(19):
        phone.perform(make_step(tap=ON))
    assert len(adb.stage.begun) == 20
    fewer = lambda: threading.active_count() <= before  # noqa: E731
    assert wait_until(fewer, clock=adb.clock, deadline_s=30)


@pytest.mark.timeout(450)
def test_the_estimate_is_a_few_ms_from_the_true_touch_down(adb, make_step):
    # the lead of a tap as on the real phone; its whole length does not matter here
    phone = adb.open(adb.switch_on(Delays(tap=(0.06, 0.3), dump=(0.01, 0.02))).serial)
    phone.perform(make_step(open_app=BULB))
    taps = []

    def is_near():
        taps.extend(phone.perform(make_step(tap=ON)) for _ in range(10))
        true_ns = np.array([b.instant_ns for b in adb.stage.begun[-10:]])
        error_ns = np.array([t.instant_ns for t in taps[-10:]]) - true_ns
        return np.median(np.abs(error_ns)) <= 15e6

    # the tail belongs to a busy machine, and so may ten in a row
    assert wait_until(is_near, clock=adb.clock, deadline_s=240)
    assert all(
        t.issue_ns <= b.instant_ns <= t.return_ns
        for t, b in zip(taps, adb.stage.begun, strict=True)
    )


def test_a_declared_pop_up_is_closed_and_reported(adb, make_step):
    adb.stage.faults.add("popup")
    not_now = make_step(tap={"text": "Not now"})
    phone = adb.open(adb.switch_on().serial, interrupts=[not_now])
    phone.perform(make_step(open_app=BULB))
    closed = phone.perform(make_step(tap=ON))
    again = phone.perform(make_step(tap=ON))
    assert closed.detail["interrupt"] == "text 'Not now'"
    assert "interrupt" not in again.detail
    assert len(adb.stage.begun) == 2


def test_a_pop_up_over_the_answer_does_not_hide_it_from_see(adb, make_step):
    phone = adb.open(adb.switch_on().serial)
    phone.expect([make_step(tap={"text": "Not now"})])
    phone.perform(make_step(open_app=BULB))
    phone.perform(make_step(tap=ON))
    adb.stage.faults.add("popup")
    assert phone.see(STATUS_ON, 30)


def test_a_phone_that_dies_in_the_middle_of_a_tap_fails_once_and_comes_back(
    adb, make_step, amid_a_tap
):
    loopback = adb.switch_on()
    phone = adb.open(loopback.serial)
    phone.perform(make_step(open_app=BULB))
    amid_a_tap.arm(loopback.close)
    with pytest.raises(DriverError) as caught:
        phone.perform(make_step(tap=ON))
    assert amid_a_tap.join()
    assert str(caught.value).startswith(
        f"phone {loopback.serial}: tap id 'btn_turn_on'"
    )
    assert "b'" not in str(caught.value)
    assert adb.stage.begun == []
    adb.switch_on(port=loopback.port)
    phone.perform(make_step(open_app=BULB))
    phone.perform(make_step(tap=ON))
    assert len(adb.stage.begun) == 1


def test_a_tap_that_hangs_ends_in_time_and_the_next_one_works(adb, make_step):
    loopback = adb.switch_on(Delays(tap=(20, 20.1), dump=(0.01, 0.02)))
    phone = adb.open(loopback.serial, call_timeout_s=3.0)
    phone.perform(make_step(open_app=BULB))
    start_s = adb.clock.monotonic_s()
    with pytest.raises(DriverTimeoutError, match="no answer within 3 s"):
        phone.perform(make_step(tap=ON))
    assert adb.clock.monotonic_s() - start_s < 15
    assert phone.app_version(BULB) == "4.11.2"


def test_a_phone_that_was_never_there_is_refused(adb):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        serial = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(DriverRefusedError, match="adb does not see it"):
            adb.open(serial, ready_s=0.3)


def test_a_serial_that_begins_like_another_is_not_taken_for_it(adb):
    server, other = adb.server(), adb.switch_on()
    server.reconnect(other.serial)
    short = other.serial[:-1]
    link = PhoneLink(short, server, network=False, clock=adb.clock, ready_s=0.5)
    sees = re.escape(f"adb does not see it; the phones it sees are: {other.serial}")
    with pytest.raises(DriverRefusedError, match=sees):
        link.call("wake up", lambda s: s.shell("true"), timeout_s=30)
    deadline = Deadline(adb.clock)
    deadline.begin(30)
    with pytest.raises(RuntimeError, match="couldn't find device"):
        open_session(short, server.port, deadline, find_adb())


def test_an_unauthorised_phone_says_what_to_do(adb, locked_serial):
    with pytest.raises(DriverRefusedError, match="unlock it and allow USB debugging"):
        adb.open(locked_serial)


def test_a_cut_off_answer_is_not_taken_for_a_whole_one(adb):
    server, loopback = adb.server(), adb.switch_on()
    link = PhoneLink(loopback.serial, server, network=True, clock=adb.clock, ready_s=30)
    adb.stack.callback(link.close)
    unfinished = "echo 'and then"  # the phone's shell never comes to the mark
    with pytest.raises(DriverGarbledError, match="was cut off"):
        link.call("listen", lambda s: s.shell(unfinished), timeout_s=30)
    with pytest.raises(DriverRefusedError, match="ended with 127"):
        link.call("listen", lambda s: s.shell("nosuch"), timeout_s=30)
    assert link.call("listen", lambda s: s.shell("echo hi"), timeout_s=30) == "hi\n"


def test_the_adb_server_is_started_again_when_it_was_killed(adb, port):
    phone = adb.open(adb.switch_on().serial, adb_port=port)
    with suppress(DriverTimeoutError):  # it may be gone before it has answered
        AdbServer(port, clock=adb.clock, usb=False).ask("host:kill")
    with suppress(DriverError):
        phone.app_version(BULB)
    assert phone.app_version(BULB) == "4.11.2"


def test_a_taken_port_is_named(adb):
    serial = adb.switch_on().serial
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(LabError, match=f"port {port}, .* is taken"):
            adb.open(serial, adb_port=port)


def test_what_androidviewclient_prints_goes_to_the_log(adb, make_step, capfd, caplog):
    caplog.set_level("INFO")
    phone = adb.open(adb.switch_on(Delays(tap=(20, 20.1))).serial, call_timeout_s=3)
    phone.perform(make_step(open_app=BULB))
    phone.evidence()
    with pytest.raises(DriverTimeoutError):
        phone.perform(make_step(tap=ON))
    said = "AndroidViewClient: ERROR"
    assert wait_until(lambda: said in caplog.text, clock=adb.clock, deadline_s=30)
    assert capfd.readouterr() == ("", "")


def test_without_the_proof_by_picture_an_old_tree_would_confirm(
    adb, make_step, monkeypatch
):
    phone = adb.open(adb.switch_on().serial)
    phone.perform(make_step(open_app=BULB))
    phone.perform(make_step(tap=ON))
    assert phone.see(STATUS_ON, 30)
    adb.stage.faults.add("stale_dump")
    adb.stage.deaf = True
    phone.perform(make_step(open_app=BULB))
    phone.perform(make_step(tap=ON))
    assert not phone.see(STATUS_ON, 1)
    monkeypatch.setattr(Screen, "proves", lambda self, box, **_: True)
    assert phone.see(STATUS_ON, 30)


def test_a_phone_that_restarts_in_the_middle_of_a_tap_is_not_touched_twice(
    adb, make_step, amid_a_tap
):
    loopback = adb.switch_on(Delays(tap=(0.8, 0.9), dump=(0.01, 0.02)))
    phone = adb.open(loopback.serial)
    phone.perform(make_step(open_app=BULB))
    adb.stage.values["phone_reboot"] = "1 s"
    amid_a_tap.arm(lambda: adb.stage.faults.add("phone_reboot"))
    with pytest.raises(DriverError):
        phone.perform(make_step(tap=ON))
    assert amid_a_tap.join()
    adb.clock.sleep(1.2)
    assert adb.stage.begun == []
    phone.perform(make_step(open_app=BULB))
    phone.perform(make_step(tap=ON))
    assert len(adb.stage.begun) == 1


def test_a_tap_whose_answer_is_lost_is_not_done_again(adb, make_step):
    # touch-down comes 3 s before the answer, and the phone is gone in between
    delays = Delays(tap=(3.2, 3.21), lead=(3.0, 3.01), dump=(0.01, 0.02))
    loopback = adb.switch_on(delays)
    phone = adb.open(loopback.serial)
    phone.perform(make_step(open_app=BULB))

    def drop():
        wait_until(lambda: adb.stage.begun, clock=adb.clock, deadline_s=60, poll_s=0.01)
        adb.stage.faults.add("phone_offline")

    dropper = threading.Thread(target=drop)
    dropper.start()
    with pytest.raises(DriverError):
        phone.perform(make_step(tap=ON))
    dropper.join()
    adb.stage.faults.clear()
    phone.perform(make_step(open_app=BULB))
    assert len(adb.stage.begun) == 1


def test_a_transport_that_drops_in_the_middle_of_a_dump_heals(
    adb, make_step, amid_a_dump
):
    phone = adb.open(adb.switch_on().serial)
    phone.perform(make_step(open_app=BULB))

    def drop():
        adb.stage.faults.add("phone_offline")
        amid_a_dump.cut.wait(60)
        adb.stage.faults.clear()

    amid_a_dump.arm(drop)
    with suppress(DriverError):
        phone.see(STATUS_ON, 0.1)
    assert amid_a_dump.join()
    assert amid_a_dump.cut.is_set()
    phone.perform(make_step(tap=ON))
    assert len(adb.stage.begun) == 1


def test_our_adb_server_may_be_killed_in_the_middle_of_a_tap(
    adb, make_step, amid_a_tap, port
):
    def kill():
        with suppress(DriverTimeoutError):
            AdbServer(port, clock=adb.clock, usb=False).ask("host:kill")

    loopback = adb.switch_on(Delays(tap=(0.8, 0.9), dump=(0.01, 0.02)))
    phone = adb.open(loopback.serial, adb_port=port)
    phone.perform(make_step(open_app=BULB))
    amid_a_tap.arm(kill)
    with pytest.raises(DriverError):
        phone.perform(make_step(tap=ON))
    assert amid_a_tap.join()
    adb.clock.sleep(1)
    n_before = len(adb.stage.begun)
    assert n_before <= 1
    phone.perform(make_step(open_app=BULB))
    phone.perform(make_step(tap=ON))
    assert len(adb.stage.begun) == n_before + 1
