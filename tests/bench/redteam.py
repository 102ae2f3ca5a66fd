"""The red team: secrets of a made-up home, planted in protocols of all sorts.

    python -m tests.bench.redteam [--seeds 1,2,3,4,5] [--out FOLDER]

Each secret lies in a capture of its own, in a campaign of the virtual lab. What is
harvested of it, what is left of it after the anonymiser, and whether the audit refuses
its capture, is counted: what is left and not refused has escaped. A second look is with
`harvest` blind, so that the audit stands alone.
Writes FOLDER/redteam.json.
"""

import argparse
import base64
import json
import random
import shutil
import struct
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from analysis.exporters.anonymise import (
    Policy,
    Pseudonyms,
    anonymise_capture_with,
    anonymise_texts,
    patterns_of,
)
from analysis.exporters.audit import audit
from analysis.exporters.audit.vocabulary import WORDS
from analysis.exporters.identifiers import Identifier, harvest
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"
START_NS = 1_767_607_200_000_000_000
HERE, THERE, CLOUD = "192.168.7.31", "192.168.7.1", "203.0.113.9"
HERE_MAC, THERE_MAC = "50c7bf4411a2", "d80d1722bb01"
SYLLABLES = (
    *("va", "ke", "lin", "dor", "mu", "sha", "pri", "gol", "te", "bu", "rak", "no"),
    *("fi", "zel", "hu", "wen", "jo", "tras", "qui", "ber"),
)


class Home:
    """Makes up who lives there."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def name(self, n: int = 3) -> str:
        """Return a name; none that is a usual word, which nobody can tell from one."""
        while True:
            name = "".join(self.random.choices(SYLLABLES, k=n)).capitalize()
            if name.lower() not in WORDS:
                return name

    def digits(self, n: int) -> str:
        """Return a number that does not begin with zero."""
        return self.random.choice("3456789") + "".join(
            self.random.choices("0123456789", k=n - 1)
        )

    def token(self, n: int) -> str:
        """Return letters and digits."""
        letters = "abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789"
        return "7q" + "".join(self.random.choices(letters, k=n - 2))

    def public_ip(self) -> str:
        """Return an address of a home at its provider."""
        inner = (
            self.random.randint(130, 190),
            *self.random.choices(range(20, 250), k=2),
        )
        return ".".join(map(str, (84, *inner)))

    def mac(self) -> bytes:
        """Return a MAC of a vendor."""
        return bytes.fromhex("a4cf12") + self.random.randbytes(3)


@dataclass
class Plant:
    """One secret in one capture.

    needle  how it lies in the capture; by this it is looked for
    frames  (link, bytes) of packets
    """

    kind: str
    value: str
    needle: bytes
    frames: list[tuple[int, bytes]] = field(default_factory=list)


def folded(data: bytes) -> int:
    """Return the checksum of the Internet."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ethernet(kind: int, body: bytes, source: bytes = b"", to: bytes = b"") -> bytes:
    """Return a frame."""
    source, to = source or bytes.fromhex(HERE_MAC), to or bytes.fromhex(THERE_MAC)
    return to + source + struct.pack(">H", kind) + body


def ipv4(protocol: int, body: bytes, to: str = CLOUD, fragment: int = 0) -> bytes:
    """Return a packet in a frame."""
    head = struct.pack(">BBHHHBBH", 69, 0, 20 + len(body), 7, fragment, 64, protocol, 0)
    head += ip_address(HERE).packed + ip_address(to).packed
    return ethernet(
        0x0800, head[:10] + struct.pack(">H", folded(head)) + head[12:] + body
    )


def udp(port: int, data: bytes, *, to: str = CLOUD, source: int = 0) -> list[bytes]:
    """Return a datagram in a list; each comes from a port of its own."""
    source = source or 40000 + zlib.crc32(data) % 20000
    body = struct.pack(">HHHH", source, port, 8 + len(data), 0) + data
    return [ipv4(17, body, to)]


def tcp(port: int, *said: bytes, back: bool = False, to: str = CLOUD) -> list[bytes]:
    """Return a connection in which one side says something, in so many segments."""
    mine = 30000 + zlib.crc32(b"".join(said)) % 9000
    opening = struct.pack(">HHIIBBHHH", mine, port, 99, 0, 0x50, 2, 8192, 0, 0)
    frames, seq, ports = [ipv4(6, opening, to)], 100, (mine, port)
    if back:
        ports, seq = (port, mine), 700
        answer = struct.pack(">HHIIBBHHH", *ports, 699, 100, 0x50, 18, 8192, 0, 0)
        frames.append(ipv4(6, answer, to))
    for data in said:
        head = struct.pack(">HHIIBBHHH", *ports, seq, 1, 0x50, 24, 8192, 0, 0)
        frames.append(ipv4(6, head + data, to))
        seq += len(data)
    return frames


def request(start: str, *headers: str, body: str | bytes = b"") -> bytes:
    """Return a message of HTTP."""
    raw = body.encode() if isinstance(body, str) else body
    lines = (start, "Host: api.vendor.example", *headers, f"Content-Length: {len(raw)}")
    return "\r\n".join((*lines, "", "")).encode() + raw


def prefixed(text: str | bytes, size: str = ">H") -> bytes:
    """Return a text behind its length."""
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(size, len(raw)) + raw


def labels(name: str) -> bytes:
    """Return a name of DNS."""
    return b"".join(prefixed(each, ">B") for each in name.split(".")) + b"\0"


def der(tag: int, *parts: bytes) -> bytes:
    """Return a value of ASN.1."""
    body = b"".join(parts)
    size = (
        bytes([len(body)]) if len(body) < 128 else struct.pack(">BH", 0x82, len(body))
    )
    return bytes([tag]) + size + body


Plants = Iterator[tuple[str, str, bytes, list[bytes]]]


def in_mqtt(home: Home) -> Plants:
    """A broker of the home, and what is said to it."""

    def connect(client: str, user: str, word: str) -> list[bytes]:
        body = prefixed("MQTT") + b"\x04\xc2\x00\x3c"
        body += prefixed(client) + prefixed(user) + prefixed(word)
        return tcp(1883, b"\x10" + bytes([len(body)]) + body)

    def publish(topic: str, message: str) -> list[bytes]:
        body = prefixed(topic) + message.encode()
        return tcp(1883, b"\x30" + bytes([len(body)]) + body)

    for kind, values in (
        ("mqtt client", (home.name(2) + home.digits(4), "user", "password")),
        ("mqtt user", ("client", home.name().lower(), "password")),
        ("mqtt password", ("client", "user", home.token(9))),
    ):
        told = max(values, key=lambda v: v not in ("client", "user", "password"))
        yield kind, told, told.encode(), connect(*values)
    name = home.name()
    yield "mqtt topic", name, name.encode(), publish(f"home/{name}/lamp", "on")
    name = home.name(2)
    message = json.dumps({"state": "on", "who": name})
    yield "mqtt message", name, name.encode(), publish("home/lamp", message)


def in_mail(home: Home) -> Plants:
    """FTP, SMTP, POP and IMAP."""
    name = home.name().lower()
    yield "ftp user", name, name.encode(), tcp(21, f"USER {name}\r\n".encode())
    word = home.token(8) + "!"
    yield "ftp password", word, word.encode(), tcp(21, f"PASS {word}\r\n".encode())
    name = home.name()
    yield (
        "ftp file",
        name,
        name.encode(),
        tcp(21, f"STOR {name}-taxes.pdf\r\n".encode()),
    )
    name = home.name().lower()
    packed = base64.b64encode(f"\0{name}\0{home.token(8)}".encode())
    yield "smtp login", name, packed, tcp(25, b"AUTH PLAIN " + packed + b"\r\n")
    name = home.name()
    mail = f"MAIL FROM:<{name}>\r\nRCPT TO:<x>\r\nDATA\r\n".encode()
    yield "smtp sender", name, name.encode(), tcp(25, mail)
    name = home.name()
    text = f"Subject: Alarm\r\n\r\nDear {name}, motion detected\r\n.\r\n".encode()
    yield "mail body", name, name.encode(), tcp(25, b"DATA\r\n", text)
    name = home.name().lower()
    yield "pop user", name, name.encode(), tcp(110, f"USER {name}\r\n".encode())
    word = home.token(10)
    login = f'a1 LOGIN user "{word}"\r\n'.encode()
    yield "imap password", word, word.encode(), tcp(143, login)


def in_http(home: Home) -> Plants:
    """Requests, and what is in them."""

    def get(path: str, *headers: str) -> list[bytes]:
        return tcp(80, request(f"GET {path} HTTP/1.1", *headers))

    def post(body: str | bytes, kind: str = "application/json") -> list[bytes]:
        return tcp(80, request("POST /x HTTP/1.1", f"Content-Type: {kind}", body=body))

    name = home.name().lower()
    basic = base64.b64encode(f"{name}:{home.token(9)}".encode())
    told = f"Authorization: Basic {basic.decode()}"
    yield "http login", name, basic, get("/", told)
    word = home.token(22)
    yield "http key in path", word, word.encode(), get(f"/api/{word}/lights")
    word = home.token(12)
    yield "http key in query", word, word.encode(), get(f"/set?k={word}&on=1")
    word = home.token(16)
    yield "http cookie", word, word.encode(), get("/", f"Cookie: s={word}")
    name = home.name().lower()
    told = f"Referer: http://{name}.dyndns.org/config"
    yield "http referer", name, name.encode(), get("/", told)
    place = home.public_ip()
    yield "home address", place, place.encode(), get("/", f"X-Forwarded-For: {place}")
    name = home.name()
    told = f"User-Agent: Remote/2.1 ({name}s iPhone)"
    yield "phone name", name, name.encode(), get("/", told)
    name = home.name(2)
    yield "name in path", name, name.encode(), get(f"/rooms/{name}/light/on")
    for kind, body in (
        ("name in json", '{"title": "%s"}'),
        ("name in a list", '{"labels": ["on", "%s"]}'),
        ("name as a key", '{"%s": {"on": true}}'),
        ("name in html", "<html><body><h1>Hello %s</h1></body></html>"),
        ("name in xml", "<entry><what>%s</what></entry>"),
        ("name in a form", "step=2&what=%s&on=1"),
    ):
        name = home.name(2)
        yield kind, name, name.encode(), post(body % name)
    name = home.random.choice(("Ida", "Eva", "Ole", "Tom", "Ben", "Kai"))
    text = json.dumps({"greeting": f"hello {name}"})
    yield "short name", name, f"hello {name}".encode(), post(text)
    name = home.name(2)
    text = zlib.compress(json.dumps({"who": name, "on": True}).encode())
    yield "packed body", name, text, post(text, "application/zlib")
    name = home.name(2)
    packed = base64.b64encode(f"owner is {name} today".encode())
    yield "base64 in json", name, packed, post(b'{"blob":"' + packed + b'"}')


def in_numbers(home: Home) -> Plants:
    """What is told by digits."""
    for kind, port, text in (
        ("telephone", 80, f"+49{home.digits(10)}"),
        ("iban", 80, f"DE{home.digits(20)}"),
        ("customer", 80, f"KD-{home.digits(9)}"),
        ("plate", 80, f"{home.name(2)[:3].upper()}-QX {home.digits(4)}"),
    ):
        body = json.dumps({"data": text})
        frames = tcp(port, request("POST /n HTTP/1.1", body=body))
        yield kind, text, text.encode(), frames
    north = f"52.{home.digits(6)}"
    body = json.dumps({"q": [north, f"13.{home.digits(6)}"]})
    yield (
        "place",
        north,
        north.encode(),
        tcp(80, request("POST /n HTTP/1.1", body=body)),
    )
    north = f"48{home.digits(2)}.{home.digits(4)}"
    sentence = f"$GPGGA,101010,{north},N,01131.{home.digits(4)},E,1,08,0.9,545.4,M"
    yield "nmea", north, north.encode(), udp(10110, sentence.encode())


def in_voice(home: Home) -> Plants:
    """RTSP and SIP."""
    word = home.token(9)
    line = f"DESCRIBE rtsp://cam:{word}@{HERE}/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()
    yield "rtsp password", word, word.encode(), tcp(554, line)
    number, name = home.digits(12), home.name()
    for kind, told in (("sip number", number), ("sip name", name)):
        lines = (
            "REGISTER sip:provider.example SIP/2.0",
            f'From: "{name}" <sip:{number}@provider.example>;tag=1',
            "To: <sip:provider.example>",
            "Call-ID: 1",
            "CSeq: 1 REGISTER",
            *("", ""),
        )
        yield kind, told, told.encode(), udp(5060, "\r\n".join(lines).encode())


def in_management(home: Home) -> Plants:
    """SNMP, syslog, RADIUS, EAP, LLDP."""

    def snmp(community: str, told: bytes) -> list[bytes]:
        bound = der(0x30, der(0x30, der(6, b"\x2b\6\1\2\1\1\5\0"), der(4, told)))
        pdu = der(0xA2, der(2, b"\1"), der(2, b"\0"), der(2, b"\0"), bound)
        return udp(161, der(0x30, der(2, b"\1"), der(4, community.encode()), pdu))

    name = home.name(2)
    yield "snmp community", name, name.encode(), snmp(name, b"device")
    name = home.name(2)
    yield "snmp name", name, name.encode(), snmp("public", name.encode())
    name = home.name(2).lower()
    line = f"<30>Jan  5 10:00:00 {name} dhcpd: started"
    yield "syslog host", name, name.encode(), udp(514, line.encode())
    name = home.name(2)
    line = f"<30>Jan  5 10:00:00 host app: door opened by {name}"
    yield "syslog message", name, name.encode(), udp(514, line.encode())
    name = home.name()
    body = bytes([1, 2 + len(name)]) + name.encode()
    head = struct.pack(">BBH", 1, 1, 20 + len(body)) + bytes(range(16))
    yield "radius user", name, name.encode(), udp(1812, head + body)
    name = home.name().lower()
    eap = struct.pack(">BBHB", 2, 1, 5 + len(name), 1) + name.encode()
    frame = ethernet(0x888E, b"\x01\x00" + prefixed(eap))
    yield "eap identity", name, name.encode(), [frame]
    name = home.name(2)

    def part(kind: int, data: bytes) -> bytes:
        return struct.pack(">H", kind << 9 | len(data)) + data

    body = part(1, b"\x04" + bytes.fromhex(HERE_MAC)) + part(2, b"\x07eth0")
    body += part(3, b"\0\x78") + part(5, name.encode()) + part(0, b"")
    frame = ethernet(0x88CC, body, to=bytes.fromhex("0180c200000e"))
    yield "lldp name", name, name.encode(), [frame]


def in_addresses(home: Home) -> Plants:
    """DHCP, DHCPv6, DNS, mDNS, SSDP, NetBIOS."""

    def dhcp(code: int, data: bytes) -> list[bytes]:
        head = struct.pack(">BBBBIHH", 1, 1, 6, 0, 77, 0, 0) + bytes(16)
        head += bytes.fromhex(HERE_MAC) + bytes(10 + 192) + b"\x63\x82\x53\x63"
        options = b"\x35\x01\x01" + bytes([code, len(data)]) + data + b"\xff"
        return udp(67, head + options, source=68, to="255.255.255.255")

    name = home.name()
    yield "dhcp host", name, name.encode(), dhcp(12, name.encode())
    name = home.name(2)
    yield "dhcp class", name, name.encode(), dhcp(60, f"udhcp 1.2 {name}".encode())
    name = home.name(2)
    yield "dhcp client", name, name.encode(), dhcp(61, b"\0" + name.encode())
    name = home.name(2)
    yield "dhcp vendor", name, name.encode(), dhcp(43, b"\x80" + prefixed(name, ">B"))
    unit = home.random.randbytes(16)
    body = b"\x01\0\0\7" + struct.pack(">HHH", 1, 18, 4) + unit
    yield "dhcpv6 uuid", unit.hex(), unit, udp(547, body, source=546)

    def dns(name: str, kind: int = 1, port: int = 53) -> list[bytes]:
        asked = struct.pack(">6H", 5, 0x100, 1, 0, 0, 0) + labels(name)
        return udp(port, asked + struct.pack(">HH", kind, 1), to=THERE)

    name = home.name().lower()
    yield "dynamic name", name, name.encode(), dns(f"{name}.dyndns.org")
    name = home.name().lower()
    yield "local name", name, name.encode(), dns(f"{name}.fritz.box")
    place = home.public_ip()
    back = ".".join(reversed(place.split(".")))
    yield "reverse name", place, labels(back)[:-1], dns(f"{back}.in-addr.arpa", 12)
    name = home.name(2)
    instance = labels("_hap._tcp.local")
    text = prefixed(f"fn={name}", ">B")
    record = instance + struct.pack(">HHIH", 16, 1, 120, len(text)) + text
    body = struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + record
    frames = udp(5353, body, to="224.0.0.251", source=5353)
    yield "mdns text", name, name.encode(), frames
    name = home.name(2)
    lines = f"NOTIFY * HTTP/1.1\r\nUSN: uuid:1::x\r\nX-Home: {name}\r\n\r\n"
    yield "ssdp header", name, name.encode(), udp(1900, lines.encode())
    name = home.name(3).upper()[:12]
    wire = b"".join(
        bytes((65 + (b >> 4), 65 + (b & 15))) for b in name.ljust(16).encode()
    )
    body = struct.pack(">6H", 9, 0x110, 1, 0, 0, 0) + b"\x20" + wire + b"\0\0\x20\0\x01"
    needle = wire[: 2 * len(name)]
    yield "netbios name", name, needle, udp(137, body, to="192.168.7.255", source=137)


def in_gateways(home: Home) -> Plants:
    """The public address of the home, and keys of its Wi-Fi."""
    place = home.public_ip()
    raw = ip_address(place).packed
    hidden = bytes(a ^ b for a, b in zip(raw, b"\x21\x12\xa4\x42", strict=True))
    body = b"\x01\x01\0\x0c\x21\x12\xa4\x42" + bytes(12) + b"\0\x20\0\x08\0\x01\x11\x22"
    yield "stun address", place, hidden, udp(40000, body + hidden, source=3478)
    name = home.name(2).lower()
    text = name.encode() + bytes(-len(name) % 4)
    body = (
        b"\0\x01" + struct.pack(">H", 4 + len(text)) + b"\x21\x12\xa4\x42" + bytes(12)
    )
    body += b"\0\x06" + struct.pack(">H", len(name)) + text
    yield "stun user", name, name.encode(), udp(3478, body)
    place = home.public_ip()
    raw = ip_address(place).packed
    body = b"\0\x80\0\0\0\0\x10\x10" + raw
    yield "nat-pmp address", place, raw, udp(40000, body, source=5351)
    for kind, tag, told in (
        ("igd address", "NewExternalIPAddress", home.public_ip()),
        ("igd key", "NewPreSharedKey", home.token(14)),
        ("igd provider login", "NewUserName", home.name().lower()),
    ):
        soap = f"<s:Body><{tag}>{told}</{tag}></s:Body>"
        said = request("HTTP/1.1 200 OK", body=soap)
        yield kind, told, told.encode(), tcp(49000, said, back=True, to=THERE)


def in_tls(home: Home) -> Plants:
    """Names that TLS says in plain."""

    def record(kind: int, body: bytes) -> bytes:
        inner = bytes([kind]) + struct.pack(">I", len(body))[1:] + body
        return b"\x16\x03\x01" + prefixed(inner)

    unit = home.digits(10)
    name = f"unit-{unit}.vendor.com"
    sni = prefixed(b"\0" + prefixed(name))
    hello = b"\x03\x03" + bytes(32) + b"\0" + prefixed(b"\x13\x01") + b"\x01\0"
    hello += prefixed(struct.pack(">H", 0) + prefixed(sni))
    yield "sni with a serial", unit, name.encode(), tcp(443, record(1, hello))
    who = home.name()
    common = der(0x31, der(0x30, der(6, b"\x55\x04\x03"), der(12, who.encode())))
    names = der(0x30, common)
    dates = der(0x30, der(23, b"250101000000Z"), der(23, b"350101000000Z"))
    rsa = der(0x30, der(6, b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), b"\5\0")
    key = der(0x30, rsa, der(3, b"\0\1\2\3"))
    inner = der(0x30, der(2, b"\x05"), rsa, names, dates, names, key)
    certificate = der(0x30, inner, rsa, der(3, b"\0" + bytes(16)))

    def three(data: bytes) -> bytes:
        return struct.pack(">I", len(data))[1:] + data

    frames = tcp(443, record(11, three(three(certificate))), back=True)
    yield "certificate", who, who.encode(), frames


def in_databases(home: Home) -> Plants:
    """Servers that someone runs at home."""
    word = home.token(11)
    said = f"*2\r\n$4\r\nAUTH\r\n${len(word)}\r\n{word}\r\n".encode()
    yield "redis password", word, word.encode(), tcp(6379, said)
    name = home.name().lower()
    body = b"\0\x03\0\0user\0" + name.encode() + b"\0database\0home\0\0"
    yield "postgres user", name, name.encode(), tcp(5432, prefixed(body, ">I"))
    name = home.name().lower()
    body = b"\x05\x01" + prefixed(name, ">B") + prefixed("password", ">B")
    said = tcp(1080, b"\x05\x01\x02", body)
    yield "socks user", name, name.encode(), said
    name = home.name(2).lower()
    said = f"NICK {name}\r\nUSER {name} 0 * :x\r\n".encode()
    yield "irc nick", name, name.encode(), tcp(6667, said)
    name = home.name()
    yield "tftp file", name, name.encode(), udp(69, f"\0\1{name}.cfg\0octet\0".encode())
    name = home.name().lower()
    said = f"<stream:stream to='home' from='{name}@home'>".encode()
    yield "xmpp user", name, name.encode(), tcp(5222, said)
    name = home.name()
    body = b"\x40\x01\0\1" + bytes([0xB0 | len(name)]) + name.encode()
    yield "coap path", name, name.encode(), udp(5683, body)
    name = home.name(2).lower()
    keys = [bytes([byte]) for byte in f"login: {name}\r\n".encode()]
    yield "telnet, key by key", name, name.encode(), tcp(23, *keys)


def in_unknown(home: Home) -> Plants:
    """Protocols that nobody has heard of."""
    name = home.name()
    yield "own text", name, name.encode(), tcp(7331, f"SET owner {name};".encode())
    name = home.name()
    body = b"\x02\0\x01\x0a" + prefixed(name, ">B") + b"\x10\0\0\x01\x12\x02on"
    yield "own binary", name, name.encode(), tcp(7332, body)
    name = home.name()
    wide = name.encode("utf-16-le")
    yield "wide letters", name, wide, udp(7333, b"\x01\0\0\x02" + wide + bytes(4))
    name = home.name(2)
    text = f"room={name}\n".encode()
    yield "unknown udp", name, name.encode(), udp(7334, text)
    name = home.name()
    half = len(name) // 2
    said = (f"owner {name[:half]}".encode(), f"{name[half:]} here".encode())
    yield "cut in two", name, name[:half].encode(), tcp(7335, *said)
    name = home.name()
    yield (
        "ping",
        name,
        name.encode(),
        [ipv4(1, b"\x08\0\0\0\0\1\0\1" + name.encode() * 3)],
    )
    name = home.name()
    yield (
        "own ethertype",
        name,
        name.encode(),
        [ethernet(0x88B5, b"\0\1" + name.encode() * 2)],
    )
    name = home.name()
    inner = udp(7336, f"owner {name}".encode())[0][14:]
    yield "tunnel", name, name.encode(), [ipv4(47, b"\0\0\x08\0" + inner)]
    name = home.name()
    whole = struct.pack(">HHHH", 40123, 7337, 108, 0) + b"data " * 8
    rest = f"owner {name} is at home now, says the second half".encode()
    pieces = [ipv4(17, whole[:48], fragment=0x2000), ipv4(17, rest, fragment=6)]
    yield "fragment", name, name.encode(), pieces
    plain, key = f'{{"owner":"{home.name()}"}}'.encode(), 171
    said = bytearray()
    for byte in plain:
        key ^= byte
        said.append(key)
    frames = tcp(9999, prefixed(bytes(said), ">I"))
    yield "autokey", plain.decode(), bytes(said), frames
    unit = home.mac()
    body = b"\0\0\0\x04\x01\x02" + unit + bytes(6)
    yield "mac in bytes", unit.hex(), unit, udp(7338, body)


def in_disguise(home: Home) -> Plants:
    """Names that are spelled otherwise, or lie deeper than usual."""

    def post(body: str | bytes) -> list[bytes]:
        return tcp(8080, request("POST /x HTTP/1.1", body=body))

    name = home.name()
    text = name.encode().hex()
    yield "hex", name, text.encode(), post(f'{{"blob":"{text}"}}')
    name = home.name()
    text = "".join(f"\\u{ord(letter):04x}" for letter in name)
    yield "escapes of json", name, text.encode(), post(f'{{"state":"{text}"}}')
    name = home.name()
    text = "".join(f"%{ord(letter):02X}" for letter in name)
    yield "percent", name, text.encode(), post(f"state={text}")
    name = home.name()
    text = "".join(f"&#{ord(letter)};" for letter in name)
    yield "entities", name, text.encode(), post(f"<state>{text}</state>")
    name = home.name()
    wide = name.encode("utf-16-be")
    yield "wide letters, big end first", name, wide, udp(7340, b"\x01\0" + wide)
    name = f"{home.name(2)}\u00fc{home.name(2).lower()}"
    yield (
        "umlaut",
        name,
        name.encode(),
        post(json.dumps({"state": name}, ensure_ascii=False)),
    )
    yield "umlaut of old", name, name.encode("latin-1"), post(name.encode("latin-1"))
    name = home.name().upper()
    text = base64.b32encode(f"owner {name}".encode())
    yield "base32", name, text, post(b'{"blob":"' + text + b'"}')
    name = home.name()
    inner = udp(7341, f"owner {name}".encode())[0][14:]
    tagged = ethernet(0x8100, b"\0\x05\x08\x00" + inner)
    yield "tagged frame", name, name.encode(), [tagged]
    body = (
        struct.pack(">HHHH", 40555, 7342, 8 + 6 + len(name), 0)
        + f"owner {name}".encode()
    )
    ends = ip_address("fd12::31").packed + ip_address("fd12::1").packed
    six = ethernet(
        0x86DD, struct.pack(">IHBB", 6 << 28, len(body), 17, 64) + ends + body
    )
    yield "over ipv6", name, name.encode(), [six]
    name = home.name()
    session = b"\x11\0\0\x01" + struct.pack(">H", 2 + len(inner)) + b"\0\x21"
    inner = udp(7343, f"owner {name}".encode())[0][14:]
    yield "pppoe", name, name.encode(), [ethernet(0x8864, session + inner)]
    name = home.name()
    sctp = struct.pack(">HHII", 7344, 7344, 1, 0) + b"\0\x03" + prefixed(f"own {name}")
    yield "sctp", name, name.encode(), [ipv4(132, sctp)]


SCRIPTS = {
    "cyrillic": "ка ро ми на ле ту во же ши да пе зу",
    "greek": "κα ρο μι να λε του πε ζη θα δω φι ξε",
    "arabic": "كا رو مي نا لي تو بي زا شا دو في جا",
    "chinese": "王 芳 张 伟 李 娜 陈 静 刘 洋 赵 敏",
    "korean": "김 철 수 박 영 희 이 민 준 최 서 연",
}


def in_any_script(home: Home) -> Plants:
    """Names that no ASCII spells, in texts and among bytes."""

    def name_in(script: str, n: int) -> str:
        return "".join(home.random.choices(SCRIPTS[script].split(), k=n))

    for script in SCRIPTS:
        n = 2 if script == "chinese" else 3
        name = name_in(script, n)
        text = json.dumps({"scene": name, "state": "on"}, ensure_ascii=False)
        yield f"{script} in json", name, name.encode(), tcp(7350, text.encode())
        name = name_in(script, n)
        body = b"\x0a" + prefixed(name, ">B") + b"\x10\x01"
        yield f"{script} in fields", name, name.encode(), udp(7351, body)
    for script, encoding in (
        ("cyrillic", "cp1251"),
        ("cyrillic", "koi8-r"),
        ("greek", "cp1253"),
        ("chinese", "gbk"),
        ("korean", "euc-kr"),
    ):
        name = name_in(script, 4)
        raw = name.encode(encoding)
        yield f"{script} as {encoding}", name, raw, tcp(7352, b'{"x":"' + raw + b'"}')
    for encoding in ("utf-16-le", "utf-16-be"):
        name = name_in("cyrillic", 4)
        raw = name.encode(encoding)
        body = b"\0\x01\x02\x03" + raw
        yield f"cyrillic as {encoding}", name, raw, udp(7353, body)


def in_pieces(home: Home) -> Plants:
    """Telephone numbers that look like times, or are parted."""
    for kind, text in (
        ("mobile", f"0176{home.digits(7)}"),
        ("like an epoch", f"175{home.digits(7)}"),
        ("like a date", f"2046{home.digits(4)}"),
        ("parted", f"0176 {home.digits(7)}"),
        ("parted by a slash", f"0731/{home.digits(6)}"),
    ):
        frames = tcp(7354, json.dumps({"notifyTo": text}).encode())
        yield f"telephone, {kind}", text, text.encode(), frames


def in_the_air(home: Home) -> list[Plant]:
    """What 802.11 tells."""
    found = []
    for kind, name in (("ssid", home.name()), ("short ssid", home.token(3))):
        head = (
            b"\x40\0\0\0"
            + b"\xff" * 6
            + bytes.fromhex(HERE_MAC)
            + b"\xff" * 6
            + b"\0\0"
        )
        frame = head + b"\0" + prefixed(name, ">B") + b"\x01\x01\x82"
        found.append(Plant(kind, name, b"\0" + prefixed(name, ">B"), [(105, frame)]))
    return found


SOURCES: tuple[Callable[[Home], Plants], ...] = (
    in_mqtt,
    in_mail,
    in_http,
    in_numbers,
    in_voice,
    in_management,
    in_addresses,
    in_gateways,
    in_tls,
    in_databases,
    in_unknown,
    in_disguise,
    in_any_script,
    in_pieces,
)


def plants(seed: int) -> list[Plant]:
    """Return all secrets of one home."""
    home = Home(seed)
    found = [
        Plant(kind, value, needle, [(1, frame) for frame in frames])
        for source in SOURCES
        for kind, value, needle, frames in source(home)
    ]
    return [*found, *in_the_air(home)]


def planted(folder: Path, planted_: list[Plant]) -> Path:
    """Return a campaign with a capture for each secret."""
    campaign = folder / "campaign"
    (campaign / "raw").mkdir(parents=True)
    for name in ("campaign.yaml", "journal.jsonl", "activities.csv"):
        shutil.copy(EXAMPLE / name, campaign / name)
    for number, plant in enumerate(planted_):
        links = sorted({link for link, _ in plant.frames})
        faces = tuple(Interface(link=link) for link in links)
        with open_capture(path_of(campaign, number), interfaces=faces) as out:
            for k, (link, frame) in enumerate(plant.frames):
                stamp = START_NS + (1000 * number + k) * 1_000_000
                out.packet(stamp, frame, interface=links.index(link))
    return campaign


def path_of(campaign: Path, number: int) -> Path:
    """Return where the capture of a secret lies."""
    return campaign / "raw" / f"lan-{number + 1:05d}.pcapng"


def published(campaign: Path, out: Path, told: tuple[Identifier, ...]) -> Path:
    """Anonymise a campaign; return where its captures lie."""
    pseudonyms = Pseudonyms(bytes(range(32)))
    patterns = patterns_of(told, pseudonyms)
    target = out / "campaigns" / "evening"
    (target / "raw").mkdir(parents=True)
    for path in sorted((campaign / "raw").glob("*.pcapng")):
        anonymise_capture_with(
            path,
            target / "raw" / path.name,
            pseudonyms=pseudonyms,
            patterns=patterns,
            policy=Policy(),
        )
    anonymise_texts(
        campaign, target, pseudonyms=pseudonyms, identifiers=told, policy=Policy()
    )
    return target


def attacked(folder: Path, seed: int, *, blind: bool = False) -> list[dict[str, Any]]:
    """Return the fate of each secret of a home.

    blind  nothing is harvested of captures, so that the audit stands alone
    """
    secrets = plants(seed)
    campaign = planted(folder, secrets)
    told = harvest(EXAMPLE if blind else campaign)
    out = folder / "set"
    target = published(campaign, out, told)
    originals = {
        f"campaigns/evening/raw/{path.name}": path
        for path in sorted((campaign / "raw").glob("*.pcapng"))
    }
    result = audit(out, told, originals=originals)
    refused: dict[str, set[str]] = {}
    words: dict[str, set[str]] = {}
    for finding in result.findings:
        words.setdefault(finding.file, set()).update(finding.words)
        refused.setdefault(finding.file, set()).add(
            f"{finding.kind} {finding.encoding}"
        )
    rows = []
    for number, plant in enumerate(secrets):
        before = path_of(campaign, number).read_bytes()
        after = path_of(target, number).read_bytes()
        file = f"campaigns/evening/raw/{path_of(campaign, number).name}"
        rows.append(
            {
                "kind": plant.kind,
                "planted": is_left(plant, before),
                "harvested": any(
                    plant.value in e.value or e.value in plant.value for e in told
                ),
                "left": is_left(plant, after),
                "refused": sorted(refused.get(file, ())),
                "named": is_named(plant, words.get(file, set())),
            }
        )
    return rows


def is_named(plant: Plant, words: set[str]) -> bool:
    """Say whether the words of findings hold a secret, or a part of it."""
    spelled = (plant.value.lower(), plant.needle.decode("latin-1").lower())
    return plant.needle.hex() in " ".join(words) or any(
        word.lower() in each or each in word.lower()
        for word in words
        for each in spelled
    )


def is_left(plant: Plant, capture: bytes) -> bool:
    """Say whether a secret still lies in a capture, whole or key by key."""
    return plant.needle in (said_of(capture) if "key by key" in plant.kind else capture)


def said_of(capture: bytes) -> bytes:
    """Return the last byte of each segment of a capture of segments of one byte."""
    marks = capture.split(b"\x08\x00\x45\x00\x00\x29")
    return b"".join(mark[36:37] for mark in marks[1:])


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures."""
    n = len(rows)
    escaped = [r["kind"] for r in rows if r["left"] and not r["refused"]]
    by = Counter(r["refused"][0].split()[0] for r in rows if r["left"] and r["refused"])
    return {
        "secrets": n,
        "kinds": len({r["kind"] for r in rows}),
        "harvested": sum(r["harvested"] for r in rows),
        "left_after": sum(r["left"] for r in rows),
        "left_and_refused": sum(bool(r["left"] and r["refused"]) for r in rows),
        "left_and_named": sum(r["left"] and r["named"] for r in rows),
        "refused_by": dict(by),
        "not_named": [r["kind"] for r in rows if r["left"] and not r["named"]],
        "escaped": escaped,
    }


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    asked = parser.parse_args()
    figures: dict[str, Any] = {"seeds": asked.seeds}
    for name, blind in (("with_harvest", False), ("audit_alone", True)):
        for seed in map(int, asked.seeds.split(",")):
            with tempfile.TemporaryDirectory(prefix="testbed-redteam-") as place:
                rows = attacked(Path(place), seed, blind=blind)
            figures.setdefault(name, {})[seed] = summary(rows)
            assert all(row["planted"] for row in rows), rows
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=2) + "\n"
    (asked.out / "redteam.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
