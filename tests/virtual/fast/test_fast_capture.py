import csv
import hashlib
import subprocess

import numpy as np
import pytest

from analysis.pcap.beacons import Beacon, encode, find_beacons
from analysis.pcap.reader import read_frames

AGAIN = "tcp.analysis.retransmission || tcp.analysis.out_of_order"
BEACON = encode(
    Beacon(campaign="c", trial="0001", attempt=1, phase="before", sent_ns=1)
)
BAD = (
    "_ws.malformed || tcp.checksum.status == 0 || udp.checksum.status == 0"
    " || ip.checksum.status == 0"
)


def _poke(lab):
    return lambda: lab.beacons.send(BEACON)


def _evening(lab, profiles, act):
    """Cause one activity over every channel, some seconds apart."""
    lab.capture_point.start_capture("evening", _poke(lab))
    for device, activity, channel in (
        ("arlo_q", "take_snapshot", "phone"),
        ("echo_dot", "ask_weather", "voice"),
        ("home_mini", "volume_up", "voice"),
        ("wemo_insight", "turn_on", "phone"),
        ("wemo_insight", "turn_off", "api"),
        ("tplink_hs110", "turn_on", "phone"),
        ("koogeek_plug", "read_state", "phone"),
        ("iview_bulb", "turn_on", "phone"),
        ("omna_180", "power_off", "power"),
        ("omna_180", "power_on", "power"),
    ):
        lab.clock.sleep(20.0)
        act(lab, profiles[device], activity, channel)
    lab.clock.sleep(30.0)


def _tshark(path, *args):
    options = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    command = ["tshark", "-r", path, *options, "-o", "udp.check_checksum:TRUE", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _digest(paths):
    return hashlib.sha256(b"".join(p.read_bytes() for p in paths)).hexdigest()


@pytest.fixture
def evening(opened, profiles, act, fetched):
    def make(name="all", **options):
        lab, truth = opened(**options)
        _evening(lab, profiles, act)
        return fetched(lab, name), truth

    return make


def test_tshark_finds_nothing_malformed_and_every_checksum_good(evening):
    (path,), _ = evening(loss="0")
    assert _tshark(path, "-Y", BAD) == []
    names = set(_tshark(path, "-T", "fields", "-e", "_ws.col.Protocol"))
    assert {"TCP", "DNS", "MDNS", "ARP", "HTTP", "TLSv1.3", "NTP", "DHCP"} <= names


def test_without_loss_tshark_sees_no_fault_in_the_sequence_of_any_connection(evening):
    (path,), _ = evening(loss="0")
    lost = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"
    assert _tshark(path, "-Y", f"{lost} || {AGAIN}") == []


def test_with_loss_tshark_complains_about_what_was_sent_again_only(evening):
    (path,), _ = evening(loss="0.01")
    assert _tshark(path, "-Y", f"({BAD}) && !({AGAIN})") == []


def test_with_loss_a_small_share_is_sent_again(opened, profiles, act, fetched):
    lab, _ = opened(loss="0.005")
    lab.capture_point.start_capture("film", _poke(lab))
    act(lab, profiles["arlo_q"], "record_video", "phone")
    lab.clock.sleep(60.0)
    (path,) = fetched(lab)
    again = _tshark(path, "-Y", AGAIN)
    sent = _tshark(path, "-Y", "tcp.len > 0")
    assert 0.002 < len(again) / len(sent) < 0.03


def test_same_seed_same_bytes_and_another_seed_others(evening):
    first, _ = evening("a", seed=3)
    again, _ = evening("b", seed=3)
    other, _ = evening("c", seed=4)
    assert _digest(first) == _digest(again)
    assert _digest(first) != _digest(other)


def test_stamps_are_in_order_and_on_the_routers_clock(opened, fetched):
    lab, _ = opened()
    lab.clock.sleep(500.0)
    lab.capture_point.start_capture("clock", _poke(lab))
    sent_ns = lab.clock.now_ns()
    lab.beacons.send(BEACON)
    lab.clock.sleep(5.0)
    sample = lab.capture_point.clock_offset()
    (path,) = fetched(lab)
    assert (np.diff(read_frames(path).time_ns) >= 0).all()
    stamp_ns = find_beacons(path)[-1][0]
    assert abs(stamp_ns - sent_ns - sample.offset_ns) < 3_000_000
    drifted_ns = round(500.0 * 20e-6 * 1e9)
    assert sample.offset_ns == pytest.approx(49e9 + drifted_ns, abs=1_000_000)


def test_the_truth_names_the_cause_of_every_packet(evening):
    (path,), truth = evening()
    with (truth / "packets.csv").open(encoding="utf-8") as file:
        packets = list(csv.DictReader(file))
    with (truth / "activities.csv").open(encoding="utf-8") as file:
        activities = {row["id"]: row for row in csv.DictReader(file)}
    time_ns = read_frames(path).time_ns
    assert len(packets) == len(time_ns)
    assert {p["cause"] for p in packets} <= {"0", "-1", *activities}
    first_ns = {}
    for packet in packets:
        at_ns = time_ns[int(packet["frame"]) - 1]
        first_ns.setdefault(packet["cause"], at_ns)
    for cause, row in activities.items():
        if row["activity"] != "power_off":
            assert 0 <= first_ns[cause] - int(row["true_capture_ns"]) < 8e9


def test_every_beacon_is_in_the_capture(opened, fetched):
    lab, _ = opened()
    lab.capture_point.start_capture("beacons", _poke(lab))
    for _ in range(50):
        lab.beacons.send(BEACON)
        lab.clock.sleep(0.2)
    (path,) = fetched(lab)
    assert len(find_beacons(path)) == 51


def test_files_roll_and_nothing_is_lost_between_them(opened, tmp_path):
    def capture(name, every_s):
        lab, _ = opened(seed=9)
        lab.capture_point.start_capture(name, _poke(lab))
        n = 0
        for _ in range(round(1200 / every_s)):
            lab.clock.sleep(every_s)
            for file in lab.capture_point.finished_files():
                lab.capture_point.fetch(file, tmp_path / f"{name}-{file.name}")
        end = lab.capture_point.stop_capture()
        for file in lab.capture_point.finished_files():
            lab.capture_point.fetch(file, tmp_path / f"{name}-{file.name}")
        for path in tmp_path.glob(f"{name}-*"):
            n += len(read_frames(path).time_ns)
        return n, end.received, len(list(tmp_path.glob(f"{name}-*")))

    n, received, files = capture("often", 40.0)
    assert (n, files) == (received, 31)
    assert capture("seldom", 1200.0)[0] == pytest.approx(n, rel=0.02)


def test_a_device_without_power_is_silent(opened, profiles, act, fetched):
    lab, _ = opened()
    lab.capture_point.start_capture("dark", _poke(lab))
    lab.clock.sleep(120.0)
    act(lab, profiles["omna_180"], "power_off", "power")
    off_ns = lab.clock.now_ns()
    lab.clock.sleep(300.0)
    act(lab, profiles["omna_180"], "power_on", "power")
    on_ns = lab.clock.now_ns()
    lab.clock.sleep(60.0)
    offset_ns = lab.capture_point.clock_offset().offset_ns
    (path,) = fetched(lab)
    mac = profiles["omna_180"].mac
    stamps = _tshark(
        path, "-Y", f"eth.addr == {mac}", "-T", "fields", "-e", "frame.time_epoch"
    )
    at_ns = np.array([float(s) * 1e9 for s in stamps]) - offset_ns
    assert (at_ns < off_ns).sum() > 5
    assert ((at_ns > off_ns + 1e6) & (at_ns < on_ns - 1e8)).sum() == 0
    assert (at_ns > on_ns).sum() > 20


@pytest.mark.parametrize(
    "change", [{"unit": "2"}, {"firmware": "9.9.9"}], ids=["unit", "firmware"]
)
def test_another_copy_or_firmware_sends_other_sizes(opened, change):
    one, _ = opened()
    other, _ = opened(change={"arlo_q": change})
    assert one.house.unit("arlo_q").size != other.house.unit("arlo_q").size
    assert one.house.unit("echo_dot") == other.house.unit("echo_dot")


def test_the_next_session_is_on_another_day_and_behaves_otherwise(opened):
    lab, _ = opened()
    before, day = lab.house.unit("arlo_q"), lab.clock.now_ns() // (86_400 * 10**9)
    lab.next_session(1)
    assert lab.clock.now_ns() // (86_400 * 10**9) == day + 1
    assert lab.house.unit("arlo_q").size != before.size
    lab.next_session(2)
    assert lab.clock.now_ns() // (86_400 * 10**9) == day + 2


def test_a_lab_opened_again_goes_on_with_its_files_and_its_truth(opened, profiles, act):
    first, truth = opened()
    assert not first.capture_point.is_recording()
    first.capture_point.start_capture("again", _poke(first))
    assert first.capture_point.is_recording()
    act(first, profiles["koogeek_plug"], "turn_on", "phone")
    first.clock.sleep(60.0)
    first.capture_point.stop_capture()
    assert not first.capture_point.is_recording()
    second, _ = opened(truth=truth)
    second.capture_point.start_capture("again", _poke(second))
    act(second, profiles["koogeek_plug"], "turn_on", "phone")
    second.clock.sleep(60.0)
    second.capture_point.stop_capture()
    names = [f.name for f in second.capture_point.finished_files()]
    assert names == ["lan-00002.pcapng"]
    rows = (truth / "activities.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["id", "1", "2"]


def test_the_calls_to_a_plug_are_as_many_and_as_long_as_those_of_pywemo(
    opened, profiles, act, fetched
):
    lab, _ = opened(loss="0")
    lab.capture_point.start_capture("calls", _poke(lab))
    act(lab, profiles["wemo_insight"], "turn_on", "api")
    lab.clock.sleep(5.0)
    (path,) = fetched(lab)
    asked = "ip.src == 10.77.0.5 && ip.dst == 10.77.0.16 && tcp.len > 0"
    found = _tshark(path, "-Y", asked, "-T", "fields", "-e", "tcp.len")
    # Head and body as captured from pywemo 2.1: readings, state; switch; both again.
    state = ["231", "279", "235", "278"]
    assert found == [*state, "235", "306", *state]
    told = "ip.src == 10.77.0.16 && ip.dst == 10.77.0.5 && tcp.len > 0"
    assert len(_tshark(path, "-Y", told)) == 5


def test_of_the_calls_to_a_plug_under_test_only_the_one_that_switches_is_its_activity(
    opened, profiles, act, fetched
):
    lab, truth = opened(loss="0")
    lab.capture_point.start_capture("calls", _poke(lab))
    act(lab, profiles["wemo_insight"], "turn_on", "api")
    lab.clock.sleep(5.0)
    (path,) = fetched(lab)
    with (truth / "packets.csv").open(encoding="utf-8") as file:
        causes = [row["cause"] for row in csv.DictReader(file)]
    calls = _tshark(path, "-Y", "http.request", "-T", "fields", "-e", "frame.number")
    assert [causes[int(n) - 1] for n in calls] == ["0", "0", "1", "0", "0"]
