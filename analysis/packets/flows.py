"""The flow table of one device: what each of its conversations added up to.

`flows/device=<device>/<capture>.parquet` beside the packet table, one per raw capture;
hive-partitioned like it. In these files, as in those of the packets, numbers of flows
begin anew in each capture, which stands beside them; once loaded, they are counted on.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.errors import DatasetError
from analysis.packets.arrow import named_by, texts_to_arrow, to_arrow, to_numpy
from analysis.packets.index import find_index
from analysis.packets.runs import part_of
from analysis.pcap.conversations import Keys
from analysis.pcap.jit import kernel

Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Text = NDArray[np.str_]
Uint8 = NDArray[np.uint8]

_FORMAT = 1
_KEY = b"testbed"
_FIRST_SIZE = 64
_PIECE = 16_384  # flows that are written together
_REPEATS = 3  # retransmission, fast and spurious; the codes above are something else

FLOW_COLUMNS: Mapping[str, str] = {
    "capture": "i4",
    "flow": "i4",
    "protocol": "u1",
    "device_address": "<U39",
    "remote_address": "<U39",
    "device_port": "u2",
    "remote_port": "u2",
    "first_ns": "i8",
    "last_ns": "i8",
    "packets_out": "i8",
    "packets_in": "i8",
    "bytes_out": "i8",
    "bytes_in": "i8",
    "payload_out_b": "i8",
    "payload_in_b": "i8",
    "tcp_flags_out": "u1",
    "tcp_flags_in": "u1",
    "retransmissions": "i8",
    "started_by_device": "?",
}
# columns of a row of totals, in the order of the table
_FLOW, _FIRST_NS, _LAST_NS, _PACKETS, _BYTES, _PAYLOAD = 0, 1, 2, 3, 5, 7
_FLAGS, _RETRANSMISSIONS, _STARTED, _IS_SOURCE = 9, 11, 12, 13
_TOTALS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTable:
    """Conversations of one device, in order of appearance; m rows.

    device             name of the device
    capture            (m,) int32, row of the packet table's `captures`
    flow               (m,) int32, number of the conversation, as in the packet table
    protocol           (m,) uint8, number of the IP protocol
    device_address     (m,) text, address that the device has in it
    remote_address     (m,) text, address of the other endpoint
    device_port        (m,) uint16, TCP and UDP; 0 for others and for later fragments
    remote_port        (m,) uint16
    first_ns           (m,) int64, lowest stamp, ns UTC on the capture's clock
    last_ns            (m,) int64, highest stamp
    packets_out        (m,) int64, packets that the device sent
    packets_in         (m,) int64, packets that it received
    bytes_out          (m,) int64, bytes of the frames on the wire that it sent
    bytes_in           (m,) int64, of those that it received
    payload_out_b      (m,) int64, bytes above TCP or UDP, else above IP
    payload_in_b       (m,) int64
    tcp_flags_out      (m,) uint8, the low eight flags of all packets, or-ed
    tcp_flags_in       (m,) uint8
    retransmissions    (m,) int64, packets both ways: retransmission, fast, spurious
    started_by_device  (m,) bool, whether the device sent the first packet seen
    """

    device: str
    capture: NDArray[np.int32]
    flow: Int32
    protocol: Uint8
    device_address: Text
    remote_address: Text
    device_port: NDArray[np.uint16]
    remote_port: NDArray[np.uint16]
    first_ns: Int64
    last_ns: Int64
    packets_out: Int64
    packets_in: Int64
    bytes_out: Int64
    bytes_in: Int64
    payload_out_b: Int64
    payload_in_b: Int64
    tcp_flags_out: Uint8
    tcp_flags_in: Uint8
    retransmissions: Int64
    started_by_device: Bool

    def __post_init__(self) -> None:
        for name, dtype in FLOW_COLUMNS.items():
            column = getattr(self, name)
            if column.shape != self.flow.shape or column.dtype != np.dtype(dtype):
                raise ValueError(
                    f"column {name} must be {self.flow.shape} {np.dtype(dtype)}, "
                    f"got {column.shape} {column.dtype}"
                )
            column.setflags(write=False)

    def __len__(self) -> int:
        return self.flow.size

    @classmethod
    def of(cls, device: str, columns: Mapping[str, Any]) -> "FlowTable":
        """Make a table of columns, cast to their types."""
        cast = {n: np.asarray(columns[n], np.dtype(t)) for n, t in FLOW_COLUMNS.items()}
        return cls(device=device, **cast)


class FlowTotals:
    """Adds up the packets of one device in one capture, batch by batch.

    Memory grows by 112 bytes per conversation of the device and 4 per conversation of
    the capture, never with packets.
    """

    def __init__(self) -> None:
        """Begin a capture."""
        self._count = np.zeros(1, dtype=np.int64)
        self._place = np.zeros(0, dtype=np.int32)
        self._totals = np.zeros((_FIRST_SIZE, _TOTALS), dtype=np.int64)

    def __len__(self) -> int:
        """Return how many conversations the device has had."""
        return int(self._count[0])

    def add(
        self,
        *,
        flow: Int32,
        reverse: Bool,
        outbound: Bool,
        time_ns: Int64,
        length_b: NDArray[np.uint32],
        payload_b: NDArray[np.uint32],
        tcp_flags: Uint8,
        retransmission: Uint8,
    ) -> None:
        """Take the device's next packets, in order of the file; columns as they come.

        flow, reverse, retransmission  (n,) as `Conversations.add` says
        outbound                       (n,) bool, the device sent it
        time_ns, length_b, payload_b, tcp_flags  (n,) columns of the packets
        """
        if not flow.size:
            return
        self._reach(int(flow.max()) + 1)
        done = 0
        while done < flow.size:
            done = _add_up(
                done,
                (flow, time_ns, reverse, outbound),
                (length_b, payload_b, tcp_flags, retransmission),
                (self._place, self._totals, self._count),
            )
            if done < flow.size:
                more = np.zeros_like(self._totals)
                self._totals = np.concatenate([self._totals, more])

    def tables(self, keys: Keys, *, device: str) -> Iterator[FlowTable]:
        """Yield the flows so far in pieces, which take less memory than all at once."""
        for first in range(0, len(self), _PIECE):
            yield self.table(keys, device=device, rows=slice(first, first + _PIECE))

    def table(
        self,
        keys: Keys,
        *,
        device: str,
        capture: int = 0,
        rows: slice = slice(None),
    ) -> FlowTable:
        """Return the flows so far.

        keys     who talks in the conversations of the capture
        device   its name
        capture  row of the packet table's `captures`
        rows     some of them only
        """
        totals = self._totals[: len(self)][rows]
        flow = totals[:, _FLOW]
        is_source = totals[:, _IS_SOURCE].astype(bool)
        ends = (
            (_texts(keys.src[flow]), keys.src_port[flow]),
            (_texts(keys.dst[flow]), keys.dst_port[flow]),
        )
        pairs = {
            "packets_out": _PACKETS,
            "bytes_out": _BYTES,
            "payload_out_b": _PAYLOAD,
            "tcp_flags_out": _FLAGS,
        }
        columns: dict[str, Any] = {n: totals[:, at] for n, at in pairs.items()}
        for name, at in pairs.items():
            columns[name.replace("_out", "_in")] = totals[:, at + 1]
        columns |= {
            "capture": np.full(flow.size, capture),
            "flow": flow,
            "protocol": keys.protocol[flow],
            "device_address": np.where(is_source, ends[0][0], ends[1][0]),
            "remote_address": np.where(is_source, ends[1][0], ends[0][0]),
            "device_port": np.where(is_source, ends[0][1], ends[1][1]),
            "remote_port": np.where(is_source, ends[1][1], ends[0][1]),
            "first_ns": totals[:, _FIRST_NS],
            "last_ns": totals[:, _LAST_NS],
            "retransmissions": totals[:, _RETRANSMISSIONS],
            "started_by_device": totals[:, _STARTED],
        }
        return FlowTable.of(device, columns)

    def _reach(self, flows: int) -> None:
        """Make `_place` cover the conversations below `flows`."""
        if flows > self._place.size:
            longer = np.full(max(flows, 2 * self._place.size), -1, dtype=np.int32)
            longer[: self._place.size] = self._place
            self._place = longer


@kernel
def _add_up(
    first: int,
    packets: tuple[Int32, Int64, Bool, Bool],
    values: tuple[NDArray[np.uint32], NDArray[np.uint32], Uint8, Uint8],
    state: tuple[Int32, Int64, Int64],
) -> int:
    """Add packets from row `first` on; return the row where room ran out.

    packets  conversation, stamp, against the first direction, sent by the device
    values   bytes, payload, flags, class; of each packet
    state    row of each conversation or -1, rows of totals, how many there are
    """
    flow, time_ns, reverse, outbound = packets
    length_b, payload_b, tcp_flags, retransmission = values
    place, totals, count = state
    for i in range(first, flow.size):
        f = flow[i]
        if f < 0:
            continue
        at = place[f]
        if at < 0:
            at = count[0]
            if at >= totals.shape[0]:
                return i
            count[0], place[f] = at + 1, at
            totals[at, _FLOW] = f
            totals[at, _FIRST_NS] = totals[at, _LAST_NS] = time_ns[i]
            totals[at, _STARTED] = outbound[i]
            totals[at, _IS_SOURCE] = outbound[i] != reverse[i]
        totals[at, _FIRST_NS] = min(totals[at, _FIRST_NS], time_ns[i])
        totals[at, _LAST_NS] = max(totals[at, _LAST_NS], time_ns[i])
        way = 0 if outbound[i] else 1
        totals[at, _PACKETS + way] += 1
        totals[at, _BYTES + way] += np.int64(length_b[i])
        totals[at, _PAYLOAD + way] += np.int64(payload_b[i])
        totals[at, _FLAGS + way] |= np.int64(tcp_flags[i])
        if 1 <= retransmission[i] <= _REPEATS:
            totals[at, _RETRANSMISSIONS] += 1
    return flow.size


def _texts(addresses: NDArray[np.uint64]) -> Text:
    """Write addresses as people do, each different one once."""
    unique, rows = np.unique(addresses, axis=0, return_inverse=True)
    texts = [_text(high << 64 | low) for high, low in unique.tolist()]
    return np.array(texts, dtype="<U39")[rows.reshape(-1)]


def _text(number: int) -> str:
    address = ipaddress.IPv6Address(number)
    return str(address.ipv4_mapped or address)


def write_flows(path: Path, tables: Iterable[FlowTable], capture: str) -> int:
    """Write the flows of one capture, wholly or not at all; return the bytes.

    tables   pieces of the flow table of one device, one at least
    capture  its name, which stands in the file instead of its number
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    writer = None
    try:
        for table in tables:
            arrow = _to_arrow(table, capture)
            if writer is None:
                options = {"compression": "zstd", "compression_level": 1}
                writer = pq.ParquetWriter(part, arrow.schema, **options)
            writer.write_table(arrow)
        if writer is not None:
            writer.close()
        size_b = part.stat().st_size
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return size_b


def _to_arrow(table: FlowTable, capture: str) -> pa.Table:
    columns = {name: _column(getattr(table, name)) for name in FLOW_COLUMNS}
    nothing = np.zeros(len(table), dtype=np.int32)
    columns["capture"] = named_by(nothing, [capture])
    about = {"format": _FORMAT, "device": table.device, "capture": capture}
    return pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about)})


def load_flows(folder: Path, device: str) -> FlowTable:
    """Read the flow table of one device, of all captures.

    Raises DatasetError when it is not there or cannot be read.
    """
    index = find_index(folder)
    if index is None or device not in index.devices:
        message = f"{folder}: has no flow table of {device!r}; run testbed packets"
        raise DatasetError(message)
    parts = []
    first_flow = 0
    for number, capture in enumerate(index.captures):
        if capture.devices[device].n_flows:
            home = folder / "flows" / f"device={device}"
            part = _read(home / f"{capture.name}.parquet")
            part["capture"] = np.full(part["flow"].size, number, dtype=np.int32)
            part["flow"] = part["flow"] + np.int32(first_flow)
            parts.append(part)
        first_flow += capture.n_conversations
    nothing: dict[str, Any] = {n: np.zeros(0, t) for n, t in FLOW_COLUMNS.items()}
    parts = parts or [nothing]
    columns = {n: np.concatenate([part[n] for part in parts]) for n in FLOW_COLUMNS}
    return FlowTable.of(device, columns)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    names = [name for name in FLOW_COLUMNS if name != "capture"]
    try:
        arrow = pq.ParquetFile(path).read(columns=names)
        return {
            name: np.array(_values(arrow.column(name)), dtype=np.dtype(t))
            for name, t in FLOW_COLUMNS.items()
            if name in names
        }
    except (OSError, KeyError, pa.ArrowException) as exc:
        raise DatasetError(f"{path}: is no flow table: {exc}") from exc


def _column(values: NDArray[Any]) -> pa.Array:
    is_text = values.dtype.kind == "U"
    return texts_to_arrow(values.tolist()) if is_text else to_arrow(values)


def _values(column: pa.ChunkedArray) -> Any:
    whole = column.combine_chunks()
    return whole.to_pylist() if pa.types.is_string(whole.type) else to_numpy(whole)
