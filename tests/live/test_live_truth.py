"""The ground truth against what a capture on the router shows."""

import json
import socket
import struct

import numpy as np
import pytest

from analysis.pcap.reader import read_frames
from testbed.clock import SystemClock, wait_until
from testbed.model.load import load_profiles
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
    print(urllib.request.urlopen(request, timeout=60).read().decode())
"""


@pytest.fixture(scope="module")
def n_before(live_lab):
    """Count what other tests did in this lab before."""
    return len(truth.true_activities(live_lab.handle.truth))


@pytest.fixture(scope="module")
def recorded(live_lab, n_before):
    """Record half a minute in which three activities happen; return the file."""
    path = live_lab.handle.state / "router" / "truth.pcapng"
    # the tool ends with the standard input of its shell
    tshark = f"tshark -q -i br-lan -f 'not port 22' -w {path} 2>/dev/null"
    command = f"{tshark} & read -r _; kill -INT $!; wait"
    clock = SystemClock()
    process = live_lab.start([*live_lab.ssh_command(), command])
    assert wait_until(path.exists, clock=clock, deadline_s=60.0)
    clock.sleep(1.0)
    live_lab.python(SET_STATE, "http://10.77.0.16:49153", "1")
    live_lab.python(SET_STATE, "http://10.77.0.31:49153", "0")
    ping = ["busybox", "ping", "-c", "3", "-W", "1", "10.77.0.12"]
    assert "100% packet loss" in live_lab.at("phone", ping, check=False)
    live_lab.python(SET_STATE, "http://10.77.0.31:49153", "1")
    clock.sleep(15.0)  # booting takes 5 to 15 s
    process.communicate(b"\n", timeout=60)
    return path


@pytest.fixture
def found(live_lab, n_before, recorded):
    """Return what happened while it was recorded."""
    return truth.true_activities(live_lab.handle.truth)[n_before:]


def true_ns_of(found, activity):
    [instant_ns] = [a.true_ns for a in found if a.activity == activity]
    return instant_ns


def test_every_activity_is_noted_once_with_its_true_instant(found):
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


def test_a_device_without_power_sends_nothing(live_lab, recorded, found, lab_file):
    profiles = load_profiles(lab_file.parent / "devices")
    folder = live_lab.handle.truth
    off_ns, on_ns = (
        truth.true_capture_ns(true_ns_of(found, name), folder)
        for name in ("power_off", "power_on")
    )
    frames = read_frames(recorded)
    mac = bytes.fromhex(profiles["omna_180"].mac.replace(":", ""))
    sent_ns = [
        int(frames.time_ns[row])
        for row in range(len(frames))
        if frames.frame(row)[26:30] == bytes([10, 77, 0, 12])
        or frames.frame(row)[6:12] == mac
    ]
    assert sent_ns
    assert not [t for t in sent_ns if off_ns + 500_000_000 < t < on_ns]


def segments_of(path):
    """Yield (source, port, target, port, sequence number, length) of TCP data."""
    frames = read_frames(path)
    for row in range(len(frames)):
        frame = frames.frame(row)
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            ips = [socket.inet_ntoa(frame[at : at + 4]) for at in (26, 30)]
            ports = struct.unpack_from(">HH", frame, 34)
            (sequence,) = struct.unpack_from(">I", frame, 38)
            length = int.from_bytes(frame[16:18]) - 20 - (frame[46] >> 4) * 4
            if length:
                yield ips[0], ports[0], ips[1], ports[1], sequence, length


def test_writes_of_the_truth_begin_where_segments_begin(live_lab, recorded, found):
    lines = (live_lab.handle.truth / "writes.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    first_sequence = {tuple(r[1:6]): r[6] for r in rows if r[0] == "isn"}
    begun, ended = set(), {}
    for one, port, other, far, sequence, length in segments_of(recorded):
        for key in ((one, port, other, far, 1), (other, far, one, port, 0)):
            if key in first_sequence:
                offset = (sequence - first_sequence[key]) & 0xFFFFFFFF
                begun.add((key, offset))
                ended[key] = max(ended.get(key, 0), offset + length)
    began_ns = true_ns_of(found, "turn_on")
    seen = [
        row
        for row in rows
        if row[0] == "tcp"
        and row[10] > began_ns
        and row[7] <= ended.get(tuple(row[1:6]), 0) + 3000
    ]
    assert len(seen) > 20
    met = sum((tuple(r[1:6]), r[6]) in begun for r in seen)
    assert met / len(seen) > 0.9


def test_a_command_to_a_device_has_its_activity_as_cause(live_lab, recorded, found):
    causes = truth.packet_causes(recorded, live_lab.handle.truth)
    [number] = [a.number for a in found if a.channel == "api"]
    frames = read_frames(recorded)
    commands = [
        row
        for row in range(len(frames))
        if bytes([10, 77, 0, 16]) in frames.frame(row)[26:34]
        and b"SetBinaryState" in frames.frame(row)
    ]
    assert commands
    assert {int(causes.activity[row]) for row in commands} == {number}


def test_packets_of_an_activity_come_after_its_true_instant(live_lab, recorded, found):
    causes = truth.packet_causes(recorded, live_lab.handle.truth)
    frames = read_frames(recorded)
    for activity in found:
        true_ns = truth.true_capture_ns(activity.true_ns, live_lab.handle.truth)
        rows = np.flatnonzero(causes.activity == activity.number)
        if activity.activity == "power_off":
            continue
        assert rows.size, activity
        first_s = (int(frames.time_ns[rows[0]]) - true_ns) / 1e9
        assert -0.1 < first_s < 5.0, activity
