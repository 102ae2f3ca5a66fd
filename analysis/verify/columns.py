"""Packet and flow tables are, column by column, what raw captures give."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.packets.aligned import aligned
from analysis.packets.index import READER
from analysis.verify.labelled import differences
from analysis.verify.model import Findings
from analysis.verify.remade import Remade
from analysis.verify.sums import Digests, sha256_of

INDEX = "packets.json"
KINDS = ("packets", "flows")
_KEY = b"testbed"
_SHOWN = 5


def check_tables(folder: Path, found: Findings, digests: Digests, made: Remade) -> None:
    """Compare the tables of a campaign, and their index, with those made again."""
    if made.index is None:
        return
    reader = _check_index(folder, found, digests, made.folder)
    older = "" if reader == READER else f" (read by reader {reader}, this is {READER})"
    for kind in KINDS:
        wanted = {
            path.relative_to(made.folder): path
            for path in sorted((made.folder / kind).rglob("*.parquet"))
        }
        for name, path in wanted.items():
            place = folder / name
            if place not in digests.files:
                found.fault(place, "is not there, but raw captures give it")
            elif digests.sum(place) != sha256_of(path, lambda _b: None):
                with found.guarded(place):
                    _compare(place, path, found, older)
        for path in digests.below(folder / kind):
            if path.relative_to(folder) not in wanted:
                found.fault(path, f"is not what raw captures give{older}")


def _check_index(
    folder: Path, found: Findings, digests: Digests, made: Path
) -> int | None:
    """Compare `packets.json`; return the version of the reader that it names."""
    path = folder / INDEX
    reader = None
    with found.guarded(path):
        is_there = json.loads(path.read_text(encoding="utf-8"))
        wanted = json.loads((made / INDEX).read_text(encoding="utf-8"))
        reader = is_there.pop("reader", None)
        wanted.pop("reader")
        if reader != READER:
            what = f"reader {reader} made the tables; they are compared with those of"
            found.remark(f"{found.name(path)}: {what} reader {READER}")
        _check_sizes(folder, found, digests, is_there)
        for data in (is_there, wanted):
            _forget_sizes(data)
        for place, what in differences(is_there, wanted):
            found.fault(path, what, place)
    return reader if isinstance(reader, int) else None


def _check_sizes(
    folder: Path, found: Findings, digests: Digests, index: dict[str, Any]
) -> None:
    """Tell of tables that have not the size that their index says."""
    for capture in index["captures"]:
        for device, part in capture["devices"].items():
            place = f"device={device}"
            told = {
                folder / "packets" / place / file["name"]: file["size_b"]
                for file in part["files"]
            }
            if part["n_flows"]:
                name = f"{capture['name']}.parquet"
                told[folder / "flows" / place / name] = part["flows_b"]
            for path, size_b in told.items():
                if digests.files.get(path, size_b) != size_b:
                    what = f"has {digests.files[path]} bytes, but {INDEX} says"
                    found.fault(path, f"{what} {size_b}")


def _forget_sizes(index: dict[str, Any]) -> None:
    """Remove what depends on the machine and on the version that wrote Parquet."""
    for capture in index["captures"]:
        capture.pop("mtime_ns", None)
        for part in capture["devices"].values():
            part.pop("flows_b", None)
            for file in part["files"]:
                file.pop("size_b", None)


def _compare(path: Path, made: Path, found: Findings, older: str) -> None:
    """Say in which columns and rows a table differs from the one made again."""
    with pq.ParquetFile(path) as is_there, pq.ParquetFile(made) as wanted:
        if not _same_schema(path, found, is_there.schema_arrow, wanted.schema_arrow):
            return
        n_rows, n_wanted = is_there.metadata.num_rows, wanted.metadata.num_rows
        if n_rows != n_wanted:
            what = f"has {n_rows} rows, but raw captures give {n_wanted}{older}"
            found.fault(path, what)
        differing: dict[str, list[int]] = {}
        values: dict[str, tuple[Any, Any]] = {}
        for first, one, two in aligned(is_there, wanted):
            for name in one.schema.names:
                rows = _differing(one.column(name), two.column(name))
                if rows and name not in values:
                    pair = (one.column(name)[rows[0]], two.column(name)[rows[0]])
                    values[name] = pair[0].as_py(), pair[1].as_py()
                differing.setdefault(name, []).extend(first + row for row in rows)
    for name, rows in differing.items():
        if rows:
            is_, should = values[name]
            more = f", and {len(rows) - 1} rows more" if len(rows) > 1 else ""
            what = f"{name}: is {is_!r}, but raw captures give {should!r}{more}{older}"
            found.fault(path, what, f"row {rows[0] + 1}")


def _same_schema(
    path: Path, found: Findings, is_there: pa.Schema, wanted: pa.Schema
) -> bool:
    """Tell of columns that are missing, too many or of other types."""
    for field in wanted:
        if field.name not in is_there.names:
            found.fault(path, f"has no column {field.name!r}")
        elif is_there.field(field.name).type != field.type:
            kind = is_there.field(field.name).type
            found.fault(path, f"{field.name}: is {kind}, must be {field.type}")
    for name in is_there.names:
        if name not in wanted.names:
            found.fault(path, f"has a column that is not known: {name!r}")
    told = (is_there.metadata or {}).get(_KEY)
    if told != (wanted.metadata or {}).get(_KEY):
        found.fault(path, f"says of itself {told!r}, which is another table")
    return bool(is_there.remove_metadata() == wanted.remove_metadata())


def _differing(one: pa.Array, two: pa.Array) -> list[int]:
    """Return the rows in which two columns differ."""
    if pa.types.is_dictionary(one.type):
        one, two = one.dictionary_decode(), two.dictionary_decode()
    if one.equals(two):
        return []
    pairs = zip(one.to_pylist(), two.to_pylist(), strict=True)
    return [row for row, (a, b) in enumerate(pairs) if a != b]
