"""Tables as values: the same rows go into the page, a CSV and a JSON file."""

import csv
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns and rows; `name` is the stem of its files."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Cell]]:
        """Return one dict per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def file_stem(text: str) -> str:
    """Return a name of a file for any text; what cannot stand in one is replaced."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")
    if safe == text:
        return safe
    # two texts that differ only in what was replaced stay two files
    return f"{safe}-{zlib.crc32(text.encode()):08x}"


def write_table(table: Table, folder: Path) -> tuple[Path, Path]:
    """Write `<name>.csv` and `<name>.json` into `folder`; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    comma, notation = folder / f"{table.name}.csv", folder / f"{table.name}.json"
    with comma.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(["" if c is None else c for c in row] for row in table.rows)
    text = json.dumps(table.records(), ensure_ascii=False, indent=1)
    notation.write_text(text + "\n", encoding="utf-8")
    return comma, notation


def concat(name: str, tables: Sequence[Table]) -> Table:
    """Put tables of equal columns under each other."""
    rows = tuple(row for table in tables for row in table.rows)
    return Table(name=name, columns=tables[0].columns if tables else (), rows=rows)
