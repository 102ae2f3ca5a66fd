"""Tables over all campaigns of a dataset: activities, devices, hosts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from analysis.dataset import (
    COLUMNS,
    DEVICE_COLUMNS,
    load_activities,
    load_campaign,
)
from analysis.exporters.anonymise import written_addresses
from analysis.exporters.bundle.work import Made, Source, Work
from analysis.exporters.identifiers import Identifier
from analysis.hosts import find_hosts
from analysis.packets import find_raw, load_index
from analysis.safe_yaml import load_yaml


def write_tables(
    work: Work, sources: Sequence[Source], identifiers: Sequence[Identifier]
) -> None:
    """Write the tables, as CSV and as Parquet."""
    folders = [work.campaign(source) for source in sources]
    steps = [f"{k} {s.name}" for s in sources for k in ("texts", "label", "packets")]

    def make() -> Made:
        written = written_addresses(identifiers, work.pseudonyms)
        frames = tables_of(folders, written, progress=work.watcher.read)
        made: list[Path] = []
        for name, frame in frames.items():
            made += write_frame(frame, work.data / "tables" / name)
        return Made(
            outputs=made,
            facts={name: frame.height for name, frame in frames.items()},
            note=", ".join(f"{f.height} {name}" for name, f in frames.items()),
        )

    total_b = sum(p.stat().st_size for each in folders for p in find_raw(each))
    inputs = work.after("identifiers", *steps)
    work.step("tables", inputs, make, total_b=total_b)


def tables_of(
    folders: Sequence[Path],
    written: Mapping[str, str] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, pl.DataFrame]:
    """Return the tables over published campaign folders, in their order.

    written   address -> as it is written into payloads, where that is not the same;
              nobody but who published can tell
    progress  is called with bytes of captures that were read since its last call
    """
    hosts = [find_hosts(each, written=written, progress=progress) for each in folders]
    return {
        "activities": _activities(folders),
        "devices": _devices(folders),
        "hosts": pl.concat(hosts),
    }


def write_frame(frame: pl.DataFrame, stem: Path) -> list[Path]:
    """Write a table as CSV and as Parquet; return the files."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    made = []
    for suffix in (".csv", ".parquet"):
        path = stem.with_suffix(suffix)
        part = path.with_name(f".{path.name}.part")
        if suffix == ".csv":
            frame.write_csv(part)
        else:
            frame.write_parquet(part, compression="zstd")
        part.replace(path)
        made.append(path)
    return made


def _activities(folders: Sequence[Path]) -> pl.DataFrame:
    frames = [load_activities(folder).frame.select(list(COLUMNS)) for folder in folders]
    return pl.concat(frames)


def _devices(folders: Sequence[Path]) -> pl.DataFrame:
    rows = [row for folder in folders for row in _devices_of(folder)]
    return pl.DataFrame(rows, schema=dict(DEVICE_COLUMNS), orient="row")


def _devices_of(folder: Path) -> list[tuple[Any, ...]]:
    campaign, index = load_campaign(folder), load_index(folder)
    log = load_activities(folder).labelled().frame
    text = (folder / "campaign.yaml").read_text(encoding="utf-8")
    profiles = load_yaml(text).get("profiles") or {}
    rows = []
    for device in campaign.devices:
        profile = profiles.get(device.name) or {}
        app = profile.get("app")
        rows.append(
            (
                campaign.name,
                device.name,
                device.unit,
                str(profile.get("vendor") or ""),
                str(profile.get("model") or ""),
                device.category,
                device.mac,
                device.ip,
                device.firmware,
                str(app.get("package") or "") if isinstance(app, dict) else "",
                device.app_version,
                device.plaintext,
                log.filter(pl.col("device") == device.name).height,
                index.n_packets(device.name),
            )
        )
    return rows
