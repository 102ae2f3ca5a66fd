"""Compare Parquet tables column by column, in flat memory."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.packets.aligned import aligned
from analysis.reproduce.cells import Told, said, values_differ
from analysis.reproduce.numbers import Rule

_FEW = 20_000  # rows that are looked at in memory
_KEY = b"testbed"


def parquet_differences(
    published: Path, remade: Path, rule: Rule, without: str = ""
) -> Iterator[Told]:
    """Yield the differences of what two Parquet files hold; how it is packed is not.

    without  name of a column whose values do not count
    """
    with pq.ParquetFile(published) as one, pq.ParquetFile(remade) as two:
        told = list(_schemas(one.schema_arrow, two.schema_arrow))
        yield from told
        n, wanted = one.metadata.num_rows, two.metadata.num_rows
        if n != wanted:
            yield "", f"has {n} rows, made anew {wanted}", str(n), str(wanted)
        if told:
            return
        if n == wanted:
            yield from _rows(one, two, rule, without)
        elif max(n, wanted) <= _FEW:
            # rows that only one of them has are told as such
            names = [name for name in one.schema_arrow.names if name != without]
            pair = one.read(names).to_pylist(), two.read(names).to_pylist()
            yield from values_differ(pair[0], pair[1], rule)
        else:
            yield from islice(_rows(one, two, rule, without), 1)


def _schemas(one: pa.Schema, two: pa.Schema) -> Iterator[Told]:
    for name in dict.fromkeys((*one.names, *two.names)):
        if name not in two.names:
            yield f"column {name}", "is not made anew", name, ""
        elif name not in one.names:
            yield f"column {name}", "is missing, but made anew", "", name
        elif one.field(name).type != two.field(name).type:
            types = str(one.field(name).type), str(two.field(name).type)
            yield said(f"type of column {name}", *types)
    if set(one.names) == set(two.names) and one.names != two.names:
        yield said("columns", ", ".join(one.names), ", ".join(two.names))
    about = [(each.metadata or {}).get(_KEY, b"").decode() for each in (one, two)]
    if about[0] != about[1]:
        yield said("what it says of itself", *about)


def _rows(
    one: pq.ParquetFile, two: pq.ParquetFile, rule: Rule, without: str
) -> Iterator[Told]:
    for first, a, b in aligned(one, two):
        for name in a.schema.names:
            if name == without:
                continue
            for row, *pair in _differing(a.column(name), b.column(name), rule):
                place = f"row {first + row + 1}, column {name}"
                yield said(place, pair[0], pair[1])


def _differing(
    one: pa.Array, two: pa.Array, rule: Rule
) -> Iterator[tuple[int, Any, Any]]:
    if pa.types.is_dictionary(one.type):
        one, two = one.dictionary_decode(), two.dictionary_decode()
    if one.equals(two):
        return
    pairs = zip(one.to_pylist(), two.to_pylist(), strict=True)
    for row, (a, b) in enumerate(pairs):
        if not rule.same(a, b):
            yield row, a, b
