"""Flow records of others, row by row, turned to the side of a device."""

import ipaddress
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.flows.records import COLUMNS, FlowRecords
from analysis.flows.texts import Texts

ETHERNET_B, IPV4_B, IPV6_B = 14, 20, 40
_PIECE = 65_536
_NAN = float("nan")
LARGEST_NS = (1 << 63) - 1
_MOST_DIGITS = 40  # of seconds, which are out of range long before


class RowError(ValueError):
    """A line of others says what cannot be; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Whose records are wanted, and what stands in their text columns.

    network  addresses of the device; None for every record, seen from who began it
    """

    name: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    home: str = ""
    model: str = ""

    @classmethod
    def of(cls, text: str, *, home: str = "", model: str = "") -> "Side":
        """Return what NAME=ADDRESS, ADDRESS or NAME asks for. Raises ValueError."""
        name, equals, address = text.rpartition("=")
        try:
            network = ipaddress.ip_network(address, strict=False) if address else None
        except ValueError:
            if equals:
                raise
            return cls(name=address, home=home, model=model or address)
        return cls(name=name, network=network, home=home, model=model or name)

    def is_device(self, address: str) -> bool:
        """Say whether this is an address of the device."""
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return self.network is not None and known in self.network


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record as others keep it: of who began it (first of a pair) and the other.

    Lists of two are (sent by who began, received). Stamps in ns, gaps in s.
    """

    start_ns: int
    end_ns: int
    protocol: int
    addresses: tuple[str, str]
    ports: tuple[int, int]
    packets: tuple[int, int]
    bytes: tuple[int, int]
    payload_b: tuple[int, int]
    tcp_flags: tuple[int, int] = (0, 0)
    ttl: tuple[int, int] = (0, 0)
    gaps_s: tuple[float, float, float, float] | None = None
    server_name: str = ""
    end: str = "idle"
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Records and, row by row, what made them, where the table says so."""

    records: FlowRecords
    causes: Texts


def pieces_of(rows: Iterable[Row], side: Side) -> Iterator[Told]:
    """Yield records of rows, turned; without those of others and without packets."""
    waiting: list[dict[str, Any]] = []
    causes: list[str] = []
    for row in rows:
        turned = _turned(row, side)
        if turned is not None:
            waiting.append(turned)
            causes.append(row.cause)
        if len(waiting) == _PIECE:
            yield Told(records=_records(waiting), causes=Texts.of(causes))
            waiting, causes = [], []
    if waiting:
        yield Told(records=_records(waiting), causes=Texts.of(causes))


def _records(rows: list[dict[str, Any]]) -> FlowRecords:
    columns: dict[str, Any] = {}
    for name, dtype in COLUMNS.items():
        values = [row[name] for row in rows]
        try:
            columns[name] = (
                Texts.of(values) if dtype is None else np.array(values, dtype)
            )
        except OverflowError as exc:
            raise ValueError(f"{name} is out of range: {exc}") from exc
    return FlowRecords(**columns)


def _turned(row: Row, side: Side) -> dict[str, Any] | None:
    """Return the columns as the device sees them, None when it is not the device's."""
    if not sum(row.packets):
        return None
    began = 0
    if side.network is not None:
        is_own = [side.is_device(address) for address in row.addresses]
        if not any(is_own):
            return None
        began = 0 if is_own[0] else 1
    other = 1 - began
    return {
        "home": side.home,
        "device": side.name,
        "model": side.model,
        "start_ns": row.start_ns,
        "end_ns": max(row.start_ns, row.end_ns),
        "protocol": row.protocol,
        "device_address": row.addresses[began],
        "remote_address": row.addresses[other],
        "device_port": row.ports[began],
        "remote_port": row.ports[other],
        "outbound": began == 0,
        "packets_out": row.packets[began],
        "packets_in": row.packets[other],
        "bytes_out": row.bytes[began],
        "bytes_in": row.bytes[other],
        "payload_out_b": row.payload_b[began],
        "payload_in_b": row.payload_b[other],
        "tcp_flags_out": row.tcp_flags[began],
        "tcp_flags_in": row.tcp_flags[other],
        "ttl_out": row.ttl[began],
        "ttl_in": row.ttl[other],
        **_gaps(row),
        "server_name": row.server_name,
        "end": row.end,
    }


def _gaps(row: Row) -> dict[str, float]:
    """Return the four columns of gaps; all that is known is often their mean."""
    n = sum(row.packets)
    mean_s, std_s, least_s, most_s = row.gaps_s or (_NAN, _NAN, _NAN, _NAN)
    if n > 1:
        mean_s = max(0, row.end_ns - row.start_ns) / (n - 1) / 1e9
    if n == 2:
        std_s, least_s, most_s = 0.0, mean_s, mean_s
    return {
        "iat_mean_s": mean_s,
        "iat_std_s": std_s,
        "iat_min_s": least_s,
        "iat_max_s": most_s,
    }


def whole(text: object, what: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`. Raises RowError naming `what`."""
    try:
        value = int(text if isinstance(text, float) else str(text))
    except (ValueError, OverflowError) as exc:
        raise RowError(f"{what} must be a whole number, not {text!r:.40}") from exc
    if not least <= value <= most:
        raise RowError(f"{what} cannot be {text!s:.40}")
    return value


def ns_of(seconds: str) -> int:
    """Return decimal seconds in ns, to the last digit. Raises RowError."""
    begun, _, part = seconds.partition(".")
    if not (begun + part).isdecimal() or not (begun + part).isascii():
        return ns_of_float(seconds)
    time_ns = int(begun[:_MOST_DIGITS] or "0") * 10**9 + int(part[:9].ljust(9, "0"))
    if time_ns > LARGEST_NS:
        raise RowError(f"{seconds:.40} s is out of range")
    return time_ns


def ns_of_float(seconds: object) -> int:
    """Return seconds in ns, as far as a float tells. Raises RowError."""
    try:
        value = float(str(seconds))
    except ValueError as exc:
        raise RowError(f"{seconds!r:.40} is no number of seconds") from exc
    if not math.isfinite(value) or not 0 <= value < LARGEST_NS / 1e9:
        raise RowError(f"{seconds!s:.40} s is out of range")
    return round(value * 1e6) * 1000
