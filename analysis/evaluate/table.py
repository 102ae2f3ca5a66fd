"""The features of a campaign as one table, for other tools."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from analysis.errors import DatasetError, named
from analysis.evaluate.samples import By, open_recorded, samples_over, windows_of
from analysis.features.matrix import families
from analysis.labelling import Overlap
from analysis.packets.cleaning import DEFAULT_RULES

_FROM_WINDOW = ("attempt", "network", "user", "unit", "home", "firmware")


def feature_tables(
    folder: Path,
    devices: Sequence[str],
    *,
    by: By = By.ACTIVITY,
    overlap: Overlap = Overlap.REFUSE,
    n_idle: int = 0,
    seed: int = 0,
    rules: Sequence[str] = DEFAULT_RULES,
) -> Iterator[pl.DataFrame]:
    """Return, per device, one row per label window: whence it comes, its features.

    Raises DatasetError when the folder cannot be read, LabelError when windows overlap.
    """
    recorded = open_recorded(folder)
    campaign = recorded.campaign
    for device in devices:
        windows = windows_of(
            recorded, device, overlap=overlap, n_idle=n_idle, seed=seed
        )
        samples = samples_over(folder, windows, by=by, rules=rules)
        origin = {
            "campaign": campaign.name,
            "simulated": campaign.simulated,
            "form": campaign.form,
            "device": device,
        }
        columns = {
            "session": samples.session,
            "trial": samples.trial,
            "activity": samples.activity,
            "channel": samples.channel,
            **{name: getattr(windows, name) for name in _FROM_WINDOW},
            "start_ns": samples.start_ns,
            "end_ns": windows.end_ns,
            "n_packets": samples.n_packets,
            **{name: samples.x[:, i] for i, name in enumerate(samples.names)},
        }
        frame = pl.DataFrame([_series(name, v) for name, v in columns.items()])
        yield frame.select(*(pl.lit(v).alias(n) for n, v in origin.items()), "*")


def _series(name: str, values: np.ndarray) -> pl.Series:
    kind = pl.String if values.dtype.kind == "U" else None
    return pl.Series(name, values.tolist() if kind else values, dtype=kind)


def write_features(tables: Iterable[pl.DataFrame], path: Path) -> tuple[int, int]:
    """Write tables below each other as one Parquet file; return its rows and columns.

    The schema's metadata hold the unit of each feature. The file appears whole or not
    at all; what is in memory is one table. Raises DatasetError without any table,
    OSError with the file's name when it finds no room.
    """
    units = {f.name: f.unit for family in families() for f in family.features}
    about = {b"testbed": json.dumps({"units": units}).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    height, writer = 0, None
    try:
        for table in tables:
            arrow = table.to_arrow().replace_schema_metadata(about)
            with named(path):
                if writer is None:
                    writer = pq.ParquetWriter(part, arrow.schema, compression="zstd")
                writer.write_table(arrow)
            height += table.height
        if writer is None:
            raise DatasetError(f"{path}: there is no device to write features of")
        width = len(writer.schema)
        with named(path):
            writer.close()
        part.replace(path)
    finally:
        if writer is not None:
            with suppress(OSError):  # its last bytes find no room either
                writer.close()
        part.unlink(missing_ok=True)
    return height, width
