"""Payloads that dissectors look into, so they must be right: TLS hellos, DNS, NTP."""

import struct

import numpy as np

SERVERS = (
    "api.camera.example",
    "stream.camera.example",
    "voice.speaker.example",
    "music.speaker.example",
    "device.plug.example",
    "push.plug.example",
    "time.cloud.example",
    "update.cloud.example",
)


def build_templates() -> list[bytes]:
    """Return the client hello, the server hello, mDNS, NTP asked and answered,
    a poll inside the house, then the DNS question and the answer for each of `SERVERS`.
    """
    asked = struct.pack("!BBbb", 0x23, 0, 6, -20) + bytes(44)
    stamps = struct.pack("!8I", *(3_976_214_400, 1) * 4)
    answered = struct.pack("!BBbb", 0x24, 2, 6, -20) + bytes(8) + b"GPS\0" + stamps
    polled = b'{"method":"getPilot","params":{"state":true,"dimming":100}}'
    made = [client_hello(SERVERS[0]), server_hello(), mdns(), asked, answered, polled]
    for k, name in enumerate(SERVERS):
        made += [dns(name), dns(name, bytes((198, 51, 100, 10 + k)))]
    return made


MDNS, NTP_ASKED, NTP_ANSWERED, POLLED, DNS = 2, 3, 4, 5, 6


def padded_table(made: list[bytes]) -> np.ndarray:
    """Return (k, longest) uint8."""
    table = np.zeros((len(made), max(map(len, made))), np.uint8)
    for row, text in zip(table, made, strict=True):
        row[: len(text)] = np.frombuffer(text, np.uint8)
    return table


def _labels(name: str) -> bytes:
    words = [bytes([len(w)]) + w.encode() for w in name.split(".")]
    return b"".join(words) + b"\0"


def dns(name: str, address: bytes = b"") -> bytes:
    """Return a question for an A record, or its answer; the number is written later."""
    question = _labels(name) + struct.pack("!HH", 1, 1)
    flags = 0x8180 if address else 0x0100
    head = struct.pack("!HHHHHH", 0, flags, 1, bool(address), 0, 0)
    answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + address if address else b""
    return head + question + answer


def mdns() -> bytes:
    """Return a question for a service."""
    head = struct.pack("!HHHHHH", 0, 0, 1, 0, 0, 0)
    return head + _labels("_hap._tcp.local") + struct.pack("!HH", 12, 1)


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def _handshake(kind: int, body: bytes, version: int) -> bytes:
    message = bytes([kind]) + len(body).to_bytes(3, "big") + body
    return struct.pack("!BHH", 22, version, len(message)) + message


def client_hello(name: str) -> bytes:
    """Return a TLS 1.3 client hello that names its server."""
    server = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name.encode()
    share = struct.pack("!HHH", 36, 29, 32) + bytes(range(32))
    extensions = (
        _extension(0, server)
        + _extension(10, struct.pack("!HH", 2, 29))
        + _extension(13, struct.pack("!HHH", 4, 0x0403, 0x0804))
        + _extension(43, struct.pack("!BH", 2, 0x0304))
        + _extension(51, share)
    )
    suites = struct.pack("!HHH", 4, 0x1301, 0x1302)
    body = struct.pack("!H", 0x0303) + bytes(range(32)) + b"\x20" + bytes(range(32))
    body += suites + b"\1\0" + struct.pack("!H", len(extensions)) + extensions
    return _handshake(1, body, 0x0301)


def server_hello() -> bytes:
    """Return a TLS 1.3 server hello and the change of cipher that follows it."""
    share = struct.pack("!HH", 29, 32) + bytes(range(32))
    extensions = _extension(43, struct.pack("!H", 0x0304)) + _extension(51, share)
    body = struct.pack("!H", 0x0303) + bytes(range(32)) + b"\x20" + bytes(range(32))
    body += struct.pack("!HB", 0x1301, 0)
    body += struct.pack("!H", len(extensions)) + extensions
    return _handshake(2, body, 0x0303) + bytes.fromhex("140303000101")
