"""Write the packets of one device to Parquet in order of time, in bounded memory.

Packets are sorted in a buffer. One that comes later than its stamp by more than the
buffer holds would break the order of what is already written: it goes into a further
file, a *run*, which is in order by itself. Readers merge runs. There is one run unless
a clock was set back or captures were joined.
"""

import contextlib
import json
from collections.abc import Mapping
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.packets.arrow import named_by, to_arrow
from analysis.packets.counts import RunFile

Columns = Mapping[str, NDArray[Any]]

BUFFERED = 65_536  # packets of a device that are sorted together
KEY = b"testbed"
_ROW_GROUP = 262_144

SCHEMA = pa.schema(
    [
        ("time_ns", pa.int64()),
        ("length_b", pa.uint32()),
        ("outbound", pa.bool_()),
        ("protocol", pa.uint8()),
        ("remote_address", pa.dictionary(pa.int32(), pa.string())),
        ("src_port", pa.uint16()),
        ("dst_port", pa.uint16()),
        ("payload_b", pa.uint32()),
        ("tcp_flags", pa.uint8()),
        ("seq", pa.uint32()),
        ("ack", pa.uint32()),
        ("flow", pa.int32()),
        ("retransmission", pa.uint8()),
        ("error", pa.uint8()),
        ("capture", pa.dictionary(pa.int32(), pa.string())),
        ("frame", pa.int64()),
    ]
)
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": [
        "length_b",
        "protocol",
        "remote_address",
        "src_port",
        "dst_port",
        "payload_b",
        "tcp_flags",
        "flow",
        "retransmission",
        "error",
        "capture",
    ],
    "column_encoding": {
        "time_ns": "DELTA_BINARY_PACKED",
        "frame": "DELTA_BINARY_PACKED",
        "seq": "PLAIN",
        "ack": "PLAIN",
    },
    "write_statistics": ["time_ns"],
}


class SortedRuns:
    """Takes packets of one device of one capture, block by block.

    folder   where the files are made, as `<capture>.parquet`, `<capture>.1.parquet`
    capture  name of the capture
    pool     writes while further packets are read, one buffer at a time

    Files are written beside their place and moved there by `close`; `discard` leaves
    none.
    """

    def __init__(
        self, folder: Path, capture: str, pool: Executor | None = None
    ) -> None:
        self._folder = folder
        self._capture = capture
        self._pool = pool
        self._writing: Future[None] | None = None
        self._blocks: list[Columns] = []
        self._buffered = 0
        self._runs: list[_Run] = []
        self.addresses: list[str] = []  # texts that the column `remote` counts

    def add(self, columns: Columns) -> None:
        """Take a block of packets: all columns of the schema but `capture`.

        Instead of `remote_address` there is `remote`, row of `addresses`, or -1.
        """
        self._blocks.append(columns)
        self._buffered += columns["time_ns"].size
        if self._buffered >= BUFFERED:
            # what came last may still be overtaken: a quarter of it stays
            self._write(keep=BUFFERED // 4)

    def close(self, about: Mapping[str, Any]) -> tuple[RunFile, ...]:
        """Write what is left and return the files.

        about  metadata of the schema, as JSON under the key `testbed`
        """
        self._write(keep=0)
        self._wait()
        return tuple(run.close(about) for run in self._runs)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._writing is not None:
            wait([self._writing])
        for run in self._runs:
            run.discard()

    def _write(self, keep: int) -> None:
        if not self._buffered:
            return
        names = tuple(self._blocks[0])
        whole = {n: np.concatenate([block[n] for block in self._blocks]) for n in names}
        stamps = whole["time_ns"]
        if stamps.size > 1 and bool((stamps[1:] < stamps[:-1]).any()):
            order = np.argsort(stamps, kind="stable")
            whole = {n: column[order] for n, column in whole.items()}
        done = {n: column[: stamps.size - keep] for n, column in whole.items()}
        self._blocks = []
        if keep:
            self._blocks.append({n: c[-keep:].copy() for n, c in whole.items()})
        self._buffered = min(keep, stamps.size)
        self._wait()
        addresses = list(self.addresses)
        if self._pool is None:
            self._spread(done, addresses)
        else:
            self._writing = self._pool.submit(self._spread, done, addresses)

    def _wait(self) -> None:
        """Let what is being written come to its end. Raises what went wrong."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def flush(self) -> None:
        """Begin to write what is left; `close` waits for it."""
        self._write(keep=0)

    def _spread(self, columns: Columns, addresses: list[str]) -> None:
        """Write sorted packets, each into the first run that they do not break."""
        for run in self._runs:
            first = int(np.searchsorted(columns["time_ns"], run.last_ns, side="left"))
            run.write({n: c[first:] for n, c in columns.items()}, addresses)
            columns = {n: c[:first] for n, c in columns.items()}
        if columns["time_ns"].size:
            number = f".{len(self._runs)}" if self._runs else ""
            path = self._folder / f"{self._capture}{number}.parquet"
            run = _Run(path, self._capture)
            self._runs.append(run)
            run.write(columns, addresses)


class _Run:
    """One Parquet file, in order of time."""

    def __init__(self, path: Path, capture: str) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._capture = capture
        self.first_ns: int | None = None
        self.last_ns = -(1 << 63)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._part, SCHEMA, **_PARQUET)

    def write(self, columns: Columns, addresses: list[str]) -> None:
        n = columns["time_ns"].size
        if not n:
            return
        arrays = {
            name: to_arrow(column)
            for name, column in columns.items()
            if name != "remote"
        }
        arrays["remote_address"] = named_by(columns["remote"], addresses)
        arrays["capture"] = named_by(np.zeros(n, dtype=np.int32), [self._capture])
        chosen = [arrays[name] for name in SCHEMA.names]
        rows = pa.Table.from_arrays(chosen, schema=SCHEMA)
        self._writer.write_table(rows, row_group_size=_ROW_GROUP)
        if self.first_ns is None:
            self.first_ns = int(columns["time_ns"][0])
        self.last_ns = int(columns["time_ns"][-1])

    def close(self, about: Mapping[str, Any]) -> RunFile:
        self._writer.add_key_value_metadata({KEY: json.dumps(about)})
        self._writer.close()
        self._part.replace(self._path)
        first_ns = self.last_ns if self.first_ns is None else self.first_ns
        return RunFile(name=self._path.name, first_ns=first_ns, last_ns=self.last_ns)

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # its last bytes find no room either
            self._writer.close()
        self._part.unlink(missing_ok=True)
