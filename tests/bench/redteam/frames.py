"""What is said, in frames of Ethernet, IP, TCP and UDP, and parts of what they say."""

import struct
import zlib
from ipaddress import ip_address

START_NS = 1_767_607_200_000_000_000
HERE, THERE, CLOUD = "192.168.7.31", "192.168.7.1", "203.0.113.9"
HERE_MAC, THERE_MAC = "50c7bf4411a2", "d80d1722bb01"


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
