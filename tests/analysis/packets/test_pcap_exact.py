import json
import os
import struct
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.pcap.decode import Error, decode_frames
from analysis.pcap.reader import read_frames
from analysis.pcap.writer import open_capture

ROOT = Path(__file__).parents[3]


def exact(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.exact", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.timeout(400)
def test_a_sample_of_the_public_captures_is_as_in_tshark(public_data):
    paths = sorted(path for path in public_data.rglob("*.pcap*") if path.is_file())
    chosen = [path for path in paths if path.suffix in (".pcap", ".pcapng")][::9]
    assert len(chosen) > 40
    code, found = exact(*chosen)
    assert found["unexplained"] == 0, found["differences"][""]
    assert code == 0
    assert found["files"] == len(chosen)
    assert found["packets"] > 5_000
    assert found["values"] > 10 * found["packets"]


def test_odd_packets_of_every_link_type_are_as_in_tshark():
    code, found = exact("--odd", 30_000, "--seed", 41)
    assert found["unexplained"] == 0, found["differences"][""]
    assert code == 0
    assert found["packets"] == 30_000
    links = {"0", "1", "101", "105", "108", "113", "127", "228", "229", "276"}
    assert set(found["links"]) == links
    explained = sum(each["values"] for each in found["differences"].values())
    # reasons are for what is cut or lies; they must not swallow the rest
    assert explained < found["values"] / 50
    cut = found["differences"]["a header was cut off, or the frame ends in it"]
    assert cut["values"] > explained * 0.7


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("seq", "seq"),
        ("window", "window"),
        ("tcp_flags", "tcp_flags"),
        ("src_port", "src_port"),
        ("protocol", "protocol"),
        ("payload_b", "tcp_len"),
        ("src_mac", "src_mac"),
    ],
)
def test_a_value_that_is_wrong_by_one_is_reported(
    tmp_path, craft, write, from_bench, monkeypatch, column, field
):
    bench = from_bench("tests.bench.exact")
    path = write([(n, craft.tcp4(b"hello", seq=n)) for n in range(5)])
    assert bench.compare(path, "fine").reasons == {}
    decode = bench.decode_batch

    def wrong(batch):
        decoded = decode(batch)
        values = getattr(decoded, column).copy()
        values[3] += 1
        return replace(decoded, **{column: values})

    monkeypatch.setattr(bench, "decode_batch", wrong)
    report = bench.compare(path, "wrong")
    assert report.reasons == {"": Counter({field: 1})}
    assert f"packet 4: {field}" in report.example[""]
    assert bench.summary([report])["unexplained"] == 1


def test_a_packet_too_few_is_reported(craft, write, from_bench, monkeypatch):
    bench = from_bench("tests.bench.exact")
    path = write([(n, craft.udp4(b"hello")) for n in range(5)])
    read = bench._columns
    monkeypatch.setattr(
        bench,
        "_columns",
        lambda *of: {name: column[:-1] for name, column in read(*of).items()},
    )
    report = bench.compare(path, "short")
    assert report.reasons[""]["packets"] == 1
    assert "+1 packets" in report.example[""]


FIELDS = (
    *("time_ns", "length_b", "captured_b", "src_mac", "dst_mac", "src_high", "src_low"),
    *("dst_high", "dst_low", "protocol", "src_port", "dst_port", "tcp_len", "seq"),
    *("ack", "window", "tcp_flags", "udp_length", "bad_checksum", "bad_ip_checksum"),
)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "protocols", ["eth:ethertype:ip:tcp", "sll:ethertype:ipv6:udp"]
)
def test_no_reason_covers_a_whole_and_true_packet(from_bench, field, protocols):
    reasons = from_bench("tests.bench.reasons")
    shape = from_bench("tests.bench.oracle").shape_of(protocols)
    said = defaultdict(str)
    said |= {
        "frame.protocols": protocols,
        "frame.time_epoch": "1700000000.000000001",
        "tcp.hdr_len": "32",
        "udp.length": "20",
        "ip.len": "60",
    }
    link = 1 if protocols.startswith("eth") else 113
    for theirs, ours in ((0, 5), (5, 0), (5, 6), (8, 5), (5, 8)):
        found = reasons.Difference(
            path="a",
            field=field,
            link=link,
            theirs=theirs,
            ours=ours,
            shape=shape,
            said=said,
        )
        assert reasons.reason_of(found) == ""


def test_the_outermost_header_is_told_by_the_order_of_layers(from_bench):
    shape_of = from_bench("tests.bench.oracle").shape_of
    tunnel = shape_of(
        "eth:ethertype:vlan:ethertype:ip:udp:vxlan:eth:ethertype:ipv6:tcp"
    )
    assert (tunnel.ip, tunnel.above, tunnel.below) == ("ip", "udp", ())
    quoted = shape_of("eth:ethertype:ipv6:ipv6.hopopts:icmpv6:ipv6:udp")
    assert (quoted.extensions, quoted.above) == (("ipv6.hopopts",), "icmpv6")
    assert shape_of("eth:ethertype:mpls:ip:tcp").below == ()
    assert shape_of("eth:ethertype:nsh:ip:tcp").below == ("nsh",)
    assert shape_of("eth:ethertype:arp").ip == ""


def test_tags_and_extension_headers_are_walked_however_many(
    craft, write, tshark, from_bench
):
    bench = from_bench("tests.bench.exact")
    options = bytes([60, 0, 1, 4, 0, 0, 0, 0])
    last = bytes([17, 0, 1, 4, 0, 0, 0, 0])
    frames = [craft.tcp4(b"deep", tags=(0x8100,) * n) for n in (0, 7, 8, 9, 20)]
    frames += [craft.udp6(b"six", options * n + last, first=60) for n in (0, 7, 9, 30)]
    path = write(list(enumerate(frames)))
    report = bench.compare(path, "deep")
    assert report.reasons == {}
    assert report.packets == len(frames)
    rows = tshark(path, "tcp.dstport", "udp.dstport")
    ports = [row["tcp.dstport"] or row["udp.dstport"] for row in rows]
    assert ports == ["443"] * 5 + ["53"] * 4


def test_checksums_end_where_udp_says_and_know_routing_headers(
    craft, write, from_bench
):
    bench = from_bench("tests.bench.exact")
    ends = craft.ipv4(17, b"")[12:20]
    datagram = craft.segment(ends, 17, craft.udp(b"short"), 6)
    wrong = datagram[:-1] + b"!"
    routing = bytes([17, 0, 0, 0, 0, 0, 0, 0])  # no segments left
    frames = [
        craft.ether(0x0800, craft.ipv4(17, each + b"behind"))
        for each in (datagram, wrong)
    ]
    frames.append(craft.udp6(b"routed", routing, first=43))
    frames.append(craft.udp6(b"routed", routing, first=43)[:-1] + b"!")
    report = bench.compare(write(list(enumerate(frames))), "udp")
    assert report.reasons == {}
    decoded = decode_frames(read_frames(write(list(enumerate(frames)))))
    assert decoded.error.tolist() == [0, Error.CHECKSUM, 0, Error.CHECKSUM]
    assert decoded.payload_b.tolist() == [5, 5, 6, 6]


def test_what_is_cut_within_headers_keeps_addresses_and_fields(tmp_path, craft):
    hop = bytes([6, 0, 1, 4, 0, 0, 0, 0])
    segment = craft.tcp(b"x" * 50, seq=7, ack=9)
    six = craft.ether(0x86DD, craft.ipv6(6, segment, hop, first=0))
    path = tmp_path / "a.pcapng"
    sizes = (60, 62, 66, 70, 74, 76, 78, 200)
    with open_capture(path) as capture:
        for size in sizes:
            capture.packet(1, six[:size], length_b=len(six))
    decoded = decode_frames(read_frames(path))
    assert (decoded.src == decoded.src[-1]).all()
    assert decoded.src[0].any()
    assert decoded.protocol.tolist() == [0] + [6] * 7
    assert decoded.dst_port.tolist() == [0, 0] + [443] * 6
    assert decoded.seq.tolist() == [0, 0, 0] + [7] * 5
    assert decoded.ack.tolist() == [0] * 4 + [9] * 4
    assert decoded.tcp_flags.tolist() == [0] * 5 + [24] * 3
    assert decoded.window.tolist() == [0] * 6 + [64] * 2
    assert decoded.payload_b.tolist()[1:] == [50] * 7


@pytest.mark.parametrize(("link", "orders"), [(0, "<>"), (108, ">")])
def test_loopback_frames_say_by_their_family_whether_they_are_ip(
    tmp_path, craft, from_bench, link, orders
):
    pcap = from_bench("tests.bench.seeds").pcap
    four, six = craft.tcp4(b"a")[14:], craft.udp6(b"b")[14:]
    families = [(2, four), (24, six), (28, six), (30, six)]
    families += [(n, four) for n in (0, 1, 3, 7, 16, 23, 99, 0x400002)]
    frames = [
        struct.pack(order + "I", family) + ip
        for order in orders
        for family, ip in families
    ]
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap("<", (0xA1B2C3D4, 10**6), frames, link))
    report = from_bench("tests.bench.exact").compare(path, "loopback")
    assert report.reasons == {}
    protocol = decode_frames(read_frames(path)).protocol.tolist()
    assert protocol == ([6, 17, 17, 17] + [0] * 8) * len(orders)


def test_sessions_of_pppoe_and_labels_of_mpls_are_walked_to_ip(
    craft, write, from_bench
):
    bench = from_bench("tests.bench.exact")
    four, six = craft.udp4(b"told")[14:], craft.udp6(b"told")[14:]

    def session(inner, protocol):
        head = struct.pack(">BBHHH", 0x11, 0, 7, 2 + len(inner), protocol)
        return craft.ether(0x8864, head + inner)

    frames = [
        session(four, 0x21),
        session(six, 0x57),
        session(b"\x09\1\0\x08abcd", 0xC021),
        session(four, 0x21)[:24],
        craft.ether(0x8847, b"\0\1\x11\xff" + four),
        craft.ether(0x8847, b"\0\1\x10\xff\0\1\x21\xff" + six),
        craft.ether(0x8847, b"\0\1\x10\xff" * 3),
    ]
    report = bench.compare(write(list(enumerate(frames))), "deep")
    assert report.reasons == {}
    assert report.packets == len(frames)
