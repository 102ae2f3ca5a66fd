"""A lab campaign in which more than forty secrets of fourteen kinds are planted."""

import base64
import gzip
import ipaddress
import json
import struct
import zlib
from dataclasses import dataclass, field

import pytest

from analysis.exporters.identifiers import Identifier, keyed
from analysis.pcap import blocks
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture

PHONE, LAMP, ROUTER = "3c:5a:b4:11:22:c3", "50:c7:bf:6b:e0:19", "d8:0d:17:aa:bc:01"
PHONE_IP, LAMP_IP, ROUTER_IP = "192.168.178.20", "192.168.178.33", "192.168.178.1"
LAMP_IP6, PHONE_IP6 = "fe80::52c7:bfff:fe6b:e019", "fd3a:77c1:9e02::1a2b:3c4d:5e6f"
CLOUD_IP = "203.0.113.77"
START_NS = 1_767_607_200_000_000_000


def raw_mac(text):
    return bytes.fromhex(text.replace(":", ""))


def raw_ip(text):
    return ipaddress.ip_address(text).packed


def folded_sum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip_packet(protocol, source, target, body):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    head += raw_ip(source) + raw_ip(target)
    return head[:10] + struct.pack(">H", folded_sum(head)) + head[12:] + body


def ethernet(source, target, kind, body):
    return raw_mac(target) + raw_mac(source) + struct.pack(">H", kind) + body


@dataclass
class House:
    """Writes frames, one after the other, each a millisecond later."""

    frames: list = field(default_factory=list)
    sequence: dict = field(default_factory=dict)
    hosts: dict = field(
        default_factory=lambda: {PHONE_IP: PHONE, LAMP_IP: LAMP, ROUTER_IP: ROUTER}
    )

    def put(self, frame):
        self.frames.append(frame)

    def mac_of(self, address):
        if ipaddress.ip_address(address).is_multicast:
            return "01:00:5e:00:00:fb"
        return self.hosts.get(address, ROUTER)

    def _send(self, protocol, source, target, body, at):
        pseudo = raw_ip(source) + raw_ip(target)
        pseudo += struct.pack(">BBH", 0, protocol, len(body))
        total = folded_sum(pseudo + body)
        body = body[:at] + struct.pack(">H", total) + body[at + 2 :]
        packet = ip_packet(protocol, source, target, body)
        ends = self.mac_of(source), self.mac_of(target)
        self.put(ethernet(*ends, 0x0800, packet))

    def udp(self, source, target, ports, payload):
        body = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
        self._send(17, source, target, body, 6)

    def tcp(self, source, target, ports, *segments):
        for payload in segments:
            key = source, target, ports
            seq = self.sequence.get(key, 1000)
            self.sequence[key] = seq + len(payload)
            head = struct.pack(">HHIIBBHHH", *ports, seq, 1, 0x50, 0x18, 8192, 0, 0)
            self._send(6, source, target, head + payload, 16)

    def write(self, path, *, comment, names):
        ethernet_, air = Interface(link=1), Interface(link=105)
        with open_capture(path, interfaces=(ethernet_, air), comment=comment) as out:
            out.names(names)
            for number, frame in enumerate(self.frames):
                stamp = START_NS + number * 1_000_000
                if isinstance(frame, tuple):
                    out.packet(stamp, frame[0], interface=1)
                else:
                    out.packet(stamp, frame)


def labels(name):
    parts = (part.encode() for part in name.split("."))
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def record(name, kind, data):
    return labels(name) + struct.pack(">HHIH", kind, 1, 120, len(data)) + data


def answer(*records):
    return struct.pack(">6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def http(start, *headers, body=b""):
    lines = "\r\n".join((start, *headers, f"Content-Length: {len(body)}", "", ""))
    return lines.encode() + body


def option(code, data):
    return bytes([code, len(data)]) + data


def dhcp_request():
    head = struct.pack(">BBBBIHH", 1, 1, 6, 0, 77, 0, 0) + raw_ip("192.168.178.35")
    head += bytes(12) + raw_mac("a4:cf:12:0b:9d:e7") + bytes(10 + 192)
    options = option(53, b"\x03") + option(61, b"\x01" + raw_mac("a4:cf:12:0b:9d:e8"))
    options += option(12, b"KellersKaffee") + option(50, raw_ip("192.168.178.36"))
    options += option(15, b"haus-lindqvist.net") + b"\xff"
    return head + b"\x63\x82\x53\x63" + options


def talk_of_names(house):
    house.udp("192.168.178.35", "255.255.255.255", (68, 67), dhcp_request())
    instance = labels("Majas Harfe._airplay._tcp.local")[:-1] + b"\0"
    texts = b"".join(
        option_text(t) for t in (b"deviceid=B8:27:EB:5A:6F:1D", b"pi=" + UUID2.encode())
    )
    service = answer(
        record("_airplay._tcp.local", 12, instance),
        record("Majas Harfe._airplay._tcp.local", 16, texts),
        record(
            "Majas Harfe._airplay._tcp.local",
            33,
            bytes(4) + b"\x1b\x58" + labels("harfe-7.local"),
        ),
        record("harfe-7.local", 1, raw_ip("192.168.178.44")),
        record("harfe-7.local", 28, raw_ip(PHONE_IP6)),
    )
    house.udp("192.168.178.44", "224.0.0.251", (5353, 5353), service)
    pointer = record(
        "61.178.168.192.in-addr.arpa", 12, labels("speicher.haus-lindqvist.net")
    )
    house.udp(ROUTER_IP, PHONE_IP, (53, 40000), answer(pointer))
    name = b"LINDQVIST-PC".ljust(15) + b"\0"
    wire = bytes(0x41 + n for b in name for n in (b >> 4, b & 15))
    asked = (
        struct.pack(">6H", 9, 0x0110, 1, 0, 0, 0) + b"\x20" + wire + b"\0\0\x20\0\x01"
    )
    house.udp(PHONE_IP, "192.168.178.255", (137, 137), asked)


def option_text(text):
    return bytes([len(text)]) + text


def talk_of_devices(house):
    notify = "\r\n".join(
        (
            "NOTIFY * HTTP/1.1",
            "HOST: 239.255.255.250:1900",
            "LOCATION: http://192.168.178.51:49153/setup.xml",
            f"USN: uuid:{UUID1}::upnp:rootdevice",
            "",
            "",
        )
    )
    house.udp("192.168.178.51", "239.255.255.250", (1900, 1900), notify.encode())
    soap = (
        "<root><device><friendlyName>Opas Leselampe</friendlyName>"
        "<serialNumber>221613K1102B7F</serialNumber>"
        "<macAddress>EC1A59F0D3A2</macAddress></device></root>"
    )
    house.tcp(
        LAMP_IP, PHONE_IP, (49153, 41001), http("HTTP/1.1 200 OK", body=soap.encode())
    )
    info = {
        "system": {
            "get_sysinfo": {
                "deviceId": "8006E1D2C3B4A59687",
                "alias": "Flurlicht Ost",
                "latitude_i": 594712,
                "longitude_i": 180341,
            }
        }
    }
    hidden = keyed(json.dumps(info).encode())
    house.tcp(LAMP_IP, PHONE_IP, (9999, 41002), struct.pack(">I", len(hidden)) + hidden)


def talk_of_people(house):
    login = b"email=maja.lindqvist%40post.example&password=Vinterljus-77"
    login += b"&lat=59.33258&lon=18.06490"
    basic = base64.b64encode(b"lindqvist_m:Regenbogen#9").decode()
    house.tcp(
        PHONE_IP,
        CLOUD_IP,
        (41003, 80),
        http(
            "POST /login HTTP/1.1",
            "Host: api.vendor.example",
            "Cookie: session=f3a9c1d27be84650aa17; theme=dark",
            f"Authorization: Basic {basic}",
            body=login,
        ),
    )
    packed = gzip.compress(
        json.dumps({"refresh_token": "rt.9QzY7wVu5TsR3pOn"}).encode(), mtime=0
    )
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (packed[:20], packed[20:], b"")
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    house.tcp(CLOUD_IP, PHONE_IP, (80, 41003), head + chunks)
    plain = gzip.compress(b'{"ownerName":"Sixten Bergstrand"}', mtime=0)
    house.tcp(
        CLOUD_IP,
        PHONE_IP,
        (80, 41004),
        http("HTTP/1.1 200 OK", "Content-Encoding: gzip", body=plain),
    )
    split = http(
        "GET /?access_token=Zk4Lm8Qp2Xv6Bn0Rt HTTP/1.1", "Host: api.vendor.example"
    )
    cut = split.index(b"m8Qp")
    house.tcp(PHONE_IP, CLOUD_IP, (41005, 80), split[:cut], split[cut:])


def talk_in_disguise(house):
    inner = base64.b64encode(
        b"\x01\x02binary head;owner=elin.ek@post.example;"
    ).decode()
    body = json.dumps({"blob": inner}).encode()
    house.tcp(PHONE_IP, CLOUD_IP, (41006, 80), http("POST /b HTTP/1.1", body=body))
    wide = "Familjen Åkerlund".encode("utf-16-le")
    house.udp(PHONE_IP, LAMP_IP, (41007, 6000), b"\x01\x00\x10\x00" + wide)
    house.udp(
        PHONE_IP, LAMP_IP, (41008, 6000), b"key=" + b"Glasberga-4711".hex().encode()
    )
    house.udp(
        PHONE_IP,
        LAMP_IP,
        (41009, 6000),
        b"\0\0\0\x04" + raw_mac("50:c7:bf:7c:55:0a") + bytes(8),
    )
    house.udp(
        PHONE_IP,
        LAMP_IP,
        (41010, 6000),
        bytes(12) + raw_ip("192.168.178.72") + bytes(12),
    )
    house.udp(
        PHONE_IP,
        LAMP_IP,
        (41011, 6000),
        b"\0\0\0\0ids:" + bytes.fromhex(UUID3.replace("-", "")) + bytes(4),
    )
    house.udp(PHONE_IP, LAMP_IP, (41012, 6000), zlib.compress(TELEMETRY))
    house.udp(
        PHONE_IP,
        LAMP_IP,
        (41013, 6000),
        b"path=/home/lindqvist/lab; from=LINDQVIST@POST.EXAMPLE",
    )
    house.udp(
        PHONE_IP,
        LAMP_IP,
        (41014, 6000),
        b'{"host":"192-168-178-90.dyn","hw":"0017.886a.0b05"}',
    )
    house.udp(PHONE_IP, LAMP_IP, (41015, 6000), b'{"note":"\\u00c5sa H\\u00f6gberg"}')


def talk_below(house):
    asked = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + raw_mac(LAMP) + raw_ip(LAMP_IP)
    asked += bytes(6) + raw_ip("192.168.178.98")
    house.put(ethernet(LAMP, "ff:ff:ff:ff:ff:ff", 0x0806, asked))
    quoted = ip_packet(17, "192.168.178.63", CLOUD_IP, struct.pack(">HHHH", 1, 2, 8, 0))
    error = struct.pack(">BBHI", 3, 1, 0, 0) + quoted
    error = error[:2] + struct.pack(">H", folded_sum(error)) + error[4:]
    house.put(ethernet(ROUTER, PHONE, 0x0800, ip_packet(1, ROUTER_IP, PHONE_IP, error)))
    six = (
        struct.pack(">IHBB", 6 << 28, 8, 17, 255) + raw_ip(LAMP_IP6) + raw_ip(PHONE_IP6)
    )
    house.put(ethernet(LAMP, PHONE, 0x86DD, six + struct.pack(">HHHH", 5, 6, 8, 0)))
    air = b"\x80\0\0\0" + b"\xff" * 6 + raw_mac("f4:f2:6d:9e:10:bb") * 2 + bytes(2)
    air += (
        bytes(12) + option(0, b"Lindqvist Gaestnaet") + option(1, b"\x82\x84\x8b\x96")
    )
    house.put((air,))
    beacon = b"TBB1|lindqvist-pilot|0001|1|before|1767607200000000000"
    house.udp(PHONE_IP, ROUTER_IP, (41016, 47777), beacon)


TELEMETRY = b"homeId=hw-5521-8830-ce; fw=4.11.2; up=86113; rssi=-61; state=on;"
UUID1 = "2f402f80-da50-11e1-9b23-0017882476ff"
UUID2 = "9d3c1f0e-51b2-4c77-8f10-6e2a90bb41c5"
UUID3 = "c0ffee12-9a8b-4c7d-8e6f-5a4b3c2d1e0f"
# kind, value
PLANTED = (
    ("mac", PHONE),
    ("mac", LAMP),
    ("mac", "a4:cf:12:0b:9d:e7"),
    ("mac", "a4:cf:12:0b:9d:e8"),
    ("mac", "b8:27:eb:5a:6f:1d"),
    ("mac", "ec:1a:59:f0:d3:a2"),
    ("mac", "f4:f2:6d:9e:10:bb"),
    ("mac", "50:c7:bf:7c:55:0a"),
    ("mac", "00:17:88:6a:0b:05"),
    ("ipv4", PHONE_IP),
    ("ipv4", "192.168.178.36"),
    ("ipv4", "192.168.178.44"),
    ("ipv4", "192.168.178.51"),
    ("ipv4", "192.168.178.61"),
    ("ipv4", "192.168.178.63"),
    ("ipv4", "192.168.178.72"),
    ("ipv4", "192.168.178.90"),
    ("ipv4", "192.168.178.98"),
    ("ipv6", LAMP_IP6),
    ("ipv6", PHONE_IP6),
    ("ssid", "Lindqvist Gaestnaet"),
    ("hostname", "KellersKaffee"),
    ("hostname", "harfe-7"),
    ("hostname", "LINDQVIST-PC"),
    ("domain", "haus-lindqvist.net"),
    ("domain", "speicher.haus-lindqvist.net"),
    ("person", "Majas Harfe"),
    ("person", "Opas Leselampe"),
    ("person", "Flurlicht Ost"),
    ("person", "Sixten Bergstrand"),
    ("person", "Familjen Åkerlund"),
    ("person", "Åsa Högberg"),
    ("person", "Ragnhild Palm"),
    ("serial", "221613K1102B7F"),
    ("serial", "8006E1D2C3B4A59687"),
    ("serial", "hw-5521-8830-ce"),
    ("uuid", UUID1),
    ("uuid", UUID2),
    ("uuid", UUID3),
    ("email", "maja.lindqvist@post.example"),
    ("email", "elin.ek@post.example"),
    ("email", "lindqvist@post.example"),
    ("account", "lindqvist_m"),
    ("secret", "Vinterljus-77"),
    ("secret", "Regenbogen#9"),
    ("secret", "Glasberga-4711"),
    ("token", "f3a9c1d27be84650aa17"),
    ("token", "rt.9QzY7wVu5TsR3pOn"),
    ("token", "Zk4Lm8Qp2Xv6Bn0Rt"),
    ("place", "59.33258"),
    ("place", "18.06490"),
    ("place", "594712"),
    ("place", "180341"),
    ("path", "/home/lindqvist"),
    ("beacon", "TBB1|lindqvist-pilot|"),
    ("hostname", "maskinrum"),
)


def write_campaign(folder):
    raw = folder / "raw"
    raw.mkdir(parents=True)
    house = House()
    for talk in (
        talk_of_names,
        talk_of_devices,
        talk_of_people,
        talk_in_disguise,
        talk_below,
    ):
        talk(house)
    resolved = raw_ip("192.168.178.20") + b"maskinrum\0"
    names = struct.pack("<HH", 1, len(resolved)) + resolved
    names += bytes(blocks.padding(len(resolved))) + bytes(4)
    house.write(
        raw / "lan-00001.pcapng", comment="recorded by Ragnhild Palm", names=names
    )
    (folder / "campaign.yaml").write_text(
        "campaign: lindqvist-pilot\nsimulated: false\nform: live\ndevices:\n"
        f"- device: lamp\n  mac: {LAMP}\n  unit: '1'\n  firmware: 1.2.3\n"
        f"lab:\n  lab: bench\n  phone: {{serial: '{PHONE_IP}:5555'}}\n",
        encoding="utf-8",
    )
    (folder / "activities.csv").write_text("campaign,session\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return write_campaign(tmp_path_factory.mktemp("planted") / "pilot")


@pytest.fixture(scope="session")
def house_of():
    """Return what makes houses in which nothing was said yet."""
    return House


@pytest.fixture(scope="session")
def secrets():
    told = (Identifier(kind=k, value=v, source="told") for k, v in PLANTED)
    return tuple(told)
