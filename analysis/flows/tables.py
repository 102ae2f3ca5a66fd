"""Tables of flow records, ours and others', by what their names and first bytes say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from analysis.errors import DatasetError
from analysis.flows.conn_log import conn_log_rows
from analysis.flows.files import iter_flows
from analysis.flows.foreign import Side, Told, pieces_of
from analysis.flows.joy import joy_rows
from analysis.flows.texts import Texts

__all__ = ["Side", "Told", "read_table"]

_HEAD_B = 16


def read_table(path: Path, side: Side | None = None) -> Iterator[Told]:
    """Yield flow records of a file: Parquet, CSV, Zeek's conn.log, or Joy's JSON.

    side  of others' records, whose they are; of ours, what replaces home, device and
          model where it says something

    Raises DatasetError when it is none of these, or damaged.
    """
    wanted = side or Side()
    with path.open("rb") as file:
        head = file.read(_HEAD_B)
    if head.startswith(b"PAR1") or path.suffix in (".csv", ".parquet"):
        yield from _ours(path, wanted)
    elif head.lstrip().startswith(b"{"):
        yield from pieces_of(joy_rows(path), wanted)
    elif head.startswith(b"#separator"):
        yield from pieces_of(conn_log_rows(path), wanted)
    else:
        reason = "is no Parquet or CSV of flow records, conn.log of Zeek, JSON of Joy"
        raise DatasetError(f"{path}: {reason}")


def _ours(path: Path, side: Side) -> Iterator[Told]:
    for records in iter_flows(path):
        n = len(records)
        named = {
            name: Texts.same(text, n)
            for name, text in (
                ("home", side.home),
                ("device", side.name),
                ("model", side.model),
            )
            if text
        }
        records = records.replaced(**named)
        if side.network is not None:
            known = [side.is_device(name) for name in records.device_address.names]
            own = np.array([*known, False], dtype=np.bool_)
            records = records.take(own[records.device_address.number])
        yield Told(records=records, causes=Texts.same("", len(records)))
