"""Secrets in what runs a network: names, addresses, gateways, TLS."""

import struct
import zlib
from ipaddress import ip_address

from tests.bench.redteam.frames import (
    HERE_MAC,
    THERE,
    der,
    ethernet,
    labels,
    prefixed,
    request,
    tcp,
    udp,
)
from tests.bench.redteam.home import Home, Plant, Plants


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


def beside_tls(home: Home) -> Plants:
    """Names beside records of a connection whose beginning nobody captured."""
    drawn = home.random.randbytes
    rest, sealed = drawn(77), b"".join(_record(drawn(300)) for _ in range(5))
    for kind, before, behind in (
        ("before records", b"", rest + sealed),
        ("behind records", rest + sealed, b""),
        ("between records", rest + sealed, sealed),
    ):
        who = home.name()
        said = f"owner={who}; room=kitchen; state=on".encode()
        yield kind, who, who.encode(), tcp(8883, before + said + behind)
    who = home.name()
    own = b"\0\x01\x0a" + prefixed(who, ">B") + b"\x10\0\0\x01\x12\x02on"
    frames = tcp(8883, rest + _record(own) * 5)
    yield "in frames like records", who, who.encode(), frames
    who = home.name()
    own = bytes(90) + own[:4] + prefixed(who, ">B") + bytes(200)
    frames = tcp(8883, rest + sealed + _record(own) + sealed)
    yield "in one such frame of many", who, who.encode(), frames
    who = home.name()
    said = drawn(200) + f"here lives {who}, behind the mill".encode() + drawn(200)
    frames = tcp(8883, rest + sealed + _record(said) + sealed)
    yield "sentence in a record", who, who.encode(), frames
    who = home.name(4)  # of fewer letters noise holds too many
    said = (drawn(400) + b"\0%d:%s\0" % (k, who.encode()) + drawn(400) for k in (1, 2))
    frames = tcp(8883, rest + sealed + b"".join(map(_record, said)) + sealed)
    yield "twice in records", who, who.encode(), frames
    who = home.name()
    own = _record(b"\0\x01\x0a" + prefixed(who, ">B") + bytes(range(40, 200)))
    frames = tcp(8883, b"HELLO lamp\r\n", _record(bytes(range(90, 240))), *[own] * 80)
    frames.insert(75, frames.pop(2))
    yield "in frames, one of them late", who, who.encode(), frames
    who = home.name()
    frames = tcp(8883, rest, sealed, f"owner={who}; room=kitchen; on=1".encode())
    yield "behind a gap in records", who, who.encode(), [*frames[:2], frames[3]]
    who = home.name()
    packed = zlib.compress(f'{{"owner":"{who}","room":"kitchen"}}'.encode())
    yield "deflated in such frames", who, packed, tcp(8883, rest + _record(packed) * 5)
    who = "".join(home.random.choices("абвгдежиклмнопрсту", k=9))
    said = f'{{"owner":"{who}","room":"кухня у окна"}}'.encode() * 6
    frames = tcp(8883, rest + _record(said) * 5)
    yield "cyrillic in such frames", who, who.encode(), frames


def _record(body: bytes) -> bytes:
    return b"\x17\x03\x03" + prefixed(body)


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
