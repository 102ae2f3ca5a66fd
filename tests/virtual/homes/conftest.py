"""Two homes for two days, made once."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from testbed.model.load import load_profile
from testbed.virtual.homes import Task, read_attack, simulate

ROOT = Path(__file__).parents[3]
ATTACKS = ("botnet/1", "coin_mining/1", "exfiltration@home_1/1", "ddos/1")


@pytest.fixture(scope="session")
def echo():
    return load_profile(ROOT / "devices" / "echo_dot.yaml")


@pytest.fixture(scope="session")
def bulb():
    return load_profile(ROOT / "devices" / "iview_bulb.yaml")


@pytest.fixture(scope="session")
def task():
    return Task(homes=2, days=2, seed=5, attacks=tuple(map(read_attack, ATTACKS)))


@pytest.fixture(scope="session")
def folder(echo, task, tmp_path_factory):
    made = tmp_path_factory.mktemp("homes") / "made"
    simulate(task, echo, made)
    return made


@pytest.fixture(scope="session")
def about(folder):
    return json.loads((folder / "homes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def read(folder):
    def of(home) -> tuple[pa.Table, pa.Table]:
        flows = pq.ParquetFile(folder / f"home={home}" / "flows.parquet").read()
        truth = pq.ParquetFile(folder / "truth" / f"home={home}.parquet").read()
        return flows, truth

    return of
