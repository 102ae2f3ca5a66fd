"""A campaign in the live lab whose phone and whose link to the router go away."""

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
  - {device: tplink_hs110, activities: [turn_on, turn_off, read_state]}
  - {device: wemo_insight, activities: [turn_on, turn_off], channels: [api]}
repeats: 2
rest: 2 s
idle: 1 s
"""
# Times count from the lab being up; the campaign begins some seconds later.
FAULTS = """\
  faults:
    - {kind: phone_offline, at: 18 s, until: 52 s}
    - {kind: router_link_down, at: 62 s, until: 122 s}
limits: {look_every: 2 s, clear: 3 s, give_up: 200 s}
"""


@pytest.fixture
def place(tmp_path):
    lab = (ROOT / "lab.yaml").read_text() + FAULTS
    name = f"pauses_{os.getpid()}"
    (tmp_path / "lab.yaml").write_text(lab.replace("virtual_house", name))
    (tmp_path / "short.yaml").write_text(SCENARIO)
    shutil.copytree(ROOT / "devices", tmp_path / "devices")
    return tmp_path


@pytest.mark.live
@pytest.mark.timeout(420)
def test_a_live_campaign_waits_for_its_phone_and_its_router(place):
    done = subprocess.run(
        [sys.executable, "-m", "testbed", "run", "short.yaml", "--out", "out"],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (place / "out").glob("short-*")
    lines = (folder / "journal.jsonl").read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    paused = [f["facts"]["condition"] for f in facts if f["event"] == "suspended"]
    good = [f["facts"]["condition"] for f in facts if f["event"] == "cleared"]
    assert {"phone", "router"} <= set(paused), done.stderr
    assert sorted(paused) == sorted(good)
    failed = [
        f["facts"]
        for f in facts
        if f["event"] == "trial_ended" and f["facts"]["outcome"] == "failed"
    ]
    assert failed == []
    assert "paused: phone" in done.stderr
    assert "goes on: router is good again" in done.stderr
