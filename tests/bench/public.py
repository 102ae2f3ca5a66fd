"""Scores on public data: real traffic that others recorded, through our importers.

    TESTBED_PUBLIC_DATA=FOLDER python -m tests.bench.public
        [--set vcfp|sentinel|cic] [--seed 0] [--classifier NAME] [--page FILE]

Each set is taken over once as campaigns under build/bench/public; then every classifier
that the registry finds is scored by the project's own evaluation. Writes
build/bench/public-SET.json; with --page, a page of the documentation from all of them.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.dataset import load_campaign
from analysis.evaluate.samples import Samples, samples_of
from analysis.evaluate.splits.folds import SplitPlan, SplitRefusedError
from tests.bench.public_digests import code_digest, data_digest
from tests.bench.public_page import page, table
from tests.bench.public_scores import (
    OURS,
    PAPER,
    Record,
    Task,
    across,
    classifiers,
    folds_of,
    mean_over_devices,
    over_devices,
    score,
)
from tests.bench.public_sets import SETS, campaign_of, medium_of

ROOT = Path(__file__).parents[2]
OUT = Path("build/bench")


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"public: {text}", file=sys.stderr, flush=True)


def _all(samples: Samples) -> Any:
    return np.ones(len(samples), dtype=np.bool_)


def _of_set(letter: str) -> Callable[[Samples], Any]:
    return lambda samples: np.char.endswith(samples.session, f"_{letter}")


def _in_set_k(samples: Samples) -> Any:
    """Mark the rows of commands that are in set K."""
    return np.isin(samples.activity, samples.activity[_of_set("K")(samples)])


def _repeat(number: int) -> Callable[[Samples], Any]:
    return lambda samples: samples.session == f"repeat_{number}"


def _eligible(rows_of: Callable[[Samples], Any]) -> Callable[[Samples], Any]:
    return lambda samples: (rows_of(samples), "")


def _by_medium(samples: Samples) -> Samples:
    """Make a class of each action by each medium."""
    pairs = zip(samples.trial.tolist(), samples.activity.tolist(), strict=True)
    names = [f"{activity} by {medium_of(trial)}" for trial, activity in pairs]
    return replace(samples, activity=np.array(names, dtype=np.str_))


_VCFP = (
    Task(
        name="within L, 5 folds",
        plan=SplitPlan(
            name="set_l_folds",
            title="within set L",
            description="the traces of set L at random in five stratified folds; "
            "leaky: the traces of a command are of one recording",
            leaky=True,
            eligible=_eligible(_of_set("L")),
            cut=folds_of(5, _of_set("L")),
        ),
    ),
    Task(
        name="L to K, among all commands of L",
        plan=SplitPlan(
            name="set_l_to_k",
            title="train L, test K",
            description="learnt from all traces of set L, tested on those of set K: "
            "some of the commands in other recordings; any command of L may be named. "
            "Not looked at in choosing the parts of the fusion",
            leaky=False,
            eligible=_eligible(_all),
            cut=across(_of_set("L"), _of_set("K"), back=False),
        ),
    ),
    Task(
        name="L to K, among those of K",
        plan=SplitPlan(
            name="set_l_to_k_known",
            title="train L, test K, commands of K",
            description="the same, learnt from the traces of these commands only",
            leaky=False,
            eligible=_eligible(_in_set_k),
            cut=across(_of_set("L"), _of_set("K"), back=False),
        ),
    ),
)
_SENTINEL = (
    Task(
        name="types, 5 folds",
        n_parts=5,
        plan=SplitPlan(
            name="captures_folds",
            title="5 folds of captures",
            description="captures at random in five stratified folds; each capture is "
            "a session with one window, so that no session is on both sides; units are",
            leaky=False,
            eligible=_eligible(_all),
            cut=folds_of(5, _all),
        ),
    ),
)
_REPEATS = across(_repeat(1), _repeat(2), back=True)
_CIC_WORDS = "learnt from repeat 1 and tested on repeat 2, and the reverse"
_CIC = (
    Task(
        name="action",
        plan=SplitPlan(
            name="repeats",
            title="repeat 1 to 2 and 2 to 1",
            description=f"{_CIC_WORDS}; the class is the action, by whatever medium",
            leaky=False,
            eligible=_eligible(_all),
            cut=_REPEATS,
        ),
    ),
    Task(
        name="action by medium",
        label=_by_medium,
        plan=SplitPlan(
            name="repeats_by_medium",
            title="repeat 1 to 2 and 2 to 1, by medium",
            description=f"{_CIC_WORDS}; each action by each medium is a class of its "
            "own, with one trace per unit to learn from",
            leaky=False,
            eligible=_eligible(_all),
            cut=_REPEATS,
        ),
    ),
)
TASKS: Mapping[str, tuple[Task, ...]] = {
    "vcfp": _VCFP,
    "sentinel": _SENTINEL,
    "cic": _CIC,
}


def measured(name: str, data: Path, wanted: Sequence[str], seed: int) -> Record:
    """Return every figure of a set."""
    folder, make = SETS[name]
    chosen = classifiers(wanted)
    devices = []
    for device, source in make(data / folder).items():
        begun = time.perf_counter()
        campaign = campaign_of(data / folder, OUT / "public", name, source)
        only = load_campaign(campaign).devices[0].name
        samples = samples_of(campaign, only)
        say(f"{device}: {len(samples)} traces in {time.perf_counter() - begun:.1f} s")
        found: Record = {"device": device, "n_traces": len(samples), "tasks": []}
        for task in TASKS[name]:
            begun = time.perf_counter()
            try:
                figures = score(samples, task, chosen, seed, OUT / "public" / "answers")
            except SplitRefusedError as exc:
                found["tasks"].append({"task": task.name, "refused": str(exc)})
                say(f"{device}: {task.name}: {exc}")
                continue
            found["tasks"].append(figures)
            say(f"{device}: {task.name} in {time.perf_counter() - begun:.1f} s")
        devices.append(found)
    return {
        "set": name,
        "source": folder,
        "simulated": False,
        "command": f"python -m tests.bench.public --set {name} --seed {seed}",
        "seed": seed,
        "settings": {each.name: each.settings for each in chosen},
        "tasks": {task.name: task.plan.description for task in TASKS[name]},
        "code": code_digest(),
        "data": data_digest(data / folder),
        "devices": devices,
        "over_devices": macro(devices, seed) if len(devices) > 1 else [],
    }


def macro(devices: Sequence[Mapping[str, Any]], seed: int) -> list[Record]:
    """Return each task over all devices: means, and ours above the paper's best."""
    found = []
    for name in (each["task"] for each in devices[0]["tasks"]):
        tasks = [
            task
            for device in devices
            for task in device["tasks"]
            if task["task"] == name and "results" in task
        ]
        if not tasks:
            continue
        results = [{r["classifier"]: r for r in task["results"]} for task in tasks]
        known = [c for c in results[0] if all(c in each for each in results)]
        values = {c: [each[c]["accuracy"] for each in results] for c in known}
        nulls = {c: [each[c]["null_accuracy"] for each in results] for c in known}
        record: Record = {
            "task": name,
            "n_devices": len(results),
            "leaky": any(task["leaky"] for task in tasks),
            "chance": float(np.mean([task["chance"] for task in tasks])),
            "majority": float(np.mean([task["majority"] for task in tasks])),
            "n_trials": sum(each[known[0]]["n_trials"] for each in results),
            "accuracy": {c: mean_over_devices(v, seed) for c, v in values.items()},
            "null_accuracy": {c: float(np.mean(v)) for c, v in nulls.items()},
            "above": {},
        }
        ours = next((c for c in OURS if c in values), None)
        marks = [c for c in PAPER if c in values]
        if ours is not None and marks:
            best = max(marks, key=lambda c: np.mean(values[c]))
            record |= {"ours": ours, "best_of_paper": best}
            for mark in dict.fromkeys(("random_forest", best)):
                if mark in values:
                    above = over_devices(values[ours], values[mark], seed)
                    record["above"][mark] = above
        found.append(record)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Take over, score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", action="append", choices=tuple(SETS), default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classifier", action="append", default=[])
    parser.add_argument("--page", type=Path)
    options = parser.parse_args(argv)
    data = os.environ.get("TESTBED_PUBLIC_DATA")
    if not data:
        raise SystemExit("TESTBED_PUBLIC_DATA is not set: no public captures here")
    for name in options.set or SETS:
        facts = measured(name, Path(data), options.classifier, options.seed)
        path = OUT / f"public-{name}.json"
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        print("\n".join(table(facts)), end="\n\n")
    if options.page:
        paths = [OUT / f"public-{name}.json" for name in SETS]
        known = [json.loads(p.read_text("utf-8")) for p in paths if p.exists()]
        options.page.write_text(page(known), encoding="utf-8")
        say(f"wrote {options.page}")


if __name__ == "__main__":
    main()
