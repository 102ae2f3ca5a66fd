"""Tables over all campaigns: columns and types, CSV like Parquet, true to campaigns."""

import csv
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.dataset import HOST_SOURCES, TABLES
from analysis.packets import load_index
from analysis.safe_yaml import load_yaml
from analysis.verify.campaign import Looked
from analysis.verify.model import MOST_OF_A_KIND as _MOST
from analysis.verify.model import Findings

FOLDER = "tables"
_KINDS = {str: "text", int: "int64", bool: "bool"}
_KEYS = {"activities": ("trial", "attempt"), "devices": ("device",)}
_BATCH = 16_384
_WORDS = {"true": True, "false": False}
Values = dict[str, Any]


def check_table_files(
    data: Path, found: Findings, looked: Sequence[Looked]
) -> list[Values]:
    """Look at the tables of a dataset; return the rows of that of hosts."""
    wanted = {
        "activities": _activities(looked),
        "devices": _devices(looked, found),
    }
    hosts: list[Values] = []
    for name, columns in TABLES.items():
        path = data / FOLDER / f"{name}.parquet"
        rows: list[Values] = []
        with found.guarded(path):
            rows = _parquet(path, found, columns)
        with found.guarded(path.with_suffix(".csv")):
            _compare(path.with_suffix(".csv"), found, columns, rows)
        if name == "hosts":
            _check_hosts(path, found, rows, looked)
            hosts = rows
        else:
            _check_rows(path, found, rows, wanted[name], _KEYS[name])
    return hosts


def _parquet(path: Path, found: Findings, columns: Mapping[str, type]) -> list[Values]:
    """Read a table, and look at its columns; rows are numbered from 1."""
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        if not _check_schema(path, found, schema, columns):
            return []
        rows: list[Values] = []
        for batch in file.iter_batches(_BATCH):
            rows.extend(batch.to_pylist())
        return rows


def _check_schema(
    path: Path, found: Findings, schema: pa.Schema, columns: Mapping[str, type]
) -> bool:
    before = len(found.faults)
    for name, kind in columns.items():
        if name not in schema.names:
            found.fault(path, f"has no column {name!r}")
        elif (is_ := _kind(schema.field(name).type)) != _KINDS[kind]:
            found.fault(path, f"{name}: is {is_}, must be {_KINDS[kind]}")
    for name in schema.names:
        if name not in columns:
            found.fault(path, f"has a column that is not known: {name!r}")
    return len(found.faults) == before


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return "text" if any(is_text(kind) for is_text in texts) else str(kind)


def _compare(
    path: Path, found: Findings, columns: Mapping[str, type], rows: list[Values]
) -> None:
    """Tell where a CSV file says otherwise than the Parquet file beside it."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file, strict=True)
        head = next(reader, [])
        if head != list(columns):
            found.fault(path, f"must have columns {', '.join(columns)}", "line 1")
            return
        beside = path.with_suffix(".parquet").name
        n_told = n_rows = 0
        for n_rows, texts in enumerate(reader, start=1):
            row = rows[n_rows - 1] if n_rows <= len(rows) else None
            if row is None or n_told > _MOST:
                continue  # told below
            for what in _of_line(texts, row, columns, beside):
                found.fault(path, what, f"line {n_rows + 1}")
                n_told += 1
        if n_rows != len(rows):
            found.fault(path, f"has {n_rows} rows, but {beside} has {len(rows)}")
        if n_told > _MOST:
            found.fault(path, f"differs in more lines from {beside}")


def _of_line(
    texts: list[str], row: Values, columns: Mapping[str, type], beside: str
) -> Iterator[str]:
    if len(texts) != len(columns):
        yield f"has {len(texts)} values for {len(columns)} columns"
        return
    for (name, kind), text in zip(columns.items(), texts, strict=True):
        try:
            value = _value(text, kind)
        except ValueError:
            yield f"{name}: must be {_KINDS[kind]}, got {text!r}"
            continue
        if value != (row[name] if row[name] is not None else _value("", kind)):
            yield f"{name}: is {text!r}, but {beside} has {row[name]!r}"


def _value(text: str, kind: type) -> Any:
    """Return what a text of a CSV file means. Raises ValueError."""
    if kind is str:
        return text
    if text == "":
        return None
    if kind is bool:
        if text not in _WORDS:
            raise ValueError(text)
        return _WORDS[text]
    return int(text)


def _activities(looked: Sequence[Looked]) -> dict[str, list[Values]]:
    """Return campaign -> what the table of activities must hold of it, in order."""
    return {
        each.campaign.name: [dict(row.values) for row in each.rows]
        for each in looked
        if each.campaign is not None
    }


def _devices(looked: Sequence[Looked], found: Findings) -> dict[str, list[Values]]:
    """Return campaign -> what the table of devices must hold of it, in order."""
    wanted: dict[str, list[Values]] = {}
    for each in looked:
        if each.campaign is not None:
            with found.guarded(each.folder / "campaign.yaml"):
                wanted[each.campaign.name] = list(_devices_of(each))
    return wanted


def _devices_of(looked: Looked) -> Iterator[Values]:
    campaign = looked.campaign
    if campaign is None:
        return
    text = (looked.folder / "campaign.yaml").read_text(encoding="utf-8")
    profiles = load_yaml(text).get("profiles") or {}
    index = load_index(looked.folder)
    for device in campaign.devices:
        profile = profiles.get(device.name) or {}
        app = profile.get("app")
        named = [row for row in looked.rows if row["device"] == device.name]
        yield {
            "campaign": campaign.name,
            "device": device.name,
            "unit": device.unit,
            "vendor": str(profile.get("vendor") or ""),
            "model": str(profile.get("model") or ""),
            "category": device.category,
            "mac": device.mac,
            "ip": device.ip,
            "firmware": device.firmware,
            "app": str(app.get("package") or "") if isinstance(app, dict) else "",
            "app_version": device.app_version,
            "plaintext": device.plaintext,
            "activities": sum(row.is_labelled for row in named),
            "packets": index.n_packets(device.name),
        }


def _check_rows(
    path: Path,
    found: Findings,
    rows: list[Values],
    wanted: Mapping[str, list[Values]],
    key: tuple[str, ...],
) -> None:
    """Tell where a table says otherwise than the folders of the campaigns.

    key  columns that no two rows of a campaign share
    """
    left = {
        (name, *(row[column] for column in key)): row
        for name, of_campaign in wanted.items()
        for row in of_campaign
    }
    n_told = 0
    for number, row in enumerate(rows, start=1):
        should = left.pop((row["campaign"], *(row[column] for column in key)), None)
        for what in _of_table_row(row, should, key, wanted):
            n_told += 1
            if n_told <= _MOST:
                found.fault(path, what, f"row {number}")
    for name, *values in left:
        n_told += 1
        if n_told <= _MOST:
            which = ", ".join(f"{c} {v}" for c, v in zip(key, values, strict=True))
            found.fault(path, f"lacks {which} of campaign {name}")
    if n_told > _MOST:
        found.fault(path, f"differs in {n_told - _MOST} ways more from the campaigns")


def _of_table_row(
    row: Values,
    should: Values | None,
    key: tuple[str, ...],
    wanted: Mapping[str, list[Values]],
) -> Iterator[str]:
    name = row["campaign"]
    if name not in wanted:
        yield f"campaign: {name!r} is not in this dataset"
    elif should is None:
        which = ", ".join(f"{column} {row[column]}" for column in key)
        yield f"{which} is not in campaign {name}, or is there twice"
    else:
        for column, value in row.items():
            if (value or None) != (should[column] or None):
                told = f"campaign {name} has {should[column]!r}"
                yield f"{column}: is {value!r}, but {told}"


def _check_hosts(
    path: Path, found: Findings, rows: list[Values], looked: Sequence[Looked]
) -> None:
    """Tell of hosts of campaigns and devices that are not there, and of nonsense."""
    known = {
        (each.campaign.name, device.name)
        for each in looked
        if each.campaign is not None
        for device in each.campaign.devices
    }
    written: dict[str, str] = {}
    owner: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        told = (*_of_host(row, known), *_of_spelling(row, written, owner))
        for what in told:
            found.fault(path, what, f"row {number}")


def _of_spelling(
    row: Values, written: dict[str, str], owner: dict[str, str]
) -> Iterator[str]:
    """Yield where an address is written in two ways, or two in one; both are kept."""
    address, text = row["address"] or "", row["written"] or ""
    if written.setdefault(address, text) != text:
        yield f"written: is {text!r}, elsewhere {written[address]!r} for {address}"
    if text and owner.setdefault(text, address) != address:
        yield f"written: {text!r} is that of {owner[text]}, too"


def _of_host(row: Values, known: set[tuple[str, str]]) -> Iterator[str]:
    if (row["campaign"], row["device"]) not in known:
        yield (
            f"names device {row['device']!r} of campaign {row['campaign']!r}, "
            "which is not there"
        )
    if row["source"] not in HOST_SOURCES:
        yield f"source: must be one of {', '.join(HOST_SOURCES)}, got {row['source']!r}"
    try:
        ipaddress.ip_address(row["address"] or "")
    except ValueError:
        yield f"address: must be an IP address, got {row['address']!r}"
    if (
        None not in (row["from_ns"], row["until_ns"])
        and row["from_ns"] > row["until_ns"]
    ):
        yield "from_ns: is later than until_ns"
    if row["n"] is None or row["n"] < 1:
        yield f"n: must be at least 1, got {row['n']}"
