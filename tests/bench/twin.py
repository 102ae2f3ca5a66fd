"""Twins of a real device and of a device of the lab, measured apart.

    TESTBED_PUBLIC_DATA=FOLDER python -m tests.bench.twin [--source vcfp|lab]
        [--seed 0] [--draws 3] [--classifier NAME] [--page]

Learns twins from parts of the trials, plays each in the fast lab through the ordinary
commands, and scores what was recorded; sessions apart as often as --draws says, with
other twins and classifiers each time, and the mean of that. Writes
build/bench/twin-SOURCE.json; with --page, the tables of docs/twins.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.samples import Samples, open_recorded, samples_of
from analysis.twins.store import FORMAT
from testbed.cli.lab_learn import learnt_of, write_twin
from testbed.virtual.twin.read import twin_name
from tests.bench.public_sets import SETS, campaign_of
from tests.bench.twin_page import filled, tables
from tests.bench.twin_scores import Fold, Record, copies, discriminator, transfers

ROOT = Path(__file__).parents[2]
OUT = Path("build/bench")
PAGE = ROOT / "docs" / "twins.md"
_PLAYED = 20  # trials of each activity by a twin
_LAB_SEED = 5  # of the campaign that is learnt from, where --seed is 0
_KEEP = "TWINS_KEEP"  # set: what was played before is not played again
_APART, _FOLDS = "sessions apart", "5 folds at random"
# an import has its first packet at the label instant; a lab measures the instant
_DELAYS = ("both_delay_s", "out_delay_s", "in_delay_s")


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"twin: {text}", file=sys.stderr, flush=True)


def _vcfp(seed: int) -> list[tuple[str, Path, str]]:
    del seed  # what was recorded is what there is
    data = os.environ.get("TESTBED_PUBLIC_DATA")
    if not data:
        raise SystemExit("TESTBED_PUBLIC_DATA is not set: no public captures here")
    folder, make = SETS["vcfp"]
    (source,) = make(Path(data) / folder).values()
    campaign = campaign_of(Path(data) / folder, OUT / "public", "vcfp", source)
    return [("echo", campaign, "the 12 commands that were recorded twice")]


def _lab(seed: int) -> list[tuple[str, Path, str]]:
    devices = ("echo_dot", "wemo_insight")
    folder = (OUT / "twin" / "lab").absolute()
    before = sorted(folder.glob("captures/twin_source-*/MANIFEST.sha256"))
    if _KEEP in os.environ and before:
        return [(d, before[-1].parent, "every activity") for d in devices]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scenario = {
        "scenario": "twin_source",
        "seed": _LAB_SEED + seed,
        "devices": list(devices),
        "repeats": 20,
        "sessions": 4,
        "order": "shuffled",
        "rest": {"uniform": ["5 s", "15 s"]},
        "idle": "120 s",
    }
    path = folder / "twin_source.yaml"
    path.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    campaign = run(str(path), ROOT, folder / "captures")
    return [(device, campaign, "every activity") for device in devices]


SOURCES: dict[str, Callable[[int], list[tuple[str, Path, str]]]] = {
    "vcfp": _vcfp,
    "lab": _lab,
}


def run(scenario: str, folder: Path, out: Path) -> Path:
    """Run a scenario of a lab folder in the fast form; return the campaign folder."""
    command = [sys.executable, "-m", "testbed", "run", scenario, "--fast"]
    told = subprocess.run(
        [*command, "--out", str(out)],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    (line,) = (x for x in told.stdout.splitlines() if x.startswith("campaign: "))
    return folder / line.removeprefix("campaign: ")


def played(
    recorded: Any, source: Samples, rows: Any, folder: Path, seed: int
) -> Samples:
    """Learn a twin from some rows, let it play, and return what was recorded of it."""
    longest_s = float(source.length_ns.max()) / 1e9
    name = twin_name(source.device)
    before = sorted(folder.glob(f"captures/{name}-*/MANIFEST.sha256"))
    if _KEEP in os.environ and before:
        return samples_of(before[0].parent, name, longest_s=longest_s)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    trials = source.trial[rows].tolist()
    learnt = learnt_of(recorded.folder, source.device, trials=trials)
    write_twin(learnt, folder)
    path = folder / "scenarios" / f"{name}.yaml"
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    told |= {"repeats": _PLAYED, "seed": seed + 1}
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    campaign = run(name, folder.absolute(), folder.absolute() / "captures")
    return samples_of(campaign, name, longest_s=longest_s)


def grouped(source: Samples) -> list[tuple[Any, Any]]:
    """Part the sessions of each activity into two sides, and return both ways."""
    rank = np.zeros(len(source), dtype=int)
    for name in np.unique(source.activity):
        rows = np.flatnonzero(source.activity == name)
        sessions = np.unique(source.session[rows])
        rank[rows] = np.searchsorted(sessions, source.session[rows]) % 2
    sides = np.flatnonzero(rank == 0), np.flatnonzero(rank == 1)
    return [sides, sides[::-1]]


def folds_of_five(source: Samples, seed: int) -> list[tuple[Any, Any]]:
    """Part the trials of each activity at random into five folds."""
    from sklearn.model_selection import StratifiedKFold

    made = StratifiedKFold(5, shuffle=True, random_state=seed)
    return list(made.split(source.x, source.activity))


def parted(
    split: str,
    source: Samples,
    play: Callable[[Any, int, str], Samples],
    plan: dict[str, int],
) -> list[Fold]:
    """Return the folds of a split, with their twins played."""
    folds = []
    if split == _APART:
        for draw in range(plan["draws"]):
            for k, (a, b) in enumerate(grouped(source)):
                seed = plan["seed"] + 2 * draw + k
                twin_a = play(a, seed, f"apart-{draw}{k}a")
                onto = play(b, seed, f"apart-{draw}{k}b")
                about = {"side": k, "seed": seed, "twin_a": twin_a, "onto": onto}
                folds.append(Fold(a=a, b=b, onto_a=a, **about))
        return folds
    rows, seed = np.arange(len(source)), plan["seed"]
    onto = play(rows, seed, "whole")
    for k, (a, b) in enumerate(folds_of_five(source, seed)):
        twin_a = play(a, seed, f"folds-{k}")
        about = {"side": k, "seed": seed, "twin_a": twin_a, "onto": onto}
        folds.append(Fold(a=a, b=b, onto_a=rows, **about))
    return folds


def measured(
    name: str, device: str, campaign: Path, wanted: Sequence[str], plan: dict[str, int]
) -> Record:
    """Return every figure of one device."""
    recorded = open_recorded(campaign)
    source = _chosen(samples_of(recorded, device))
    n_each = np.unique(source.activity, return_counts=True)[1]
    known = dict(all_classifiers())

    def play(rows: Any, seed: int, where: str) -> Samples:
        folder = OUT / "twin" / f"{name}-{device}" / where
        return played(recorded, source, rows, folder, seed)

    splits = []
    for split in (_APART, _FOLDS):
        begun = time.perf_counter()
        folds = parted(split, source, play, plan)
        by_fold = split == _APART
        splits.append(
            {
                "split": split,
                "n_folds": len(folds),
                "transfers": [
                    transfers(source, folds, known[c], plan["seed"], by_fold=by_fold)
                    for c in wanted
                ],
                # several draws of one side are no new trials
                "copies": copies(source, folds[: 1 + max(f.side for f in folds)]),
                "discriminator": discriminator(source, folds, plan["seed"]),
                "discriminator_without_delays": discriminator(
                    source, folds, plan["seed"], _DELAYS
                ),
                "took_s": round(time.perf_counter() - begun, 1),
            }
        )
        say(f"{device}: {split} in {time.perf_counter() - begun:.0f} s")
    return {
        "device": device,
        "simulated": recorded.campaign.simulated,
        "n_trials": len(source),
        "n_activities": int(n_each.size),
        "trials_each": [int(n_each.min()), int(n_each.max())],
        "chance": 1 / n_each.size,
        "splits": splits,
    }


def _chosen(source: Samples) -> Samples:
    """Keep activities that at least two sessions have; real sets have few of both."""
    several = [
        name
        for name in np.unique(source.activity)
        if np.unique(source.session[source.activity == name]).size > 1
    ]
    rows = np.flatnonzero(np.isin(source.activity, several))
    names = ("x", "activity", "session", "trial", "start_ns", "n_packets", "channel")
    names += ("length_ns", "unit", "home", "network", "user", "day", "recording")
    columns = {n: getattr(source, n)[rows] for n in names}
    return replace(source, sequence=source.sequence[rows], **columns)


def main(argv: Sequence[str] | None = None) -> None:
    """Learn, play, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", action="append", choices=tuple(SOURCES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--classifier", action="append", default=[])
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args(argv)
    wanted = options.classifier or ["random_forest", "fusion"]
    plan = {"seed": options.seed, "draws": options.draws}
    for name in options.source or SOURCES:
        facts: Record = {
            "source": name,
            "command": f"python -m tests.bench.twin --source {name} "
            f"--seed {options.seed} --draws {options.draws}"
            + "".join(f" --classifier {each}" for each in options.classifier),
            **plan,
            "format": FORMAT,
            "devices": [],
        }
        for device, campaign, about in SOURCES[name](options.seed):
            found = measured(name, device, campaign, wanted, plan)
            facts["devices"].append({"about": about, **found})
            path = OUT / f"twin-{name}.json"
            path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        print("\n".join(tables(facts)))
    if options.page:
        paths = [OUT / f"twin-{name}.json" for name in SOURCES]
        known = [json.loads(p.read_text("utf-8")) for p in paths if p.exists()]
        blocks = {f["source"]: "\n".join(tables(f)) for f in known}
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(filled(text, blocks), encoding="utf-8")
        say(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
