"""What the phone's link says when the phone is away."""

import pytest

from testbed.clock import VirtualClock
from testbed.drivers.adb_server import AdbServer
from testbed.drivers.phone_link import PhoneLink
from testbed.errors import DriverRefusedError


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("ERROR: b'' b''", "the phone is offline; check its cable or network"),
        (
            "ERROR: b'FAIL' b'000edevice offline'",
            "adb says device offline; check its cable or its Wi-Fi",
        ),
    ],
)
def test_a_phone_that_is_away_is_said_in_a_sentence(monkeypatch, said, reason):
    def fail(_session):
        raise RuntimeError(said)

    clock = VirtualClock(0)
    server = AdbServer(5099, clock=clock, usb=False)  # never started
    link = PhoneLink("SERIAL", server, network=False, clock=clock)
    monkeypatch.setattr(link, "_plug", lambda _request: None)
    monkeypatch.setattr("testbed.drivers.phone_link.open_session", lambda *_: fail(0))
    with pytest.raises(DriverRefusedError) as caught:
        link.call("open com.app", fail, timeout_s=1.0)
    assert str(caught.value) == f"phone SERIAL: open com.app: {reason}"
