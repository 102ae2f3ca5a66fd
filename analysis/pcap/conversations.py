"""Number the conversations of one capture file, and classify its TCP segments.

A conversation is what Wireshark calls a stream: two endpoints, both directions alike,
for TCP and UDP with their ports. TCP ports may be used again: a SYN starts a new
conversation when its sequence number is not the one that its side began with. That is
the whole rule of tshark 4.0; FIN and RST play no part. The number of a conversation is
the order of its appearance in the file; unlike Wireshark's, it counts all protocols
together.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.pcap import tcp
from analysis.pcap.jit import kernel
from analysis.pcap.network import FIRST

_TCP = 6
_SYN, _ACK = 2, 16
_FIRST_SIZE = 1024
# odd numbers that spread the bits of a product
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)

Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]
Int = int | np.int64  # what numba makes one of
Flag = bool | np.bool_
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Uint16 = NDArray[np.uint16]
Uint32 = NDArray[np.uint32]
Uint64 = NDArray[np.uint64]


class Headers(Protocol):
    """The columns of decoded packets that conversations are told by."""

    @property
    def protocol(self) -> Uint8:
        """(n,) IP protocol, 0 for not IP."""

    @property
    def src(self) -> Uint64:
        """(n, 2) address as two halves."""

    @property
    def dst(self) -> Uint64:
        """(n, 2) address as two halves."""

    @property
    def src_port(self) -> Uint16:
        """(n,) port, 0 where there is none."""

    @property
    def dst_port(self) -> Uint16:
        """(n,) port, 0 where there is none."""

    @property
    def payload_b(self) -> Uint32:
        """(n,) bytes above TCP."""

    @property
    def tcp_flags(self) -> Uint8:
        """(n,) low eight flags."""

    @property
    def seq(self) -> Uint32:
        """(n,) sequence number."""

    @property
    def ack(self) -> Uint32:
        """(n,) acknowledgement number."""

    @property
    def fragment(self) -> Uint8:
        """(n,) 1 for a first fragment."""

    @property
    def window(self) -> Uint16:
        """(n,) window as it is in the header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """What conversations say about n packets.

    flow            (n,) int32, number of the conversation; -1 when not IP
    reverse         (n,) bool, against the direction in which it was first seen
    retransmission  (n,) uint8, numbers of `tcp.Retransmission`. tshark marks fast and
                    spurious ones as retransmissions too; here each has one class, and
                    they are exclusive in tshark's rules as well: spurious, else fast,
                    else out of order, else retransmission; a keep-alive is nothing else
    """

    flow: Int32
    reverse: Bool
    retransmission: Uint8


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Who talks in m conversations, in the direction in which each was first seen.

    src, dst            (m, 2) uint64, addresses as two halves
    src_port, dst_port  (m,) uint16, 0 for neither TCP nor UDP and for later fragments
    protocol            (m,) uint8, number of the IP protocol
    """

    src: Uint64
    dst: Uint64
    src_port: Uint16
    dst_port: Uint16
    protocol: Uint8


class Conversations:
    """The conversations of one capture file, fed batch by batch in order of the file.

    Memory grows by some 240 bytes per conversation, never with packets.
    """

    def __init__(self) -> None:
        """Begin a file."""
        self._count = np.zeros(1, dtype=np.int64)
        self._table = np.full(4 * _FIRST_SIZE, -1, dtype=np.int32)
        self._keys = np.zeros((_FIRST_SIZE, 5), dtype=np.uint64)
        self._bases = np.zeros((_FIRST_SIZE, 2), dtype=np.int64)
        self._turns = np.zeros(_FIRST_SIZE, dtype=np.uint8)
        self._sides = np.zeros((2 * _FIRST_SIZE, tcp.SIDE_COLUMNS), dtype=np.int64)
        self._starts = np.zeros((_FIRST_SIZE, tcp.START_COLUMNS), dtype=np.int64)

    def __len__(self) -> int:
        """Return how many conversations there are."""
        return int(self._count[0])

    def add(self, time_ns: Int64, packets: Headers) -> Analysed:
        """Take the next packets of the file.

        time_ns  (n,) int64, stamps in order of the file, which may run back
        """
        flow = np.full(time_ns.size, -1, dtype=np.int32)
        side = np.zeros(time_ns.size, dtype=np.uint8)
        reverse = np.zeros(time_ns.size, dtype=np.bool_)
        code = np.zeros(time_ns.size, dtype=np.uint8)
        segment = _with_segment(packets)
        ends = (packets.src, packets.dst, packets.src_port, packets.dst_port)
        flags, seq, ack = packets.tcp_flags, packets.seq, packets.ack
        done = 0
        while done < time_ns.size:
            done = _number(
                done,
                (packets.protocol, *ends),
                (segment, flags, seq, ack),
                (self._count, self._table, self._keys, self._bases, self._turns),
                (flow, side, reverse),
            )
            if done < time_ns.size:
                self._grow()
        tcp.classify(
            np.flatnonzero(segment),
            (flow, side),
            (time_ns, seq, ack, flags, packets.window, packets.payload_b),
            (self._sides, self._starts),
            code,
        )
        return Analysed(flow=flow, reverse=reverse, retransmission=code)

    def keys(self, first: int = 0) -> Keys:
        """Say who talks in each conversation from number `first` on."""
        key = self._keys[first : len(self)]
        turned = self._turns[first : len(self)].astype(bool)
        low_port = (key[:, 4] >> np.uint64(32)).astype(np.uint16)
        high_port = (key[:, 4] >> np.uint64(16)).astype(np.uint16)
        low, high = key[:, 0:2], key[:, 2:4]
        return Keys(
            src=np.where(turned[:, None], high, low),
            dst=np.where(turned[:, None], low, high),
            src_port=np.where(turned, high_port, low_port),
            dst_port=np.where(turned, low_port, high_port),
            protocol=key[:, 4].astype(np.uint8),
        )

    def _grow(self) -> None:
        """Make room for twice as many conversations."""
        size = 2 * self._turns.size
        for name in ("_keys", "_bases", "_turns", "_sides", "_starts"):
            old = getattr(self, name)
            # zeros of the system: pages that nothing is written to take no memory
            new = np.zeros((2 * len(old), *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self._table = np.full(4 * size, -1, dtype=np.int32)
        _fill(len(self), self._table, self._keys)


def _with_segment(packets: Headers) -> Bool:
    """Say where there is a TCP header to go by.

    Where none was captured flags and window are 0; tshark does not analyse a first
    fragment, for its length is not that of the segment.
    """
    read = (packets.tcp_flags != 0) | (packets.window != 0)
    read &= (packets.protocol == _TCP) & (packets.fragment != FIRST)
    return np.asarray(read, dtype=np.bool_)


@kernel
def _number(
    first: int,
    packets: tuple[Uint8, Uint64, Uint64, Uint16, Uint16],
    segments: tuple[Bool, Uint8, Uint32, Uint32],
    state: tuple[Int64, Int32, Uint64, Int64, Uint8],
    out: tuple[Int32, Uint8, Bool],
) -> int:
    """Give packets from row `first` on their number; return where room ran out.

    packets   protocol, source and destination: addresses, ports
    segments  where there is a TCP header; flags, sequence and acknowledgement numbers
    state     how many there are; hash table of the latest of each key; keys; first
              number of each side; whether the first packet went to the lower endpoint
    out       conversation, sending side, direction; written
    """
    protocol, src, dst, src_port, dst_port = packets
    segment, flags, seq, ack = segments
    count, table, keys, bases, turns = state
    flow, side, reverse = out
    key = np.zeros(5, dtype=np.uint64)
    for i in range(first, protocol.size):
        if count[0] >= turns.size:
            return i
        if protocol[i] == 0:
            continue
        turned = _order(key, src[i], dst[i], (src_port[i], dst_port[i]), protocol[i])
        slot = _find(key, table, keys)
        f = np.int64(table[slot])
        new: Flag = f < 0
        if segment[i] and not new:
            new = _starts_anew(bases[f, turned], flags[i], seq[i])
        if new:
            f = count[0]
            count[0] = f + 1
            table[slot] = f
            keys[f] = key
            turns[f] = turned
        if segment[i]:
            _set_bases(bases[f], turned, seq[i], ack[i], flags[i])
        flow[i], side[i], reverse[i] = f, turned, turned != turns[f]
    return protocol.size


@kernel
def _order(
    key: Uint64, src: Uint64, dst: Uint64, ports: tuple[Int, Int], protocol: Int
) -> int:
    """Write the lower endpoint first; return 1 when that is the receiver, else 0."""
    turned = 0
    if src[0] != dst[0]:
        turned = 1 if src[0] > dst[0] else 0
    elif src[1] != dst[1]:
        turned = 1 if src[1] > dst[1] else 0
    elif ports[0] > ports[1]:
        turned = 1
    low, high = (dst, src) if turned else (src, dst)
    key[0], key[1], key[2], key[3] = low[0], low[1], high[0], high[1]
    low_port, high_port = np.uint64(ports[turned]), np.uint64(ports[1 - turned])
    key[4] = low_port << np.uint64(32) | high_port << np.uint64(16)
    key[4] |= np.uint64(protocol)
    return turned


@kernel
def _find(key: Uint64, table: Int32, keys: Uint64) -> Int:
    """Return the slot of a key, or the free one where it belongs."""
    mixed = np.uint64(0)
    for part in key:
        mixed = (mixed ^ part) * _ODD
        mixed ^= mixed >> _SHIFT
    last = table.size - 1
    slot = np.int64(mixed & np.uint64(last))
    while table[slot] >= 0 and not _is_same(key, keys[table[slot]]):
        slot = (slot + 1) & last
    return slot


@kernel
def _is_same(one: Uint64, two: Uint64) -> Flag:
    address = one[0] == two[0] and one[1] == two[1]
    other = one[2] == two[2] and one[3] == two[3]
    return bool(address and other and one[4] == two[4])


@kernel
def _fill(count: int, table: Int32, keys: Uint64) -> None:
    """Enter all conversations into an empty table; the last of equal keys counts."""
    for f in range(count):
        table[_find(keys[f], table, keys)] = f


@kernel
def _starts_anew(base: Int, flags: Int, seq: Int) -> Flag:
    """Say whether a segment of a known conversation is the SYN of a new one."""
    return flags & (_SYN | _ACK) == _SYN and base != 0 and base != np.int64(seq) + 1


@kernel
def _set_bases(bases: Int64, own: Int, seq: Int, ack: Int, flags: Int) -> None:
    """Remember with which number each side began, plus one; 0 is unknown."""
    syn = flags & _SYN != 0
    if bases[own] == 0 or (syn and flags & _ACK):
        start = np.int64(seq) if syn else (np.int64(seq) - 1) & 0xFFFFFFFF
        bases[own] = start + 1
    if bases[1 - own] == 0 and flags & _ACK:
        bases[1 - own] = ((np.int64(ack) - 1) & 0xFFFFFFFF) + 1
