"""What a device's network software says of itself: TCP, TLS and DHCP fingerprints.

A new firmware often brings another kernel or library, and these say the same each time:
so one that is new says more than any statistic of sizes. Of a TCP SYN: TTL, window,
options in their order with segment size and scale; of a TLS ClientHello: versions,
ciphers, extensions, groups; of a DHCP request: which options it has and asks for. What
changes from call to call (times, keys, GREASE, order of extensions, resumption) is left
out, and so is every text, which may be under a pseudonym. SYNs of IPv6 are not read.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.compare.model import Bool, Events, Int64, Kind
from analysis.dataset import Device
from analysis.packets import find_raw
from analysis.packets.select import Selector
from analysis.pcap.decode import TCP, UDP, Decoded, decode_batch
from analysis.pcap.link import IPV4_TYPE, decode_links
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

SYN, HELLO, LEASE = "tcp_syn", "tls_hello", "dhcp_request"
_SYN_FLAG = 2
_HANDSHAKE, _CLIENT_HELLO, _HELLO_AT = 22, 1, 5
_DHCP_CLIENT, _COOKIE_AT = 68, 236
_OF_THE_CALL = (21, 41, 42)  # padding, and what resumes a session
_MINUTE_NS = 60_000_000_000

# name -> (minute, what was said) -> how often
Said = Mapping[str, Counter[tuple[int, str]]]
Units = Callable[[Int64], NDArray[np.str_]]


def prints_in(folder: Path, devices: Sequence[Device]) -> dict[str, Said]:
    """Return what each device said in the captures of a campaign; one pass.

    Raises DatasetError where there are none, CaptureError for a damaged one.
    """
    selectors = [Selector(device) for device in devices]
    said: dict[str, dict[str, Counter[tuple[int, str]]]] = {
        device.name: {} for device in devices
    }
    for path in find_raw(folder):
        with open_capture_stream(path) as stream:
            for batch in stream:
                for device, at_ns, name, text in _in_batch(batch, selectors):
                    counter = said[device].setdefault(name, Counter())
                    counter[at_ns // _MINUTE_NS, text] += 1
    return {device: dict(sorted(held.items())) for device, held in said.items()}


def events_of(said: Said, units: Units) -> dict[str, Events]:
    """Return it by unit; units: times (n,) -> name of the unit of each."""
    made = {}
    for name, counter in said.items():
        keys = sorted(counter)
        at = np.array([minute * _MINUTE_NS for minute, _text in keys], dtype=np.int64)
        made[name] = Events(
            unit=units(at),
            value=np.array([text for _minute, text in keys], dtype=np.str_),
            n=np.array([counter[key] for key in keys], dtype=np.int64),
            kind=Kind.PRINT,
        )
    return made


def _in_batch(
    batch: Batch, selectors: Sequence[Selector]
) -> Iterator[tuple[str, int, str, str]]:
    decoded = decode_batch(batch)
    kinds = _kinds(batch, decoded)
    rows = np.flatnonzero(kinds)
    if not rows.size:
        return
    some = decoded.take(rows)
    network = _network(batch, rows)
    for selector in selectors:
        found = selector.of(some, np.zeros(0, np.int64))
        for place in found.rows[found.outbound].tolist():
            row = int(rows[place])
            name, read = _READERS[int(kinds[row])]
            at = int(network[place]) if name == SYN else int(decoded.payload_at[row])
            text = _read(batch, row, at, read)
            if text:
                yield selector.device.name, int(batch.time_ns[row]), name, text


def _kinds(batch: Batch, decoded: Decoded) -> NDArray[np.uint8]:
    """Return (n,) number of a reader, 0 for packets that say nothing."""
    kinds = np.zeros(len(batch), dtype=np.uint8)
    is_tcp = decoded.protocol == TCP
    # an answer's options follow those of the question: only who calls is looked at
    calls = (decoded.tcp_flags & 0x12) == _SYN_FLAG
    kinds[is_tcp & calls & (decoded.ethertype == IPV4_TYPE)] = 1
    kinds[(decoded.protocol == UDP) & (decoded.src_port == _DHCP_CLIENT)] = 3
    at = batch.start + decoded.payload_at
    room = batch.start + batch.captured_b - at
    likely: Bool = is_tcp & (decoded.payload_b > _HELLO_AT)
    rows = np.flatnonzero(likely & (decoded.payload_at > 0) & (room > _HELLO_AT))
    is_hello = batch.data[at[rows]] == _HANDSHAKE
    is_hello &= batch.data[at[rows] + _HELLO_AT] == _CLIENT_HELLO
    kinds[rows[is_hello]] = 2
    return kinds


def _network(batch: Batch, rows: Int64) -> Int64:
    """Return (n,) where the IP header of each row begins in the batch's data."""
    n = rows.size
    network = np.empty(n, dtype=np.int64)
    macs = (np.empty(n, dtype=np.uint64), np.empty(n, dtype=np.uint64))
    places = (batch.start[rows], batch.captured_b[rows], batch.link[rows])
    decode_links(batch.data, places, np.empty(n, dtype=np.uint16), macs, network)
    return network - batch.start[rows]


def _read(batch: Batch, row: int, at: int, read: Callable[[bytes], str]) -> str:
    start = int(batch.start[row])
    held = batch.data[start + at : start + int(batch.captured_b[row])].tobytes()
    try:
        return read(held)
    except (struct.error, IndexError):
        return ""  # cut short, or no such thing: packets can hold anything


def syn_print(packet: bytes) -> str:
    """Return the fingerprint of an IPv4 SYN, as TTL:window:options."""
    head = (packet[0] & 15) * 4
    ttl, segment = packet[8], packet[head:]
    (window,) = struct.unpack_from(">H", segment, 14)
    end, at = (segment[12] >> 4) * 4, 20
    said = []
    while at < end:
        kind = segment[at]
        if kind == 0:
            break
        size = 1 if kind == 1 else max(segment[at + 1], 2)
        value = segment[at + 2 : at + size]
        said.append(f"{kind}={value.hex()}" if kind in (2, 3) else str(kind))
        at += size
    return f"{ttl}:{window}:{','.join(said)}"


def hello_print(payload: bytes) -> str:
    """Return the fingerprint of a ClientHello; '' where it goes on in another."""
    (version,) = struct.unpack_from(">H", payload, 9)
    at = 43 + 1 + payload[43]
    (size,) = struct.unpack_from(">H", payload, at)
    ciphers = _numbers(payload[at + 2 : at + 2 + size])
    at += 2 + size
    at += 1 + payload[at]
    (total,) = struct.unpack_from(">H", payload, at)
    at, end = at + 2, at + 2 + total
    if end > len(payload):
        return ""
    extensions = []
    while at + 4 <= end:
        kind, size = struct.unpack_from(">HH", payload, at)
        body = payload[at + 4 : at + 4 + size]
        held = "-".join(_numbers(body[2:])) if kind in (10, 13) else ""
        if not _is_grease(kind) and kind not in _OF_THE_CALL:
            extensions.append(f"{kind}({held})" if held else str(kind))
        at += 4 + size
    return f"{version}:{'-'.join(ciphers)}:{','.join(sorted(extensions))}"


def lease_print(payload: bytes) -> str:
    """Return the fingerprint of a DHCP request: its options, and those asked for."""
    if payload[_COOKIE_AT : _COOKIE_AT + 4] != b"\x63\x82\x53\x63":
        return ""
    at, kinds, wanted, what = _COOKIE_AT + 4, [], "", 0
    while payload[at] != 255:
        kind = payload[at]
        if kind == 0:
            at += 1
            continue
        body = payload[at + 2 : at + 2 + payload[at + 1]]
        kinds.append(str(kind))
        what = body[0] if kind == 53 and body else what
        wanted = "-".join(map(str, body)) if kind == 55 else wanted
        at += 2 + payload[at + 1]
    return f"{what}:{','.join(kinds)}:{wanted}"


def _numbers(held: bytes) -> list[str]:
    numbers = struct.unpack(f">{len(held) // 2}H", held[: len(held) // 2 * 2])
    return [str(number) for number in numbers if not _is_grease(number)]


def _is_grease(number: int) -> bool:
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


_READERS: Mapping[int, tuple[str, Callable[[bytes], str]]] = {
    1: (SYN, syn_print),
    2: (HELLO, hello_print),
    3: (LEASE, lease_print),
}
