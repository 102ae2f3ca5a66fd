"""The ground truth against what a capture on the router shows."""

import collections
import time

import numpy as np
import pytest

from analysis.pcap.reader import read_frames
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
    name = f"{live_lab.handle.state}/router/truth.pcapng"
    tshark = f"tshark -q -i br-lan -f 'not port 22' -w {name}"
    # a fake lease: the tool ends with the standard input of its shell
    command = f"{tshark} 2>/dev/null & read -r _; kill -INT $!; wait"
    import subprocess
    import sys

    from testbed.virtual.live import enter

    process = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", enter.__file__),
            str(live_lab.handle.process.pid),
            *live_lab.ssh_command(),
            command,
        ],
        env=live_lab.handle.environment(),
        stdin=subprocess.PIPE,
    )
    time.sleep(2.5)
    live_lab.python(SET_STATE, "http://10.77.0.16:49153", "1")
    live_lab.python(SET_STATE, "http://10.77.0.31:49153", "0")
    time.sleep(4)
    live_lab.python(SET_STATE, "http://10.77.0.31:49153", "1")
    time.sleep(15)
    process.communicate(b"\n", timeout=20)
    from pathlib import Path

    return Path(name)


def test_every_activity_is_noted_once_with_its_true_instant(live_lab, recorded):
    found = truth.true_activities(live_lab.handle.truth)
    named = [(a.device, a.activity, a.channel) for a in found]
    assert named.count(("wemo_insight", "turn_on", "api")) == 1
    assert named.count(("omna_180", "power_off", "power")) == 1
    assert named.count(("omna_180", "power_on", "power")) == 1


def test_nearly_every_packet_of_a_device_has_a_known_cause(live_lab, recorded):
    causes = truth.packet_causes(recorded, live_lab.handle.truth)
    frames = read_frames(recorded)
    unknown = collections.Counter()
    for row, kind in enumerate(causes.kind):
        if kind == "foreign":
            frame = frames.frame(row)
            unknown[frame[23], tuple(frame[26:34]), tuple(frame[34:38])] += 1
    assert len(frames) > 100
    share = sum(unknown.values()) / len(frames)
    print(collections.Counter(causes.kind), unknown.most_common(10))
    assert share < 0.35, unknown.most_common(5)


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
