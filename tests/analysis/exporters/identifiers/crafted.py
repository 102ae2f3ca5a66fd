"""Frames of many protocols, as small as may be."""

import base64
import ipaddress
import json
import struct

HOST, ROUTER = bytes.fromhex("50c7bf6be019"), bytes.fromhex("d80d17aabc01")
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


def txt(name, *texts):
    told = b"".join(sized(text, ">B") for text in texts)
    head = struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0)
    return head + labels(name) + struct.pack(">HHI", 16, 1, 120) + sized(told)


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
