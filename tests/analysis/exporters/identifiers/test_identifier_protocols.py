"""Secrets of many protocols are planted in frames: harvest finds each by itself."""

import base64
import ipaddress
import json
import struct

import numpy as np
import pytest

from analysis.exporters.anonymise import Policy, Pseudonyms, anonymise_capture
from analysis.exporters.identifiers import keyed
from analysis.exporters.identifiers.captured import harvest_capture
from analysis.exporters.identifiers.gathered import Gathered
from analysis.exporters.identifiers.public import Products
from analysis.exporters.identifiers.speech import PORTS
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture

HOST, ROUTER = bytes.fromhex("50c7bf6be019"), bytes.fromhex("d80d17aabc01")
START_NS = 1_767_607_200_000_000_000
COOKIE = bytes.fromhex("2112a442")


def four(text):
    return ipaddress.ip_address(text).packed


def sized(text, form=">H"):
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(form, len(raw)) + raw


def tlv(tag, *parts):
    raw = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    size = (
        bytes([len(raw)]) if len(raw) < 128 else b"\x82" + struct.pack(">H", len(raw))
    )
    return bytes([tag]) + size + raw


def eth(kind, body):
    return ROUTER + HOST + struct.pack(">H", kind) + body


def ip(protocol, body, source="192.168.178.33", target="203.0.113.40"):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    return eth(0x0800, head + four(source) + four(target) + body)


def ip6(protocol, body, source="fe80::1", target="ff02::1", mac=HOST):
    head = struct.pack(">IHBB", 6 << 28, len(body), protocol, 255)
    frame = eth(0x86DD, head + four(source) + four(target) + body)
    return frame[:6] + mac + frame[12:]


def udp(ports, body):
    return [ip(17, struct.pack(">HHHH", *ports, 8 + len(body), 0) + body)]


class Talk:
    """Each call is a TCP connection of its own."""

    port = 41000

    def __call__(self, port, *parts, up=True):
        Talk.port += 1
        ends, seq, frames = (Talk.port, port) if up else (port, Talk.port), 1000, []
        for part in parts:
            raw = part.encode() if isinstance(part, str) else part
            tcp = struct.pack(">HHIIBBHHH", *ends, seq, 1, 0x50, 0x18, 8192, 0, 0)
            frames.append(ip(6, tcp + raw))
            seq += len(raw)
        return frames


tcp = Talk()


def page(text, kind="application/json"):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}"
    return tcp(80, f"{head}\r\n\r\n{text}", up=False)


def asked(line, *headers, port=80):
    return tcp(port, "\r\n".join((line, *headers, "", "")))


def stun(kind, attribute, address, hidden, framed=False):
    raw, family = four(address), 1 if "." in address else 2
    if hidden:
        mask = COOKIE + b"T" * 12
        raw = bytes(a ^ b for a, b in zip(raw, mask, strict=False))
    value = bytes([0, family]) + struct.pack(">H", 4711) + raw
    body = struct.pack(">HH", attribute, len(value)) + value
    head = struct.pack(">HH", kind, len(body)) + COOKIE + b"T" * 12
    message = head + body
    return (
        tcp(3478, sized(message), up=False) if framed else udp((3478, 50001), message)
    )


def mqtt(version, client, user, secret, topic):
    name = sized("MQTT") + bytes([version, 0xC2, 0, 60])
    gap = b"\0" if version == 5 else b""
    body = name + gap + sized(client) + sized(user) + sized(secret)
    wish = struct.pack(">H", 1) + gap + sized(topic) + b"\0"
    return tcp(
        1883, tlv(0x10, body) + tlv(0x82, wish) + tlv(0x30, sized(topic), b'{"on":1}')
    )


def snmp(community, *pairs):
    bound = b"".join(
        tlv(0x30, tlv(6, bytes.fromhex("2b0601020101") + bytes([k, 0])), tlv(4, v))
        for k, v in pairs
    )
    asks = tlv(0xA2, tlv(2, b"\1"), tlv(2, b"\0"), tlv(2, b"\0"), tlv(0x30, bound))
    return udp((161, 50003), tlv(0x30, tlv(2, b"\1"), tlv(4, community), asks))


def snmp3(user):
    wrapped = tlv(0x30, tlv(4, b"\x80\0\1"), tlv(2, b"\1"), tlv(2, b"\1"), tlv(4, user))
    head = tlv(0x30, tlv(2, b"\1"), tlv(2, b"\7"), tlv(4, b"\4"), tlv(2, b"\3"))
    return udp((50003, 161), tlv(0x30, tlv(2, b"\3"), head, tlv(4, wrapped)))


def option(code, data):
    return bytes([code]) + sized(data, ">B")


def dhcp(*options):
    head = struct.pack(">BBBBIHH", 1, 1, 6, 0, 77, 0, 0) + bytes(16) + HOST + bytes(202)
    body = head + b"\x63\x82\x53\x63" + option(53, b"\3") + b"".join(options) + b"\xff"
    return udp((68, 67), body)


def labels(name):
    return b"".join(sized(part, ">B") for part in name.split(".")) + b"\0"


def dns(name):
    head = struct.pack(">6H", 77, 0x100, 1, 0, 0, 0)
    return udp((50100, 53), head + labels(name) + struct.pack(">HH", 1, 1))


def certificate(subject, *others):
    named = b"".join(
        tlv(0x31, tlv(0x30, tlv(6, bytes.fromhex(oid)), tlv(0x0C, text)))
        for oid, text in subject
    )
    more = tlv(0x30, tlv(6, bytes.fromhex("551d11")), tlv(4, tlv(0x30, *others)))
    empty = tlv(0x30, b"")
    parts = (tlv(0xA0, tlv(2, b"\2")), tlv(2, b"\7"), empty, empty, empty)
    signed = tlv(0x30, *parts, tlv(0x30, named), empty, tlv(0xA3, tlv(0x30, more)))
    return tlv(0x30, signed, empty, tlv(3, b"\0\1"))


def tls(made, up=True):
    def long(raw):
        return struct.pack(">I", len(raw))[1:] + raw

    shaken = b"\x0b" + long(long(long(made)))
    cut = len(shaken) // 2 if up else 0  # two records, two segments
    records = (b"\x16\x03\x03" + sized(part) for part in (shaken[:cut], shaken[cut:]))
    return tcp(8883, *records, up=up)


def ntlm(domain, user, machine):
    texts = [each.encode("utf-16-le") for each in (domain, user, machine)]
    at, fields = 64, b""
    for raw in texts:
        fields += struct.pack("<HHI", len(raw), len(raw), at)
        at += len(raw)
    head = b"NTLMSSP\0" + struct.pack("<I", 3) + bytes(16) + fields + bytes(8)
    return head + struct.pack("<I", 1) + b"".join(texts)


def eapol(identity):
    raw = struct.pack(">BBHB", 2, 1, 5 + len(identity), 1) + identity.encode()
    return [eth(0x888E, b"\1\0" + sized(raw))]


def radius(*attributes):
    body = b"".join(bytes([k, 2 + len(v)]) + v for k, v in attributes)
    return udp(
        (50006, 1812), struct.pack(">BBH", 1, 7, 20 + len(body)) + bytes(16) + body
    )


def pppoe(kind, code, body):
    inner = struct.pack(">HBBH", kind, code, 1, 4 + len(body)) + body
    return [eth(0x8864, b"\x11\0\0\1" + sized(inner))]


def lldp(*tlvs):
    parts = (struct.pack(">H", kind << 9 | len(v)) + v for kind, v in tlvs)
    return [eth(0x88CC, b"".join(parts) + bytes(2))]


def cdp(*fields):
    body = b"".join(struct.pack(">HH", kind, 4 + len(v)) + v for kind, v in fields)
    raw = b"\xaa\xaa\x03\0\0\x0c\x20\0\x02\xb4\0\0" + body
    return [ROUTER + HOST + sized(raw)]


def coap(*options, said=b""):
    raw, last = b"\x40\x01\0\x07", 0
    for number, text in options:
        value = text.encode()
        head = [number - last, len(value)]
        size = bytes([head[1]]) if head[1] < 13 else bytes([13, head[1] - 13])
        raw += bytes([head[0] << 4 | min(size[0], 13)]) + size[1:] + value
        last = number
    return udp((50007, 5683), raw + b"\xff" + said)


def browser(name, remark):
    raw = name.encode().ljust(16, b"\0")
    return (
        b"\\MAILSLOT\\BROWSE\0\x0f"
        + bytes(5)
        + raw
        + bytes(10)
        + remark.encode()
        + b"\0"
    )


def beacon(name, *attributes):
    raw = b"".join(struct.pack(">HH", kind, len(v)) + v for kind, v in attributes)
    air = (
        b"\x80\0\0\0" + b"\xff" * 6 + ROUTER * 2 + bytes(14) + option(0, name.encode())
    )
    return [(air + option(1, b"\x82") + option(221, b"\0\x50\xf2\4" + raw),)]


def netbios(name):
    raw = name.encode().ljust(15) + b"\0"
    return bytes(0x41 + n for byte in raw for n in (byte >> 4, byte & 15))


def soap(**fields):
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    return page(
        f"<s:Envelope><s:Body><u:x>{inner}</u:x></s:Body></s:Envelope>", "text/xml"
    )


def jsons(**fields):
    return page(json.dumps(fields))


def code(text):
    return base64.b64encode(text.encode()).decode()


def quoted():
    inner = ip(17, struct.pack(">HHHH", 1, 2, 8, 0), "84.172.33.95", "203.0.113.9")[14:]
    return [ip(1, struct.pack(">BBHI", 3, 3, 0, 0) + inner)]


def announced(prefix):
    body = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    body += struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 9, 9, 0) + four(prefix)
    body += struct.pack(">BBBBI", 24, 2, 64, 0, 9) + four("fd56:2674:7909:1::")[:8]
    body += struct.pack(">BBHI", 31, 3, 0, 9) + labels("waldhaus.org").ljust(16, b"\0")
    return [ip6(58, body)]


def delegated(prefix, address):
    lease = struct.pack(">HHII", 26, 25, 9, 9) + b"\x38" + four(prefix)
    own = struct.pack(">HH", 5, 24) + four(address) + bytes(8)
    body = b"\x07abc" + struct.pack(">HHIII", 25, 12 + len(lease), 1, 2, 3) + lease
    body += struct.pack(">HHIII", 3, 12 + len(own), 1, 2, 3) + own
    return udp((547, 546), body)


# protocol: frames, (kind, value) of all that is planted in them
PLANTED = {
    "stun": (stun(0x101, 0x20, "84.172.33.91", True), "ipv4 84.172.33.91"),
    "stun-plain": (stun(0x101, 1, "84.172.33.92", False), "ipv4 84.172.33.92"),
    "stun-six": (stun(0x101, 0x20, "2003:cb:7:1::9", True), "ipv6 2003:cb:7:1::9"),
    "stun-tcp": (stun(0x101, 0x20, "84.172.33.93", True, True), "ipv4 84.172.33.93"),
    "nat-pmp": (
        udp((5351, 50002), struct.pack(">BBHI", 0, 128, 0, 7) + four("84.172.33.94")),
        "ipv4 84.172.33.94",
    ),
    "pcp": (
        udp(
            (5351, 50002),
            b"\2\x81\0\0" + bytes(40) + four("::ffff:84.172.33.96"),
        ),
        "ipv4 84.172.33.96",
    ),
    "icmp": (quoted(), "ipv4 84.172.33.95"),
    "igd": (
        soap(
            NewExternalIPAddress="84.172.34.1",
            NewInternalClient="192.168.44.7",
            NewPreSharedKey="Seerose!19",
            NewKeyPassphrase="Distelfink 4",
            NewWEPKey0="4F6E2A9C31",
            NewSSID="Moosgrund",
            NewMACAddress="50:C7:BF:00:AA:01",
            NewSerialNumber="D391.017.000.221",
        ),
        "ipv4 84.172.34.1",
        "ipv4 192.168.44.7",
        "secret Seerose!19",
        "secret Distelfink 4",
        "secret 4F6E2A9C31",
        "ssid Moosgrund",
        "mac 50:c7:bf:00:aa:01",
        "serial D391.017.000.221",
    ),
    "json-address": (
        jsons(
            ip="84.172.35.1",
            wan_ip="9.172.35.2",
            clientIp="84.172.35.3:50123",
            remoteAddress="2003:cb:4711:beef::1234",
            yours="84.172.35.4",
        ),
        "ipv4 84.172.35.1",
        "ipv4 9.172.35.2",
        "ipv4 84.172.35.3",
        "ipv6 2003:cb:4711:beef::1234",
        "ipv4 84.172.35.4",
    ),
    "text-address": (page("84.1.2.3\n", "text/plain"), "ipv4 84.1.2.3"),
    "http-proxy": (
        asked(
            "GET / HTTP/1.1",
            "Host: nas-huber",
            "X-Forwarded-For: 84.172.36.1, 10.9.8.7",
            "X-Real-IP: 84.172.36.2",
            'Forwarded: for="[2003:cb:36::3]";proto=http',
            "True-Client-IP: 5.172.36.4",
            "Via: 1.1 proxy-huber (squid)",
        ),
        "hostname nas-huber",
        "ipv4 84.172.36.1",
        "ipv4 84.172.36.2",
        "ipv6 2003:cb:36::3",
        "ipv4 5.172.36.4",
        "hostname proxy-huber",
    ),
    "router-advertisement": (
        announced("2003:cb:51::"),
        "ipv6 2003:cb:51::",
        "ipv6 fd56:2674:7909:1::",
        "domain waldhaus.org",
    ),
    "dhcp6": (
        delegated("2003:cb:52::", "2003:cb:53::77"),
        "ipv6 2003:cb:52::",
        "ipv6 2003:cb:53::77",
    ),
    "dynamic-dns": (
        dns("villa-tomhuber.duckdns.org")
        + dns("k3j4h5g6f7d8.myfritz.net")
        + dns("p54ac215b.dip0.t-ipconnect.de")
        + dns("dslb-084-172-037-001.pools.isp.example"),
        "domain villa-tomhuber.duckdns.org",
        "hostname villa-tomhuber",
        "domain k3j4h5g6f7d8.myfritz.net",
        "ipv4 84.172.33.91",
        "domain p54ac215b.dip0.t-ipconnect.de",
        "ipv4 84.172.37.1",
    ),
    "mqtt": (
        mqtt(4, "LampClient7731", "tomhuber", "Vint3rljus", "h/SN4471A902/state"),
        "serial LampClient7731",
        "account tomhuber",
        "secret Vint3rljus",
        "serial SN4471A902",
    ),
    "mqtt-5": (
        mqtt(5, "EimerClient9", "tom.h@post.example", "Krokus77", "a/boiler-7a21/x"),
        "serial EimerClient9",
        "email tom.h@post.example",
        "secret Krokus77",
        "serial boiler-7a21",
    ),
    "ftp": (
        tcp(21, "USER tomhuber2\r\n", "PASS Schlehe!99\r\n"),
        "account tomhuber2",
        "secret Schlehe!99",
    ),
    "smtp": (
        tcp(
            25,
            f"EHLO kellerpc7\r\nAUTH LOGIN\r\n{code('ahuber3')}\r\n",
            f"{code('Iltis#4')}\r\n",
            "MAIL FROM:<anna.h@post.example>\r\nRCPT TO:<briefkasten9>\r\n",
        )
        + tcp(587, f"AUTH PLAIN {code(chr(0) + 'bhuber4' + chr(0) + 'Luchs#5')}\r\n"),
        "hostname kellerpc7",
        "account ahuber3",
        "secret Iltis#4",
        "email anna.h@post.example",
        "account briefkasten9",
        "account bhuber4",
        "secret Luchs#5",
    ),
    "pop3": (
        tcp(110, "USER chuber5\r\nPASS Marder#6\r\n"),
        "account chuber5",
        "secret Marder#6",
    ),
    "imap": (
        tcp(143, 'a1 LOGIN "dhuber6" "Nerz #7"\r\n'),
        "account dhuber6",
        "secret Nerz #7",
    ),
    "snmp": (
        snmp(
            "NachtigallQ",
            (4, "Greta Ohnesorg"),
            (5, "huber-switch-2"),
            (6, "Seegasse 14"),
        ),
        "secret NachtigallQ",
        "person Greta Ohnesorg",
        "hostname huber-switch-2",
        "place Seegasse 14",
    ),
    "snmp-3": (snmp3("ehuber7"), "account ehuber7"),
    "hue": (
        asked("GET /api/9sXjkQ1lPmVb3TzU8wYc0dEhR5nGa2oK/lights/1 HTTP/1.1"),
        "token 9sXjkQ1lPmVb3TzU8wYc0dEhR5nGa2oK",
    ),
    "http": (
        asked(
            "GET /a?access_token=Qw8ErT5yUi2O&home=1 HTTP/1.1",
            f"Authorization: Basic {code('fhuber8:Otter#8')}",
            "Referer: http://nas9/tomhuber3",
            "User-Agent: App/2.1 (Annika\u2019s iPhone; iOS 17)",
        )
        + asked("GET / HTTP/1.1", 'Authorization: Digest username="ghuber9", uri="/"')
        + tcp(80, "HTTP/1.1 200 OK\r\nSet-Cookie: sid=Aa7bb2Cc9dd4; Path=/\r\n\r\n"),
        "token Qw8ErT5yUi2O",
        "account fhuber8",
        "secret Otter#8",
        "account tomhuber3",
        "person Annika",
        "account ghuber9",
        "token Aa7bb2Cc9dd4",
    ),
    "rtsp": (
        tcp(554, "DESCRIBE rtsp://camuser:Geheim77x@10.77.0.11/live RTSP/1.0\r\n\r\n")
        + page('{"u":"ftp://hhuber1:Dachs%239@10.77.0.12/x"}'),
        "account camuser",
        "secret Geheim77x",
        "account hhuber1",
        "secret Dachs#9",
    ),
    "sip": (
        udp(
            (50005, 5060),
            b"REGISTER sip:x SIP/2.0\r\n"
            b'From: "Ida Morgenroth" <sip:+4989123456@voip>\r\n'
            b"Contact: <sip:ihuber2@84.172.38.1:5060>\r\n\r\n",
        ),
        "person Ida Morgenroth",
        "person Morgenroth",
        "account +4989123456",
        "account ihuber2",
        "ipv4 84.172.38.1",
    ),
    "telnet": (
        tcp(
            23, b"\xff\xfb\x18\xff\xfa\x18\0xterm\xff\xf0", "jhub", "er3\r\0Fuchs#1\r\0"
        ),
        "account jhuber3",
        "secret Fuchs#1",
    ),
    "eapol": (eapol("anna.huber-privat"), "account anna.huber-privat"),
    "radius": (
        radius(
            (1, b"khuber4"),
            (31, b"50-C7-BF-00-BB-02"),
            (30, b"D8-0D-17-00-CC-03:Erlenbruch"),
            (32, b"ap-huber-2"),
        ),
        "account khuber4",
        "mac 50:c7:bf:00:bb:02",
        "mac d8:0d:17:00:cc:03",
        "ssid Erlenbruch",
        "hostname ap-huber-2",
    ),
    "pppoe": (
        pppoe(0xC023, 1, sized("lhuber5", ">B") + sized("Igel#22", ">B"))
        + pppoe(0x8021, 3, b"\3\6" + four("84.172.39.1")),
        "account lhuber5",
        "secret Igel#22",
        "ipv4 84.172.39.1",
    ),
    "ldap": (
        tcp(
            389,
            tlv(
                0x30,
                tlv(2, b"\1"),
                tlv(
                    0x60,
                    tlv(2, b"\3"),
                    tlv(4, "uid=mhuber6,dc=x"),
                    tlv(0x80, "Biber#3"),
                ),
            ),
        ),
        "account mhuber6",
        "secret Biber#3",
    ),
    "irc": (
        tcp(6667, "NICK nhuber7\r\nUSER ohuber8 0 * :Olga Wiesengrund\r\n"),
        "account nhuber7",
        "account ohuber8",
        "person Olga Wiesengrund",
    ),
    "xmpp": (
        tcp(
            5222,
            "<iq from='phuber9@heim-7/Tablet-Lotte' to='x'/><auth mechanism='PLAIN'>"
            f"{code(chr(0) + 'qhuber1' + chr(0) + 'Wiesel#4')}</auth>",
        ),
        "account phuber9",
        "hostname heim-7",
        "person Tablet-Lotte",
        "account qhuber1",
        "secret Wiesel#4",
    ),
    "coap": (
        coap(
            (3, "meter-h7.lan"),
            (11, "rd"),
            (15, "ep=EP4471B920"),
            said=b'{"token":"cO4p7Zx9Kq"}',
        ),
        "hostname meter-h7",
        "serial EP4471B920",
        "token cO4p7Zx9Kq",
    ),
    "kerberos": (
        udp(
            (50008, 88),
            tlv(0x6A, tlv(0x30, tlv(0x1B, "rhuber2"), tlv(0x1B, "HUBERHEIM.LAN"))),
        ),
        "account rhuber2",
        "hostname HUBERHEIM",
    ),
    "smb": (
        tcp(445, bytes(8) + ntlm("HUBERDOM", "shuber3", "LAPTOP-K7M2Q"), bytes(4))
        + tcp(445, b"\xfeSMB" + "\\\\SPEICHER-9\\fotos".encode("utf-16-le") + bytes(4)),
        "hostname HUBERDOM",
        "account shuber3",
        "hostname LAPTOP-K7M2Q",
        "hostname SPEICHER-9",
    ),
    "syslog": (
        udp((50004, 514), b"<30>Nov 21 22:00:00 huberrouter huber-backup[7]: hello")
        + udp((50004, 514), b"<30>1 2026-01-05T10:00:00Z huberpumpe app 1 - - hi"),
        "hostname huberrouter",
        "hostname huber-backup",
        "hostname huberpumpe",
    ),
    "lldp": (
        lldp(
            (1, b"\4" + bytes.fromhex("50c7bf00dd04")),
            (2, b"\7port-huber-4"),
            (5, b"huber-nas-keller"),
            (8, b"\5\1" + four("192.168.45.8") + bytes(6)),
        ),
        "mac 50:c7:bf:00:dd:04",
        "hostname port-huber-4",
        "hostname huber-nas-keller",
        "ipv4 192.168.45.8",
    ),
    "cdp": (
        cdp(
            (1, b"huber-telefon-1"),
            (2, struct.pack(">I", 1) + b"\1\1\xcc\0\4" + four("192.168.46.9")),
        ),
        "hostname huber-telefon-1",
        "ipv4 192.168.46.9",
    ),
    "dhcp": (
        dhcp(
            option(12, b"Eva"),
            option(60, b"huber-vendor99"),
            option(61, b"\0client-huber-61"),
            option(77, sized("gruppe-huber", ">B")),
            option(82, option(1, b"dslam-7/3/22") + option(2, b"KD-4471-9920")),
            option(119, labels("familie-huber.org")),
            option(125, b"\0\0\x0d\xe9\x0e" + option(5, b"AVM4471B2209")),
        ),
        "hostname Eva",
        "serial huber-vendor99",
        "serial client-huber-61",
        "hostname gruppe-huber",
        "serial dslam-7/3/22",
        "serial KD-4471-9920",
        "domain familie-huber.org",
        "serial AVM4471B2209",
    ),
    "tls-client": (
        tls(
            certificate(
                [
                    ("550403", "DSN-G090LF1070123ABC"),
                    ("0992268993f22c640101", "thuber4"),
                ],
                tlv(0x82, "gw-huber.lan"),
                tlv(0x87, four("192.168.47.1")),
                tlv(0x81, "uta.h@post.example"),
            )
        ),
        "serial DSN-G090LF1070123ABC",
        "account thuber4",
        "hostname gw-huber",
        "ipv4 192.168.47.1",
        "email uta.h@post.example",
    ),
    "tls-server": (
        tls(
            certificate([("550403", "huber-kamera.local"), ("550407", "Ulmstadt")]),
            False,
        ),
        "hostname huber-kamera",
        "place Ulmstadt",
    ),
    "json-people": (
        jsons(
            home_name="Haus Huber",
            room="Annas Schlafzimmer",
            name="Friederike",
            owner="Gerd Huber-Lenz",
            phone="+49 89 4471-220",
            street="Am Hang 7",
            city="Neuhausen",
            zip="81447",
            birthday="1987-04-21",
            friendlyName="Ottos Eisenbahn",
            psk="Lerche##7",
            wifi_pw="abcd1234!",
            note="\u00c5sa H\u00f6gberg",
        ),
        "person Haus Huber",
        "person Annas Schlafzimmer",
        "person Friederike",
        "person Gerd Huber-Lenz",
        "account +49 89 4471-220",
        "place Am Hang 7",
        "place Neuhausen",
        "place 81447",
        "secret 1987-04-21",
        "person Ottos Eisenbahn",
        "secret Lerche##7",
        "secret abcd1234!",
        "person \u00c5sa H\u00f6gberg",
        "person H\u00f6gberg",
    ),
    "mndp": (
        udp(
            (5678, 5678),
            bytes(4)
            + b"\0\1\0\6"
            + bytes.fromhex("50c7bf00ee05")
            + struct.pack(">H", 5)
            + sized("mikrotik-huber")
            + b"\0\x11\0\4"
            + four("192.168.48.1"),
        ),
        "mac 50:c7:bf:00:ee:05",
        "hostname mikrotik-huber",
        "ipv4 192.168.48.1",
    ),
    "ubnt": (
        udp(
            (10001, 50010),
            b"\1\0\0\x40\2\0\x0a"
            + bytes.fromhex("50c7bf00ef06")
            + four("192.168.49.1")
            + b"\x0b"
            + sized("ap-dachhuber")
            + b"\x0d"
            + sized("Dachsbau"),
        ),
        "mac 50:c7:bf:00:ef:06",
        "ipv4 192.168.49.1",
        "hostname ap-dachhuber",
        "ssid Dachsbau",
    ),
    "wake-on-lan": (
        udp((50011, 9), b"\xff" * 6 + bytes.fromhex("001fe47c550a") * 16),
        "mac 00:1f:e4:7c:55:0a",
    ),
    "machine-names": (
        dhcp(option(12, b"laptop-h3.uni.example"), option(15, b"huberheim"))
        + udp(
            (546, 547),
            b"\1abc"
            + struct.pack(">HH", 39, 23)
            + b"\0"
            + labels("pc-h4.schule.example"),
        )
        + asked("GET /log/50C7BF0AB1C2 HTTP/1.1"),
        "hostname laptop-h3",
        "domain laptop-h3.uni.example",
        "hostname huberheim",
        "hostname pc-h4",
        "domain pc-h4.schule.example",
        "mac 50:c7:bf:0a:b1:c2",
    ),
    "onvif": (
        udp(
            (3702, 3702),
            b"<d:Scopes>onvif://www.onvif.org/name/KameraHuber "
            b"onvif://www.onvif.org/location/city/ulmstadt</d:Scopes>",
        ),
        "person KameraHuber",
        "place ulmstadt",
    ),
    "netbios": (
        [
            *udp(
                (138, 138),
                bytes(14) + b"\x20" + netbios("HUBER-PC") + bytes(41),
            ),
            ROUTER
            + HOST
            + sized(b"\xf0\xf0\3" + browser("DRUCKER-K9", "Drucker Lenz")),
            *tcp(139, b"\x81\0\0\x44\x20" + netbios("KELLER-PC") + bytes(35)),
        ],
        "hostname HUBER-PC",
        "hostname DRUCKER-K9",
        "person Drucker Lenz",
        "hostname KELLER-PC",
    ),
    "hue-list": (
        page('{"whitelist":{"8rWiJp0kOlUa2SyT7vXb9":{"name":"app#iPhone Wilma"}}}'),
        "token 8rWiJp0kOlUa2SyT7vXb9",
        "person app#iPhone Wilma",
    ),
    "wps": (
        beacon(
            "Huberwald",
            (0x1011, b"Kamera Ulrike"),
            (0x1042, b"WPS4471B8"),
            (0x1047, bytes.fromhex("63041253101920061228d80d17aabc01")),
        ),
        "ssid Huberwald",
        "person Kamera Ulrike",
        "serial WPS4471B8",
        "uuid 63041253-1019-2006-1228-d80d17aabc01",
    ),
    "wide": (
        tcp(80, '{"ssid":"HuberHeim5"}'.encode("utf-16-le")),
        "ssid HuberHeim5",
    ),
    "autokey": (
        udp((9999, 50009), keyed(b'{"alias":"Uhus Nest"}')),
        "person Uhus Nest",
    ),
    "host-six": (
        [ip6(59, b"", "2003:cb:54::aa", "2a00:1450::1")],
        "ipv6 2003:cb:54::aa",
        "ipv6 2003:cb:54::",
    ),
}
SECRETS = [
    (protocol, *each.split(" ", 1))
    for protocol, (_, *told) in PLANTED.items()
    for each in told
]
# what none of these may be taken for: frames of words that everybody uses
EVERYDAY = (
    jsons(
        name="Living Room",
        room="Kitchen",
        user="admin",
        state="on",
        secret="none",  # noqa: S106
        key="brightness",
        id="17",
        message="Not Found",
        fw="2.0.0.11",
        version="3.172.33.9",
    )
    + mqtt(4, "homeassistant", "mosquitto", "password", "home/livingroom/lamp/set")
    + tcp(21, "USER anonymous\r\n", "PASS guest\r\n")
    + snmp("public", (5, "switch"), (6, "office"))
    + asked("GET /api/v1/devices/status HTTP/1.1", "Host: api.vendor.com")
    + dhcp(option(60, b"udhcp 1.24.1"), option(15, b"fritz.box"), option(12, b"tv"))
    + dns("www.duckdns.org")
    + dns("ec2-52-1-2-3.compute-1.amazonaws.com")
    + tls(certificate([("550403", "*.vendor.com"), ("550405", "HRB 4471")]), False)
    + lldp((2, b"\5eth0"), (5, b"router"))
    + udp((50004, 514), b"<30>Nov 21 22:00:00 router dnsmasq[7]: hello")
)


def harvested(path, frames):
    links = (Interface(link=1), Interface(link=105))
    with open_capture(path, interfaces=links) as out:
        for number, frame in enumerate(frames):
            in_air = isinstance(frame, tuple)
            raw = frame[0] if in_air else frame
            out.packet(START_NS + number * 1_000_000, raw, interface=int(in_air))
    return {(each.kind, each.value) for each in harvest_of(path)}


def harvest_of(path):
    gathered = Gathered(Products({}), "keep-public")
    harvest_capture(path, gathered)
    return tuple(gathered.identifiers())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    frames = [frame for made, *_ in PLANTED.values() for frame in made]
    return harvested(tmp_path_factory.mktemp("planted") / "c.pcapng", frames)


def test_a_hundred_secrets_of_many_protocols_are_planted():
    assert len(SECRETS) >= 100
    assert len({protocol for protocol, _, _ in SECRETS}) >= 25


@pytest.mark.parametrize(("protocol", "kind", "value"), SECRETS)
def test_a_planted_secret_is_harvested(found, protocol, kind, value):
    assert (kind, value) in found


def test_nothing_of_it_is_harvested_again_after_the_anonymiser(tmp_path):
    frames = [frame for made, *_ in PLANTED.values() for frame in made]
    before, after = tmp_path / "before.pcapng", tmp_path / "after.pcapng"
    harvested(before, frames)
    told = harvest_of(before)
    anonymise_capture(
        before,
        after,
        pseudonyms=Pseudonyms(bytes(range(32))),
        identifiers=told,
        policy=Policy(),
    )
    values = {each.value for each in told}
    left = {each.value for each in harvest_of(after)} & values
    assert left == set()


def test_what_everybody_says_is_not_harvested(tmp_path):
    found = harvested(tmp_path / "c.pcapng", EVERYDAY)
    assert {each for each in found if each[0] not in ("mac", "ipv4")} == set()
    assert {value for kind, value in found if kind == "ipv4"} == {
        "192.168.178.33",
        "203.0.113.40",
    }


def test_noise_at_any_port_is_no_identifier(tmp_path):
    rng = np.random.default_rng(12)
    frames = []
    for port in (*PORTS, 1883, 23, 25, 389, 445, 443, 3702, 50000):
        for size in rng.integers(4, 400, 12).tolist():
            frames += udp((port, 50100), rng.bytes(size))
            frames += tcp(port, rng.bytes(size))
    for kind in (0x88CC, 0x888E, 0x8863, 0x8864, 0x8137):
        frames += [eth(kind, rng.bytes(200)) for _ in range(12)]
    found = harvested(tmp_path / "c.pcapng", frames)
    assert {value for kind, value in found if kind != "mac"} == {
        "192.168.178.33",
        "203.0.113.40",
    }
    assert len(found) == 4
