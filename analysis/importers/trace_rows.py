"""Read packets of others from CSV rows; each fault is a sentence with its line."""

import csv
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ImportDataError
from analysis.importers.faults import other_separator

NEEDED = ("time", "size", "direction")
MORE = ("protocol", "remote", "port")
# Ethernet header; the shortest frame has nothing behind it, the longest one IP packet
ETHERNET_B = 14
_MOST_B = ETHERNET_B + 65_535
_DIRECTIONS = {"out": True, "in": False, "1": True, "+1": True, "-1": False}
UNKNOWN, NOT_IP = -1, -2
_PROTOCOLS = {"": UNKNOWN, "none": NOT_IP, "icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_LONGEST_NS = 86_400 * 10**9
_MOST_S = 4_000_000_000  # since 1970: the year 2096; both ways fit into int64 ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A CSV file as it is: names of columns, and rows with the line each ends at."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def column(self, name: str) -> int:
        """Return where a column is, -1 when there is none."""
        return self.header.index(name) if name in self.header else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """Packets of one activity; arrays are (n,).

    time_ns    int64, from the first packet, not decreasing
    length_b   int64, of the frame on the wire
    outbound   bool, the device sent it
    protocol   int16, number of the IP protocol, or `UNKNOWN`, or `NOT_IP`
    port       int32, of the remote, 0 where it is not known
    remote     address of the other end, '' where it is not known
    """

    time_ns: NDArray[np.int64]
    length_b: NDArray[np.int64]
    outbound: NDArray[np.bool_]
    protocol: NDArray[np.int16]
    port: NDArray[np.int32]
    remote: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.time_ns.size)


def read_sheet(path: Path) -> Sheet:
    """Read a whole CSV. Raises ImportDataError when it is none or a column is twice.

    Spaces around names and values are nobody's intention, and are taken away.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = tuple(name.strip() for name in next(reader, ()))
            rows = tuple(
                (reader.line_num, tuple(value.strip() for value in row))
                for row in reader
                if row
            )
    except OSError as exc:
        reason = f"{path}: cannot be read: {exc.strerror}"
        raise ImportDataError((reason,)) from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        reason = f"{path}: is not a CSV file in UTF-8: {exc}"
        raise ImportDataError((reason,)) from exc
    if faults := other_separator(path, header):
        raise ImportDataError(tuple(faults))
    if not header:
        raise ImportDataError((f"{path}: line 1: has no columns",))
    twice = [name for name in dict.fromkeys(header) if name and header.count(name) > 1]
    if twice:
        reason = f"{path}: line 1: has two columns {twice[0]!r}; rename one of them"
        raise ImportDataError((reason,))
    return Sheet(path=path, header=header, rows=rows)


@dataclass(slots=True, kw_only=True)
class PacketRows:
    """Turns rows of a sheet into packets.

    places   our column -> place in a row
    extra_b  bytes to add to a size to have that of the frame
    sort     put packets that go back in time into order, instead of a fault
    """

    places: Mapping[str, int]
    extra_b: int = 0
    sort: bool = False
    faults: list[str] = field(default_factory=list)

    def packets(
        self, path: Path, rows: Sequence[tuple[int, tuple[str, ...]]]
    ) -> Packets | None:
        """Return the packets of one activity; None when a row has a fault."""
        before = len(self.faults)
        columns: dict[str, list[int | bool | str]] = {name: [] for name in _PARSERS}
        for line, row in rows:
            for name, parse in _PARSERS.items():
                place = self.places.get(name, -1)
                text = row[place] if 0 <= place < len(row) else ""
                try:
                    columns[name].append(parse(text))
                except ValueError as exc:
                    got = f", got {text!r}" if text else ""
                    self.faults.append(f"{path}: line {line}: {name}: {exc}{got}")
        if len(self.faults) > before:
            return None
        return self._checked(path, rows, columns)

    def _checked(
        self,
        path: Path,
        rows: Sequence[tuple[int, tuple[str, ...]]],
        columns: Mapping[str, list[int | bool | str]],
    ) -> Packets | None:
        time_ns = np.array(columns["time"], dtype=np.int64)
        length_b = np.array(columns["size"], dtype=np.int64) + self.extra_b
        lines = np.array([line for line, _row in rows], dtype=np.int64)
        order = np.argsort(time_ns, kind="stable")
        back = np.flatnonzero(np.diff(time_ns) < 0) + 1
        before = len(self.faults)
        if back.size and not self.sort:
            at = int(back[0])
            by_s = (int(time_ns[at - 1]) - int(time_ns[at])) / 1e9
            more = f", and so do {back.size - 1} later rows" if back.size > 1 else ""
            self.faults.append(
                f"{path}: line {lines[at]}: time: goes back by {by_s:g} s{more}; one "
                "trace is in order of time: tell traces apart, or give --sort"
            )
        for at in np.flatnonzero(
            (length_b < ETHERNET_B) | (length_b > _MOST_B)
        ).tolist():
            reason = f"no frame has {length_b[at]} bytes; are these sizes of frames?"
            self.faults.append(f"{path}: line {lines[at]}: size: {reason}")
        span_ns = int(time_ns.max()) - int(time_ns.min())
        if span_ns > _LONGEST_NS:
            self.faults.append(
                f"{path}: line {lines[-1]}: time: the trace would last "
                f"{span_ns / 1e9:g} s, more than a day; are its times in seconds?"
            )
        if len(self.faults) > before:
            return None
        remote = [str(columns["remote"][at]) for at in order.tolist()]
        return Packets(
            time_ns=time_ns[order] - time_ns[order[0]],
            length_b=length_b[order],
            outbound=np.array(columns["direction"], dtype=np.bool_)[order],
            protocol=np.array(columns["protocol"], dtype=np.int16)[order],
            port=np.array(columns["port"], dtype=np.int32)[order],
            remote=tuple(remote),
        )


def _time(text: str) -> int:
    """Return ns for seconds in decimals, exactly."""
    if not text:
        raise ValueError("is empty")
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise ValueError("must be a number of seconds")
    if value.copy_abs() > _MOST_S:
        raise ValueError("is too large for seconds; is it in another unit?")
    return int((value * 10**9).to_integral_value())


def _size(text: str) -> int:
    value = _whole(text)
    if value is None or not 0 < value <= _MOST_B:
        raise ValueError("must be a whole number of bytes" if text else "is empty")
    return value


def _direction(text: str) -> bool:
    known = _DIRECTIONS.get(text.lower())
    if known is None and (value := _whole(text)) in (1, -1):
        known = value == 1
    if known is None:
        raise ValueError("must be +1 or out, -1 or in" if text else "is empty")
    return known


def _protocol(text: str) -> int:
    known = _PROTOCOLS.get(text.lower())
    if known is not None:
        return known
    value = _whole(text)
    if value is None or not 0 <= value <= 255:
        raise ValueError("must be tcp, udp, icmp, none or the number of a protocol")
    return value


def _port(text: str) -> int:
    value = _whole(text or "0")
    if value is None or not 0 <= value <= 65_535:
        raise ValueError("must be between 0 and 65535")
    return value


def _remote(text: str) -> str:
    if text:
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            raise ValueError("must be an IP address") from None
    return ""


def _whole(text: str) -> int | None:
    """Return the number, written as 176 or 176.0; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else None


_PARSERS: Mapping[str, Callable[[str], int | bool | str]] = {
    "time": _time,
    "size": _size,
    "direction": _direction,
    "protocol": _protocol,
    "remote": _remote,
    "port": _port,
}
