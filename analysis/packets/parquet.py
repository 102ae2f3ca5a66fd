"""Read packet tables: `packets/device=<device>/<capture>.parquet`.

The folder is hive-partitioned, so that polars, DuckDB, Spark or Dask read it as it is.
Columns are those of `PacketTable`, with `remote_address` and `capture` as text, and
`flow` as numbered within the capture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.errors import DatasetError
from analysis.packets.arrow import numbers_of, to_numpy
from analysis.packets.index import DevicePart, Index, find_index
from analysis.packets.table import COLUMNS, PacketTable, empty_table

Piece = dict[str, NDArray[Any]]

_BATCH = 131_072
_SMALLEST_BATCH = 2_048
_MOST_FLOWS = 2**31 - 1
_TEXTS = {"remote": "remote_address", "capture": "capture"}


def load_packets(folder: Path, device: str) -> PacketTable:
    """Read the packet table of one device, all of it.

    Raises DatasetError when it is not there or cannot be read.
    """
    parts = list(iter_packets(folder, device))
    return PacketTable.joined(parts)


def iter_packets(folder: Path, device: str) -> Iterator[PacketTable]:
    """Read the packet table of one device in pieces that follow each other in time.

    Yields at least one table, be it empty. `remotes` of a later one begin with those of
    the earlier. Raises DatasetError when there is no table or it cannot be read.
    """
    index = _index_of(folder, device)
    numbers = Numbers(index)
    captures = tuple(each.name for each in index.captures)
    found = False
    for piece in iter_columns(folder, device, tuple(COLUMNS), numbers=numbers):
        found = True
        yield PacketTable(
            device=device,
            captures=captures,
            covered_ns=index.covered_ns,
            remotes=tuple(numbers.remotes),
            **piece,
        )
    if not found:
        yield empty_table(device, captures=captures, covered_ns=index.covered_ns)


def iter_columns(
    folder: Path,
    device: str,
    columns: Sequence[str],
    *,
    numbers: "Numbers | None" = None,
) -> Iterator[Piece]:
    """Read some columns of the packet table of a device, in order of time.

    columns  names in `COLUMNS`, `time_ns` among them

    Raises DatasetError when there is no table or it cannot be read.
    """
    index = _index_of(folder, device)
    numbers = numbers or Numbers(index)
    runs = []
    for number, capture in enumerate(index.captures):
        part = capture.devices.get(device, DevicePart())
        for file in part.files:
            run = _Run(
                path=folder / "packets" / f"device={device}" / file.name,
                first_ns=file.first_ns,
                last_ns=file.last_ns,
                capture=number,
                numbers=numbers,
                columns=tuple(columns),
            )
            runs.append(run)
    yield from _merged(sorted(runs, key=lambda run: run.first_ns))


def _index_of(folder: Path, device: str) -> Index:
    index = find_index(folder)
    if index is None or device not in index.devices:
        message = f"{folder}: has no packet table of {device!r}; run testbed packets"
        raise DatasetError(message)
    return index


@dataclass(slots=True)
class Numbers:
    """How captures, flows and addresses are numbered across captures.

    remotes  addresses so far, each once
    """

    index: Index
    remotes: list[str] = field(default_factory=list)
    first_flow: list[int] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = [each.n_conversations for each in self.index.captures]
        self.first_flow = np.cumsum([0, *counts]).tolist()
        if self.first_flow[-1] > _MOST_FLOWS:
            reason = f"more than {_MOST_FLOWS} conversations cannot be numbered"
            raise DatasetError(f"{reason}; split the campaign")

    def of_remotes(self, column: pa.DictionaryArray) -> NDArray[np.int32]:
        """Return numbers that mean the same in all captures; -1 for none."""
        rows, texts = numbers_of(column)
        here = np.array([self._number(text) for text in texts] + [-1], dtype=np.int32)
        return np.asarray(here[rows], dtype=np.int32)

    def _number(self, text: str) -> int:
        number = self._known.setdefault(text, len(self.remotes))
        if number == len(self.remotes):
            self.remotes.append(text)
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One sorted file, read piece by piece; open only while it is."""

    path: Path
    first_ns: int
    last_ns: int
    capture: int
    numbers: Numbers
    columns: tuple[str, ...]

    def pieces(self, most: int) -> Iterator[Piece]:
        """Yield the packets, up to `most` at a time."""
        wanted = [_TEXTS.get(name, name) for name in self.columns]
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(most, columns=wanted):
                    yield {name: self._column(name, batch) for name in self.columns}
        except (OSError, KeyError, pa.ArrowException) as exc:
            raise DatasetError(f"{self.path}: is no packet table: {exc}") from exc

    def _column(self, name: str, batch: pa.RecordBatch) -> NDArray[Any]:
        if name == "capture":
            return np.full(batch.num_rows, self.capture, dtype=np.int32)
        if name == "remote":
            return self.numbers.of_remotes(batch.column("remote_address"))
        column = np.array(to_numpy(batch.column(name)), dtype=COLUMNS[name])
        if name == "flow":
            first = np.int32(self.numbers.first_flow[self.capture])
            column[column >= 0] += first
        return column


def _merged(runs: list[_Run]) -> Iterator[Piece]:
    """Yield the pieces of all runs in order of time; most do not overlap."""
    waiting = list(runs)
    active: list[_Active] = []
    # pieces of all runs that overlap are in memory at the same time
    most = max(_SMALLEST_BATCH, _BATCH // max(1, _side_by_side(runs)))
    while waiting or active:
        if not active:
            active.append(_Active(waiting.pop(0), most))
        horizon = min(each.last_ns for each in active)
        if waiting and waiting[0].first_ns <= horizon:
            active.append(_Active(waiting.pop(0), most))
            continue
        # all up to here is known: what follows in each run is not earlier
        parts = [part for each in active if (part := each.until(horizon)) is not None]
        active = [each for each in active if each.fill()]
        if len(parts) == 1:
            yield parts[0]
            continue
        whole = {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}
        order = np.argsort(whole["time_ns"], kind="stable")
        yield {name: column[order] for name, column in whole.items()}


def _side_by_side(runs: list[_Run]) -> int:
    """Return how many runs overlap at most."""
    begins = [(run.first_ns, 1) for run in runs]
    ends = [(run.last_ns + 1, -1) for run in runs]
    steps = np.cumsum([step for _at, step in sorted(begins + ends)])
    return int(steps.max(initial=0))


class _Active:
    """A run and the piece of it that is being merged."""

    def __init__(self, run: _Run, most: int) -> None:
        self._pieces = run.pieces(most)
        self._piece: Piece = {"time_ns": np.zeros(0, dtype=np.int64)}
        self.fill()

    @property
    def last_ns(self) -> int:
        return int(self._piece["time_ns"][-1])

    def until(self, horizon_ns: int) -> Piece | None:
        """Take what is not later than the horizon."""
        stamps = self._piece["time_ns"]
        count = int(np.searchsorted(stamps, horizon_ns, side="right"))
        taken = {name: column[:count] for name, column in self._piece.items()}
        self._piece = {name: column[count:] for name, column in self._piece.items()}
        return taken if count else None

    def fill(self) -> bool:
        """Make sure that there is something; False at the end of the run."""
        while not self._piece["time_ns"].size:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._piece = piece
        return True
