"""What others read a dataset with: it opens there, and holds the same numbers."""

import json
import logging
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from analysis.dataset import TABLES
from analysis.packets import find_index, find_raw
from analysis.verify.labelled import LABELS
from analysis.verify.model import Findings
from analysis.wireshark import undisturbed

Check = Callable[[Any, Path, Findings], None]
_SHOWN = 300  # characters of what a library says
_RESET = "50000"  # packets after which tshark forgets conversations: memory stays flat
_ASIDE = "not installed: not checked"


def check_with_others(bag: Path, found: Findings) -> None:
    """Open the papers of a dataset with every reader that is installed."""
    for name, check in _OF_A_DATASET.items():
        _with(name, check, bag, found)


def check_captures_with_others(
    folder: Path, found: Findings, told: Callable[[int], None]
) -> None:
    """Open captures and tables of a campaign with every reader that is installed.

    told  is called with bytes of captures that were read since its last call
    """
    for name, check in _OF_A_CAMPAIGN.items():
        _with(name, check, folder, found)
    if shutil.which("tshark") is None:
        found.skip(f"tshark: {_ASIDE}")
        return
    with found.guarded(folder):
        _tshark(folder, found, told)


def _with(name: str, check: Check, place: Path, found: Findings) -> None:
    if find_spec(name) is None:
        found.skip(f"{name}: {_ASIDE}")
        return
    with _quiet(), found.guarded(place):
        check(import_module(name), place, found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries of others from writing to the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _told(found: Findings, path: Path, name: str, exc: BaseException) -> None:
    found.fault(path, f"{name} says: {' '.join(str(exc).split())[:_SHOWN]}")


def _bagit(bagit: Any, bag: Path, found: Findings) -> None:
    try:
        bagit.Bag(str(bag)).validate()
    except bagit.BagError as exc:
        _told(found, bag, "bagit", exc)


def _rocrate(_rocrate: Any, bag: Path, found: Findings) -> None:
    crate = import_module("rocrate.rocrate").ROCrate(str(bag / "data"))
    files = [each for each in crate.get_entities() if each.type == "File"]
    there = sum(path.is_file() for path in (bag / "data").rglob("*")) - 1
    if len(files) != there:
        what = f"rocrate finds {len(files)} files in it, there are {there}"
        found.fault(bag / "data" / "ro-crate-metadata.json", what)


def _mlcroissant(mlcroissant: Any, bag: Path, found: Findings) -> None:
    path = bag / "data" / "croissant.json"
    try:
        dataset = mlcroissant.Dataset(jsonld=str(path))
        for name in TABLES:
            n = sum(1 for _ in dataset.records(f"{name}-records"))
            rows = _n_rows(bag / "data" / "tables" / f"{name}.parquet")
            if n != rows:
                what = f"mlcroissant finds {n} records, the table has {rows} rows"
                found.fault(path, what, f"{name}-records")
    except (mlcroissant.ValidationError, mlcroissant.GenerationError) as exc:
        _told(found, path, "mlcroissant", exc)


def _n_rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _pcapml(pcapml: Any, folder: Path, found: Findings) -> None:
    labels = _labels(folder)
    for device in labels:
        path = folder / "labelled" / f"{device['device']}.pcapng"
        with found.guarded(path):
            found_ids = {each.sample_id for each in pcapml.sampler(str(path))}
            n = len(found_ids - {None})
            wanted = device["windows"] - len(device["empty"])
            if n != wanted:
                what = f"pcapml finds {n} samples, {LABELS} says {wanted}"
                found.fault(path, what)


def _labels(folder: Path) -> list[dict[str, Any]]:
    path = folder / LABELS
    if not path.is_file():
        return []
    devices = json.loads(path.read_text(encoding="utf-8"))["devices"]
    return [each for each in devices if isinstance(each, dict)]


def _duckdb(duckdb: Any, folder: Path, found: Findings) -> None:
    index = find_index(folder)
    if index is None:
        return
    for kind in ("packets", "flows"):
        files = sorted(str(path) for path in (folder / kind).rglob("*.parquet"))
        sql = (
            "SELECT device, count(*) FROM read_parquet($1, hive_partitioning = true) "
            "GROUP BY device"
        )
        try:
            rows = duckdb.execute(sql, [files]).fetchall() if files else []
        except duckdb.Error as exc:
            _told(found, folder / kind, "duckdb", exc)
            continue
        counted = {str(device): n for device, n in rows}
        for device in index.devices:
            parts = [each.devices[device] for each in index.captures]
            is_flows = kind == "flows"
            wanted = sum(p.n_flows if is_flows else p.n_packets for p in parts)
            if counted.get(device, 0) != wanted:
                what = f"duckdb counts {counted.get(device, 0)} rows of {device}"
                found.fault(folder / kind, f"{what}, packets.json says {wanted}")


def _tshark(folder: Path, found: Findings, told: Callable[[int], None]) -> None:
    """Let tshark count the packets of raw captures, and the labels of labelled ones."""
    index = find_index(folder)
    captures = () if index is None else index.captures
    wanted = {each.name: each.n_frames for each in captures}
    for path in find_raw(folder):
        n = _counted(path, [], found)
        told(path.stat().st_size)
        if n is not None and n != wanted.get(path.name, n):
            what = (
                f"tshark reads {n} packets, packets.json says {wanted.get(path.name)}"
            )
            found.fault(path, what)
    for device in _labels(folder):
        path = folder / "labelled" / f"{device['device']}.pcapng"
        n = _counted(path, ["-Y", "frame.comment"], found)
        told(path.stat().st_size)
        if n is not None and n != device["n_labelled"]:
            what = f"tshark reads {n} labels, {LABELS} says {device['n_labelled']}"
            found.fault(path, what)


def _counted(path: Path, options: Sequence[str], found: Findings) -> int | None:
    """Return how many packets tshark lists; None when it cannot, which is a fault."""
    command = ["tshark", "-n", "-M", _RESET, "-r", str(path), *options]
    command += ["-T", "fields", "-e", "frame.number"]
    with (
        undisturbed() as environment,
        subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child,
    ):
        n = sum(1 for _ in child.stdout or ())
        code = child.wait()
    if code:
        found.fault(path, f"tshark cannot read it to its end (exit {code})")
        return None
    return n


_OF_A_DATASET = {"bagit": _bagit, "rocrate": _rocrate, "mlcroissant": _mlcroissant}
_OF_A_CAMPAIGN = {"pcapml": _pcapml, "duckdb": _duckdb}
