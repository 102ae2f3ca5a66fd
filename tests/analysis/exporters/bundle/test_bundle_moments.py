"""Numbers in protocols that tell the true day, where all times were moved."""

import struct

import pytest

from analysis.exporters.bundle.moments import moments_left

RECORDED_S = 1_767_607_263  # 5 January 2026
MOVED_S = -30 * 7 * 86_400
NTP = 123


def capture_of(path, payload, port=NTP):
    """Write a capture of one datagram, stamped as if times were moved."""
    udp = struct.pack(">HHHH", 50_000, port, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    frame = bytes(12) + b"\x08\x00" + head + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + udp
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
    stamp_s = RECORDED_S + MOVED_S
    file += struct.pack("<IIII", stamp_s, 0, len(frame), len(frame)) + frame
    path.write_bytes(file)


@pytest.mark.parametrize(("moved_s", "n"), [(0, 1), (MOVED_S, 0)])
def test_a_clock_as_a_number_tells_the_day_unless_it_was_moved(tmp_path, moved_s, n):
    second = RECORDED_S + moved_s + 2_208_988_800  # since 1900
    stamps = struct.pack(">II", second, 7) * 4
    capture_of(tmp_path / "lan.pcap", b"\x23\x02" + bytes(14) + stamps)
    span = (RECORDED_S * 10**9, (RECORDED_S + 60) * 10**9)
    found = moments_left(tmp_path, [span], MOVED_S * 10**9)
    assert [(each.file, each.place) for each in found] == [
        ("lan.pcap", "NTP, TLS or ping")
    ] * n
