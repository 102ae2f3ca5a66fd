"""What tshark says about each packet of a capture, as columns of numbers.

A packet may hold several headers of one kind, one inside the other. Only the outermost
are asked for, and `frame.protocols` tells which header that is: a field counts when its
header is the one that the first IP header carries. What is absent is 0.
"""

import io
import ipaddress
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

FIELDS = (
    *("frame.time_epoch", "frame.len", "frame.cap_len", "frame.protocols"),
    *("eth.src", "eth.dst", "sll.src.eth", "wlan.sa", "wlan.da"),
    *("ip.src", "ip.dst", "ip.proto", "ip.checksum.status"),
    *("ipv6.src", "ipv6.dst", "ipv6.nxt", "ipv6.hopopts.nxt", "ipv6.routing.nxt"),
    *("ipv6.fraghdr.nxt", "ipv6.dstopts.nxt", "ah.next_header", "shim6.nxt"),
    *("tcp.srcport", "tcp.dstport", "tcp.len", "tcp.flags", "tcp.seq_raw"),
    *("tcp.ack_raw", "tcp.window_size_value", "tcp.checksum.status"),
    *("udp.srcport", "udp.dstport", "udp.length", "udp.checksum.status"),
    *("_ws.malformed", "wlan.qos.amsdupresent", "tcp.hdr_len", "ip.len"),
    *("ipv6.plen", "tcp.checksum"),
)
SETTINGS = (
    *("ip.defragment:FALSE", "ipv6.defragment:FALSE"),
    *("ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE"),
    *("tcp.desegment_tcp_streams:FALSE", "tcp.relative_sequence_numbers:FALSE"),
    *("tcp.analyze_sequence_numbers:FALSE", "ipv6.tso_support:TRUE"),
)
# what tshark takes a trailer for, by guessing
GUESSES = ("vssmonitoring",)
# between several values of one field
_AGAIN = "\x1f"
_PIECE_B = 1 << 22
# how frame.protocols calls an extension header, and where the next header is named
_NEXT = {
    "ipv6.hopopts": "ipv6.hopopts.nxt",
    "ipv6.routing": "ipv6.routing.nxt",
    "ipv6.fraghdr": "ipv6.fraghdr.nxt",
    "ipv6.dstopts": "ipv6.dstopts.nxt",
    "ah": "ah.next_header",
    "shim6": "shim6.nxt",
}
# layers below IP that the reader looks through
LOOKED_THROUGH = {
    "eth",
    "ethertype",
    "vlan",
    "ieee8021ad",
    "sll",
    "raw",
    "null",
    "loop",
}
LOOKED_THROUGH |= {"loop", "radiotap", "wlan_radio", "wlan", "llc"}
LOOKED_THROUGH |= {"pppoes", "ppp", "mpls"}
# status of a checksum that does not add up, and of one that IPv6 forbids to leave out
_BAD = ("0", "4")

Numbers = dict[str, np.ndarray]


@dataclass(slots=True)
class Oracle:
    """The answers of one run; `failed` is what tshark complained about at its end."""

    tables: Iterator[pl.DataFrame]
    failed: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """How the outermost headers of a packet lie upon each other.

    ip          'ip', 'ipv6' or ''
    extensions  headers between IP and what it carries
    above       layer that comes then, '' when it is unknown to tshark
    below       layers under IP that the reader does not look through
    """

    ip: str = ""
    extensions: tuple[str, ...] = ()
    above: str = ""
    below: tuple[str, ...] = field(default=())


@cache
def shape_of(protocols: str) -> Shape:
    """Return how the layers of `frame.protocols` lie."""
    layers = protocols.split(":")
    at = next((n for n, layer in enumerate(layers) if layer in ("ip", "ipv6")), None)
    if at is None:
        return Shape()
    end = at + 1
    while end < len(layers) and layers[at] == "ipv6" and layers[end] in _NEXT:
        end += 1
    return Shape(
        ip=layers[at],
        extensions=tuple(layers[at + 1 : end]),
        above=layers[end] if end < len(layers) else "",
        below=tuple(layer for layer in layers[:at] if layer not in LOOKED_THROUGH),
    )


@contextmanager
def ask(path: Path) -> Iterator[Oracle]:
    """Run tshark over a capture; its rows come as they are made."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t"]
    command += ["-E", "occurrence=a", "-E", f"aggregator={_AGAIN}"]
    command += [word for setting in SETTINGS for word in ("-o", setting)]
    command += [word for name in GUESSES for word in ("--disable-protocol", name)]
    command += [word for name in FIELDS for word in ("-e", name)]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints)
        oracle = Oracle(iter(()))
        oracle.tables = _tables(process, oracle, complaints)
        try:
            yield oracle
        finally:
            process.kill()
            process.communicate()


def _tables(
    process: subprocess.Popen[bytes], oracle: Oracle, complaints: io.IOBase
) -> Iterator[pl.DataFrame]:
    assert process.stdout is not None
    rest = b""
    while piece := process.stdout.read(_PIECE_B):
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield _parsed(whole + newline)
    oracle.code = process.wait()
    complaints.seek(0)
    said = complaints.read().decode(errors="replace").splitlines()
    oracle.failed = " ".join(line for line in said if "Running as user" not in line)


def _parsed(lines: bytes) -> pl.DataFrame:
    return pl.read_csv(
        lines,
        separator="\t",
        has_header=False,
        quote_char=None,
        new_columns=list(FIELDS),
        infer_schema=False,
    ).fill_null("")


def numbers(table: pl.DataFrame, link: np.ndarray) -> tuple[Numbers, np.ndarray]:
    """Return tshark's values as the reader would give them, and each packet's shape.

    link  (n,) link type of each packet
    """
    first = table.with_columns(pl.all().str.replace(_AGAIN + ".*", ""))
    shapes = [shape_of(text) for text in table["frame.protocols"].to_list()]
    kinds = np.array([shape.ip for shape in shapes])
    above = np.array([shape.above for shape in shapes])
    out = _of_frame(first, link)
    for side in ("src", "dst"):
        high, low = np.zeros((2, len(table)), dtype=np.uint64)
        for name in ("ip", "ipv6"):
            mine = kinds == name
            pairs = _each(first[f"{name}.{side}"], _halves)
            high[mine], low[mine] = pairs[mine, 0], pairs[mine, 1]
        out[f"{side}_high"], out[f"{side}_low"] = high, low
    out["protocol"] = _protocols(table, shapes)
    out |= _of_transport(first, above)
    bad_ip = first["ip.checksum.status"].is_in(_BAD).to_numpy() & (kinds == "ip")
    out["bad_ip_checksum"] = bad_ip
    return out, np.array(shapes, dtype=object)


def _of_frame(first: pl.DataFrame, link: np.ndarray) -> Numbers:
    stamp = first["frame.time_epoch"].str.replace(".", "", literal=True)
    out: Numbers = {
        "time_ns": _each(stamp, _stamp, np.int64),
        "length_b": _each(first["frame.len"], int),
        "captured_b": _each(first["frame.cap_len"], int),
    }
    for side, wlan in (("src", "wlan.sa"), ("dst", "wlan.da")):
        mac = np.zeros(len(first), dtype=np.uint64)
        for links, name in (
            ((1,), f"eth.{side}"),
            ((113, 276), "sll.src.eth" if side == "src" else ""),
            ((105, 127), wlan),
        ):
            mine = np.isin(link, links)
            if name and mine.any():
                mac[mine] = _each(first[name], _mac)[mine]
        out[f"{side}_mac"] = mac
    return out


def _of_transport(first: pl.DataFrame, above: np.ndarray) -> Numbers:
    tcp, udp = above == "tcp", above == "udp"
    out: Numbers = {}
    for side in ("src", "dst"):
        ports = np.where(tcp, _each(first[f"tcp.{side}port"], _number), 0)
        out[f"{side}_port"] = ports + np.where(
            udp, _each(first[f"udp.{side}port"], _number), 0
        )
    for name, of in (
        ("tcp_len", "tcp.len"),
        ("seq", "tcp.seq_raw"),
        ("ack", "tcp.ack_raw"),
        ("window", "tcp.window_size_value"),
    ):
        out[name] = np.where(tcp, _each(first[of], _number), 0)
    flags = _each(first["tcp.flags"], lambda text: int(text or "0", 16))
    out["tcp_flags"] = np.where(tcp, flags & np.uint64(0xFF), 0)
    out["udp_length"] = np.where(udp, _each(first["udp.length"], _number), 0)
    bad = first["tcp.checksum.status"].is_in(_BAD).to_numpy() & tcp
    bad |= first["udp.checksum.status"].is_in(_BAD).to_numpy() & udp
    out["bad_checksum"] = bad
    return out


def _protocols(table: pl.DataFrame, shapes: list[Shape]) -> np.ndarray:
    """Return what each outermost IP header carries, past its extension headers."""
    rows = {name: table[name].to_list() for name in ("ip.proto", *_NEXT.values())}
    rows["ipv6.nxt"] = table["ipv6.nxt"].to_list()
    out = np.zeros(len(table), dtype=np.uint64)
    for at, shape in enumerate(shapes):
        if not shape.ip:
            continue
        named = ["ip.proto" if shape.ip == "ip" else "ipv6.nxt"]
        named += [_NEXT[each] for each in shape.extensions]
        # the last header that was whole enough to say what follows
        for place in reversed(range(len(named))):
            values = [each for each in rows[named[place]][at].split(_AGAIN) if each]
            nth = named[:place].count(named[place])
            if nth < len(values):
                out[at] = int(values[nth])
                break
    return out


def _each(
    column: pl.Series, of: Callable[[str], object], kind: type = np.uint64
) -> np.ndarray:
    """Return `of` each text; each different text is looked at once."""
    texts, back = np.unique(column.to_numpy().astype(str), return_inverse=True)
    return np.array([of(text) for text in texts.tolist()], dtype=kind)[back]


def _number(text: str) -> int:
    return int(text or 0)


def _stamp(text: str) -> int:
    """Return ns; far outside of 64 bits it wraps, as numbers in kernels do."""
    return (int(text or 0) + (1 << 63)) % (1 << 64) - (1 << 63)


def _mac(text: str) -> int:
    return int(text.replace(":", "") or "0", 16)


def _halves(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    value = int(ipaddress.ip_address(text))
    if ":" not in text:
        value |= 0xFFFF << 32
    return value >> 64, value & (1 << 64) - 1
