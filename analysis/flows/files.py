"""Flow records as Parquet and as CSV: read, written and checked column by column.

Both hold exactly the columns of `FlowRecords`, in their order. The cause of each
record, where it is known, is a file of its own with as many rows, so that no detector
reads it by mistake. Both are read and written piece by piece, in bounded memory.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import DatasetError, named
from analysis.flows.faults import reason_of
from analysis.flows.records import COLUMNS, TEXTS, FlowRecords, RecordError
from analysis.flows.texts import Texts, arrow_of, texts_of
from analysis.packets.arrow import to_arrow, to_numpy

SCHEMA = pa.schema(
    [
        (name, pa.string() if dtype is None else pa.from_numpy_dtype(dtype))
        for name, dtype in COLUMNS.items()
    ]
)
_CODED = pa.schema(
    [
        (f.name, pa.dictionary(pa.int32(), pa.string()) if f.name in TEXTS else f.type)
        for f in SCHEMA
    ]
)
_CAUSE = "cause"
_BATCH = 131_072
_LONGEST_B = 1 << 20  # of a line, more than Arrow takes as well
_REMEDY = "see docs/flows.md for the columns"


def read_flows(path: Path) -> FlowRecords:
    """Read flow records, all of them; by its name, `.csv` is CSV, others are Parquet.

    Raises DatasetError when columns, types or values are not those of flow records.
    """
    return FlowRecords.joined(list(iter_flows(path)))


def iter_flows(path: Path, rows: int = _BATCH) -> Iterator[FlowRecords]:
    """Read flow records in pieces of at most `rows`, in the order of the file.

    Raises DatasetError when columns, types or values are not those of flow records.
    """
    with _checked(path):
        if path.suffix == ".csv":
            yield from _csv_pieces(path, rows)
            return
        with pq.ParquetFile(path, read_dictionary=list(TEXTS)) as file:
            _check_schema(file.schema_arrow)
            first = 0
            for batch in file.iter_batches(rows):
                yield _records(batch, first)
                first += batch.num_rows


def write_flows(path: Path, pieces: FlowRecords | Iterable[FlowRecords]) -> int:
    """Write flow records, whole or piece by piece; return their number.

    By its name, `.csv` is CSV, others are Parquet. A file that could not be finished is
    removed. Raises OSError.
    """
    several = (pieces,) if isinstance(pieces, FlowRecords) else pieces
    if path.suffix == ".csv":
        from pyarrow import csv

        def opened(part: Path) -> Any:
            return csv.CSVWriter(part, SCHEMA)
    else:

        def opened(part: Path) -> Any:
            return pq.ParquetWriter(part, _CODED, compression="zstd")

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    n = 0
    try:
        with named(path), opened(part) as writer:
            for records in several:
                table = _plain(records) if path.suffix == ".csv" else _table(records)
                writer.write_table(table)
                n += len(records)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return n


def csv_lines(pieces: Iterable[FlowRecords]) -> Iterator[str]:
    """Yield CSV as text, the names of the columns first, then piece by piece."""
    from pyarrow import csv

    yield ",".join(f'"{name}"' for name in COLUMNS) + "\n"
    options = csv.WriteOptions(include_header=False)
    for records in pieces:
        sink = pa.BufferOutputStream()
        csv.write_csv(_plain(records), sink, options)
        yield sink.getvalue().to_pybytes().decode()


def stream_csv(chunks: Iterable[bytes], name: str) -> Iterator[FlowRecords]:
    """Yield the records of CSV as its lines come, the names of the columns first.

    A line end within quotes ends no record.

    name  of where they come from

    Raises DatasetError when columns or values are not those of flow records.
    """
    head, rest, before = b"", b"", 0
    for chunk in chunks:
        lines, rest = _whole_lines(rest + chunk)
        if len(rest) > _LONGEST_B:
            reason = f"a line is longer than {_LONGEST_B >> 20} MiB; is a quote open?"
            raise DatasetError(f"{name}: is no file of flow records: {reason}")
        if not head:
            head, line_end, lines = lines.partition(b"\n")
            head += line_end
        if head and lines:
            yield _csv_records(head + lines, name, before)
            before += lines.count(b"\n")
    if rest and head:
        yield _csv_records(head + rest, name, before)


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    """Part lines that are over from what is left."""
    quotes, end = data.count(b'"'), len(data)
    while (at := data.rfind(b"\n", 0, end)) >= 0:
        quotes -= data.count(b'"', at, end)
        if quotes % 2 == 0:
            return data[: at + 1], data[at + 1 :]
        end = at
    return b"", data


def _csv_records(data: bytes, name: str, before: int) -> FlowRecords:
    with _checked(Path(name), before):
        pieces = _csv_pieces(pa.BufferReader(data), _BATCH, before)
        return FlowRecords.joined(list(pieces))


def read_causes(path: Path, n: int | None = None) -> Texts:
    """Read the causes of flow records: '' unknown, benign, or an attack's name.

    n  number of records that they must be of; None for any

    Raises DatasetError when there is no such column or another number of rows.
    """
    with _checked(path), pq.ParquetFile(path, read_dictionary=[_CAUSE]) as file:
        if _CAUSE not in file.schema_arrow.names:
            raise ValueError(f"has no column {_CAUSE}")
        parts = [
            texts_of(batch.column(0))
            for batch in file.iter_batches(_BATCH, columns=[_CAUSE])
        ]
        causes = Texts.joined(parts)
        if n is not None and len(causes) != n:
            raise ValueError(f"has {len(causes)} rows for {n} flow records")
        return causes


def write_causes(path: Path, causes: Texts) -> None:
    """Write the causes of flow records, row by row. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with named(path):
        pq.write_table(pa.table({_CAUSE: arrow_of(causes)}), path, compression="zstd")


@contextmanager
def _checked(path: Path, before: int = 0) -> Iterator[None]:
    """Tell what is wrong with a file in a sentence that names it.

    before  lines before those that are read
    """
    try:
        yield
    except FileNotFoundError as exc:
        raise DatasetError(f"{path}: is not there; flow records are expected") from exc
    except (OSError, ValueError, KeyError, pa.ArrowException) as exc:
        reason = reason_of(str(exc), before)
        remedy = "" if ";" in reason else f"; {_REMEDY}"
        raise DatasetError(
            f"{path}: is no file of flow records: {reason}{remedy}"
        ) from exc


def _check_schema(found: pa.Schema) -> None:
    """Compare columns and types. Raises ValueError with the first that differs."""
    missing = [name for name in SCHEMA.names if name not in found.names]
    if missing:
        raise ValueError(f"lacks the column {missing[0]}; {_REMEDY}")
    more = [name for name in found.names if name not in SCHEMA.names]
    if more:
        raise ValueError(f"has a column {more[0]} besides; {_REMEDY}")
    if len(found.names) != len(SCHEMA.names):
        raise ValueError(f"has a column twice; {_REMEDY}")
    for field in SCHEMA:
        kind = found.field(field.name).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_large_string(kind):
            kind = pa.string()
        if kind != field.type:
            raise ValueError(f"{field.name} must be {field.type}, not {kind}")


def _records(batch: pa.RecordBatch, first: int) -> FlowRecords:
    """Return a piece as records, which follow on `first` others. Raises ValueError."""
    columns: dict[str, Any] = {}
    for name, dtype in COLUMNS.items():
        column = batch.column(batch.schema.get_field_index(name))
        try:
            columns[name] = _values(column, dtype)
        except ValueError as exc:
            raise ValueError(f"{name}: {exc}") from exc
    try:
        return FlowRecords(**columns)
    except RecordError as exc:
        raise RecordError(first + exc.row, exc.reason) from exc


def _values(column: Any, dtype: type[np.generic] | None) -> Any:
    if dtype is None:
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        return texts_of(column)
    if column.null_count and dtype is np.float64:
        column = column.fill_null(float("nan"))
    if column.null_count:
        raise ValueError("a number is not there")
    return to_numpy(column).astype(dtype)


def _table(records: FlowRecords) -> pa.Table:
    arrays = []
    for name in COLUMNS:
        column = getattr(records, name)
        is_text = isinstance(column, Texts)
        arrays.append(arrow_of(column) if is_text else to_arrow(column))
    return pa.Table.from_arrays(arrays, schema=_CODED)


def _plain(records: FlowRecords) -> pa.Table:
    """Return the table as it stands in CSV: texts as they are, NaN as nothing."""
    arrays = []
    for field, array in zip(SCHEMA, _table(records).columns, strict=True):
        if pa.types.is_floating(field.type):
            values = getattr(records, field.name)
            array = pa.array(values, field.type, mask=np.isnan(values))
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _csv_pieces(path: Any, rows: int, before: int = 0) -> Iterator[FlowRecords]:
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types=SCHEMA, null_values=[""], strings_can_be_null=False
    )
    parsing = csv.ParseOptions(newlines_in_values=True)
    reading = csv.ReadOptions(use_threads=False)  # with threads, faults have no row
    with csv.open_csv(path, reading, parsing, options) as reader:
        _check_schema(reader.schema)
        for batch in reader:
            for first in range(0, batch.num_rows, rows):
                yield _records(batch.slice(first, rows), before + first)
            before += batch.num_rows
