"""Looking into a few packets: which are cut out, and what pyshark makes of them."""

import asyncio
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis.dataset import Device, load_activities, load_campaign
from analysis.dissection import (
    InspectError,
    cut_packets,
    inspect_capture,
    inspect_trial,
    printable,
    write_slice,
)
from analysis.errors import DatasetError, RequestError
from analysis.labelling import spans
from analysis.packets import find_raw
from analysis.pcap.decode import decode_frames
from analysis.pcap.errors import CaptureError
from analysis.pcap.reader import read_frames
from analysis.pcap.writer import open_capture

EXAMPLE = Path(__file__).parents[3] / "captures" / "example"
LAMP, OTHER = "50:c7:bf:00:00:19", "50:c7:bf:00:00:20"
START_NS = 1_780_000_000 * 10**9


def udp(source, payload, *, port=5000):
    above = struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(above), 1, 0, 64, 17, 0)
    ends = bytes([10, 77, 0, 19, 10, 77, 0, 1])
    macs = bytes.fromhex(("ff" * 6) + source.replace(":", ""))
    return macs + b"\x08\x00" + ip + ends + above


def capture(path, packets):
    with open_capture(path) as file:
        for at_s, data in packets:
            file.packet(START_NS + round(at_s * 1e9), data)
    return path


@pytest.fixture(scope="module")
def shown():
    """The example's first window, dissected inside a running event loop."""

    async def main():
        return inspect_trial(EXAMPLE, "0001")

    return asyncio.run(main())


def test_inside_a_running_event_loop_each_packet_of_the_window_is_dissected(shown):
    row = load_activities(EXAMPLE).labelled().frame.filter(trial="0001")
    assert shown.about["activity"] == row["activity"][0]
    start, end = shown.about["start_ns"], shown.about["end_ns"]
    frames = read_frames(find_raw(EXAMPLE)[0])
    device = load_campaign(EXAMPLE).device(shown.about["device"])
    decoded = decode_frames(frames)
    mac = int(device.mac.replace(":", ""), 16)
    mine = (decoded.src_mac == mac) | (decoded.dst_mac == mac)
    inside = (frames.time_ns >= start) & (frames.time_ns < end) & mine
    assert [p.frame - 1 for p in shown.packets] == inside.nonzero()[0].tolist()
    for packet in shown.packets:
        assert packet.length_b == frames.length_b[packet.frame - 1]
        assert packet.outbound == (decoded.src_mac[packet.frame - 1] == mac)


def test_what_the_device_was_told_is_in_tsharks_words(shown):
    texts = [line for p in shown.packets for e in p.dissected.said for line in e.lines]
    assert 'Cmd: {"system":{"set_relay_state":{"state":1}}}' in texts
    tcp = [p.dissected for p in shown.packets if p.dissected.protocols.endswith("tcp")]
    assert all(packet.said == () for packet in tcp)
    assert any(packet.target == "10.77.0.19:9999" for packet in tcp)


def test_a_window_is_where_the_label_is(shown):
    log = load_activities(EXAMPLE)
    row = log.of_device("tplink_hs110")
    start, end = spans(row, widen=True)
    assert (shown.about["start_ns"], shown.about["end_ns"]) == (start[0], end[0])


def test_a_bad_filter_is_one_sentence_with_what_tshark_says_of_it():
    with pytest.raises(InspectError) as caught:
        inspect_trial(EXAMPLE, "1", display_filter="tcp.prot == 80")
    said = str(caught.value)
    assert said.startswith("--filter: 'tcp.prot == 80' is no display filter: ")
    assert "\n" not in said
    assert caught.value.exit_code == 2


def test_without_tshark_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InspectError, match=r"apt install tshark"):
        inspect_trial(EXAMPLE, "1")


FAKE = """#!/bin/sh
# alone: a folder of a random name may have -v in it
case "$*" in -v) echo "TShark (Wireshark) 4.0.17"; exit 0;; esac
cat <<'XML'
<pdml><packet><proto name="geninfo"><field name="num" show="1" value="1"/>
<field name="len" show="9"/><field name="caplen" show="9"/>
<field name="timestamp" show="x" value="1"/></proto>
<proto name="frame"><field name="frame.protocols" show="eth:evil"/></proto>
<proto name="evil"><field name="evil.text" showname="a\u202eb\u009b2Jc"/></proto>
</packet>
XML
{then}
"""


def fake_tshark(folder, monkeypatch, then):
    tool = folder / "tshark"
    tool.write_text(FAKE.replace("{then}", then), encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_text_of_strangers_cannot_act_on_a_terminal(tmp_path, monkeypatch):
    fake_tshark(tmp_path, monkeypatch, "exit 0")
    path = capture(tmp_path / "c.pcapng", [(0, udp(LAMP, b"x"))])
    (packet,) = inspect_capture(path).packets
    assert packet.dissected.layers[0].lines == (r"a\u202eb\x9b2Jc",)
    assert printable("\x1b]0;title\x07 grün 灯") == r"\x1b]0;title\x07 grün 灯"


ENDED = pytest.mark.parametrize(
    ("then", "said"),
    [
        ("kill -9 $$", "tshark was ended by SIGKILL before it was done"),
        ("echo 'tshark: out of memory' >&2; exit 3", "code 3: tshark: out of memory"),
    ],
)
GONE_BEFORE_IT_IS_READ = """
import asyncio, sys
from analysis.dissection.child import main

start = asyncio.create_subprocess_exec

async def started(*words, **options):
    process = await start(*words, **options)
    await process.wait()
    return process

asyncio.create_subprocess_exec = started
main(sys.argv[1:])
"""


@ENDED
def test_a_tshark_that_fails_is_told_in_one_sentence(tmp_path, monkeypatch, then, said):
    fake_tshark(tmp_path, monkeypatch, then)
    path = capture(tmp_path / "c.pcapng", [(0, udp(LAMP, b"x"))] * 2)
    with pytest.raises(InspectError) as caught:
        inspect_capture(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@ENDED
def test_a_tshark_that_fails_at_once_is_told_as_one_that_fails_later(
    tmp_path, monkeypatch, then, said
):
    fake_tshark(tmp_path, monkeypatch, then)
    path = capture(tmp_path / "c.pcapng", [(0, udp(LAMP, b"x"))])
    command = [sys.executable, "-c", GONE_BEFORE_IT_IS_READ, str(path), "9", ""]
    done = subprocess.run(
        command, cwd=EXAMPLE.parents[1], capture_output=True, check=True, text=True
    )
    assert said in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("packed", [False, True])
def test_packets_are_cut_out_as_a_slow_twin_chooses_them(tmp_path, packed):
    packets = [
        (at, udp((LAMP, OTHER)[k % 3 == 0], b"%d" % k))
        for k, at in enumerate([3, 1, 2, 4, 5, 400, 6, 2.5])
    ]
    path = capture(tmp_path / "c.pcapng", packets)
    if packed:
        data = gzip.compress(path.read_bytes())
        path = tmp_path / "c.pcapng.gz"
        path.write_bytes(data)
    between = (START_NS + 2 * 10**9, START_NS + 5 * 10**9)
    got = cut_packets(
        [path], most=9, device=Device(name="lamp", mac=LAMP), between_ns=between
    )
    want = sorted(
        (at, k + 1, data)
        for k, (at, data) in enumerate(packets)
        if 2 <= at < 5 and k % 3 != 0
    )
    assert [((p.time_ns - START_NS) / 1e9, p.frame, p.data) for p in got.packets] == (
        want
    )
    assert got.n_there == len(want)
    few = cut_packets([path], most=3)
    assert [p.frame for p in few.packets] == [2, 3, 1]
    assert all(p.outbound is None for p in few.packets)


def test_what_is_cut_out_is_a_capture_with_the_same_packets(tmp_path):
    path = capture(tmp_path / "c.pcapng", [(0, udp(LAMP, b"x")), (1, udp(LAMP, b"y"))])
    kept = cut_packets([path], most=2).packets
    write_slice(kept, tmp_path / "slice.pcapng")
    again = cut_packets([tmp_path / "slice.pcapng"], most=2).packets
    assert [(p.time_ns, p.data) for p in again] == [(p.time_ns, p.data) for p in kept]


def test_beacons_are_not_among_a_devices_packets():
    router = Device(name="router", mac="02:00:00:77:00:01", every_packet=True)
    cut = cut_packets(find_raw(EXAMPLE), most=10**6, device=router)
    assert 0 < cut.n_there < len(read_frames(find_raw(EXAMPLE)[0]))
    assert not any(b"TBB1|" in packet.data for packet in cut.packets)


def test_a_capture_that_was_killed_is_read_up_to_there(tmp_path):
    path = capture(tmp_path / "c.pcapng", [(k, udp(LAMP, b"hello")) for k in range(3)])
    path.write_bytes(path.read_bytes()[:-20])
    cut = cut_packets([path], most=9)
    assert len(cut.packets) == 2
    assert list(cut.truncated) == ["c.pcapng"]


def test_what_is_no_capture_is_told_with_the_byte(tmp_path):
    (tmp_path / "c.pcap").write_text("hello, world: no capture at all")
    with pytest.raises(CaptureError, match="is not a pcap or pcapng file"):
        inspect_capture(tmp_path / "c.pcap")


@pytest.mark.parametrize("limit", [0, -1, 2001])
def test_it_is_no_way_to_read_many_packets(limit):
    with pytest.raises(InspectError, match="from 1 to 2000"):
        inspect_trial(EXAMPLE, "1", limit=limit)


def test_a_trial_or_device_that_is_not_there_is_named():
    with pytest.raises(RequestError, match="has no trial '9999'; it has 0001 to"):
        inspect_trial(EXAMPLE, "9999")
    with pytest.raises(DatasetError, match="has no device 'lamp'"):
        inspect_trial(EXAMPLE, "1", device="lamp")


def test_a_trial_in_which_nothing_was_done_has_no_window(tmp_path):
    folder = shutil.copytree(EXAMPLE, tmp_path / "c")
    path = folder / "activities.csv"
    head, first, *rest = path.read_text().splitlines()
    cells = first.split(",")
    for name in ("t_ns", "t_issue_ns", "t_return_ns"):
        cells[head.split(",").index(name)] = ""
    first = ",".join(cells).replace("confirmed", "failed")
    path.write_text("\n".join([head, first, *rest]) + "\n")
    with pytest.raises(RequestError, match="trial 0001: failed: nothing was done"):
        inspect_trial(folder, "0001")


def test_two_hundred_packets_of_a_real_capture_take_less_than_five_seconds():
    public = os.environ.get("TESTBED_PUBLIC_DATA")
    if public is None:
        pytest.skip("TESTBED_PUBLIC_DATA is not set: no public captures here")
    plug = Path(public) / "openwrt-scenarios" / "tplink-plug" / "no-firewall"
    began = time.thread_time()
    before = os.times()
    seen = inspect_capture(plug / "wlan2.4.pcap", limit=200)
    after = os.times()
    assert len(seen.packets) == 200
    # of processor time, of this process and the others: the machine may be busy
    used = time.thread_time() - began
    used += after.children_user + after.children_system
    used -= before.children_user + before.children_system
    assert used < 5


def test_a_file_without_a_packet_that_is_chosen_shows_none(tmp_path):
    path = capture(tmp_path / "c.pcapng", [(0, udp(LAMP, b"x"))])
    other = Device(name="other", mac=OTHER)
    assert inspect_capture(path, device=other).packets == ()
