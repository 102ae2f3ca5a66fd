"""Messages in plain text of whole captures: each once, whole, and none invented."""

import json
import os
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.dataset import Device
from analysis.payload import heard, kasa_messages
from analysis.payload.copies import Segment, each_once
from analysis.payload.routers import seen_through
from analysis.pcap.writer import open_capture
from testbed.cli import build
from testbed.errors import ConfigError

ROOT = Path(__file__).parents[2]
PLUG, PHONE = "50:c7:bf:00:00:19", "02:00:00:00:00:20"
START_NS = 1_780_000_000 * 10**9
ON = '{"system":{"set_relay_state":{"state":1}}}'
OFF = '{"system":{"set_relay_state":{"state":0}}}'


def kasa(text, *, framed=True):
    key, out = 171, bytearray()
    for byte in text.encode():
        key ^= byte
        out.append(key)
    return (struct.pack(">I", len(out)) if framed else b"") + bytes(out)


def frame(payload, *, to_plug=True, seq=None, port=9999, number=7):
    """Make a frame between phone and plug: TCP with a sequence number, else UDP."""
    ends = [
        (PHONE, bytes([10, 77, 0, 20]), 40000),
        (PLUG, bytes([10, 77, 0, 19]), port),
    ]
    source, target = ends if to_plug else reversed(ends)
    above = struct.pack(">HH", source[2], target[2])
    if seq is None:
        above += struct.pack(">HH", 8 + len(payload), 0)
    else:
        above += struct.pack(">IIBBHHH", seq % 2**32, 1, 5 << 4, 24, 64, 0, 0)
    above += payload
    protocol = 17 if seq is None else 6
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(above), number, 0, 64, protocol, 0)
    macs = bytes.fromhex((target[0] + source[0]).replace(":", ""))
    return macs + b"\x08\x00" + ip + source[1] + target[1] + above


@pytest.fixture
def said(tmp_path):
    """Write captures of (seconds, frame), one list each; return what is heard."""

    def listen(*captures, device=None):
        paths = []
        for number, packets in enumerate(captures):
            paths.append(tmp_path / f"if{number}.pcapng")
            with open_capture(paths[-1]) as file:
                for at_s, data in packets:
                    file.packet(START_NS + round(at_s * 1e9), data)
        return heard(paths, device=device)

    return listen


def test_a_packet_on_two_interfaces_and_sent_again_is_one_message(said):
    packet = frame(kasa(ON), seq=100)
    (message,) = said([(1, packet), (1.3, packet)], [(1.0001, packet)])
    assert (message.text, message.protocol) == (ON, "tcp")
    assert (message.captures, message.copies) == (("if0.pcapng", "if1.pcapng"), 3)
    assert message.time_ns == START_NS + 10**9
    assert (message.source, message.target) == ("10.77.0.20:40000", "10.77.0.19:9999")
    assert message.outbound is None


INNER, OUTER, SERVER = ("10.0.0.5", 4001), ("192.0.2.1", 61001), ("198.51.100.9", 80)


def piece(at_s, source, target, *, seq=None, number=0, side="lan", text=b"hello there"):
    return Segment(
        flow=(seq is not None, *sorted((source, target))),
        source=source,
        target=target,
        seq=seq,
        number=number,
        time_ns=round(at_s * 1e9),
        outbound=None,
        payload=text,
        captures={side},
    )


@pytest.mark.parametrize("ids", [{"seq": 7}, {"number": 7}])
def test_a_message_on_both_sides_of_a_router_is_one_of_the_inner_address(ids):
    said = [
        piece(1.0, INNER, SERVER, **ids),
        piece(1.001, OUTER, SERVER, side="wan", **ids),
        piece(1.1, SERVER, OUTER, side="wan", text=b"and the answer", **ids),
        piece(1.101, SERVER, INNER, text=b"and the answer", **ids),
    ]
    kept = list(each_once(seen_through(said)))
    assert [(each.source, each.target) for each in kept] == [
        (INNER, SERVER),
        (SERVER, INNER),
    ]
    assert [each.copies for each in kept] == [2, 2]
    assert len({each.flow for each in kept}) == 1


def test_a_port_of_the_router_is_of_whom_used_it_last_and_others_are_left_alone():
    other = ("10.0.0.6", 4002)
    said = [
        piece(1.0, INNER, SERVER, seq=7),
        piece(1.001, OUTER, SERVER, seq=7, side="wan"),
        piece(90.0, other, SERVER, seq=9),
        piece(90.001, OUTER, SERVER, seq=9, side="wan"),
        piece(90.5, INNER, SERVER, number=0),  # says the same, but is no copy
        piece(90.6, other, SERVER, number=0),
    ]
    kept = list(each_once(seen_through(said)))
    assert [each.source for each in kept] == [INNER, other, INNER, other]
    assert [each.copies for each in kept] == [2, 2, 1, 1]


def test_what_a_port_of_the_router_said_before_is_of_nobody_who_used_it_later():
    said = [
        piece(1.0, OUTER, SERVER, seq=5, side="wan", text=b"of somebody else"),
        piece(90.0, INNER, SERVER, seq=7),
        piece(90.001, OUTER, SERVER, seq=7, side="wan"),
    ]
    assert [each.source for each in seen_through(said)] == [OUTER, INNER, INNER]


@pytest.mark.parametrize(
    "all_of_them", ["239.255.255.250", "255.255.255.255", "[ff02::c]"]
)
def test_two_devices_that_tell_everybody_the_same_are_two(all_of_them):
    target, other = (all_of_them, 1900), ("10.0.0.6", 4001)
    said = [piece(1.0, INNER, target, number=3), piece(1.1, other, target, number=3)]
    assert [each.source for each in seen_through(said)] == [INNER, other]


def test_what_is_sent_again_after_the_answer_was_said_once(said):
    packet = frame(kasa(ON), seq=100)
    answer = frame(kasa('{"err_code":0}'), to_plug=False, seq=9)
    found = said([(1, packet), (1.1, answer), (1.3, packet), (1.4, answer)])
    assert [(message.text, message.copies) for message in found] == [
        (ON, 2),
        ('{"err_code":0}', 2),
    ]


@pytest.mark.parametrize("number", [0, 7])
def test_datagrams_that_are_alike_are_counted_as_often_as_they_were_sent(said, number):
    def datagram(k):
        return frame(kasa(ON, framed=False), number=number and number + k)

    one = [(1 + 0.1 * k, datagram(k)) for k in range(3)]
    # the other interface is slower than they follow each other
    two = [(at_s + 0.25, data) for at_s, data in one]
    found = said(one, two)
    assert [message.copies for message in found] == [2, 2, 2]
    assert {message.text for message in found} == {ON}


@pytest.mark.timeout(60)
def test_a_flood_of_datagrams_that_are_alike_is_counted_in_one_go():
    ends = ("10.77.0.20", 40000), ("10.77.0.19", 80)
    flood = [
        Segment(
            flow=0,
            source=ends[0],
            target=ends[1],
            seq=None,
            number=0,
            time_ns=k * 1000 + 300 * i,
            outbound=None,
            payload=b"the same again",
            captures={f"if{i}"},
        )
        for k in range(30_000)
        for i in range(2)
    ]
    found = list(each_once(flood))
    assert len(found) == 30_000
    assert {each.copies for each in found} == {2}


def test_a_message_is_put_together_from_segments_in_any_order(said):
    data = kasa(ON)
    parts = [
        (1.0, frame(data[20:], seq=2**32 - 10 + 20)),
        (1.1, frame(data[:15], seq=2**32 - 10)),
        (1.2, frame(data[:20], seq=2**32 - 10)),  # sent again, longer
    ]
    (message,) = said(parts)
    assert (message.text, message.copies) == (ON, 3)


def test_what_is_missing_is_not_glued_over(said):
    parts = [(1, b"GET /first HTTP/1.1\r\n"), (100, b"Host: second host\r\n")]
    found = said([(1, frame(text, seq=seq, port=80)) for seq, text in parts])
    assert [m.text for m in found] == [text.decode() for _seq, text in parts]


def test_messages_that_follow_without_an_answer_are_still_two(said):
    found = said([(1, frame(kasa(ON) + kasa(OFF), seq=5))])
    assert [message.text for message in found] == [ON, OFF]
    assert kasa_messages(kasa(ON) + kasa(OFF)[:9]) == [ON.encode(), OFF[:5].encode()]


def test_random_bytes_say_nothing(said):
    rng = np.random.default_rng(3)
    packets = [
        (k, frame(rng.bytes(300), seq=1000 * k, port=(443, 9999)[k % 2]))
        for k in range(200)
    ]
    assert said(packets) == ()


def test_of_one_device_only_its_messages_with_their_direction(said):
    packets = [
        (1, frame(kasa(ON), seq=1)),
        (1.1, frame(kasa('{"err_code":0}'), to_plug=False, seq=1)),
    ]
    found = said(packets, device=Device(name="plug", mac=PLUG))
    assert [message.outbound for message in found] == [False, True]
    assert said(packets, device=Device(name="other", mac="50:c7:bf:00:00:01")) == ()


def run(*words):
    return CliRunner().invoke(build(["messages"]), ["messages", *words])


def test_a_campaign_is_heard_device_by_device():
    example = ROOT / "captures" / "example"
    rows = json.loads(run(str(example), "--json").stdout)
    assert {row["device"] for row in rows} == {"koogeek_plug", "tplink_hs110"}
    shown = run(str(example), "--device", "tplink_hs110").output
    commands = [line for line in shown.splitlines() if '"set_relay_state":{"st' in line]
    with (example / "activities.csv").open() as file:
        switched = [
            line for line in file if ",tplink_hs110," in line and ",turn_" in line
        ]
    assert len(commands) == len(switched)
    assert all(" tplink_hs110 < 10.77.0.20:" in line for line in commands)


def test_a_folder_among_captures_is_refused(tmp_path):
    done = run(str(tmp_path), str(tmp_path))
    assert isinstance(done.exception, ConfigError)


@pytest.mark.parametrize("folder", ["no-firewall", "base-firewall"])
def test_a_real_plug_is_heard_as_tshark_dissects_it(folder):
    public = os.environ.get("TESTBED_PUBLIC_DATA")
    if public is None:
        pytest.skip("TESTBED_PUBLIC_DATA is not set: no public captures here")
    plug = Path(public) / "openwrt-scenarios" / "tplink-plug" / folder
    names = ("wlan2.4.pcap", "wlan5.0.pcap")
    words = ["-T", "fields", "-E", "occurrence=f", "-e", "tplink_smarthome.msg"]
    words += ["-e", "ip.src", "-e", "tcp.seq_raw", "-Y", "tcp.len>0 && tcp.port==9999"]
    want = set()
    for name in names:
        command = ["tshark", "-n", "-r", str(plug / name), *words]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        want |= {tuple(line.split("\t")) for line in done.stdout.splitlines()}
    found = heard([plug / name for name in names])
    got = [m.text for m in found if "set_relay_state" in m.text]
    wanted = [text for text, _source, _seq in want if "set_relay_state" in text]
    assert sorted(got) == sorted(wanted)
    assert len(got) == 4
