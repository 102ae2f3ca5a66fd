"""The payload for machine learning: Croissant 1.1, whose records a loader iterates."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.dataset import TABLES
from analysis.exporters.bundle.authors import author_of
from analysis.exporters.bundle.facts import Facts
from analysis.exporters.bundle.work import write_text

NAME = "croissant.json"
Digests = Mapping[str, tuple[str, int]]
_PARQUET = "application/x-parquet"
_FROM_PATH = {"campaign": r".*campaigns/([^/]+)/.*", "device": r".*device=([^/]+)/.*"}
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_ABOUT = {
    "activities": "One row per attempt to cause an activity; stamps in ns UTC on the "
    "capture's clock.",
    "devices": "One row per device and campaign.",
    "hosts": "Names of the addresses that devices talked to, and when they held.",
    "packets": "One row per packet that a device sent or received.",
    "flows": "One row per conversation of a device.",
}


def write_croissant(data: Path, facts: Facts, digests: Digests) -> Path:
    """Write the metadata of a payload with these files; return the file."""
    tables = {name: f"tables/{name}.parquet" for name in TABLES}
    sets = {kind: _tables_of(kind, digests) for kind in ("packets", "flows")}
    about = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": facts.name,
        "alternateName": facts.title,
        "description": facts.gist,
        "keywords": list(facts.keywords),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": facts.licence.url,
        "creator": [
            {"@type": "sc:Person", "name": author_of(each)[0]} for each in facts.authors
        ],
        "datePublished": facts.day,
        "version": "1.0.0",
        "citeAs": f"{'; '.join(facts.authors)}: {facts.cited_title}, {facts.day[:4]}",
        "distribution": [
            *(_file(path, digests) for path in digests),
            *(_file_set(kind) for kind, paths in sets.items() if paths),
        ],
        "recordSet": [
            *(_records(name, data / path, path) for name, path in tables.items()),
            *(
                _records(kind, data / paths[0], "")
                for kind, paths in sets.items()
                if paths
            ),
        ],
    }
    text = json.dumps(about, indent=1, ensure_ascii=False)
    return write_text(data / NAME, text + "\n")


def _tables_of(kind: str, digests: Digests) -> list[str]:
    return [
        path
        for path in digests
        if f"/{kind}/device=" in path and path.endswith(".parquet")
    ]


def _file(path: str, digests: Digests) -> dict[str, Any]:
    digest, size_b = digests[path]
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{size_b} B",
        "encodingFormat": _format(path),
        "sha256": digest,
    }


def _format(path: str) -> str:
    kinds = {
        ".csv": "text/csv",
        ".parquet": _PARQUET,
        ".json": "application/json",
        ".jsonl": "application/jsonlines",
        ".md": "text/markdown",
        ".svg": "image/svg+xml",
        ".html": "text/html",
        ".pcapng": "application/vnd.tcpdump.pcap",
        ".pcap": "application/vnd.tcpdump.pcap",
    }
    return kinds.get(Path(path).suffix, "text/plain")


def _file_set(kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": kind,
        "name": kind,
        "description": _ABOUT[kind],
        "encodingFormat": _PARQUET,
        "includes": f"campaigns/*/{kind}/device=*/*.parquet",
    }


def _records(name: str, table: Path, path: str) -> dict[str, Any]:
    """Return the records of a table, or of a set of them where `path` is empty."""
    identity = f"{name}-records"
    source = {"fileObject": {"@id": path}} if path else {"fileSet": {"@id": name}}
    fields = [
        _field(identity, column.name, _kind(column.type), source, column.name)
        for column in pq.read_schema(table)
    ]
    if not path:
        fields += [_from_path(identity, column, source) for column in _FROM_PATH]
    return {
        "@type": "cr:RecordSet",
        "@id": identity,
        "name": identity,
        "description": _ABOUT[name],
        "field": fields,
    }


def _field(
    record_set: str, name: str, kind: str, source: Mapping[str, Any], column: str
) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "dataType": kind,
        "source": {**source, "extract": {"column": column}},
    }


def _from_path(record_set: str, name: str, source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "dataType": "sc:Text",
        "source": {
            **source,
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": _FROM_PATH[name]},
        },
    }


def _kind(column: pa.DataType) -> str:
    if pa.types.is_boolean(column):
        return "sc:Boolean"
    if pa.types.is_integer(column):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(column) else "sc:Text"
