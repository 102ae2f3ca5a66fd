"""Read what captures say in plain, whatever the protocol, as words and where they are.

for said in plain_words(path, judge): ...

Streams are put together, packed bodies are opened. Of what is text all words are
judged, of what is binary runs of letters among bytes that do not look random. What TLS
hides is passed over, and so are protocols that the second reader takes apart; where its
beginning was not captured, short words that it says once are there by chance.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.letters import is_text, runs
from analysis.exporters.audit.records import Records
from analysis.exporters.audit.slack import is_of_names, slack
from analysis.exporters.identifiers.layers import dechunked, unpacked
from analysis.exporters.identifiers.sealed import said_to_all
from analysis.exporters.identifiers.streams import Streams, Stretch
from analysis.packets.select import beacon_rows
from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import TCP, UDP, Decoded, decode_batch
from analysis.pcap.network import WHOLE
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

# what has neither ports nor a field of identity may hold the number of a unit: types of
# Ethernet and protocols of IP that are taken apart, or are ciphertext or tunnels
_BELOW = ("ethernet/", "ip/")
_DISSECTED = frozenset(
    (
        *(f"ethernet/{k}" for k in ("0000", "0806", "0800", "86dd", "8809", "8863")),
        *(f"ethernet/{k}" for k in ("8864", "8847", "8848", "888e", "88cc", "88d9")),
        *(f"ethernet/{k}" for k in ("893a", "88f7", "4305", "88e5", "8906", "2000")),
        *(f"ip/{k}" for k in (1, 2, 4, 41, 47, 50, 51, 58, 59, 88, 89, 103, 112, 132)),
    )
)
_OF_FIELDS = ("quic",)  # the name that it tells is a field of identity
# DNS, NTP, NetBIOS, mDNS, LLMNR: their names are fields of identity
CLAIMED = frozenset({53, 123, 137, 5353, 5355})
_IP_TYPES = (0x0800, 0x86DD)
_ARP = 0x0806
_OVERLAP_B = 2048
_DEPTH = 2
_MOST_SEEN = 1 << 20
# shorter ones come by chance, such as what follows a percent sign and two digits
_LEAST_INNER_B, _LEAST_INNER_TEXT_B, _LEAST_INNER_AMONG_BYTES_B = 64, 8, 16
_BYTES = re.compile(rb"[^\x00]{6,}")
_MOST_UNIT_B = 32  # a longer one is no address and no number
_FEW = 3
_HEAD_B = 64
_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
_READABLE = bytes({*range(32, 127), 9, 10, 13})
_HIGH = bytes(range(128, 256))
_MARKS = slice(33, 127)  # what is printed, but for blanks
# of noise, 28 MB hold some five words by chance, and short datagrams of it more
_SHORT_B, _LONG_B, _LEAST_NOISE_B = 48, 64, 1 << 12
_NOISE_SHARE, _HIGH_SHARE = 0.9, 0.25
_NO_CHANCE = 20  # letters of a word, or bytes of a run, that noise does not hold
_MAPPED = 0xFFFF
_SYN, _ACK = 2, 16
_DIGEST_B, _MOST_SILENT = 16, 1 << 19  # 60 MB at most


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Between whom something was said.

    macs      of the two sides, source first
    ips       their addresses, as text; '' where there is none
    protocol  'tcp', 'udp', 'ip/47', 'ethernet/88cc'
    port      that of the service: the one that was called, else the lower one; -1
              where there is none
    """

    macs: tuple[int, int]
    ips: tuple[str, str]
    protocol: str
    port: int = -1

    @property
    def name(self) -> str:
        """How such conversations are called, as 'tcp/6668'."""
        return self.protocol if self.port < 0 else f"{self.protocol}/{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One piece that could tell of somebody: who said it, where, what."""

    end: End
    flow: int
    frame: int
    word: str


@dataclass(frozen=True, slots=True)
class Share:
    """One of so many shares of the conversations of a capture, told by their ports.

    Nothing replaces ports: what is in a share as published was in it as recorded.
    """

    number: int = 0
    of: int = 1

    def rows(self, decoded: Decoded) -> NDArray[np.bool_]:
        """Return which packets are in it; what has no ports is in the first."""
        ports = decoded.src_port.astype(np.int64) + decoded.dst_port
        ported = (decoded.protocol == TCP) | (decoded.protocol == UDP)
        ported &= decoded.fragment == WHOLE
        own: NDArray[np.bool_] = np.where(ported, ports % self.of, 0) == self.number
        return own


ALL = Share()


class Silent:
    """Remembers messages in which nothing is readable, by digests of their bytes.

    What is readable follows from the bytes alone: of a capture as it was recorded only
    what was replaced need be read again, where it was not readable as published.
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def known(self, data: bytes) -> bytes:
        """Return the digest of a message; b'' where nothing is readable in it."""
        digest = blake2b(data, digest_size=_DIGEST_B).digest()
        return b"" if digest in self._digests else digest

    def add(self, digest: bytes) -> None:
        """Remember a message that is not."""
        if len(self._digests) < _MOST_SILENT:
            self._digests.add(digest)


def plain_words(
    path: Path,
    judge: Judge,
    opaque: Collection[str] = (),
    *,
    share: Share = ALL,
    silent: Silent | None = None,
    step: Callable[[int], None] | None = None,
) -> Iterator[Said]:
    """Yield the telling words of a capture. Raises CaptureError where it is damaged.

    opaque  ports, as 'udp/7338', behind which nobody knows the protocol: of what is
            binary there, and does not look random, runs of bytes are words, too
    share   conversations to read
    silent  messages that were read before, of another capture
    step    is told bytes of packets as they are read
    """
    streams, flows, records = Streams(_OVERLAP_B), _Flows(), Records()
    reader = _Reader(judge, opaque, silent or Silent())
    with open_capture_stream(path) as capture:
        for batch in capture:
            decoded = decode_batch(batch)
            number = flows.add(batch, decoded)
            own = share.rows(decoded)
            if share.of > 1:  # what says nothing is in no stream
                said_b = np.where(own, decoded.payload_b, 0)
                decoded = replace(decoded, payload_b=said_b)
            for row, data in _messages(batch, decoded, own, opaque):
                frame = batch.first_frame + row + 1
                end = flows.of(int(number[row])) or _end_of(decoded, row)
                yield from reader.message(end, (int(number[row]), frame), data)
            for stretch in streams.add(batch, decoded):
                yield from _of_stretch(reader, flows.of(stretch.flow), stretch, records)
            if step:
                step(int(batch.captured_b.sum()))
        for stretch in streams.finish():
            yield from _of_stretch(reader, flows.of(stretch.flow), stretch, records)
        yield from reader.late()


def _of_stretch(
    reader: "_Reader", end: End | None, stretch: Stretch, records: Records
) -> Iterator[Said]:
    if end is None or stretch.tls:
        return
    for data, encrypted in records.parts(stretch):
        read = reader.encrypted if encrypted else reader.said
        yield from read(end, (stretch.flow, stretch.frame), data)
    for _, body in dechunked(stretch.data):
        yield from reader.said(end, (stretch.flow, stretch.frame), body)


class _Flows:
    """Between whom each conversation of a capture is."""

    def __init__(self) -> None:
        self._conversations = Conversations()
        self._ends: dict[int, End] = {}

    def add(self, batch: Batch, decoded: Decoded) -> Int64:
        """Return the conversation of each packet, -1 for none."""
        flow = self._conversations.add(batch.time_ns, decoded).flow.astype(np.int64)
        numbers, rows = np.unique(flow, return_index=True)
        for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
            if number >= 0 and number not in self._ends:
                self._ends[number] = _end_of(decoded, row)
        return flow

    def of(self, flow: int) -> End | None:
        """Return between whom a conversation is."""
        return self._ends.get(flow)


def _end_of(decoded: Decoded, row: int) -> End:
    protocol = int(decoded.protocol[row])
    macs = (int(decoded.src_mac[row]), int(decoded.dst_mac[row]))
    if not protocol:
        name = f"ethernet/{int(decoded.ethertype[row]):04x}"
        return End(macs=macs, ips=("", ""), protocol=name)
    ips = (_address(decoded.src[row]), _address(decoded.dst[row]))
    if protocol not in (TCP, UDP):
        return End(macs=macs, ips=ips, protocol=f"ip/{protocol}")
    ports = (int(decoded.src_port[row]), int(decoded.dst_port[row]))
    if protocol == UDP:
        return End(macs=macs, ips=ips, protocol="udp", port=min(ports))
    opening = int(decoded.tcp_flags[row]) & (_SYN | _ACK)
    port = {_SYN: ports[1], _SYN | _ACK: ports[0]}.get(opening, min(ports))
    return End(macs=macs, ips=ips, protocol="tcp", port=port)


def _address(halves: NDArray[np.uint64]) -> str:
    high, low = int(halves[0]), int(halves[1])
    if not high and low >> 32 == _MAPPED:
        return str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address(high << 64 | low))


def _messages(
    batch: Batch, decoded: Decoded, own: NDArray[np.bool_], opaque: Collection[str]
) -> Iterator[tuple[int, bytes]]:
    """Yield (row, bytes) of all that no stream is made of, and no field of identity."""
    left = {port for port in CLAIMED if f"udp/{port}" not in opaque}
    streamed = (decoded.protocol == TCP) & (decoded.fragment == 0)
    streamed |= decoded.ethertype == _ARP
    streamed[beacon_rows(batch, decoded)] = True
    rows = np.flatnonzero(own & ~streamed)
    first = np.where(decoded.protocol > 0, decoded.payload_at, 0)
    first = np.where((decoded.protocol == 0) & (decoded.ethertype > 0), 14, first)
    at, end = (
        batch.start[rows] + first[rows],
        batch.start[rows] + batch.captured_b[rows],
    )
    is_udp = decoded.protocol[rows] == UDP
    length = np.where(is_udp, decoded.payload_b[rows], end - at).astype(np.int64)
    end = np.minimum(end, at + length)
    ports = (decoded.src_port[rows].tolist(), decoded.dst_port[rows].tolist())
    for k, row in enumerate(rows.tolist()):
        data = batch.data[at[k] : end[k]].tobytes()
        of = {ports[0][k], ports[1][k]} & left if is_udp[k] else ()
        claimed = any(is_of_names(port, data) for port in of)
        if data and not (claimed and data.translate(None, _CONTROLS) != data):
            yield row, data
    for row, _, part in said_to_all(batch, decoded):
        if own[row] and part.name not in _OF_FIELDS:
            yield row, part.inner
    yield from slack(batch, decoded, own)


class _Reader:
    """Finds words in bytes; what one side says again in a conversation is read once."""

    def __init__(self, judge: Judge, opaque: Collection[str], silent: Silent) -> None:
        self._judge = judge
        self._opaque = opaque
        self._silent = silent
        self._n_runs = 0
        self._seen: set[int] = set()
        self._again: set[int] = set()
        self._noise: dict[int, list[int]] = {}
        self._late: list[tuple[Said, int]] = []
        self._encrypted: list[tuple[Said, int]] = []
        self._sure: set[int] = set()  # runs of a message that are in no noise by chance

    def message(self, end: End, where: tuple[int, int], data: bytes) -> Iterator[Said]:
        """Yield what a datagram says; what noise may hold is judged at the end."""
        is_noise = False
        if len(data) >= _LONG_B and where[0] >= 0:
            high = len(data) - len(data.translate(None, _HIGH))
            is_noise = high > _HIGH_SHARE * len(data)
            self._noise.setdefault(where[0], [0, 0])[is_noise] += len(data)
        for said, run in self._said(end, where, data):
            if is_noise or len(data) < _SHORT_B:
                self._late.append((said, run))
            else:
                yield said

    def encrypted(
        self, end: End, where: tuple[int, int], data: bytes
    ) -> Iterator[Said]:
        """Yield what stands in records of TLS and is no chance; the rest at the end.

        No chance are long runs, those of other scripts, and what is packed in there.
        """
        for said, run in self._said(end, where, data):
            if run in self._sure:
                yield said
            else:
                self._encrypted.append((said, run))

    def late(self) -> Iterator[Said]:
        """Yield what datagrams said that were short, or noise, and is no chance.

        That is what they say twice, long words, and all in a conversation that is not
        noise as a whole. Of records of TLS it is what they say twice.
        """
        for said, run in self._encrypted:
            if run in self._again:
                yield said
        for said, run in self._late:
            other_b, noise_b = self._noise.get(said.flow, (0, 0))
            least = max(_LEAST_NOISE_B, _NOISE_SHARE * (other_b + noise_b))
            if noise_b < least or run in self._again or len(said.word) >= _NO_CHANCE:
                yield said

    def said(self, end: End, where: tuple[int, int], data: bytes) -> Iterator[Said]:
        """Yield what could tell of somebody; where is (conversation, packet)."""
        for said, _ in self._said(end, where, data):
            yield said

    def _said(
        self, end: End, where: tuple[int, int], data: bytes
    ) -> Iterator[tuple[Said, int]]:
        """Yield what could tell of somebody, and the number of the run it is in."""
        found: dict[str, int] = {}
        self._sure.clear()
        for text, run in self._audible(data, end):
            for word in self._judge.telling(text):
                found.setdefault(word, run)
        if self._is_opaque(end) and not is_text(data):
            found.update((each.hex(), hash(each)) for each in opaque_runs(data))
        for word, run in found.items():
            yield Said(end=end, flow=where[0], frame=where[1], word=word), run

    def _is_opaque(self, end: End) -> bool:
        """Say whether nobody knows the protocol: none of a port, or of a frame."""
        if end.name in self._opaque:
            return True
        return end.protocol.startswith(_BELOW) and end.protocol not in _DISSECTED

    def _audible(self, data: bytes, end: End) -> Iterator[tuple[str, int]]:
        """Yield the texts of a message, unless it is known to hold none, new or old."""
        if digest := self._silent.known(data):
            before = self._n_runs
            yield from self._texts(data, end, _DEPTH)
            if self._n_runs == before:
                self._silent.add(digest)

    def _texts(self, data: bytes, end: End, depth: int) -> Iterator[tuple[str, int]]:
        for run in runs(data):
            self._n_runs += 1
            number = hash((end.name, end.macs, run))
            if depth < _DEPTH or len(run) >= _NO_CHANCE or not run.isascii():
                self._sure.add(number)
            if self._is_new(number):
                yield run.decode(errors="replace"), number
            else:
                self._again.add(number)
        if not depth:
            return
        least_b = 0
        for _, name, inner in unpacked(data):
            least_b = least_b or _least_inner_b(data)
            text = len(inner) >= least_b and is_text(inner)
            long = len(inner) >= _LEAST_INNER_B and not name.startswith("base64")
            if (text or long) and not _is_dull(inner):
                yield from self._texts(inner, end, depth - 1)

    def _is_new(self, number: int) -> bool:
        if number in self._seen:
            return False
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(number)
        return True


def _is_dull(inner: bytes) -> bool:
    """Say whether one letter is most of what was unpacked: noise inflates to such."""
    counts = np.bincount(np.frombuffer(inner, dtype=np.uint8), minlength=256)
    return int(counts[_MARKS].max()) * 2 > len(inner)


def _least_inner_b(data: bytes) -> int:
    """Return how long a text is at least that is packed in bytes."""
    return _LEAST_INNER_TEXT_B if is_text(data) else _LEAST_INNER_AMONG_BYTES_B


def opaque_runs(data: bytes) -> Iterator[bytes]:
    """Yield what could be an address or a number of a unit, among zeros.

    Random bytes hardly hold zeros: what is encrypted is passed over.
    """
    head = data[:_HEAD_B]
    if head.count(0) < max(_FEW, len(head) // 5):
        return
    for found in _BYTES.finditer(data):
        at, end = found.span()
        raw = found.group()
        told = end - at <= _MOST_UNIT_B and len(set(raw)) > _FEW
        if told and raw.translate(None, _READABLE):
            yield raw
