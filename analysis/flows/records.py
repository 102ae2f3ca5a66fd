"""Flow records: what a metering point keeps of the packets of a connection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.flows.texts import Texts

ENDS = ("idle", "active", "closed", "capture")

# None: a column of texts. The order is that of the files.
COLUMNS: Mapping[str, type[np.generic] | None] = {
    "home": None,
    "device": None,
    "model": None,
    "start_ns": np.int64,
    "end_ns": np.int64,
    "protocol": np.uint8,
    "device_address": None,
    "remote_address": None,
    "device_port": np.uint16,
    "remote_port": np.uint16,
    "outbound": np.bool_,
    "packets_out": np.int64,
    "packets_in": np.int64,
    "bytes_out": np.int64,
    "bytes_in": np.int64,
    "payload_out_b": np.int64,
    "payload_in_b": np.int64,
    "tcp_flags_out": np.uint8,
    "tcp_flags_in": np.uint8,
    "ttl_out": np.uint8,
    "ttl_in": np.uint8,
    "iat_mean_s": np.float64,
    "iat_std_s": np.float64,
    "iat_min_s": np.float64,
    "iat_max_s": np.float64,
    "server_name": None,
    "end": None,
}
TEXTS = tuple(name for name, dtype in COLUMNS.items() if dtype is None)
_COUNTS = tuple(n for n in COLUMNS if n.startswith(("packets_", "bytes_", "payload_")))
_GAPS = tuple(name for name in COLUMNS if name.startswith("iat_"))


class RecordError(ValueError):
    """A record says what cannot be.

    row  of the record, from 0;  reason  what it says
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"record {row + 1} {reason}")
        self.row, self.reason = row, reason


def _refuse(faulty: NDArray[np.bool_], reason: str) -> None:
    if faulty.any():
        raise RecordError(int(faulty.argmax()), reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRecords:
    """Bidirectional flow records, as columns; arrays are read-only.

    home            n texts, the home or site; '' where there is but one
    device          name of the device under test
    model           the device's model: homes with the same can be compared
    start_ns        (n,) int64, stamp of the first packet, ns UTC; end_ns of the last
    protocol        (n,) uint8, number of the IP protocol
    device_address  of the device; remote_address of the other endpoint
    device_port     (n,) uint16, 0 for neither TCP nor UDP; remote_port alike
    outbound        (n,) bool, True when the device sent the record's first packet
    packets_out     (n,) int64, sent by the device; packets_in received
    bytes_out       (n,) int64, of whole frames on the wire; bytes_in alike
    payload_out_b   (n,) int64, above TCP or UDP, else above IP; payload_in_b alike
    tcp_flags_out   (n,) uint8, all low eight flags that were seen; tcp_flags_in alike
    ttl_out         (n,) uint8, least TTL or hop limit, 0 unknown; ttl_in alike
    iat_mean_s      (n,) float64, of the gaps between all packets of the record, either
                    direction, as they were recorded: one whose stamp is before the
                    latest counts 0; iat_std_s population standard deviation;
                    iat_min_s, iat_max_s; NaN below two packets
    server_name     by DNS or TLS, '' unknown
    end             why it ended: idle, active (timeouts), closed (FIN of both sides or
                    RST), capture (nothing was recorded after)
    """

    home: Texts
    device: Texts
    model: Texts
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    protocol: NDArray[np.uint8]
    device_address: Texts
    remote_address: Texts
    device_port: NDArray[np.uint16]
    remote_port: NDArray[np.uint16]
    outbound: NDArray[np.bool_]
    packets_out: NDArray[np.int64]
    packets_in: NDArray[np.int64]
    bytes_out: NDArray[np.int64]
    bytes_in: NDArray[np.int64]
    payload_out_b: NDArray[np.int64]
    payload_in_b: NDArray[np.int64]
    tcp_flags_out: NDArray[np.uint8]
    tcp_flags_in: NDArray[np.uint8]
    ttl_out: NDArray[np.uint8]
    ttl_in: NDArray[np.uint8]
    iat_mean_s: NDArray[np.float64]
    iat_std_s: NDArray[np.float64]
    iat_min_s: NDArray[np.float64]
    iat_max_s: NDArray[np.float64]
    server_name: Texts
    end: Texts

    def __post_init__(self) -> None:
        n = self.start_ns.size
        for name, dtype in COLUMNS.items():
            column = getattr(self, name)
            if len(column) != n:
                raise ValueError(f"{name} has {len(column)} rows, others have {n}")
            if dtype is None:
                continue
            if column.ndim != 1 or column.dtype != dtype:
                raise ValueError(f"{name} must be (n,) {np.dtype(dtype)}")
            column.setflags(write=False)
        self._check_values()

    def _check_values(self) -> None:
        _refuse(self.end_ns < self.start_ns, "ends before it starts")
        for name in _COUNTS:
            _refuse(getattr(self, name) < 0, f"has {name} below 0")
        _refuse(self.packets_out + self.packets_in < 1, "has no packet")
        for name in _GAPS:
            gap_s = getattr(self, name)
            _refuse((gap_s < 0) | np.isinf(gap_s), f"has {name} that cannot be")
        others = sorted(
            self.end.names[k]
            for k in np.unique(self.end.number)
            if self.end.names[k] not in ENDS
        )
        if others:
            raise ValueError(f"end is one of {', '.join(ENDS)}, not {others[0]!r}")

    def __len__(self) -> int:
        return self.start_ns.size

    @property
    def duration_s(self) -> NDArray[np.float64]:
        """(n,) float64, from the first packet to the last."""
        return np.asarray((self.end_ns - self.start_ns) / 1e9, dtype=np.float64)

    def take(
        self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice
    ) -> "FlowRecords":
        """Return the chosen records, in that order."""
        chosen: dict[str, Any] = {}
        for name in COLUMNS:
            column = getattr(self, name)
            is_text = isinstance(column, Texts)
            chosen[name] = column.take(rows) if is_text else column[rows]
        return FlowRecords(**chosen)

    def replaced(self, **columns: Any) -> "FlowRecords":
        """Return the records with other columns in the place of some."""
        return replace(self, **columns)

    def compacted(self) -> "FlowRecords":
        """Return the same records, without names that are in none of them."""
        return self.replaced(**{name: getattr(self, name).used() for name in TEXTS})

    def by_time(self) -> "FlowRecords":
        """Return the records by start; those of one start keep their order."""
        if np.all(self.start_ns[1:] >= self.start_ns[:-1]):
            return self
        return self.take(np.argsort(self.start_ns, kind="stable"))

    @staticmethod
    def joined(parts: "Sequence[FlowRecords]") -> "FlowRecords":
        """Return the records of all parts, one after the other; none of no parts."""
        columns: dict[str, Any] = {}
        for name, dtype in COLUMNS.items():
            own = [getattr(part, name) for part in parts]
            if dtype is None:
                columns[name] = Texts.joined(own)
            else:
                columns[name] = np.concatenate([np.zeros(0, dtype=dtype), *own])
        return FlowRecords(**columns)
