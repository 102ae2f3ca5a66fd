"""A campaign in the live lab, with instruments that lie, against its ground truth."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIO = """\
scenario: short
seed: 3
select:
  - {device: arlo_q, activities: [open_settings], networks: [lan]}
  - {device: omna_180, activities: [power_off]}
  - {device: echo_dot, activities: [ask_time], channels: [voice]}
  - {device: home_mini, activities: [ask_time], channels: [voice]}
  - {device: tplink_hs110, activities: [turn_on, read_state]}
  - {device: wemo_insight, activities: [turn_on], channels: [api]}
rest: 1 s
idle: 1 s
"""
FAULTS = """\
  faults:
    - {kind: deaf_speaker, target: echo_dot}
    - {kind: lying_plug, target: plug_camera}
"""


@pytest.fixture
def place(tmp_path):
    lab = (ROOT / "lab.yaml").read_text() + FAULTS
    name = f"runner_{os.getpid()}"
    (tmp_path / "lab.yaml").write_text(lab.replace("virtual_house", name))
    (tmp_path / "short.yaml").write_text(SCENARIO)
    shutil.copytree(ROOT / "devices", tmp_path / "devices")
    return tmp_path


@pytest.mark.live
@pytest.mark.timeout(450)
def test_labels_of_a_live_campaign_hold_against_the_ground_truth(place):
    from testbed.model.load import load_lab
    from testbed.virtual.live import lab as live

    handle = live.up(load_lab(place / "lab.yaml"), place / "lab.yaml", tied=True)
    try:
        command = [sys.executable, "-m", "testbed", "run", "short.yaml"]
        done = subprocess.run(
            [*command, "--out", "out"],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 1, done.stderr  # not all was confirmed
        (folder,) = (place / "out").glob("short-*")
        assert_outcomes(folder)
        assert_stamps(folder, handle.truth)
    finally:
        live.down(load_lab(place / "lab.yaml"))
        shutil.rmtree(handle.state, ignore_errors=True)  # the truth outlives the lab


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_outcomes(folder):
    rows = rows_of(folder / "activities.csv")
    found = {(r["device"], r["activity"]): r["outcome"] for r in rows}
    assert found["echo_dot", "ask_time"] == "no_effect"
    assert found["omna_180", "power_off"] == "no_effect"
    for one in (
        ("arlo_q", "open_settings"),
        ("home_mini", "ask_time"),
        ("tplink_hs110", "turn_on"),
        ("tplink_hs110", "read_state"),
        ("wemo_insight", "turn_on"),
    ):
        assert found[one] == "confirmed", (one, rows)


def assert_stamps(folder, truth):
    """Hold stamps on the capture's clock, 49 s off and drifting, against the truth."""
    shim = json.loads((truth / "clock.json").read_text())

    def on_capture(ns):
        drift_ns = (ns - shim["start_ns"]) * shim["drift_ppm"] * 1e-6
        return ns + shim["offset_ns"] + round(drift_ns)

    begun = {}
    for row in rows_of(truth / "activities.csv"):
        key = (row["device"], row["activity"])
        begun.setdefault(key, []).append(on_capture(int(row["true_ns"])))
    for row in rows_of(folder / "activities.csv"):
        if row["outcome"] != "confirmed":
            continue
        t_ns, error_ns = int(row["t_ns"]), int(row["t_uncertainty_ns"])
        key = (row["device"], row["activity"])
        true_ns = min(begun[key], key=lambda x: abs(x - t_ns))
        assert int(row["t_issue_ns"]) - error_ns <= true_ns
        assert true_ns <= int(row["t_return_ns"]) + error_ns
