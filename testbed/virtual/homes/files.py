"""The folder of a simulation: homes.json, flow records and their causes as Parquet."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from testbed.virtual.homes.meter import END_WORDS, Records
from testbed.virtual.homes.segments import I64
from testbed.virtual.homes.sheet import Ends

VERSION = 1
_NUMBERS = {
    "start_ns": pa.int64(),
    "end_ns": pa.int64(),
    "protocol": pa.uint8(),
    "device_address": pa.string(),
    "remote_address": pa.string(),
    "device_port": pa.uint16(),
    "remote_port": pa.uint16(),
    "outbound": pa.bool_(),
    "packets_out": pa.int64(),
    "packets_in": pa.int64(),
    "bytes_out": pa.int64(),
    "bytes_in": pa.int64(),
    "payload_out_b": pa.int64(),
    "payload_in_b": pa.int64(),
    "tcp_flags_out": pa.uint8(),
    "tcp_flags_in": pa.uint8(),
    "ttl_out": pa.uint8(),
    "ttl_in": pa.uint8(),
    "iat_mean_s": pa.float64(),
    "iat_std_s": pa.float64(),
    "iat_min_s": pa.float64(),
    "iat_max_s": pa.float64(),
    "server_name": pa.string(),
    "end": pa.string(),
}
FLOWS = pa.schema(
    [(name, pa.string()) for name in ("home", "device", "model")]
    + list(_NUMBERS.items())
)
TRUTH = pa.schema([("cause", pa.string()), ("occasion", pa.string())])


def table(
    records: Records, ends: Sequence[Ends], same: dict[str, str], own_ip: str
) -> tuple[pa.Table, pa.Table]:
    """Return records as the table of flows and that of their causes, row by row.

    same  values of the columns that are the same in every row: home, device, model
    """
    of = [ends[number] for number in records.number.tolist()]
    n = len(of)
    out, into = records.packets
    columns: dict[str, object] = {name: [value] * n for name, value in same.items()}
    columns |= {
        "start_ns": records.start_ns,
        "end_ns": records.end_ns,
        "protocol": [e.protocol for e in of],
        "device_address": [own_ip] * n,
        "remote_address": [e.remote for e in of],
        "device_port": [e.device_port for e in of],
        "remote_port": [e.remote_port for e in of],
        "outbound": records.outbound,
        "packets_out": out,
        "packets_in": into,
        "bytes_out": records.bytes[0],
        "bytes_in": records.bytes[1],
        "payload_out_b": records.payload_b[0],
        "payload_in_b": records.payload_b[1],
        "tcp_flags_out": records.flags[0],
        "tcp_flags_in": records.flags[1],
        "ttl_out": np.where(out > 0, 64, 0),
        "ttl_in": _ttl(of, into),
        "server_name": [e.name for e in of],
        "end": [END_WORDS[code] for code in records.end.tolist()],
    }
    for name, row in zip(("mean", "std", "min", "max"), records.gaps_s, strict=True):
        columns[f"iat_{name}_s"] = row
    flows = [pa.array(columns[f.name], f.type, from_pandas=False) for f in FLOWS]
    causes = [[e.tag.cause for e in of], [e.tag.occasion for e in of]]
    return (
        pa.Table.from_arrays(flows, schema=FLOWS),
        pa.Table.from_arrays([pa.array(c, pa.string()) for c in causes], schema=TRUTH),
    )


def _ttl(of: Sequence[Ends], packets_in: I64) -> I64:
    return np.where(packets_in > 0, np.array([e.ttl_in for e in of], dtype=np.int64), 0)


def write_home(
    folder: Path, name: str, days: Iterable[tuple[pa.Table, pa.Table]]
) -> int:
    """Write a home's records day by day; return their number."""
    flows = folder / f"home={name}" / "flows.parquet"
    truth = folder / "truth" / f"home={name}.parquet"
    for path in (flows, truth):
        path.parent.mkdir(parents=True, exist_ok=True)
    n = 0
    with (
        pq.ParquetWriter(flows, FLOWS, compression="zstd") as first,
        pq.ParquetWriter(truth, TRUTH, compression="zstd") as second,
    ):
        for rows, causes in days:
            first.write_table(rows)
            second.write_table(causes)
            n += rows.num_rows
    return n


def write_about(folder: Path, about: dict[str, object]) -> None:
    """Write homes.json."""
    text = json.dumps(about, indent=2, default=asdict) + "\n"
    (folder / "homes.json").write_text(text, encoding="utf-8")
