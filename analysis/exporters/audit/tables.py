"""Look into tables and documents: what they say, however they write it down."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from analysis.exporters.audit.looking import Looker, View, fixed
from analysis.safe_yaml import load_yaml

DOCUMENTS = (".json", ".jsonl", ".jsonld", ".yaml", ".yml", ".cff")
TABLES = (".parquet",)
_MOST_DOCUMENT_B = 1 << 24
_MOST_HELD = 50_000  # texts that are searched at once


def look_at_table(looker: Looker, file: str, path: Path) -> None:
    """Search every text and every binary value of a Parquet file, by column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        for number in range(table.num_row_groups):
            for column in table.schema_arrow.names:
                values = table.read_row_group(number, columns=[column]).column(0)
                text = _text_of(values)
                looker.looked_at.unpacked_b += len(text)
                where = f"column {column}, row group {number}"
                looker.look(View(file=file, reader="table", place=fixed(where)), text)
    except (pa.ArrowException, OSError) as exc:
        looker.unread(file, f"cannot be read as a table: {exc}")


def _text_of(values: Any) -> bytes:
    """Return the distinct values of a column of texts or bytes, one after the other."""
    import pyarrow as pa

    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return b""  # numbers are no text; their bytes were searched with the file
    distinct = values.unique().to_pylist()
    parts = (v if isinstance(v, bytes) else str(v).encode() for v in distinct)
    return b"\n".join(parts)


def look_at_document(looker: Looker, file: str, path: Path) -> None:
    """Search the texts of a JSON or YAML file, unfolded and without escapes."""
    if path.suffix != ".jsonl" and path.stat().st_size > _MOST_DOCUMENT_B:
        looker.unread(file, "is too long to be read as a document")
        return
    view = View(file=file, reader="table", place=fixed("a text of the document"))
    held: list[str] = []
    try:
        for value in _parsed(path):
            held += _texts(value)
            if len(held) >= _MOST_HELD:
                _look_at_texts(looker, view, held)
                held = []
    except (yaml.YAMLError, ValueError) as exc:
        reason = str(exc).splitlines()[0]
        looker.unread(file, f"cannot be read as a document: {reason}")
    _look_at_texts(looker, view, held)


def _look_at_texts(looker: Looker, view: View, texts: list[str]) -> None:
    data = "\n".join(texts).encode(errors="replace")
    looker.looked_at.unpacked_b += len(data)
    looker.look(view, data)


def _parsed(path: Path) -> Iterator[Any]:
    """Yield the values of a document: each line of one that has a value in each."""
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())
        return
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".json", ".jsonld"):
        yield json.loads(text)
    else:
        yield load_yaml(text)


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts of a document, keys too."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each.values(), *each.keys()]
        elif isinstance(each, list):
            waiting += each
        elif each is not None:
            yield str(each)
