import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pcap.checksum import folded, sum_words
from analysis.pcap.decode import Error, decode_frames
from analysis.pcap.errors import CaptureError
from analysis.pcap.reader import read_frames

FIELDS = (
    "frame.time_epoch",
    "frame.len",
    "frame.cap_len",
    "eth.src",
    "eth.dst",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "udp.dstport",
    "tcp.len",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.flags",
    "ip.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
    "icmp.type",
    "icmpv6.type",
)
BAD = "0"  # tshark's status of a checksum that does not add up


def address(halves):
    value = ipaddress.IPv6Address(int(halves[0]) << 64 | int(halves[1]))
    return str(value.ipv4_mapped or value)


def differences(path, tshark):
    """Compare each packet with tshark; return (number of packets, differences)."""
    frames = read_frames(path)
    decoded = decode_frames(frames)
    rows = tshark(path, *FIELDS)
    assert len(rows) == len(frames)
    found = []
    for at, row in enumerate(rows):
        ours = {
            "frame.time_epoch": f"{frames.time_ns[at] // 10**9}"
            f".{frames.time_ns[at] % 10**9:09d}",
            "frame.len": str(frames.length_b[at]),
            "frame.cap_len": str(frames.captured_b[at]),
        }
        if row["eth.src"]:
            ours["eth.src"] = int(decoded.src_mac[at]).to_bytes(6).hex(":")
            ours["eth.dst"] = int(decoded.dst_mac[at]).to_bytes(6).hex(":")
        if row["ip.src"] or row["ipv6.src"]:
            version = "ip" if row["ip.src"] else "ipv6"
            ours[f"{version}.src"] = address(decoded.src[at])
            ours[f"{version}.dst"] = address(decoded.dst[at])
        # inside of an ICMP error tshark shows the packet that it is about
        if not row["icmp.type"] and not row["icmpv6.type"]:
            ours |= transport(decoded, at, row)
        error = Error(int(decoded.error[at]))
        bad = BAD in (row["tcp.checksum.status"], row["udp.checksum.status"])
        if bad != bool(error & Error.CHECKSUM) and not error & Error.MALFORMED:
            found.append((at + 1, "checksum", error))
        if (row["ip.checksum.status"] == BAD) != bool(error & Error.IP_CHECKSUM):
            found.append((at + 1, "ip checksum", error))
        found += [(at + 1, k, row[k], v) for k, v in ours.items() if row[k] != v]
    return len(frames), found


def transport(decoded, at, row):
    ours = {}
    for name in ("tcp", "udp"):
        if row[f"{name}.srcport"]:
            ours[f"{name}.srcport"] = str(decoded.src_port[at])
            ours[f"{name}.dstport"] = str(decoded.dst_port[at])
    if row["tcp.len"]:
        ours["tcp.len"] = str(decoded.payload_b[at])
    if row["tcp.ack_raw"]:
        ours["tcp.seq_raw"] = str(decoded.seq[at])
        ours["tcp.ack_raw"] = str(decoded.ack[at])
        row["tcp.flags"] = f"0x{int(row['tcp.flags'], 16) & 0xFF:02x}"
        ours["tcp.flags"] = f"0x{decoded.tcp_flags[at]:02x}"
    return ours


def test_every_field_is_what_tshark_says(craft, write, tshark):
    path = write([(n / 7, frame) for n, frame in enumerate(craft.mixed())])
    n, found = differences(path, tshark)
    assert n == len(craft.mixed())
    assert found == []


def test_errors_are_marked_and_nothing_else_is(craft, write):
    frames = read_frames(write([(n, f) for n, f in enumerate(craft.mixed())]))
    error = decode_frames(frames).error
    assert error[10] == Error.IP_CHECKSUM
    assert error[11] == Error.CHECKSUM
    # the segment behind IP options was made without a checksum
    assert error[7] == Error.CHECKSUM
    assert not np.delete(error, [7, 10, 11]).any()


def test_a_frame_cut_by_the_snap_length_keeps_what_is_there(tmp_path, craft):
    from analysis.pcap.writer import open_capture

    frame = craft.tcp4(b"x" * 400)
    path = tmp_path / "a.pcapng"
    with open_capture(path) as capture:
        for size in (len(frame), 96, 50, 40, 30, 10):
            capture.packet(1, frame[:size], length_b=len(frame))
    decoded = decode_frames(read_frames(path))
    assert decoded.error.tolist() == [0] + [Error.CUT] * 5
    assert decoded.src_port.tolist() == [40000, 40000, 40000, 40000, 0, 0]
    assert decoded.tcp_flags.tolist() == [24, 24, 24, 0, 0, 0]
    assert decoded.window.tolist() == [64, 64, 64, 0, 0, 0]
    assert decoded.payload_b.tolist()[:4] == [400, 400, 400, 400]
    assert decoded.src_mac.tolist()[4] == decoded.src_mac[0]


def test_fragments_after_the_first_have_no_ports(craft, write):
    whole = craft.ipv4(17, craft.udp(b"abcd"))
    later = whole[:6] + b"\x00\x05" + whole[8:]
    decoded = decode_frames(
        read_frames(
            write([(0, craft.ether(0x800, whole)), (1, craft.ether(0x800, later))])
        )
    )
    assert decoded.protocol.tolist() == [17, 17]
    assert decoded.src_port.tolist() == [40000, 0]


def test_cooked_and_raw_links(tmp_path, craft):
    from analysis.pcap.blocks import LINK_RAW, LINK_SLL, LINK_SLL2, Interface
    from analysis.pcap.writer import open_capture

    ip = craft.tcp4(b"abc")[14:]
    mac = bytes.fromhex(craft.lamp.replace(":", ""))
    sll = b"\0\4\0\1\0\6" + mac + b"\0\0\x08\0"
    sll2 = b"\x08\0\0\0\0\0\0\1\0\1\4\6" + mac + b"\0\0"
    path = tmp_path / "a.pcapng"
    links = [Interface(link=link) for link in (LINK_SLL, LINK_SLL2, LINK_RAW)]
    with open_capture(path, interfaces=links) as capture:
        for number, head in enumerate((sll, sll2, b"")):
            capture.packet(1, head + ip, interface=number)
    decoded = decode_frames(read_frames(path))
    assert decoded.payload_b.tolist() == [3, 3, 3]
    assert decoded.dst_port.tolist() == [443, 443, 443]
    assert [int(m) for m in decoded.src_mac] == [int.from_bytes(mac)] * 2 + [0]
    assert not decoded.error.any()


def naive_sum(data, at, size_b):
    stretch = bytes(data[at : at + size_b]) + b"\0" * (size_b % 2)
    return sum(
        int.from_bytes(stretch[i : i + 2], "little") for i in range(0, len(stretch), 2)
    )


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8),
)
def test_sums_of_words_are_those_of_the_naive_twin(data, stretches):
    inside = [(at, size) for at, size in stretches if at + size <= len(data)]
    array = np.frombuffer(data, dtype=np.uint8)
    for each in inside:
        # words are added two at a time, which is the same once carries are folded in
        assert folded(sum_words(array, *each)) == folded(naive_sum(data, *each))


@pytest.mark.parametrize(
    "pattern",
    [
        "vcfp-alexa/pcap/sean_kennedy/who_wrote*.pcap",
        "openwrt-scenarios/tplink-plug/no-firewall/*.pcap",
        "iot-sentinel/WeMoSwitch/*.pcap",
        "pcap-robustness/ndpi/[a-c]*.pcap*",
    ],
)
def test_public_captures_decode_as_in_tshark(public_data, tshark, pattern):
    paths = sorted(public_data.glob(pattern))[:4]
    assert paths
    for path in paths:
        n, found = differences(path, tshark)
        assert n
        assert found == [], path.name


def test_public_captures_that_are_broken_are_read_or_refused(public_data):
    paths = sorted((public_data / "pcap-robustness").rglob("*.pcap*"))
    assert len(paths) > 200
    refused = []
    for path in paths:
        try:
            frames = read_frames(path)
        except CaptureError as exc:
            refused.append(f"{path.name}: {exc.reason}")
        else:
            assert len(decode_frames(frames)) == len(frames)
    assert len([r for r in refused if ".pcap.out" not in r and "ng.out" not in r]) < 12
