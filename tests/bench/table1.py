"""Table 1 of the paper on a campaign of the virtual lab: every classifier, S0 to S2.

    python -m tests.bench.table1 [--out FOLDER] [--page docs/table-1.md] [--seed 0]

Records the scenario `table_1` in the fast form into FOLDER (default build/bench), once:
a campaign that is there is used again. Scores it with the project's own evaluation,
idle windows among the classes, and writes FOLDER/table1.json. With --page, also as a
page of the documentation. All of it is simulated.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.measure import machine
from tests.bench.table1_page import accuracy_table

ROOT = Path(__file__).parents[2]
SCENARIO = "table_1"
DEVICES = ("arlo_q", "echo_dot", "home_mini", "omna_180", "samsung_tv")
CLASSIFIERS = (
    "random_forest",
    "nearest",
    "naive_bayes",
    "gradient_boosting",
    "fusion",
)
SPLITS = ("s0_folds", "s0_holdout", "s1", "s2")
N_IDLE = 112  # per device: twice the repeats of an activity
Record = dict[str, Any]


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"table1: {text}", file=sys.stderr, flush=True)


def recorded(out: Path) -> tuple[Path, float | None]:
    """Return the campaign's folder and how long it took, None when not made now."""
    place, folder = out / SCENARIO, out / SCENARIO / SCENARIO
    if (folder / "MANIFEST.sha256").exists():
        return folder, None
    words = [sys.executable, "-m", "testbed"]
    if (folder / "campaign.yaml").exists():
        words += ["resume", str(folder), "--out", str(place)]
    else:
        words += ["run", SCENARIO, "--fast", "--out", str(place)]
        words += ["--campaign", SCENARIO]
    say("recording the campaign; a few minutes")
    place.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with (place / "log.txt").open("w", encoding="utf-8") as log:
        done = subprocess.run(words, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        told = (place / "log.txt").read_text(encoding="utf-8")[-400:]
        raise SystemExit(f"exit code {done.returncode}: {told}")
    return folder, time.perf_counter() - begun


def score(folder: Path, devices: Sequence[str], seed: int) -> Record:
    """Return every figure of the campaign."""
    from analysis.evaluate.campaign import all_classifiers, plan_of, record_of, studies

    known = all_classifiers()
    names = [name for name in CLASSIFIERS if name in known]
    plan = plan_of(names, SPLITS, seed=seed, n_idle=N_IDLE)
    results, refusals, took_s = [], [], {}
    begun = time.perf_counter()
    for study in studies(folder, devices, plan):
        results += [record_of(each) for each in study.results]
        refusals += [
            {"device": r.device, "split": r.split, "reason": r.reason}
            for r in study.refusals
        ]
        took_s[study.device] = round(time.perf_counter() - begun, 1)
        begun = time.perf_counter()
        say(f"{study.device}: {study.n_windows} windows in {took_s[study.device]} s")
    return {
        "classifiers": names,
        "settings": {c.name: c.settings for c in plan.classifiers},
        "results": results,
        "refusals": refusals,
        "took_s": took_s,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Record, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--page", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", action="append")
    options = parser.parse_args(argv)
    folder, record_s = recorded(options.out)
    found = score(folder, options.device or DEVICES, options.seed)
    path = options.out / "table1.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    facts = {
        "command": "python -m tests.bench.table1",
        "scenario": SCENARIO,
        "simulated": True,
        "form": "fast",
        "seed": options.seed,
        "n_idle": N_IDLE,
        "recorded_s": record_s or earlier.get("recorded_s"),
        "machine": machine(),
        **found,
    }
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    for line in accuracy_table(facts):
        print(line)


if __name__ == "__main__":
    main()
