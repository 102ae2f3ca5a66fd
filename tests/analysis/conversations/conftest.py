"""What tshark says of a capture, as the columns that conversations are told by."""

import ipaddress
import os
import subprocess
from dataclasses import dataclass, fields, make_dataclass
from pathlib import Path

import numpy as np
import pytest

# column: (fields of tshark, the first that is there counts; type)
NUMBERS = {
    "src_port": (("tcp.srcport", "udp.srcport"), np.uint16),
    "dst_port": (("tcp.dstport", "udp.dstport"), np.uint16),
    "payload_b": (("tcp.len",), np.uint32),
    "tcp_flags": (("tcp.flags",), np.uint8),
    "seq": (("tcp.seq_raw",), np.uint32),
    "ack": (("tcp.ack_raw",), np.uint32),
    "window": (("tcp.window_size_value",), np.uint16),
    "fragment": (("ip.flags.mf", "ipv6.fraghdr.more"), np.uint8),
}
CLASSES = {  # in order: a later one wins, as tshark marks 2 and 3 as 1 as well
    "keep_alive": 5,
    "out_of_order": 4,
    "retransmission": 1,
    "fast_retransmission": 2,
    "spurious_retransmission": 3,
}
FIELDS = (
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "ip.proto",
    "ipv6.nxt",
    "icmp.type",
    "icmpv6.type",
    "tcp.stream",
    "udp.stream",
    *(name for names, _ in NUMBERS.values() for name in names),
    *(f"tcp.analysis.{name}" for name in CLASSES),
)
Headers = make_dataclass(
    "Headers", ["protocol", "src", "dst", *NUMBERS], frozen=True, slots=True
)


@dataclass(frozen=True)
class Oracle:
    """The packets of a capture as tshark decodes them, and what it makes of them."""

    time_ns: np.ndarray
    headers: Headers
    tcp: np.ndarray
    udp: np.ndarray
    stream: np.ndarray
    code: np.ndarray

    def __len__(self):
        return self.time_ns.size


def cut(headers, rows):
    return Headers(**{f.name: getattr(headers, f.name)[rows] for f in fields(headers)})


def ask_tshark(path):
    quiet = ("tcp.desegment_tcp_streams", "ip.defragment", "ipv6.defragment")
    argv = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f"]
    argv += [word for name in quiet for word in ("-o", f"{name}:FALSE")]
    argv += [word for name in FIELDS for word in ("-e", name)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    n = len(lines)
    table = dict(zip(FIELDS, zip(*lines, strict=True), strict=True)) if n else {}
    text = {name: np.array(table.get(name, ()), dtype=object) for name in FIELDS}
    return oracle(text, n)


def oracle(text, n):
    there = {name: text[name] != "" for name in FIELDS}
    error = there["icmp.type"] | there["icmpv6.type"]  # quotes headers of others
    tcp = there["tcp.stream"] & ~error
    udp = there["udp.stream"] & ~error & ~tcp
    protocol = np.where(there["ip.proto"], text["ip.proto"], text["ipv6.nxt"])
    protocol = numbers(protocol, np.uint8)
    protocol[np.isin(protocol, (6, 17))] = 0  # those that tshark could not dissect
    protocol[tcp], protocol[udp] = 6, 17
    columns = {}
    for name, (sources, dtype) in NUMBERS.items():
        columns[name] = np.zeros(n, dtype=dtype)
        for source, rows in zip(sources, (tcp, udp), strict=False):
            columns[name][rows] = numbers(text[source][rows], dtype)
    for name in ("src", "dst"):
        both = np.where(there[f"ip.{name}"], text[f"ip.{name}"], text[f"ipv6.{name}"])
        columns[name] = np.array([halves(one) for one in both], dtype=np.uint64)
        columns[name] = columns[name].reshape(-1, 2)
    code = np.zeros(n, dtype=np.uint8)
    for name, number in CLASSES.items():
        code[there[f"tcp.analysis.{name}"] & tcp] = number
    stream = np.where(tcp, text["tcp.stream"], text["udp.stream"])
    stream = numbers(np.where(tcp | udp, stream, "-1"), np.int64)
    stamps = [stamp.partition(".") for stamp in text["frame.time_epoch"]]
    stamps = [int(s) * 10**9 + int(ns.ljust(9, "0")[:9]) for s, _, ns in stamps]
    headers = Headers(protocol=protocol, **columns)
    time_ns = np.array(stamps, dtype=np.int64)
    return Oracle(time_ns, headers, tcp, udp, stream, code)


def numbers(texts, dtype):
    found = [int(text, 0) if text else 0 for text in texts]
    return np.array(found, dtype=np.int64).astype(dtype)


def halves(text):
    if not text:
        return 0, 0
    address = ipaddress.ip_address(text)
    number = int(address) | (0xFFFF << 32 if address.version == 4 else 0)
    return number >> 64, number & (1 << 64) - 1


def in_order_of_appearance(stream):
    seen = {}
    return [seen.setdefault(number, len(seen)) for number in stream.tolist()]


@pytest.fixture(scope="session")
def tshark():
    return ask_tshark


@pytest.fixture(scope="session")
def public_data():
    if "TESTBED_PUBLIC_DATA" not in os.environ:
        pytest.skip("TESTBED_PUBLIC_DATA does not say where the public captures are")
    return Path(os.environ["TESTBED_PUBLIC_DATA"])


@pytest.fixture(scope="session")
def make_headers():
    """Make columns of packets from what tests say of each; the rest is 0."""

    def _make(packets):
        n = len(packets)
        types = {name: dtype for name, (_, dtype) in NUMBERS.items()}
        types |= {"protocol": np.uint8}
        columns = {
            name: np.array([p.get(name, 0) for p in packets], dtype=dtype)
            for name, dtype in types.items()
        }
        for name in ("src", "dst"):
            column = np.array([halves(p.get(name, "")) for p in packets], np.uint64)
            columns[name] = column.reshape(n, 2)
        return Headers(**columns)

    return _make


@pytest.fixture(scope="session")
def take():
    return cut


@pytest.fixture(scope="session")
def assert_equal():
    """Compare conversations and classes, packet by packet."""

    def _assert(analysed, truth, *, udp=True):
        wrong = np.flatnonzero(analysed.retransmission != truth.code)
        ours, theirs = analysed.retransmission[wrong], truth.code[wrong]
        found = list(zip(wrong + 1, ours, theirs, strict=True))
        assert not found, f"(frame, ours, tshark's): {found[:10]}"
        for rows in (truth.tcp, truth.udp & udp):
            ours = in_order_of_appearance(analysed.flow[rows])
            assert ours == in_order_of_appearance(truth.stream[rows])

    return _assert
