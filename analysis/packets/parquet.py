"""Keep packet tables as Parquet: `packets/device=<device>/part-00000.parquet`.

The folder is hive-partitioned, so that polars, DuckDB, Spark or Dask read it as it is.
Columns are those of `PacketTable`, and `remote_address` as text. The metadata of the
schema hold, as JSON under the key `testbed`: format, remotes, covered_ns, and sources,
which are names and sizes of the captures that the table was made of.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import DatasetError
from analysis.packets.build import find_raw
from analysis.packets.table import COLUMNS, PacketTable

_FORMAT = 1
_KEY = b"testbed"
_ROW_GROUP = 262_144


def write_packets(folder: Path, table: PacketTable) -> Path:
    """Write the table of one device into a campaign folder; return the file."""
    path = _path(folder, table.device)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = pa.array([*table.remotes], type=pa.string())
    number = pa.array(table.remote, mask=table.remote < 0)
    columns: dict[str, Any] = {name: pa.array(getattr(table, name)) for name in COLUMNS}
    columns["remote_address"] = pa.DictionaryArray.from_arrays(number, names)
    about = {
        "format": _FORMAT,
        "remotes": table.remotes,
        "covered_ns": table.covered_ns,
        "sources": _sources(folder),
    }
    arrow = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about)})
    part = path.with_suffix(".part")
    pq.write_table(
        arrow,
        part,
        compression="zstd",
        compression_level=1,
        row_group_size=_ROW_GROUP,
        use_dictionary=["protocol", "remote", "remote_address", "flow", "error"],
        column_encoding={
            "time_ns": "DELTA_BINARY_PACKED",
            "row": "DELTA_BINARY_PACKED",
        },
    )
    part.replace(path)
    return path


def is_current(folder: Path, device: str) -> bool:
    """Say whether the table of a device is there and made of the captures in `raw/`.

    A resumed campaign has more captures than its table. A folder without captures, as
    others may publish it, has nothing newer than its table.
    """
    try:
        schema = pq.read_schema(_path(folder, device))
    except (OSError, pa.ArrowException):
        return False
    about = json.loads((schema.metadata or {}).get(_KEY, b"{}"))
    sources = _sources(folder)
    return not sources or about.get("sources") == sources


def load_packets(folder: Path, device: str) -> PacketTable:
    """Read the packet table of one device.

    Raises DatasetError when it is not there or not of this format.
    """
    path = _path(folder, device)
    try:
        arrow = pq.ParquetFile(path).read()
    except FileNotFoundError as exc:
        message = f"{path}: there is no packet table of {device!r}; run testbed packets"
        raise DatasetError(message) from exc
    except (OSError, pa.ArrowException) as exc:
        raise DatasetError(f"{path}: is no packet table: {exc}") from exc
    about = json.loads((arrow.schema.metadata or {}).get(_KEY, b"{}"))
    if about.get("format") != _FORMAT or not set(COLUMNS) <= set(arrow.column_names):
        raise DatasetError(f"{path}: is of another format; run testbed packets again")
    columns = {
        name: np.array(arrow.column(name).to_numpy(), dtype=dtype)
        for name, dtype in COLUMNS.items()
    }
    return PacketTable(
        device=device,
        remotes=tuple(about["remotes"]),
        covered_ns=tuple((first, last) for first, last in about["covered_ns"]),
        **columns,
    )


def _sources(folder: Path) -> list[list[str | int]]:
    # Not the time of change: a copy of a folder has other ones.
    try:
        return [[path.name, path.stat().st_size] for path in find_raw(folder)]
    except DatasetError:
        return []


def _path(folder: Path, device: str) -> Path:
    return folder / "packets" / f"device={device}" / "part-00000.parquet"
