"""Frames of a twin: headers around what a shape tells, and random bytes inside.

A frame has the length of the one that was recorded. What is between the headers that
IP and TCP need and the payload that was told becomes TCP options that say nothing, or
the padding of a short Ethernet frame. Sequence numbers follow what is sent; checksums
add up.
"""

import ipaddress
import struct
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from numpy.random import Generator

from testbed.virtual.fast.frames import ETHERNET_B, Packet, Way

_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_EXPERIMENT = 0x88B5  # IEEE 802, for local experiments
_FIN, _SYN, _ACK = 1, 2, 16
_SHORT_B = 60  # frames of this length may be padded
_MOST_OPTIONS_B = 40
_WINDOW = 0xFFFF
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, eq=False)
class WholeWay(Way):
    """A way whose packets carry everything behind the EtherType as their payload."""

    ethertype: int = _IPV4

    def header(self, syn: bool) -> bytes:
        """Return the Ethernet header; whatever follows is in the payload."""
        del syn
        return self.target_mac + self.source_mac + self.ethertype.to_bytes(2)


class Flow(NamedTuple):
    """The two ends of a packet's connection."""

    remote: str
    protocol: int
    own_port: int
    remote_port: int


@dataclass(slots=True)
class FrameMaker:
    """Makes the packets of one twin.

    ip   the twin's IPv4 address, packed; its IPv6 addresses are made of its MAC
    """

    mac: bytes
    router_mac: bytes
    ip: bytes
    rng: Generator
    _sent: dict[tuple[Flow, bool], int] = field(default_factory=dict)
    _ways: dict[tuple[bytes, bytes, int], WholeWay] = field(default_factory=dict)
    _number: int = 0

    def packet(
        self, at_ns: int, columns: dict[str, Any], flow: Flow, cause: int
    ) -> Packet:
        """Return one packet.

        columns  what its shape tells of it, as plain numbers
        """
        out = bool(columns["outbound"])
        ethertype = int(columns["ethertype"])
        if not flow.remote:
            known = ethertype in (_IPV4, _IPV6)
            ethertype = _EXPERIMENT if known or not ethertype else ethertype
            body = self._bare(ethertype, out, int(columns["length_b"]))
            way = self._way(out, b"\xff" * 6 if out else self.router_mac, ethertype)
            return Packet(at_ns, way, 0, 0, 0, body, cause)
        far = ipaddress.ip_address(flow.remote)
        near = self.ip if far.version == 4 else near_ip6(self.mac, far.is_link_local)
        ends = (near, far.packed) if out else (far.packed, near)
        head_b = ETHERNET_B + (20 if far.version == 4 else 40)
        room_b = max(0, int(columns["length_b"]) - head_b)
        inner = self._inner(flow, out, columns, room_b, ends)
        self._number += 1
        ip = _ip(far.version, ends, flow.protocol, len(inner), self._number & 0xFFFF)
        padding = bytes(room_b - len(inner))
        other = _group_mac(far.packed) if far.is_multicast else self.router_mac
        way = self._way(out, other, _IPV4 if far.version == 4 else _IPV6)
        return Packet(at_ns, way, 0, 0, 0, ip + inner + padding, cause)

    def forget(self) -> None:
        """Forget all connections: another day has begun."""
        self._sent.clear()

    def _way(self, out: bool, other: bytes, ethertype: int) -> WholeWay:
        source, target = (self.mac, other) if out else (other, self.mac)
        if not out and other[0] & 1:  # nobody sends from a group's address
            source = self.router_mac
        key = (source, target, ethertype)
        if key not in self._ways:
            self._ways[key] = WholeWay(
                source, target, self.ip, self.ip, 0, 0, 0, ethertype=ethertype
            )
        return self._ways[key]

    def _bare(self, ethertype: int, out: bool, length_b: int) -> bytes:
        room_b = max(0, length_b - ETHERNET_B)
        if ethertype != _ARP or room_b < 28:
            return bytes(room_b)
        macs = (self.mac, self.router_mac) if out else (self.router_mac, self.mac)
        router = self.ip[:3] + b"\x01"
        ips = (self.ip, router) if out else (router, self.ip)
        body = bytes.fromhex("0001080006040001") + macs[0] + ips[0] + bytes(6) + ips[1]
        return body.ljust(room_b, b"\0")

    def _inner(
        self,
        flow: Flow,
        out: bool,
        columns: dict[str, Any],
        room_b: int,
        ends: tuple[bytes, bytes],
    ) -> bytes:
        """Return everything above IP, checksum included, not longer than `room_b`."""
        ports = (flow.own_port, flow.remote_port)
        ports = ports if out else ports[::-1]
        payload_b = int(columns["payload_b"])
        if flow.protocol == _TCP and room_b >= 20:
            return self._segment(flow, out, columns, room_b, (ends, ports))
        if flow.protocol == _UDP and room_b >= 8:
            size_b = min(room_b, 8 + payload_b)
            if room_b + ETHERNET_B + 20 > _SHORT_B:
                size_b = room_b
            head = struct.pack(">HHHH", *ports, size_b, 0)
            return _summed(head + self.rng.bytes(size_b - 8), 6, ends, _UDP)
        if flow.protocol == _ICMP and room_b >= 8:
            return _summed(bytes([8]) + bytes(room_b - 1), 2, None, 0)
        if flow.protocol == _ICMP6 and room_b >= 8:
            return _summed(bytes([128]) + bytes(room_b - 1), 2, ends, _ICMP6)
        return bytes(room_b)

    def _segment(
        self,
        flow: Flow,
        out: bool,
        columns: dict[str, Any],
        room_b: int,
        between: tuple[tuple[bytes, bytes], tuple[int, int]],
    ) -> bytes:
        ends, ports = between
        payload_b = min(int(columns["payload_b"]), room_b - 20)
        options_b = min(_MOST_OPTIONS_B, (room_b - 20 - payload_b) // 4 * 4)
        is_short = room_b + ETHERNET_B + 20 <= _SHORT_B
        if is_short and (room_b - 20 - payload_b) % 4:
            options_b = 0
        elif not is_short:
            payload_b = room_b - 20 - options_b
        flags = int(columns["tcp_flags"]) or _ACK
        way, back = (flow, out), (flow, not out)
        # of a connection that stands, neither side begins at 0: readers compare
        for side in (way, back):
            if side not in self._sent:
                self._sent[side] = int(self.rng.integers(1 << 32))
        seq = self._sent[way]
        ack = self._sent[back] if flags & _ACK else 0
        counted = payload_b + bool(flags & _SYN) + bool(flags & _FIN)
        self._sent[way] = (seq + counted) & _MASK
        offset = (20 + options_b) // 4 << 4
        head = struct.pack(">HHIIBBHHH", *ports, seq, ack, offset, flags, _WINDOW, 0, 0)
        body = head + b"\x01" * options_b + self.rng.bytes(payload_b)
        return _summed(body, 16, ends, _TCP)


@cache
def near_ip6(mac: bytes, link_local: bool) -> bytes:
    """Return an IPv6 address made of a MAC: link-local, or of a private prefix."""
    host = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    prefix = "fe80" if link_local else "fd0000770000"
    return bytes.fromhex(prefix).ljust(8, b"\0") + host


def _group_mac(ip: bytes) -> bytes:
    if len(ip) == 16:
        return b"\x33\x33" + ip[12:]
    return b"\x01\x00\x5e" + bytes([ip[1] & 0x7F]) + ip[2:]


def _ip(
    version: int, ends: tuple[bytes, bytes], protocol: int, inner_b: int, number: int
) -> bytes:
    if version == 6:
        return struct.pack(">IHBB", 6 << 28, inner_b, protocol, 64) + b"".join(ends)
    head = struct.pack(
        ">BBHHHBBH", 0x45, 0, 20 + inner_b, number, 0x4000, 64, protocol, 0
    )
    said = _checksum(head + b"".join(ends))
    return head[:10] + said.to_bytes(2) + b"".join(ends)


def _summed(
    inner: bytes, at: int, ends: tuple[bytes, bytes] | None, protocol: int
) -> bytes:
    pseudo = b""
    if ends is not None:
        pseudo = b"".join(ends) + struct.pack(">HH", protocol, len(inner))
    said = _checksum(pseudo + inner) or 0xFFFF
    return inner[:at] + said.to_bytes(2) + inner[at + 2 :]


def _checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    even = octets + b"\0" * (len(octets) % 2)
    total = int.from_bytes(even) % 0xFFFF  # sums of 16-bit words, carries added
    return (0xFFFF - total) & 0xFFFF if total else 0xFFFF if not any(octets) else 0
