"""Look into captures: addresses in headers, short fields of plain protocols, streams.

The bytes of the file are searched as those of any other. Here is what that cannot tell:
an IPv4 address of four bytes is noise in a payload and an address in a header, and what
one side of a connection says may be cut by segments.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.audit.chance import Headers
from analysis.exporters.audit.fragments import Datagrams
from analysis.exporters.audit.known import Layers
from analysis.exporters.audit.looking import Key, Looker, View, fixed
from analysis.exporters.identifiers.sealed import said_to_all
from analysis.exporters.identifiers.streams import Streams, Stretch
from analysis.packets.select import beacon_rows
from analysis.pcap.decode import UDP, Decoded
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]

SUFFIXES = (".pcap", ".pcapng", ".cap")
_ARP = 0x0806
_PLAIN_PROTOCOLS = (1, 2, 58)  # ICMP, which quotes headers, IGMP, ICMPv6
# DNS, DHCP, NetBIOS, DHCPv6, SSDP, mDNS, LLMNR, STUN, what TP-Link says in its own way
_PLAIN_PORTS = (53, 67, 68, 137, 138, 546, 547, 1900, 3478, 5353, 5355, 9999)
_MAPPED = 0xFFFF
_GAP = bytes(32)


def is_capture(name: str) -> bool:
    """Say whether a file is called like a capture, packed or not."""
    return name.removesuffix(".gz").removesuffix(".zst").endswith(SUFFIXES)


def plain_rows(decoded: Decoded) -> Bool:
    """Say which packets are of protocols whose fields are never encrypted, (n,)."""
    plain = (decoded.ethertype == _ARP) | np.isin(decoded.protocol, _PLAIN_PROTOCOLS)
    ports = np.isin(decoded.src_port, _PLAIN_PORTS)
    ports |= np.isin(decoded.dst_port, _PLAIN_PORTS)
    return np.asarray(plain | (ports & (decoded.protocol == UDP)), dtype=np.bool_)


def look_at_capture(
    looker: Looker, file: str, path: Path, step: Callable[[int], None]
) -> None:
    """Read a capture packet by packet.

    step  is told bytes of the file that were read, as they are

    Raises CaptureError where it is damaged.
    """
    streams, datagrams = Streams(looker.margin_b), Datagrams()
    known = _Known(looker)
    with open_capture_stream(path) as capture:
        done_b = 0
        for batch in capture:
            layers = Layers.of(batch)
            decoded = layers.decoded
            looker.looked_at.packets += len(batch)
            known.headers(file, batch, decoded)
            _plain_packets(looker, file, layers)
            _said_to_all(looker, file, layers)
            for stretch in streams.add(batch, decoded):
                _stretch(looker, file, stretch)
            _together(looker, file, datagrams.add(layers))
            step(capture.size_b - done_b)
            done_b = capture.size_b
        for stretch in streams.finish():
            _stretch(looker, file, stretch)
        _together(looker, file, datagrams.finish())


def place_in_capture(looker: Looker, file: str, path: Path) -> None:
    """Name the packets of what the search of the file found; take back what is chance.

    Reads the capture once more, and only when something was found. Raises CaptureError
    where it is damaged.
    """
    places = looker.bytes_of(file)
    if not places:
        return
    headers = Headers(looker, places)
    with open_capture_stream(path) as capture:
        for batch in capture:
            _place(looker, batch, places)
            headers.add(Layers.of(batch))
    headers.finish()


def _place(looker: Looker, batch: Batch, places: dict[Key, int]) -> None:
    """Name the packets of findings that the search of the file made in a batch."""
    begin = batch.block + batch.base
    end = begin + batch.block_b
    for key, byte in places.items():
        row = int(np.searchsorted(begin, byte, side="right")) - 1
        if row < 0 or byte >= end[row]:
            continue
        within = byte - batch.base - int(batch.start[row])
        inside = 0 <= within < batch.captured_b[row]
        where = f"byte {within}" if inside else "beside its bytes"
        looker.place_again(key, f"packet {batch.first_frame + row + 1}, {where}")


def _stretch(looker: Looker, file: str, stretch: Stretch) -> None:
    looker.looked_at.stretches += 1
    said = f"said from packet {stretch.frame} on"
    view = View(file=file, reader="stream", place=fixed(said))
    looker.look_at_stream(view, stretch.data, stretch.old_b)


def _together(
    looker: Looker, file: str, datagrams: Iterable[tuple[int, bytes]]
) -> None:
    """Search datagrams that fragments make."""
    for frame, data in datagrams:
        looker.looked_at.stretches += 1
        place = fixed(f"put together from packet {frame} on")
        # a name of its own: what is chance elsewhere in the file does not take it along
        layer = " in fragments"
        looker.look(View(file=file, reader="stream", place=place, layer=layer), data)


def _said_to_all(looker: Looker, file: str, layers: Layers) -> None:
    """Search what is under keys that everybody knows."""
    for row, _, part in said_to_all(layers.batch, layers.decoded):
        place = fixed(f"packet {layers.batch.first_frame + row + 1}")
        layer = f" under the key of {part.name}"
        view = View(file=file, reader="stream", place=place, layer=layer)
        looker.look(view, part.inner)


class _Known:
    """IPv4 addresses and beacons that no header may hold."""

    def __init__(self, looker: Looker) -> None:
        self._looker = looker
        rows = {
            int.from_bytes(each.binary): row
            for row, each in enumerate(looker.identifiers)
            if each.kind == "ipv4"
        }
        self._addresses = np.array(sorted(rows), dtype=np.uint64)
        self._rows = [rows[int(address)] for address in self._addresses]
        kinds = [each.kind for each in looker.identifiers]
        self._beacon = kinds.index("beacon") if "beacon" in kinds else -1

    def headers(self, file: str, batch: Batch, decoded: Decoded) -> None:
        """Compare the addresses of packets."""
        for name, ends in (("source", decoded.src), ("destination", decoded.dst)):
            view = View(file=file, reader="header", place=str)
            for address, row, n in self._among(ends):
                place = f"packet {batch.first_frame + row + 1}, {name} address"
                self._looker.note(view, address, "binary in header", place, n)
        if self._beacon >= 0:
            for row in beacon_rows(batch, decoded).tolist():
                place = f"packet {batch.first_frame + row + 1}"
                view = View(file=file, reader="header", place=str)
                self._looker.note(view, self._beacon, "beacon", place)

    def _among(self, ends: NDArray[np.uint64]) -> Iterator[tuple[int, int, int]]:
        """Yield (row of the identifier, first packet, packets) of known addresses."""
        low = ends[:, 1]
        four = (ends[:, 0] == 0) & (low >> np.uint64(32) == _MAPPED)
        rows = np.flatnonzero(
            four & np.isin(low & np.uint64(0xFFFFFFFF), self._addresses)
        )
        values = low[rows] & np.uint64(0xFFFFFFFF)
        for value, at, n in zip(
            *np.unique(values, return_index=True, return_counts=True), strict=True
        ):
            place = int(np.searchsorted(self._addresses, value))
            yield self._rows[place], int(rows[at]), int(n)


def _plain_packets(looker: Looker, file: str, layers: Layers) -> None:
    """Search packets of plain protocols, where short hits count too.

    Not in fields that are no addresses: each checksum before an address is another four
    bytes, and a week of DNS has all of them.
    """
    batch = layers.batch
    text, first, pieces = bytearray(), [], []
    for row in np.flatnonzero(plain_rows(layers.decoded)).tolist():
        for begin, end in layers.unknown(row):
            first.append(len(text))
            pieces.append((row, begin - int(batch.start[row])))
            text += batch.data[begin:end].tobytes() + _GAP
    if not text:
        return

    def place(at: int) -> str:
        k = bisect_right(first, at) - 1
        row, begin = pieces[k]
        return f"packet {batch.first_frame + row + 1}, byte {begin + at - first[k]}"

    # a name of its own: what is chance elsewhere in the file does not take it along
    layer = " in a plain packet"
    view = View(file=file, reader="bytes", place=place, layer=layer, judge=False)
    looker.look_short(view, bytes(text))
