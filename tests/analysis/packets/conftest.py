import csv
import importlib
import os
import struct
import subprocess
from pathlib import Path

import pytest
import yaml

from analysis.dataset import COLUMNS
from analysis.pcap.beacons import BEACON_PORT
from analysis.pcap.writer import open_capture

LAMP, CLOUD = "02:00:00:00:00:11", "02:00:00:00:00:01"
START_NS = 1_700_000_000_000_000_000


def checksum(data):
    words = sum(
        int.from_bytes((data[i : i + 2] + b"\0")[:2]) for i in range(0, len(data), 2)
    )
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return ~words & 0xFFFF


class Craft:
    """Makes frames byte by byte, with checksums that add up."""

    lamp, cloud, start_ns = LAMP, CLOUD, START_NS

    def ether(self, kind, payload, src=LAMP, dst=CLOUD, tags=()):
        head = bytes.fromhex((dst + src).replace(":", ""))
        for tag in tags:
            head += struct.pack(">HH", tag, 7)
        return head + struct.pack(">H", kind) + payload

    def ipv4(self, proto, payload, src="10.77.0.11", dst="203.0.113.9", options=b""):
        pack = bytes(int(p) for p in src.split(".")), bytes(map(int, dst.split(".")))
        head_b = 20 + len(options)
        head = struct.pack(
            ">BBHHHBBH4s4s",
            0x40 | head_b // 4,
            0,
            head_b + len(payload),
            1,
            0,
            64,
            proto,
            0,
            *pack,
        )
        head += options
        return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload

    def ipv6(self, proto, payload, extensions=b"", first=None):
        src, dst = bytes.fromhex("fd" + "00" * 14 + "11"), bytes(15) + b"\x09"
        body = extensions + payload
        first = proto if first is None else first
        return struct.pack(">IHBB", 6 << 28, len(body), first, 64) + src + dst + body

    def segment(self, ip, proto, segment, at):
        pseudo = ip + struct.pack(">HH", proto, len(segment))
        return (
            segment[:at]
            + struct.pack(">H", checksum(pseudo + segment))
            + segment[at + 2 :]
        )

    def tcp(self, payload=b"", sport=40000, dport=443, seq=1, ack=1, flags=0x18):
        head = struct.pack(
            ">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 64, 0, 0
        )
        return head + payload

    def udp(self, payload=b"", sport=40000, dport=53):
        return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload

    def tcp4(self, payload=b"", src=LAMP, dst=CLOUD, tags=(), **fields):
        ip = self.ipv4(6, b"")[12:20]
        if src != LAMP:
            ip = ip[4:] + ip[:4]
        segment = self.segment(ip, 6, self.tcp(payload, **fields), 16)
        ends = {"src": "203.0.113.9", "dst": "10.77.0.11"} if src != LAMP else {}
        return self.ether(0x0800, self.ipv4(6, segment, **ends), src, dst, tags)

    def udp4(self, payload=b"", src=LAMP, dst=CLOUD, **fields):
        return self.ether(0x0800, self.ipv4(17, self.udp(payload, **fields)), src, dst)

    def udp6(self, payload=b"", extensions=b"", first=None):
        bare = self.ipv6(17, b"")
        segment = self.segment(bare[8:40], 17, self.udp(payload), 6)
        return self.ether(0x86DD, self.ipv6(17, segment, extensions, first))

    def arp(self):
        return self.ether(0x0806, bytes.fromhex("0001080006040001") + bytes(20))

    def beacon(self, payload):
        return self.udp4(payload, src="02:00:00:00:00:05", dport=BEACON_PORT)

    def mixed(self):
        """One frame of each kind that the decoder knows, good and bad."""
        hop = bytes([17, 0, 1, 4, 0, 0, 0, 0])
        wrong_ip = bytearray(self.tcp4(b"abc"))
        wrong_ip[24] ^= 1
        wrong_tcp = bytearray(self.tcp4(b"abc"))
        wrong_tcp[-1] ^= 1
        options = self.ipv4(6, self.tcp(b"opt"), options=b"\x01" * 8)
        return [
            self.tcp4(b"hello"),
            self.tcp4(b"odd", src=CLOUD, dst=LAMP, sport=443, dport=40000),
            self.tcp4(b"tagged", tags=(0x8100,)),
            self.tcp4(b"twice", tags=(0x88A8, 0x8100)),
            self.udp4(b"query"),
            self.udp6(b"six"),
            self.udp6(b"hop", extensions=hop, first=0),
            self.ether(0x0800, options),
            self.ether(0x0800, self.ipv4(1, b"\x08\0\0\0abcd")),
            self.arp(),
            bytes(wrong_ip),
            bytes(wrong_tcp),
            self.ether(0x88CC, b"\x02\x07\x04"),
            self.ether(0x0026, b"\x42\x42\x03" + bytes(35)),
            b"\x01\x02\x03",
        ]


@pytest.fixture(scope="session")
def craft():
    return Craft()


@pytest.fixture
def write(tmp_path):
    """Write (seconds after START_NS, frame) pairs as a capture; return its path."""

    def _write(packets, name="raw.pcapng", **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_capture(path, **options) as capture:
            for at_s, frame in packets:
                capture.packet(START_NS + round(at_s * 1e9), frame)
        return path

    return _write


@pytest.fixture
def tshark():
    """Read fields of a capture with tshark; a list of dicts of text."""

    def _tshark(path, *fields, display=None):
        command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
        command += ["-E", "occurrence=f", "-E", "separator=/t"]
        for preference in (
            "ip.defragment:FALSE",
            "ipv6.defragment:FALSE",
            "tcp.relative_sequence_numbers:FALSE",
            "tcp.desegment_tcp_streams:FALSE",
            "ip.check_checksum:TRUE",
            "tcp.check_checksum:TRUE",
            "udp.check_checksum:TRUE",
        ):
            command += ["-o", preference]
        if display:
            command += ["-Y", display]
        for field in fields:
            command += ["-e", field]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = (line.split("\t") for line in done.stdout.splitlines())
        return [dict(zip(fields, line, strict=True)) for line in lines]

    return _tshark


@pytest.fixture(scope="session")
def from_bench():
    """Import a module of the measurements, which are run as commands elsewhere."""

    def _from_bench(name):
        with pytest.MonkeyPatch.context() as patched:
            patched.syspath_prepend(str(Path(__file__).parents[3]))
            return importlib.import_module(name)

    return _from_bench


@pytest.fixture
def capinfos():
    def _capinfos(path):
        return subprocess.run(
            ["capinfos", "-c", str(path)], capture_output=True, text=True, check=False
        )

    return _capinfos


@pytest.fixture
def public_data():
    folder = os.environ.get("TESTBED_PUBLIC_DATA")
    if not folder:
        pytest.skip("TESTBED_PUBLIC_DATA is not set: no public captures here")
    return Path(folder)


def activity_row(number, at_s, **values):
    t_ns = "" if at_s is None else START_NS + round(at_s * 1e9)
    row = dict.fromkeys(COLUMNS, "")
    row |= {
        "campaign": "evening",
        "session": "s1",
        "trial": f"{number:04d}",
        "attempt": 1,
        "device": "lamp",
        "activity": "turn_on",
        "channel": "phone",
        "network": "lan",
        "t_ns": t_ns,
        "t_issue_ns": t_ns,
        "t_return_ns": t_ns,
        "t_uncertainty_ns": 0,
        "delta_ns": 5_000_000_000,
        "outcome": "confirmed",
        "simulated": "true",
    }
    return row | values


@pytest.fixture
def campaign(tmp_path, write):
    """Make a campaign folder of raw captures and rows (seconds, columns)."""

    def _campaign(captures, rows, devices=(("lamp", LAMP),)):
        folder = tmp_path / "evening"
        for number, packets in enumerate(captures):
            write(packets, name=f"evening/raw/router-{number:05d}.pcapng")
        inputs = {
            "campaign": "evening",
            "simulated": True,
            "form": "fast",
            "devices": [{"device": name, "mac": mac} for name, mac in devices],
        }
        (folder / "campaign.yaml").write_text(yaml.safe_dump(inputs))
        with (folder / "activities.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, tuple(COLUMNS))
            writer.writeheader()
            for number, (at_s, values) in enumerate(rows, start=1):
                writer.writerow(activity_row(number, at_s, **values))
        return folder

    return _campaign
