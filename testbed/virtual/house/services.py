"""What every device says to find its way: DHCP, DNS, NTP, mDNS, SSDP. Real bytes."""

import ipaddress
import struct

from numpy.random import Generator

from testbed.virtual.house.hosts import MDNS, NODES, ROUTER, SSDP, address
from testbed.virtual.house.talk import Talk
from testbed.virtual.traffic import Exchange, Transport

_A, _PTR, _TXT, _SRV = 1, 12, 16, 33


def dns(client: str, host: str, rng: Generator, *, at_s: float = 0.0) -> Exchange:
    """Return the question for a host's address and the router's answer."""
    number = int(rng.integers(0, 1 << 16))
    name = _name(host)
    question = name + struct.pack(">HH", _A, 1)
    asked = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
    ip = ipaddress.ip_address(address(host)).packed
    record = struct.pack(">HHHIH", 0xC00C, _A, 1, 60, 4) + ip
    told = struct.pack(">HHHHHH", number, 0x8580, 1, 1, 0, 0) + question + record
    talk = Talk(client, ROUTER, port=53, transport=Transport.UDP, at_s=at_s)
    talk.up(len(asked), payload=asked)
    return talk.down(
        len(told), payload=told, after_s=float(rng.gamma(2.0, 0.004)) + 0.002
    ).done()


def ntp(client: str, rng: Generator, *, at_s: float = 0.0) -> Exchange:
    """Return one poll of a time server."""
    stamp = rng.bytes(8)
    asked = bytes([0x23, 0, 6, 0xEC]) + bytes(36) + stamp
    told = bytes([0x24, 2, 6, 0xEC]) + bytes(8) + rng.bytes(4) + rng.bytes(8) + stamp
    told += rng.bytes(16)
    talk = Talk(
        client, "pool.ntp.example", port=123, transport=Transport.UDP, at_s=at_s
    )
    talk.up(48, payload=asked)
    return talk.down(48, payload=told, after_s=0.041).done()


def dhcp(client: str, rng: Generator, *, at_s: float = 0.0) -> Exchange:
    """Return the renewal of a lease, request and acknowledgement."""
    node = NODES[client]
    number = rng.bytes(4)
    mac = bytes.fromhex(node.mac.replace(":", ""))
    ip = ipaddress.ip_address(node.ip).packed
    router = ipaddress.ip_address(NODES[ROUTER].ip).packed

    def message(operation: int, kind: int, yours: bytes, options: bytes) -> bytes:
        head = bytes([operation, 1, 6, 0]) + number + bytes(4) + ip + yours + bytes(8)
        body = head + mac + bytes(10) + bytes(192) + bytes.fromhex("63825363")
        return (body + bytes([53, 1, kind]) + options + b"\xff").ljust(300, b"\0")

    name = client.replace("_", "-").encode()
    asked = message(1, 3, bytes(4), bytes([12, len(name)]) + name)
    lease = bytes([54, 4]) + router + bytes([51, 4]) + struct.pack(">I", 43_200)
    lease += bytes([1, 4, 255, 255, 255, 0, 3, 4]) + router + bytes([6, 4]) + router
    told = message(2, 5, ip, lease)
    talk = Talk(client, ROUTER, port=67, transport=Transport.UDP, at_s=at_s)
    talk.up(len(asked), payload=asked)
    return talk.down(len(told), payload=told, after_s=0.006).done()


def mdns(
    client: str, service: str, rng: Generator, *, at_s: float = 0.0, times: int = 2
) -> Exchange:
    """Return a burst of announcements of `service`, such as '_hap._tcp.local'."""
    instance = _label(client.replace("_", "-")) + b"\xc0\x0c"
    pointer = _name(service) + struct.pack(">HHIH", _PTR, 1, 4500, len(instance))
    text = b"".join(_label(t) for t in ("md=virtual", "pv=1.1", f"sf={len(client)}"))
    records = pointer + instance
    owner = struct.pack(">H", 0xC000 | (12 + len(pointer)))
    records += owner + struct.pack(">HHIH", _TXT, 0x8001, 4500, len(text)) + text
    packet = struct.pack(">HHHHHH", 0, 0x8400, 0, 2, 0, 0) + records
    talk = Talk(client, MDNS, port=5353, transport=Transport.UDP, at_s=at_s)
    for turn in range(times):
        gap_s = float(rng.uniform(0.9, 1.1)) if turn else 0.0
        talk.up(len(packet), payload=packet, after_s=gap_s)
    return talk.done()


def mdns_question(
    client: str, service: str, rng: Generator, *, at_s: float = 0.0
) -> Exchange:
    """Return a question for everyone who offers `service`."""
    question = _name(service) + struct.pack(">HH", _PTR, 1)
    packet = struct.pack(">HHHHHH", 0, 0, 1, 0, 0, 0) + question
    talk = Talk(client, MDNS, port=5353, transport=Transport.UDP, at_s=at_s)
    talk.up(len(packet), payload=packet)
    if rng.random() < 0.5:
        talk.up(len(packet), payload=packet, after_s=1.0)
    return talk.done()


def ssdp(client: str, port: int, rng: Generator, *, at_s: float = 0.0) -> Exchange:
    """Return a burst of NOTIFY messages as UPnP devices send them."""
    talk = Talk(client, SSDP, port=1900, transport=Transport.UDP, at_s=at_s)
    uuid = f"uuid:Virtual-1_0-{client}"
    for kind in ("upnp:rootdevice", uuid, "urn:Belkin:device:insight:1"):
        usn = uuid if kind == uuid else f"{uuid}::{kind}"
        text = (
            "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
            "CACHE-CONTROL: max-age=86400\r\n"
            f"LOCATION: http://{address(client)}:{port}/setup.xml\r\n"
            f"NT: {kind}\r\nNTS: ssdp:alive\r\n"
            "SERVER: Unspecified, UPnP/1.0, Unspecified\r\n"
            f"USN: {usn}\r\n\r\n"
        ).encode()
        talk.up(len(text), payload=text, after_s=float(rng.uniform(0.01, 0.12)))
    return talk.done()


def _label(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _name(host: str) -> bytes:
    return b"".join(_label(part) for part in host.split(".")) + b"\0"
