"""Table 1 of the paper on a campaign of the virtual lab: every classifier, S0 to S2.

    python -m tests.bench.table1 [--out FOLDER] [--page docs/table-1.md] [--seed 0]

Records the scenario `table_1` in the fast form into FOLDER (default build/bench), once:
a campaign that is there is used again, and so are scores, unless --again names them.
Scores it with the project's own evaluation, idle windows among the classes, and writes
FOLDER/table1.json. With --page, also as a page of the documentation. All of it is
simulated.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.measure import machine
from tests.bench.table1_page import accuracy_table, page, trust_table

ROOT = Path(__file__).parents[2]
SCENARIO = "table_1"
DEVICES = ("arlo_q", "echo_dot", "home_mini", "omna_180", "samsung_tv")
N_IDLE = 112  # per device: twice the repeats of an activity
Record = dict[str, Any]
# Boosted trees take ten times as long as a forest: not for each of them is all scored.
SPLITS = {
    "paper": ("s0_folds", "s0_holdout", "s1", "s2", "s6"),
    "own": ("s0_folds", "s0_holdout", "s1", "s2", "s6"),
    "trees": ("s0_folds", "s1", "s2"),
}
# what is scored again when one of them changes
BATCHES = {
    "paper": ("random_forest", "nearest", "naive_bayes"),
    "own": ("fusion",),
    "trees": ("gradient_boosting",),
}
_GROUPERS = ("random_forest",)  # says which activities can be told apart


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


def score(
    folder: Path, device: str, batch: str, splits: Sequence[str], seed: int
) -> Record:
    """Return every figure of one device and some classifiers."""
    from analysis.evaluate.campaign import all_classifiers, plan_of, studies
    from analysis.evaluate.records import records_of

    begun = time.perf_counter()
    plan = plan_of(
        BATCHES[batch],
        splits,
        seed=seed,
        n_idle=N_IDLE,
        groups=True,
        canaries=batch == "paper",
    )
    groupers = tuple(all_classifiers()[name] for name in _GROUPERS)
    plan = replace(plan, groupers=groupers)
    found = records_of(list(studies(folder, (device,), plan)))
    found["settings"] = {c.name: c.settings for c in plan.classifiers}
    found["took_s"] = round(time.perf_counter() - begun, 1)
    return found


def scores(options: argparse.Namespace, folder: Path) -> Iterator[Record]:
    """Yield the figures of each device and batch, those that are there as they are."""
    place = options.out / "table1"
    place.mkdir(parents=True, exist_ok=True)
    for batch in options.batch or BATCHES:
        splits = options.split or SPLITS[batch]
        for device in options.device or DEVICES:
            stem = f"{device}-{batch}-{options.seed}"
            if options.as_it_is:
                for path in sorted(place.glob(f"{stem}-*.json")):
                    yield json.loads(path.read_text(encoding="utf-8"))
                continue
            path = place / f"{stem}-{'-'.join(splits)}.json"
            if not path.exists() or batch in (options.again or ()):
                found = score(folder, device, batch, splits, options.seed)
                path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
                say(f"{device}, {batch}: {found['took_s']} s")
            yield json.loads(path.read_text(encoding="utf-8"))


def joined(parts: Sequence[Record]) -> Record:
    """Put the figures of all devices and batches together."""
    found: Record = {"settings": {}, "took_s": 0.0}
    for part in parts:
        found["settings"] |= part["settings"]
        found["took_s"] += part["took_s"]
        for key, rows in part.items():
            if isinstance(rows, list):
                found.setdefault(key, []).extend(rows)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Record, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--page", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", action="append", choices=DEVICES)
    parser.add_argument(
        "--again", action="append", choices=BATCHES, help="score these anew"
    )
    parser.add_argument("--batch", action="append", choices=BATCHES)
    parser.add_argument("--split", action="append", help="instead of the usual ones")
    parser.add_argument(
        "--as-it-is", action="store_true", help="score nothing, write what is there"
    )
    options = parser.parse_args(argv)
    folder, record_s = recorded(options.out)
    found = joined(list(scores(options, folder)))
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
        "classifiers": [name for batch in BATCHES.values() for name in batch],
        **found,
    }
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print("\n".join((*accuracy_table(facts), "", *trust_table(facts))))
    if options.page:
        options.page.write_text(page(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
