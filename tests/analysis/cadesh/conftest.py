import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from analysis.detectors.cadesh.detector import Choices, FlowDetector
from analysis.detectors.cadesh.rows import home_of, rows_of_all
from analysis.detectors.cadesh.store import FlowModel
from analysis.flows import COLUMNS, FlowRecords, Texts
from testbed.cli import main

DAY_S = 86_400
OURS = "ours"
START_NS = 1_760_000_400_000_000_000 // 3_600_000_000_000 * 3_600_000_000_000

# when in s, server name, address, port, bytes out, bytes in
Row = tuple[float, str, str, int, int, int]


def records_of(rows: Sequence[Row], home: str) -> FlowRecords:
    n = len(rows)
    at = np.array([START_NS + round(r[0] * 1e9) for r in rows], dtype=np.int64)
    out_b = np.array([r[4] for r in rows], dtype=np.int64)
    in_b = np.array([r[5] for r in rows], dtype=np.int64)
    known = {
        "home": Texts.same(home, n),
        "device": Texts.same("speaker", n),
        "model": Texts.same("Speaker One", n),
        "start_ns": at,
        "end_ns": at + 2_000_000_000,
        "protocol": np.full(n, 6, dtype=np.uint8),
        "remote_address": Texts.of(r[2] for r in rows),
        "device_port": np.arange(n).astype(np.uint16) % 9_000 + 40_000,
        "remote_port": np.array([r[3] for r in rows], dtype=np.uint16),
        "outbound": np.ones(n, dtype=np.bool_),
        "packets_out": np.full(n, 4, dtype=np.int64),
        "packets_in": np.where(in_b > 0, 4, 0).astype(np.int64),
        "bytes_out": out_b + 240,
        "bytes_in": in_b + 240,
        "payload_out_b": out_b,
        "payload_in_b": in_b,
        "server_name": Texts.of(r[1] for r in rows),
        "end": Texts.same("idle", n),
        "iat_mean_s": np.where(in_b > 0, 0.1, np.nan),
    }
    for name, dtype in COLUMNS.items():
        if name not in known:
            blank = Texts.same("", n) if dtype is None else np.zeros(n, dtype=dtype)
            known[name] = blank
    return FlowRecords(**known)


@pytest.fixture
def home() -> Callable[..., FlowRecords]:
    """Return the making of one home: keep-alives, and a rare page from day to day."""

    def make(name: str, *, days: int = 4, more: Sequence[Row] = ()) -> FlowRecords:
        rng = np.random.default_rng(sum(map(ord, name)))
        rows: list[Row] = []
        for at in np.arange(0, days * DAY_S, 300.0) + rng.uniform(0, 60):
            size = int(rng.integers(50, 64))
            rows.append((at, "live.maker.example", "198.18.0.9", 443, size, size))
        for at in rng.uniform(0, days * DAY_S, 6 * days):
            size = int(rng.integers(4_000, 8_000))
            rows.append((at, "news.maker.example", "198.18.7.7", 443, 400, size))
        return records_of(sorted([*rows, *more]), name)

    return make


@pytest.fixture
def knocks() -> list[Row]:
    """Return an attack on the last day: the same nothing to many strangers."""
    at = 3.5 * DAY_S
    return [(at + 3.0 * k, "", f"198.19.{k}.{k + 1}", 23, 0, 0) for k in range(60)]


@pytest.fixture
def run(monkeypatch):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["testbed", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0

    return call


@pytest.fixture
def model(home):
    homes = {name: home_of(home(name), OURS) for name in ("a", "b", "c")}
    learnt = FlowDetector(Choices(epochs=3, sample=600)).fit(rows_of_all(homes))
    return FlowModel(
        detector=learnt,
        pool={name: each.tables for name, each in homes.items()},
        secret=OURS,
        models=("Speaker One",),
    )
