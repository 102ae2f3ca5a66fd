"""Write the packets of one device to Parquet in order of time, in bounded memory.

Packets are sorted in a buffer. One that comes later than its stamp by more than the
buffer holds would break the order of what is already written: it goes into a further
file, a *run*, which is in order by itself. Readers merge runs. There is one run unless
a clock was set back or captures were joined.
"""

import contextlib
import json
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.packets.arrow import named_by, to_arrow
from analysis.packets.index import RunFile

Columns = Mapping[str, NDArray[Any]]

BUFFERED = 65_536  # packets of a device that are sorted together
KEY = b"testbed"
_MOST_OPEN = 16  # runs that are written at a time; one more closes the first

SCHEMA = pa.schema(
    [
        ("time_ns", pa.int64()),
        ("length_b", pa.uint32()),
        ("outbound", pa.bool_()),
        ("ethertype", pa.uint16()),
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
        "ethertype",
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


def run_name(capture: str, number: int) -> str:
    """Return the name of a run of a capture; the first is named like the capture."""
    return f"{capture}.parquet" if number == 0 else f"{capture}.run{number}.parquet"


def part_of(path: Path) -> Path:
    """Return a place beside `path` to write it in, that nobody else writes in."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")


class SortedRuns:
    """Takes packets of one device of one capture, block by block.

    folder   where the files are made
    capture  name of the capture
    about    metadata of the schema, as JSON under the key `testbed`
    pool     writes while further packets are read, one buffer at a time

    Files are written beside their place and moved there when they are whole; `discard`
    leaves none.
    """

    def __init__(
        self,
        folder: Path,
        capture: str,
        about: Mapping[str, Any],
        pool: Executor | None = None,
    ) -> None:
        self._folder = folder
        self._capture = capture
        self._about = json.dumps(about)
        self._pool = pool
        self._writing: Future[None] | None = None
        self._blocks: list[Columns] = []
        self._buffered = 0
        self._open: list[_Run] = []
        self._files: list[RunFile] = []
        # texts that the column `remote` counts; it grows, and never changes otherwise
        self.addresses: Sequence[str] = ()

    def add(self, columns: Columns) -> None:
        """Take a block of packets: all columns of the schema but `capture`.

        Instead of `remote_address` there is `remote`, row of `addresses`, or -1.
        """
        self._blocks.append(columns)
        self._buffered += columns["time_ns"].size
        if self._buffered >= BUFFERED:
            # what came last may still be overtaken: a quarter of it stays
            self._write(keep=BUFFERED // 4)

    def flush(self) -> None:
        """Begin to write what is left; `close` waits for it."""
        self._write(keep=0)

    def close(self) -> tuple[RunFile, ...]:
        """Write what is left and return the files."""
        self._write(keep=0)
        self._wait()
        while self._open:
            self._close_first()
        return tuple(self._files)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._writing is not None:
            wait([self._writing])
        for run in self._open:
            run.discard()
        for file in self._files:
            (self._folder / file.name).unlink(missing_ok=True)

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
        if self._pool is None:
            self._spread(done)
        else:
            self._writing = self._pool.submit(self._spread, done)

    def _wait(self) -> None:
        """Let what is being written come to its end. Raises what went wrong."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _spread(self, columns: Columns) -> None:
        """Write sorted packets, each into the first run that they do not break."""
        for run in self._open:
            first = int(np.searchsorted(columns["time_ns"], run.last_ns, side="left"))
            run.write({n: c[first:] for n, c in columns.items()}, self.addresses)
            columns = {n: c[:first] for n, c in columns.items()}
        if not columns["time_ns"].size:
            return
        if len(self._open) == _MOST_OPEN:
            self._close_first()
        name = run_name(self._capture, len(self._files) + len(self._open))
        run = _Run(self._folder / name, self._capture, self._about)
        self._open.append(run)
        run.write(columns, self.addresses)

    def _close_first(self) -> None:
        self._files.append(self._open[0].close())
        self._open.pop(0)


class _Run:
    """One Parquet file, in order of time."""

    def __init__(self, path: Path, capture: str, about: str) -> None:
        self._path = path
        self._part = part_of(path)
        self._capture = capture
        self._first_ns: int | None = None
        self.last_ns = -(1 << 63)
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = SCHEMA.with_metadata({KEY: about})
        try:
            self._writer = pq.ParquetWriter(self._part, schema, **_PARQUET)
        except OSError:
            self._part.unlink(missing_ok=True)
            raise

    def write(self, columns: Columns, addresses: Sequence[str]) -> None:
        n = columns["time_ns"].size
        if not n:
            return
        numbers = [name for name in columns if name != "remote"]
        arrays = {name: to_arrow(columns[name]) for name in numbers}
        arrays["remote_address"] = _named(columns["remote"], addresses)
        arrays["capture"] = named_by(np.zeros(n, dtype=np.int32), [self._capture])
        chosen = [arrays[name] for name in SCHEMA.names]
        self._writer.write_table(pa.Table.from_arrays(chosen, schema=SCHEMA))
        if self._first_ns is None:
            self._first_ns = int(columns["time_ns"][0])
        self.last_ns = int(columns["time_ns"][-1])

    def close(self) -> RunFile:
        self._writer.close()
        size_b = self._part.stat().st_size
        self._part.replace(self._path)
        first_ns = self.last_ns if self._first_ns is None else self._first_ns
        return RunFile(
            name=self._path.name,
            size_b=size_b,
            first_ns=first_ns,
            last_ns=self.last_ns,
        )

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # its last bytes find no room either
            self._writer.close()
        self._part.unlink(missing_ok=True)


def _named(remote: NDArray[np.int32], addresses: Sequence[str]) -> pa.Array:
    """Return addresses as texts, with none in the dictionary that nobody has."""
    seen = np.bincount(remote + 1, minlength=1) > 0  # the first place is that of none
    used = np.flatnonzero(seen[1:])
    number = np.full(seen.size, -1, dtype=np.int32)
    number[used + 1] = np.arange(used.size, dtype=np.int32)
    return named_by(number[remote + 1], [addresses[each] for each in used.tolist()])
