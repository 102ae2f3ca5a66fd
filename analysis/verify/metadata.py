"""RO-Crate and Croissant name the files that are there, with size and SHA-256."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from analysis.verify.model import Findings
from analysis.verify.sums import Digests

CRATE = "ro-crate-metadata.json"
CROISSANT = "croissant.json"
LATE = "anonymisation.json"  # written beside Croissant, which may not know it yet
Told = dict[str, tuple[Any, Any]]  # path within the payload -> SHA-256, bytes


def check_metadata(data: Path, found: Findings, digests: Digests) -> None:
    """Hold what is told of the payload against its files, both ways."""
    with found.guarded(data / CRATE):
        graph = _graph(json.loads((data / CRATE).read_text(encoding="utf-8")))
        told = {
            unquote(name): (entity.get("sha256"), entity.get("contentSize"))
            for name, entity in graph.items()
            if entity.get("@type") == "File"
        }
        _check_references(data / CRATE, found, graph)
        _check_words(
            data / CRATE,
            found,
            {
                name: (entity["name"], Path(unquote(name)).name, entity)
                for name, entity in graph.items()
                if entity.get("@type") == "File"
            },
        )
        _check(data / CRATE, found, digests, told, without={CRATE})
    with found.guarded(data / CROISSANT):
        about = json.loads((data / CROISSANT).read_text(encoding="utf-8"))
        told = {
            each["contentUrl"]: (each["sha256"], each["contentSize"].removesuffix(" B"))
            for each in about["distribution"]
            if each["@type"] == "cr:FileObject"
        }
        _check(data / CROISSANT, found, digests, told, without={CRATE, CROISSANT, LATE})
        _check_words(
            data / CROISSANT,
            found,
            {
                each["contentUrl"]: (
                    f"{each['name']} {each['@id']}",
                    f"{url} {url}",
                    each,
                )
                for each in about["distribution"]
                if each["@type"] == "cr:FileObject"
                for url in (each["contentUrl"],)
            },
        )
        _check_records(data, found, about)


def _graph(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {entity["@id"]: entity for entity in document["@graph"]}


def _check_words(
    path: Path, found: Findings, told: Mapping[str, tuple[str, str, Any]]
) -> None:
    """Tell of files that are named otherwise, or are of another format than their like.

    told  path -> name, what it must be, and what is told of the file
    """
    formats: dict[str, Counter[str]] = {}
    for name, (_is, _wanted, about) in told.items():
        of_kind = formats.setdefault(Path(name).suffix, Counter())
        of_kind[about.get("encodingFormat", "")] += 1
    for name, (is_, wanted, about) in told.items():
        if is_ != wanted:
            found.fault(path, f"is named {is_!r}, must be {wanted!r}", name)
        ((usual, _n),) = formats[Path(name).suffix].most_common(1)
        if (kind := about.get("encodingFormat", "")) != usual:
            found.fault(path, f"is of format {kind!r}, others of {usual!r}", name)


def _check_references(
    path: Path, found: Findings, graph: Mapping[str, Mapping[str, Any]]
) -> None:
    """Tell of what is referred to and not described, and of parts that are not."""
    for name, entity in graph.items():
        for key, target in _references(entity):
            outside = re.match(r"[a-z]+:", target) or key == "conformsTo"
            if target not in graph and not outside:
                what = f"{key} refers to {target}, which is not described"
                found.fault(path, what, name)
    root = graph["./"]
    parts = {target for key, target in _references(root) if key == "hasPart"}
    for name, entity in graph.items():
        if entity.get("@type") == "File" and name not in parts:
            found.fault(path, "is a file, but no part of the root", name)


def _references(entity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in entity.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and isinstance(each.get("@id"), str):
                yield key, each["@id"]


def _check(
    path: Path, found: Findings, digests: Digests, told: Told, *, without: set[str]
) -> None:
    """Compare names, digests and sizes with the files that are there."""
    data = path.parent
    for name, (digest, size_b) in told.items():
        file = data / name
        if file not in digests.files:
            found.fault(path, "is not there", name)
        elif digests.sum(file) not in (None, digest):
            found.fault(path, "has another SHA-256 than the file", name)
        elif str(size_b) != str(digests.files[file]):
            what = f"has {digests.files[file]} bytes, not {size_b}"
            found.fault(path, what, name)
    for file in digests.below(data):
        name = file.relative_to(data).as_posix()
        if name not in told and name not in without:
            found.fault(path, "is not described", name)


def _check_records(data: Path, found: Findings, about: Mapping[str, Any]) -> None:
    """Look whether the columns that records are made of are in their tables."""
    patterns = {
        each["@id"]: each["includes"]
        for each in about["distribution"]
        if each["@type"] == "cr:FileSet"
    }
    path = data / CROISSANT
    for records in about["recordSet"]:
        tables: dict[str, set[str]] = {}
        for field in records["field"]:
            extract = field["source"]["extract"]
            if field["@id"] != f"{records['@id']}/{field['name']}":
                what = f"is no field {field['name']!r} of {records['@id']!r}"
                found.fault(path, what, field["@id"])
            column = extract.get("column")
            if column is None:
                if "fileProperty" not in extract:
                    found.fault(path, "is made of no column", field["@id"])
                continue
            table = _table(data, field["source"], patterns)
            if table is None:
                found.fault(path, "is made of no table that is there", field["@id"])
                continue
            if table not in tables:
                tables[table] = set(pq.read_schema(data / table).names)
            if column not in tables[table]:
                what = f"has no column {column!r} in {table}"
                found.fault(path, what, field["@id"])


def _table(
    data: Path, source: Mapping[str, Any], patterns: Mapping[str, str]
) -> str | None:
    """Return a table that a field is read from, as a path within the payload."""
    if "fileObject" in source:
        name = str(source["fileObject"]["@id"])
        return name if (data / name).is_file() else None
    pattern = patterns.get(source["fileSet"]["@id"])
    first = next(iter(sorted(data.glob(pattern))), None) if pattern else None
    return None if first is None else first.relative_to(data).as_posix()
