"""A capture of any length to measure with: TLS-sized segments of fifty flows."""

import random
import struct
from pathlib import Path

from analysis.pcap.writer import open_capture

MAC = "a0:04:60:3c:91:11"
_GATEWAY = bytes.fromhex("020000000001")
_DEVICE = bytes.fromhex(MAC.replace(":", ""))
_START_NS = 1_795_294_200 * 10**9


def write_capture(path: Path, n_packets: int, seed: int = 1) -> None:
    """Write `n_packets` TCP packets, 60-1514 bytes, a millisecond apart."""
    rng = random.Random(seed)
    sent = dict.fromkeys(range(100), 1)
    with open_capture(path) as capture:
        for i in range(n_packets):
            flow, out = rng.randrange(50), rng.random() < 0.5
            size = rng.choice((0, 0, 64, 330, 1100, 1448))
            frame = _frame(flow, out, sent, bytes(size))
            capture.packet(_START_NS + i * 1_000_000, frame)


def _frame(flow: int, out: bool, sent: dict[int, int], payload: bytes) -> bytes:
    side = 2 * flow + out
    device, server = bytes([10, 77, 0, 11]), bytes([198, 51, 100, flow + 1])
    ports = (40_000 + flow, 443) if out else (443, 40_000 + flow)
    ends = (device, server) if out else (server, device)
    head = _GATEWAY + _DEVICE if out else _DEVICE + _GATEWAY
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0)
    ip = ip[:10] + struct.pack("!H", _checksum(ip + b"".join(ends))) + b"".join(ends)
    answered = sent[2 * flow + (not out)]
    tcp = struct.pack("!HHIIBBHHH", *ports, sent[side], answered, 80, 16, 501, 0, 0)
    pseudo = b"".join(ends) + struct.pack("!BBH", 0, 6, 20 + len(payload))
    tcp = tcp[:16] + struct.pack("!H", _checksum(pseudo + tcp + payload)) + tcp[18:]
    sent[side] += len(payload)
    return head + b"\x08\x00" + ip + tcp + payload


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
