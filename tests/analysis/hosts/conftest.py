"""Crafted conversations of one lamp: DNS, mDNS, DHCP, TLS, HTTP."""

import ipaddress
import struct

import pytest

from analysis.dataset import COLUMNS, Device
from analysis.hosts import spans_of
from analysis.hosts.table import address_text
from analysis.pcap.writer import open_capture

S = 10**9
START_NS = 1_790_000_000 * S
SYN, ACK, FIN = 2, 16, 1


class Home:
    """Makes packets of a lamp, its router and the cloud, and tells what is found."""

    lamp = Device(name="lamp", mac="50:c7:bf:6b:e0:19")
    router = "44:65:0d:7b:20:13"
    own, dns, cloud = "192.168.1.23", "192.168.1.1", "34.1.2.3"
    syn, ack = SYN, ACK

    def __init__(self, folder):
        self.folder = folder

    def ip(self, src, dst, protocol, body):
        own, other = (ipaddress.ip_address(each).packed for each in (src, dst))
        words = (0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0, own, other)
        macs = (self.lamp.mac, self.router)
        to, by = macs[::-1] if src == self.own else macs
        if ipaddress.ip_address(dst).is_multicast or dst == "255.255.255.255":
            to = "ff:ff:ff:ff:ff:ff"
        ends = bytes.fromhex((to + by).replace(":", ""))
        return ends + b"\x08\x00" + struct.pack(">BBHHHBBH4s4s", *words) + body

    def udp(self, src, dst, ports, body):
        head = struct.pack(">HHHH", *ports, 8 + len(body), 0)
        return self.ip(src, dst, 17, head + body)

    def tcp(self, src, dst, ports, flags=ACK, body=b"", seq=1):
        head = struct.pack(">HHIIBBHHH", *ports, seq, 0, 0x50, flags, 1000, 0, 0)
        return self.ip(src, dst, 6, head + body)

    def name(self, text):
        parts = [bytes([len(part)]) + part.encode() for part in text.split(".")]
        return b"".join(parts) + b"\0"

    def answer(self, name, address, ttl_s, *, alias_s=None, to=None):
        asked = self.name(name) + struct.pack(">HH", 1, 1)
        rows = b""
        if alias_s is not None:
            alias = self.name("edge.example")
            rows += (
                b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, alias_s, len(alias)) + alias
            )
        packed = ipaddress.ip_address(address).packed
        rows += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, ttl_s, 4) + packed
        n = 1 if alias_s is None else 2
        body = struct.pack(">HHHHHH", 7, 0x8180, 1, n, 0, 0) + asked + rows
        return self.udp(self.dns, to or self.own, (53, 40000), body)

    def announce(self, name, address, ttl_s):
        packed = ipaddress.ip_address(address).packed
        label, _, zone = name.partition(".")
        pointer = self.name(f"x.{zone}")  # the name itself goes on in this one
        body = struct.pack(">HHHHHH", 0, 0x8400, 0, 2, 0, 0)
        body += pointer + struct.pack(">HHIH", 16, 1, 120, 0)
        body += bytes([len(label)]) + label.encode() + b"\xc0\x0e"
        body += struct.pack(">HHIH", 1, 0x8001, ttl_s, 4) + packed
        return self.udp(self.own, "224.0.0.251", (5353, 5353), body)

    def lease(self, kind, *, name="", address=None, lease_s=None, transaction=9):
        own = ipaddress.ip_address(address).packed if address else bytes(4)
        head = struct.pack(">BBBBIHH", 1, 1, 6, 0, transaction, 0, 0)
        mac = bytes.fromhex(self.lamp.mac.replace(":", ""))
        body = head + bytes(4) + own + bytes(8) + mac + bytes(202)
        body += b"\x63\x82\x53\x63" + bytes([53, 1, kind])
        if name:
            body += bytes([12, len(name)]) + name.encode()
        if lease_s is not None:
            body += bytes([51, 4]) + lease_s.to_bytes(4)
        if kind in (5,):
            return self.udp(self.dns, "255.255.255.255", (67, 68), body + b"\xff")
        return self.udp(self.own, self.dns, (68, 67), body + b"\xff")

    def hello(self, name):
        server = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name.encode()
        extensions = struct.pack(">HH", 23, 800) + bytes(800)
        extensions += struct.pack(">HH", 0, len(server)) + server
        body = b"\x03\x03" + bytes(32) + b"\0" + struct.pack(">H", 4) + b"\0" * 4
        body += b"\x01\0" + struct.pack(">H", len(extensions)) + extensions
        handshake = b"\x01" + len(body).to_bytes(3) + body
        return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake

    def capture(self, *packets, name="lan-00001.pcapng"):
        """Write (seconds, frame) pairs."""
        path = self.folder / name
        with open_capture(path) as writer:
            for at, frame in packets:
                writer.packet(START_NS + round(at * S), frame)
        return path

    def hosts(self, *captures):
        """Return {(source, name, address): [(from s, until s, n), ...]}."""
        found = {}
        for _, span in spans_of(captures, (self.lamp,)):
            key = span.source, span.name, address_text(span.address)
            times = [(t - START_NS) / S for t in (span.from_ns, span.until_ns)]
            found.setdefault(key, []).append((*times, span.n))
        return {key: sorted(spans) for key, spans in found.items()}


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def campaign(home, tmp_path):
    """Return a campaign folder of the lamp, in which it says its name."""
    folder = tmp_path / "home"
    (folder / "raw").mkdir(parents=True)
    home.folder = folder / "raw"
    hello = home.hello("cloud.example")
    home.capture(
        (0, home.lease(3, name="Lamp-6be019")),
        (1, home.lease(5, address=home.own, lease_s=600)),
        (2, home.announce("lamp-6be019.local", home.own, 120)),
        (3, home.answer("cloud.example", home.cloud, 60)),
        (4, home.tcp(home.own, home.cloud, (40001, 443), home.ack, hello)),
    )
    (folder / "campaign.yaml").write_text(
        "campaign: home\nsimulated: false\nform: live\nseed: 1\n"
        f"devices: [{{device: lamp, mac: '{home.lamp.mac}', ip: {home.own}}}]\n",
        encoding="utf-8",
    )
    columns = ",".join(COLUMNS)
    (folder / "activities.csv").write_text(columns + "\n", encoding="utf-8")
    return folder
