"""Zeek's conn.log, read and written, and iot-23's with labels.

What Zeek does not keep is unknown here (TTL, spread of gaps, names), and frames are its
IP bytes with 14 bytes of Ethernet a packet. What is written is derived of a record: the
letters of `history` come in a fixed order, not in that of the packets.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import TextIO

from analysis.errors import DatasetError, named
from analysis.flows.foreign import (
    ETHERNET_B,
    LARGEST_NS,
    Row,
    RowError,
    ns_of,
    whole,
)
from analysis.flows.records import FlowRecords

FIELDS: Mapping[str, str] = {
    "ts": "time",
    "uid": "string",
    "id.orig_h": "addr",
    "id.orig_p": "port",
    "id.resp_h": "addr",
    "id.resp_p": "port",
    "proto": "enum",
    "service": "string",
    "duration": "interval",
    "orig_bytes": "count",
    "resp_bytes": "count",
    "conn_state": "string",
    "local_orig": "bool",
    "local_resp": "bool",
    "missed_bytes": "count",
    "history": "string",
    "orig_pkts": "count",
    "orig_ip_bytes": "count",
    "resp_pkts": "count",
    "resp_ip_bytes": "count",
    "tunnel_parents": "set[string]",
}
LABELS: Mapping[str, str] = {"label": "string", "detailed-label": "string"}
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58}
_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
_LETTERS = {
    "s": _SYN,
    "h": _SYN | _ACK,
    "a": _ACK,
    "d": _ACK | _PSH,
    "f": _FIN | _ACK,
    "r": _RST,
}
_CLOSED = ("SF", "REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH")
_UNSET = ("-", "(empty)", "")


def conn_log_rows(path: Path) -> Iterator[Row]:
    """Read a conn.log, line by line; labels become causes.

    Raises DatasetError, with the line that is wrong.
    """
    for number, values in conn_log_lines(path):
        try:
            row = _row(values)
        except KeyError as exc:
            reason = f"has no field {exc.args[0]}; give a conn.log with all of them"
            raise DatasetError(f"{path}: line {number}: {reason}") from exc
        except RowError as exc:
            raise DatasetError(f"{path}: line {number}: {exc}") from exc
        yield row


def conn_log_lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number of each line with a record, and its values by their names.

    Raises DatasetError, with the line that is wrong.
    """
    fields: list[str] = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip("\n")
            if text.startswith("#fields"):
                fields = _split(text)[1:]
            if text.startswith("#") or not text:
                continue
            try:
                yield number, _named(fields, _split(text))
            except RowError as exc:
                raise DatasetError(f"{path}: line {number}: {exc}") from exc


def _named(fields: Sequence[str], values: Sequence[str]) -> Mapping[str, str]:
    """Return the values by the names of their fields. Raises RowError."""
    if not fields:
        raise RowError("comes before #fields; give the log with the lines of its head")
    if len(fields) != len(values):
        raise RowError(
            f"has {len(values)} fields where #fields names {len(fields)}; is it cut?"
        )
    return dict(zip(fields, values, strict=True))


def _split(line: str) -> list[str]:
    """Split at tabs; the last columns of iot-23 are parted by three spaces."""
    head, tab, last = line.rpartition("\t")
    tail = last.split("   ") if tab else [last]
    return [*(head.split("\t") if tab else []), *(each.strip() for each in tail)]


def _row(of: Mapping[str, str]) -> Row:
    start_ns = ns_of(of["ts"])
    address = of["id.orig_h"]
    name = of["proto"]
    is_icmp6 = name == "icmp" and ":" in address
    protocol = 58 if is_icmp6 else _PROTOCOLS.get(name, 0)
    has_ports = protocol in (6, 17)
    packets = (_count(of, "orig_pkts"), _count(of, "resp_pkts"))
    ip_b = (_count(of, "orig_ip_bytes"), _count(of, "resp_ip_bytes"))
    duration = of.get("duration", "-")
    end_ns = start_ns + (0 if duration in _UNSET else ns_of(duration))
    if end_ns > LARGEST_NS:
        raise RowError(f"an end {duration} s after {of['ts']} s is out of range")
    return Row(
        start_ns=start_ns,
        end_ns=end_ns,
        protocol=protocol,
        addresses=(address, of["id.resp_h"]),
        ports=(
            (_port(of["id.orig_p"]), _port(of["id.resp_p"])) if has_ports else (0, 0)
        ),
        packets=packets,
        bytes=(ip_b[0] + ETHERNET_B * packets[0], ip_b[1] + ETHERNET_B * packets[1]),
        payload_b=(_count(of, "orig_bytes"), _count(of, "resp_bytes")),
        tcp_flags=_flags(of.get("history", "-")) if protocol == 6 else (0, 0),
        end="closed" if of.get("conn_state") in _CLOSED else "idle",
        cause=_cause(of),
    )


def _count(of: Mapping[str, str], name: str) -> int:
    text = of.get(name, "-")
    if text in _UNSET:
        return 0
    return whole(text, name, 0, (1 << 48) - 1)


def _port(text: str) -> int:
    return whole(text, "a port", 0, (1 << 16) - 1)


def _flags(history: str) -> tuple[int, int]:
    """Return the TCP flags that letters stand for; lower case is the answering side."""
    sent = received = 0
    for letter in history:
        flags = _LETTERS.get(letter.lower(), 0)
        if letter.isupper():
            sent |= flags
        else:
            received |= flags
    return sent, received


def _cause(of: Mapping[str, str]) -> str:
    """Return the label; netflowlabeler calls the detailed one in one word."""
    label = of.get("label", "-")
    detailed = of.get("detailed-label", of.get("detailedlabel", "-"))
    if label in _UNSET:
        return ""
    if label.lower() == "benign":
        return "benign"
    return detailed if detailed not in _UNSET else label


def write_conn_log(
    path: Path,
    pieces: FlowRecords | Iterable[FlowRecords],
    *,
    labels: Callable[[FlowRecords], Sequence[tuple[str, str]]] | None = None,
) -> int:
    """Write records as a conn.log that Zeek's tools read; return their number.

    labels  gives label and detailed label of each record, '' for none: two more columns

    Stamps have nine decimals. A file that could not be finished is removed.
    """
    several = (pieces,) if isinstance(pieces, FlowRecords) else pieces
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    n = 0
    try:
        with named(path), part.open("w", encoding="utf-8") as file:
            write_head(file, FIELDS if labels is None else {**FIELDS, **LABELS})
            for records in several:
                told = repeat(()) if labels is None else map(_labelled, labels(records))
                for values, label in zip(_lines(records), told, strict=False):
                    file.write("\t".join((*values, *label)) + "\n")
                n += len(records)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return n


def conn_log_values(records: FlowRecords) -> Iterator[Mapping[str, str]]:
    """Yield what a conn.log holds of each record, by the names of `FIELDS`."""
    for values in _lines(records):
        yield dict(zip(FIELDS, values, strict=True))


def write_head(file: TextIO, fields: Mapping[str, str]) -> None:
    """Write the first lines of a conn.log; fields are names and Zeek's types."""
    head = (
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        "#path\tconn",
        "\t".join(("#fields", *fields)),
        "\t".join(("#types", *fields.values())),
    )
    file.write("\n".join(head) + "\n")


def _labelled(label: tuple[str, str]) -> tuple[str, ...]:
    return tuple(_escaped(text) if text else "-" for text in label)


def _lines(records: FlowRecords) -> Iterator[Sequence[str]]:
    columns = {name: getattr(records, name).tolist() for name in FlowRecords.__slots__}
    names = {number: name for name, number in _PROTOCOLS.items()} | {58: "icmp"}
    for values in zip(*columns.values(), strict=True):
        of = dict(zip(columns, values, strict=True))
        sides = ("out", "in") if of["outbound"] else ("in", "out")
        ends = ("device", "remote") if of["outbound"] else ("remote", "device")
        flags = [of[f"tcp_flags_{side}"] for side in sides]
        state = _state(of["protocol"], flags, [of[f"packets_{s}"] for s in sides])
        counts = []
        for side in sides:
            n = of[f"packets_{side}"]
            counts += [str(n), str(max(0, of[f"bytes_{side}"] - ETHERNET_B * n))]
        span_ns = of["end_ns"] - of["start_ns"]
        who = [
            _escaped(str(of[f"{end}_{what}"]))
            for end in ends
            for what in ("address", "port")
        ]
        yield (
            _seconds(of["start_ns"]),
            _uid((of["start_ns"], of["protocol"], *who)),
            *who,
            names.get(of["protocol"], "unknown_transport"),
            "-",
            _seconds(span_ns) if span_ns else "-",
            *(str(of[f"payload_{side}_b"]) for side in sides),
            state,
            *("-", "-", "0"),
            _history(flags) or "-",
            *counts,
            "(empty)",
        )


def _escaped(text: str) -> str:
    """Write what would part fields or lines as Zeek does."""
    plain = text.isprintable() and text
    return text if plain else "".join(f"\\x{b:02x}" for b in text.encode()) or "-"


def _seconds(time_ns: int) -> str:
    return f"{time_ns // 10**9}.{time_ns % 10**9:09d}"


def _uid(parts: Sequence[object]) -> str:
    """Return a name of the record as Zeek's look; the same for the same record."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=9)
    return "C" + digest.hexdigest()[:17]


def _state(protocol: int, flags: Sequence[int], packets: Sequence[int]) -> str:
    """Return conn_state, as far as flags tell, which know no order."""
    sent, received = flags
    if protocol != 6:
        return "SF" if packets[0] and packets[1] else "S0"
    if received & _RST and not received & _SYN and sent & _SYN:
        return "REJ"
    if not sent & _SYN:
        return "OTH"
    if sent & _RST:
        return "RSTO" if received & _SYN else "RSTOS0"
    if received & _RST:
        return "RSTR"
    if not received & _SYN:
        return "SH" if sent & _FIN else "S0"
    closing = {(True, True): "SF", (True, False): "S2", (False, True): "S3"}
    return closing.get((bool(sent & _FIN), bool(received & _FIN)), "S1")


def _history(flags: Sequence[int]) -> str:
    letters = ""
    for way, seen in enumerate(flags):
        own = "H" if seen & _SYN and seen & _ACK and way else "S" if seen & _SYN else ""
        own += "A" if seen & _ACK else ""
        own += "D" if seen & _PSH else ""
        own += "F" if seen & _FIN else ""
        own += "R" if seen & _RST else ""
        letters += own.lower() if way else own
    return letters
