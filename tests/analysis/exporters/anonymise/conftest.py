import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from analysis.exporters.anonymise import Policy, Pseudonyms, anonymise_capture
from analysis.pcap.reader import read_frames

KEY = bytes(range(32))
LAMP, ROUTER = "50:c7:bf:6b:e0:19", "44:65:0d:7b:20:13"
START_NS = 1_700_000_000_000_000_000


def checksum(data):
    words = sum(
        int.from_bytes((data[i : i + 2] + b"\0")[:2]) for i in range(0, len(data), 2)
    )
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return ~words & 0xFFFF


def raw_of(address):
    return bytes(int(part) for part in address.split("."))


class Craft:
    """Makes frames with checksums that add up."""

    lamp, router = LAMP, ROUTER

    def sum(self, data):
        """Return the checksum of bytes: 0 when there is one in them that adds up."""
        return checksum(data)

    def ether(self, payload, kind=0x0800, src=LAMP, dst=ROUTER):
        macs = bytes.fromhex((dst + src).replace(":", ""))
        return macs + struct.pack(">H", kind) + payload

    def ipv4(self, protocol, body, src="192.168.1.23", dst="34.1.2.3"):
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
        head += raw_of(src) + raw_of(dst)
        return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body

    def sealed(self, segment, at, protocol, src, dst):
        pseudo = raw_of(src) + raw_of(dst)
        pseudo += struct.pack(">HH", protocol, len(segment))
        value = checksum(pseudo + segment) or 0xFFFF
        return segment[:at] + struct.pack(">H", value) + segment[at + 2 :]

    def udp(self, body, sport=40000, dport=4000, src="192.168.1.23", dst="34.1.2.3"):
        segment = struct.pack(">HHHH", sport, dport, 8 + len(body), 0) + body
        segment = self.sealed(segment, 6, 17, src, dst)
        return self.ether(self.ipv4(17, segment, src, dst))

    def tcp(
        self, body, seq=1000, sport=40000, dport=80, src="192.168.1.23", dst="34.1.2.3"
    ):
        fields = (sport, dport, seq & 0xFFFFFFFF, 1, 0x50, 0x18, 500, 0, 0)
        segment = struct.pack(">HHIIBBHHH", *fields) + body
        segment = self.sealed(segment, 16, 6, src, dst)
        return self.ether(self.ipv4(6, segment, src, dst))

    def pcap(self, path, frames):
        out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        for k, frame in enumerate(frames):
            stamp = (START_NS // 10**9 + k, 7, len(frame), len(frame))
            out += struct.pack("<IIII", *stamp) + frame
        path.write_bytes(out)
        return path

    def checks(self, frame):
        """Say whether the checksums of IPv4 and of what lies above it add up."""
        ip, size = frame[14:34], int.from_bytes(frame[16:18])
        segment = frame[34 : 14 + size]
        right = checksum(ip) == 0
        if ip[9] == 1:
            return right and checksum(segment) == 0
        pseudo = ip[12:20] + struct.pack(">HH", ip[9], len(segment))
        return right and checksum(pseudo + segment) == 0


@dataclass
class Bench:
    """Anonymises crafted frames and gives them back."""

    folder: Path
    craft: Craft
    counts: object = None

    def run(self, frames, identifiers=(), **policy):
        source = self.craft.pcap(self.folder / "a.pcap", frames)
        return self.frames(self.made(source, identifiers, **policy))

    def made(self, source, identifiers=(), **policy):
        target = self.folder / f"made-{source.name}"
        self.counts = anonymise_capture(
            source,
            target,
            pseudonyms=Pseudonyms(KEY),
            identifiers=identifiers,
            policy=Policy(**policy),
        )
        return target

    def frames(self, path):
        read = read_frames(path)
        return [
            read.source[at : at + n]
            for at, n in zip(read.offset, read.captured_b, strict=True)
        ]


@pytest.fixture(scope="session")
def craft():
    return Craft()


@pytest.fixture
def bench(tmp_path, craft):
    return Bench(tmp_path, craft)


@pytest.fixture(scope="session")
def pseudonyms():
    return Pseudonyms(KEY)
