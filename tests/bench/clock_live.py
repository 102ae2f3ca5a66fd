"""The clock in the live virtual lab: real SSH, real captures, two clocks made wrong.

One short campaign per cell: plugs, taps and sentences with windows of one second, so
that there are many in little time. The truth is known from both sides: how wrong the
router's clock is (the lab's `clock.json`) and how wrong the controller's is (what it
was told in its environment).
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from testbed.cli.timing import SKEW
from testbed.clock import SystemClock
from testbed.virtual.live.skew import Skew
from tests.bench.clock_drawn import LIMIT_NS, Score

ROOT = Path(__file__).parents[2]
_DELTA = "1 s"
_SPOKEN = ["ask_time", "tell_joke"]
_LABELLED = ("confirmed", "unchecked")

Figures = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the matrix.

    router      offset in s, drift in ppm
    controller  the same of the controller
    step        (after_s, value) of the fault `clock_step`
    """

    name: str
    router: tuple[float, float] = (0.0, 0.0)
    controller: tuple[float, float] = (0.0, 0.0)
    step: tuple[float, str] | None = None


CELLS = (
    Cell(name="router -49 s", router=(-49.0, 0.0)),
    Cell(name="router +3 h", router=(10_800.0, 0.0)),
    Cell(name="router drifts 200 ppm", router=(49.0, 200.0)),
    Cell(
        name="controller -49 s, 200 ppm", router=(49.0, 20.0), controller=(-49.0, 200.0)
    ),
    Cell(
        name="both: -49 s, 200 ppm; +3 h, -200 ppm",
        router=(-49.0, 200.0),
        controller=(10_800.0, -200.0),
    ),
    Cell(name="step +3 s", router=(49.0, 20.0), step=(50.0, "3 s")),
    Cell(name="step -3 s", router=(49.0, 20.0), step=(50.0, "-3 s")),
)


def run(cell: Cell, folder: Path, repeats: int) -> Figures:
    """Run one campaign in a lab of its own and return its figures."""
    folder.mkdir(parents=True)
    since_ns = SystemClock().now_ns()
    lab = _lab(cell, folder)
    truth = folder / "truth"
    offset_s, ppm = cell.controller
    environment = {
        **os.environ,
        "TESTBED_TRUTH": str(truth),
        SKEW: f"{offset_s},{ppm},{since_ns}",
    }
    command = [sys.executable, "-m", "testbed", "run", str(_scenario(folder, repeats))]
    command += ["--lab", str(lab), "--devices", str(_devices(folder))]
    command += ["--out", str(folder / "captures"), "--evidence", "none"]
    with (folder / "log.txt").open("w") as log:
        done = subprocess.run(
            command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    if done.returncode not in (0, 1):
        told = (folder / "log.txt").read_text()[-400:]
        raise SystemExit(f"{cell.name}: exit code {done.returncode}: {told}")
    (campaign,) = (folder / "captures").glob("clock-*")
    controller = Skew(since_ns, round(offset_s * 1e9), ppm)
    return _score(campaign, Skew.load(truth / "clock.json"), controller)


def _score(campaign: Path, router: Skew, controller: Skew) -> Figures:
    """Return the figures of all attempts that gave a stimulus."""
    total, outcomes, unsure = Score(), dict[str, int](), 0
    given = dict(_returned(campaign))
    with (campaign / "activities.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
        stamps = given.get((row["trial"], int(row["attempt"])))
        if stamps is None or not row["t_ns"]:
            continue
        stated_ns = int(row["t_uncertainty_ns"])
        if stated_ns > LIMIT_NS and row["outcome"] in _LABELLED:
            unsure += 1
        true_ns = [_true_ns(stamp, controller) for stamp in stamps]
        delta_ns = int(row["delta_ns"])
        total.stated_ns.append(stated_ns)
        total.error_ns.append(abs(int(row["t_ns"]) - router.at(true_ns[1])))
        end_ns = router.at(true_ns[1] + delta_ns)
        total.end_error_ns.append(abs(int(row["t_ns"]) + delta_ns - end_ns))
    return {**total.figures(), "labelled_above_limit": unsure, "outcomes": outcomes}


def _true_ns(shown_ns: int, skew: Skew) -> int:
    """Return the true instant at which a skewed clock showed a stamp."""
    passed_ns = shown_ns - skew.offset_ns - skew.start_ns
    return skew.start_ns + round(passed_ns / (1 + skew.drift_ppm * 1e-6))


def _returned(campaign: Path) -> Iterator[tuple[tuple[str, int], tuple[int, int, int]]]:
    """Yield the stamps of each attempt, as the controller wrote them down."""
    with (campaign / "journal.jsonl").open() as file:
        for line in file:
            row = json.loads(line)
            if row["event"] == "stimulus_returned":
                facts = row["facts"]
                stamps = (facts["issue_ns"], facts["instant_ns"], facts["return_ns"])
                yield (facts["trial"], facts["attempt"]), stamps


def _lab(cell: Cell, folder: Path) -> Path:
    lab = yaml.load((ROOT / "lab.yaml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506
    lab["virtual"]["router_clock"] = {
        "offset": f"{cell.router[0]} s",
        "drift_ppm": cell.router[1],
    }
    if cell.step is not None:
        after_s, value = cell.step
        fault = {"kind": "clock_step", "at": f"{after_s} s", "value": value}
        lab["virtual"]["faults"] = [fault]
    lab["lab"] = "virtual_clock"
    lab["router"]["rotate"] = "15 s"
    path = folder / "lab.yaml"
    path.write_text(yaml.safe_dump(lab))
    return path


def _devices(folder: Path) -> Path:
    """Copy the profiles with short windows."""
    target = folder / "devices"
    shutil.copytree(ROOT / "devices", target)
    for path in target.glob("*.yaml"):
        profile = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506
        profile["delta_groups"] = dict.fromkeys(profile.get("delta_groups", {}), _DELTA)
        for activity in profile["activities"].values():
            if activity["delta"][0].isdigit():
                activity["delta"] = _DELTA
        path.write_text(yaml.safe_dump(profile, sort_keys=False))
    return target


def _scenario(folder: Path, repeats: int) -> Path:
    """Write a scenario of 16 trials per repeat, half of them without the phone."""
    select = [
        {"device": "wemo_insight", "channels": ["api"], "repeats": 3 * repeats},
        {"device": "samsung_tv", "channels": ["power"], "repeats": repeats},
        {"device": "omna_180", "channels": ["power"], "repeats": repeats},
        {"device": "koogeek_plug", "activities": ["turn_on", "turn_off"]},
        {"device": "tplink_hs110", "activities": ["turn_on", "turn_off"]},
        {"device": "echo_dot", "activities": _SPOKEN, "channels": ["voice"]},
    ]
    scenario = {
        "scenario": "clock",
        "seed": 5,
        "select": select,
        "repeats": repeats,
        "rest": "0.5 s",
        "idle": "1 s",
    }
    path = folder / "clock.yaml"
    path.write_text(yaml.safe_dump(scenario, sort_keys=False))
    return path
