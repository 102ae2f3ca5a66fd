"""The ground truth against what a capture on the router shows."""

import numpy as np
import pytest

from analysis.pcap.reader import read_frames
from testbed.clock import SystemClock, wait_until
from testbed.virtual.live import truth

pytestmark = pytest.mark.live

SET_STATE = """
    import sys, urllib.request
    url, on = sys.argv[1], sys.argv[2]
    urn = "urn:Belkin:service:basicevent:1"
    body = (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/'
        'envelope/"><s:Body><u:SetBinaryState xmlns:u="%s"><BinaryState>%s'
        "</BinaryState></u:SetBinaryState></s:Body></s:Envelope>" % (urn, on)
    )
    request = urllib.request.Request(
        url + "/upnp/control/basicevent1",
        data=body.encode(),
        headers={"SOAPACTION": '"%s#SetBinaryState"' % urn},
    )
    print(urllib.request.urlopen(request, timeout=5).read().decode())
"""


@pytest.fixture(scope="module")
def recorded(live_lab):
    """Record half a minute in which three activities happen; return the file."""
    path = live_lab.handle.state / "router" / "truth.pcapng"
    # the tool ends with the standard input of its shell
    tshark = f"tshark -q -i br-lan -f 'not port 22' -w {path} 2>/dev/null"
    command = f"{tshark} & read -r _; kill -INT $!; wait"
    clock = SystemClock()
    process = live_lab.start([*live_lab.ssh_command(), command])
    assert wait_until(path.exists, clock=clock, deadline_s=10.0)
    clock.sleep(1.0)
    live_lab.python(SET_STATE, "http://10.77.0.16:49153", "1")
    live_lab.python(SET_STATE, "http://10.77.0.31:49153", "0")
    clock.sleep(3.0)  # long enough to see that it says nothing
    live_lab.python(SET_STATE, "http://10.77.0.31:49153", "1")
    clock.sleep(15.0)  # booting takes 5 to 15 s
    process.communicate(b"\n", timeout=20)
    return path


def true_ns_of(found, activity):
    [instant_ns] = [a.true_ns for a in found if a.activity == activity]
    return instant_ns


def test_every_activity_is_noted_once_with_its_true_instant(live_lab, recorded):
    found = truth.true_activities(live_lab.handle.truth)
    named = [(a.device, a.activity, a.channel) for a in found]
    assert named.count(("wemo_insight", "turn_on", "api")) == 1
    assert named.count(("omna_180", "power_off", "power")) == 1
    assert named.count(("omna_180", "power_on", "power")) == 1


def test_every_packet_of_a_device_has_a_known_cause(live_lab, recorded):
    causes = truth.packet_causes(recorded, live_lab.handle.truth)
    frames = read_frames(recorded)
    assert len(frames) > 100
    controller = bytes([10, 77, 0, 5])
    unknown = [
        frames.frame(row)
        for row, kind in enumerate(causes.kind)
        if kind == "foreign" and controller not in frames.frame(row)[26:34]
    ]
    assert not unknown


def test_a_device_without_power_sends_nothing(live_lab, recorded):
    folder = live_lab.handle.truth
    found = truth.true_activities(folder)
    off_ns, on_ns = (
        truth.true_capture_ns(true_ns_of(found, name), folder)
        for name in ("power_off", "power_on")
    )
    frames = read_frames(recorded)
    mac = bytes.fromhex("b0c554774d12")
    sent_ns = [
        int(frames.time_ns[row])
        for row in range(len(frames))
        if frames.frame(row)[26:30] == bytes([10, 77, 0, 12])
        or frames.frame(row)[6:12] == mac
    ]
    assert sent_ns
    assert not [t for t in sent_ns if off_ns + 50_000_000 < t < on_ns]


def test_packets_of_an_activity_come_after_its_true_instant(live_lab, recorded):
    causes = truth.packet_causes(recorded, live_lab.handle.truth)
    frames = read_frames(recorded)
    for activity in truth.true_activities(live_lab.handle.truth):
        true_ns = truth.true_capture_ns(activity.true_ns, live_lab.handle.truth)
        rows = np.flatnonzero(causes.activity == activity.number)
        if activity.activity == "power_off":
            continue
        assert rows.size, activity
        first_s = (int(frames.time_ns[rows[0]]) - true_ns) / 1e9
        assert -0.1 < first_s < 5.0, activity
