"""Make frames up around what a trace tells of its packets: headers, no content.

A frame holds an Ethernet header and, as far as its length has room, an IP header and
one of TCP, UDP or the protocol that is named. A packet whose protocol is not known
becomes a datagram (UDP), since that invents neither an order of bytes nor flags. One
too short for any IP packet, or said to be none, has the EtherType for local
experiments. Checksums add up where the whole packet is there; elsewhere nobody can look
at them.
"""

import ipaddress
import struct
from collections import defaultdict

from analysis.importers.trace_rows import ETHERNET_B, NOT_IP, UNKNOWN, Packets

DEVICE_PORT = 49_152
# of documentation (RFC 5737, RFC 3849): nobody's
_NEAR = {4: "192.0.2.1", 6: "2001:db8::1"}
_FAR = "198.51.100.1"
_FAR_MAC = bytes.fromhex("020000000002")
_EXPERIMENT = 0x88B5  # IEEE 802, for local experiments
_ETHERTYPES = {4: 0x0800, 6: 0x86DD}
_IP_HEADS_B = {4: 20, 6: 40}
_TCP, _UDP = 6, 17
_HEADS_B = {_TCP: 20, _UDP: 8}
_CHECKSUM_AT = {_TCP: 16, _UDP: 6}
_NO_ROOM = 253  # for experiments (RFC 3692): too short for what it is said to be
_ACK, _PSH = 0x10, 0x08
_WINDOW = 0xFFFF


class FrameMaker:
    """Makes the frames of one capture; what TCP counts goes on from trace to trace."""

    def __init__(self, device_mac: str) -> None:
        self._device = bytes.fromhex(device_mac.replace(":", ""))
        # (remote, port, sent by the device) -> bytes sent so far
        self._sent: defaultdict[tuple[str, int, bool], int] = defaultdict(int)

    def frames(self, packets: Packets) -> list[bytes]:
        """Return the captured bytes of each packet; the rest was not captured."""
        columns = (
            packets.length_b.tolist(),
            packets.outbound.tolist(),
            packets.protocol.tolist(),
            packets.port.tolist(),
            packets.remote,
        )
        return [self._frame(*row) for row in zip(*columns, strict=True)]

    def _frame(
        self, length_b: int, outbound: bool, protocol: int, port: int, remote: str
    ) -> bytes:
        far = ipaddress.ip_address(remote or _FAR)
        near = ipaddress.ip_address(_NEAR[far.version])
        room_b = length_b - ETHERNET_B - _IP_HEADS_B[far.version]
        macs = (_FAR_MAC, self._device) if outbound else (self._device, _FAR_MAC)
        if room_b < 0 or protocol == NOT_IP:
            return b"".join((*macs, _EXPERIMENT.to_bytes(2)))
        wanted = _UDP if protocol == UNKNOWN else protocol
        kind = wanted if room_b >= _HEADS_B.get(wanted, 0) else _NO_ROOM
        ends = (near.packed, far.packed) if outbound else (far.packed, near.packed)
        ports = (DEVICE_PORT, port) if outbound else (port, DEVICE_PORT)
        head = b""
        if kind == _UDP:
            head = struct.pack(">HHHH", *ports, room_b, 0)
        elif kind == _TCP:
            head = self._segment((remote, port, outbound), ports, room_b - 20)
        if room_b == len(head) and kind in _CHECKSUM_AT:
            head = _checked(head, _CHECKSUM_AT[kind], ends, kind)
        ip = _ip(far.version, ends, kind, room_b)
        return b"".join((*macs, _ETHERTYPES[far.version].to_bytes(2), ip, head))

    def _segment(
        self, way: tuple[str, int, bool], ports: tuple[int, int], payload_b: int
    ) -> bytes:
        """Return a TCP header that neither repeats nor leaves out a byte."""
        back = (*way[:2], not way[2])
        seq, ack = self._sent[way] + 1, self._sent[back] + 1
        self._sent[way] += payload_b
        flags = _ACK | (_PSH if payload_b else 0)
        wrapped = (seq % 2**32, ack % 2**32)
        return struct.pack(">HHIIBBHHH", *ports, *wrapped, 0x50, flags, _WINDOW, 0, 0)


def _checked(head: bytes, at: int, ends: tuple[bytes, bytes], protocol: int) -> bytes:
    """Return a header with its checksum; what follows it was not captured, else."""
    size_b = len(head)
    said = _checksum(b"".join(ends) + struct.pack(">HH", protocol, size_b) + head)
    return head[:at] + (said or 0xFFFF).to_bytes(2) + head[at + 2 :]


def _ip(version: int, ends: tuple[bytes, bytes], protocol: int, room_b: int) -> bytes:
    if version == 6:
        return struct.pack(">IHBB", 6 << 28, room_b, protocol, 64) + b"".join(ends)
    bare = struct.pack(">BBHHHBBH", 0x45, 0, 20 + room_b, 0, 0, 64, protocol, 0)
    said = _checksum(bare + b"".join(ends))
    return b"".join((bare[:10], said.to_bytes(2), *ends))


def _checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of an even number of octets."""
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
