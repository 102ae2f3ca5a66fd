"""Table 1 of the paper on a campaign of the virtual lab, scored part by part.

    python -m tests.bench.table1 [--seed 81331] [--out FOLDER] [--page docs/table-1.md]

Records the scenario `table_1` in the fast form under that seed into FOLDER (default
build/bench), once. Scores it with the project's own evaluation under the same seed,
idle windows among the classes, a file per device, classifiers, split and window. Such a
file is taken again only where the code of `analysis`, the scenario, the seed and the
campaign are what they were: rows of two versions are never put into one table. Writes
FOLDER/table1.json and, with --page, a page of the documentation. All of it is
simulated.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.measure import machine
from tests.bench.table1_page import accuracy_table, page, trust_table

ROOT = Path(__file__).parents[2]
SCENARIO = "table_1"
DEVICES = ("arlo_q", "echo_dot", "home_mini", "omna_180", "samsung_tv")
N_IDLE = 112  # per device: twice the repeats of an activity
SEED = 81331
FIRST_PACKET = ("in_delay_s", "out_delay_s", "both_delay_s")  # from the label instant
Record = dict[str, Any]
BATCHES = {
    "paper": ("random_forest", "nearest", "naive_bayes"),
    "forest": ("random_forest",),
    "own": ("fusion",),
    "trees": ("gradient_boosting",),
}
# what windows are and what is told of them: each activity's own δ; one length for all;
# the same without the time to the first packet; the same with nothing but that time
OWN, ALIKE, BLIND, DELAY = "own", "alike", "blind", "delay"
WINDOW_S = 31.0  # more than a device with power is mostly silent for
# What matters most comes first: a bench that is ended early leaves that.
JOBS = (
    ("paper", "s2", OWN),
    ("own", "s2", OWN),
    ("forest", "s2", ALIKE),
    ("own", "s2", ALIKE),
    ("forest", "s2", BLIND),
    ("own", "s2", BLIND),
    ("forest", "s2", DELAY),
    ("paper", "s1", OWN),
    ("own", "s1", OWN),
    ("forest", "s1", ALIKE),
    ("own", "s1", ALIKE),
    ("paper", "s0_folds", OWN),
    ("paper", "s6", OWN),
    ("forest", "s6", ALIKE),
    ("forest", "s6", BLIND),
    ("paper", "s0_holdout", OWN),
    ("own", "s6", OWN),
    ("own", "s0_folds", OWN),
    ("trees", "s2", OWN),
    ("trees", "s1", OWN),
)
_GROUPED = ("s2",)  # only there: for others it takes as long as all else
_GROUPERS = ("random_forest",)  # says which activities can be told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is scored at a time."""

    device: str
    batch: str
    split: str
    window: str
    seed: int

    @property
    def stem(self) -> str:
        """Name of its file, the digest apart."""
        return f"{self.seed}-{self.window}-{self.device}-{self.batch}-{self.split}"


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"table1: {text}", file=sys.stderr, flush=True)


def recorded(out: Path, seed: int) -> Path:
    """Return the campaign's folder; record it when it is not there."""
    name = f"{SCENARIO}-{seed}"
    place, folder = out / name, out / name / name
    if (folder / "MANIFEST.sha256").exists():
        return folder
    words = [sys.executable, "-m", "testbed"]
    if (folder / "campaign.yaml").exists():
        words += ["resume", str(folder), "--out", str(place)]
    else:
        words += ["run", SCENARIO, "--fast", "--seed", str(seed)]
        words += ["--out", str(place), "--campaign", name]
    say("recording the campaign; a few minutes")
    place.mkdir(parents=True, exist_ok=True)
    with (place / "log.txt").open("w", encoding="utf-8") as log:
        done = subprocess.run(words, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        told = (place / "log.txt").read_text(encoding="utf-8")[-400:]
        raise SystemExit(f"exit code {done.returncode}: {told}")
    return folder


def n_trials(folder: Path) -> int:
    """Return how many attempts the activity log holds."""
    with (folder / "activities.csv").open(encoding="utf-8") as file:
        return sum(1 for _line in file) - 1


def digest(folder: Path, seed: int) -> str:
    """Return a digest of all that scores depend on: code, scenario, campaign, seed."""
    settings = (seed, N_IDLE, BATCHES, _GROUPERS, WINDOW_S, FIRST_PACKET)
    found = hashlib.sha256(repr(settings).encode())
    for path in sorted((ROOT / "analysis").rglob("*.py")):
        found.update(path.relative_to(ROOT).as_posix().encode())
        found.update(path.read_bytes())
    found.update((ROOT / "scenarios" / f"{SCENARIO}.yaml").read_bytes())
    found.update((folder / "MANIFEST.sha256").read_bytes())
    return found.hexdigest()[:12]


def score(folder: Path, part: Part) -> Record:
    """Return every figure of one part."""
    from analysis.evaluate.campaign import all_classifiers, plan_of, studies
    from analysis.evaluate.records import records_of
    from analysis.labelling import Overlap

    begun = time.perf_counter()
    plan = plan_of(
        BATCHES[part.batch],
        (part.split,),
        seed=part.seed,
        n_idle=N_IDLE,
        groups=part.split in _GROUPED and part.window in (OWN, ALIKE),
        canaries=part.batch in ("paper", "forest"),
        window_s=None if part.window == OWN else WINDOW_S,
        overlap=Overlap.REFUSE if part.window == OWN else Overlap.DROP,
    )
    groupers = tuple(all_classifiers()[name] for name in _GROUPERS)
    plan = replace(plan, groupers=groupers)
    if part.window in (BLIND, DELAY):
        made = [_less_told(folder, part, plan)]
    else:
        made = list(studies(folder, (part.device,), plan))
    found = records_of(made)
    found["settings"] = {c.name: c.settings for c in plan.classifiers}
    found["took_s"] = round(time.perf_counter() - begun, 1)
    return found


def _less_told(folder: Path, part: Part, plan: Any) -> Any:
    """Score a device of which classifiers are told less than there is."""
    from analysis.evaluate.campaign import alike
    from analysis.evaluate.device_study import packets_of, study_device
    from analysis.evaluate.samples import open_recorded, samples_of
    from analysis.evaluate.study import parted

    recorded = alike(open_recorded(folder), part.device, WINDOW_S)
    samples = samples_of(
        recorded,
        part.device,
        overlap=plan.overlap,
        n_idle=plan.n_idle,
        seed=plan.seed,
    )
    x = samples.x.copy()
    is_delay = [name in FIRST_PACKET for name in samples.names]
    x[:, [told != (part.window == DELAY) for told in is_delay]] = 0.0
    samples = replace(samples, x=x)
    return study_device(
        samples,
        parted(samples, plan.splits, plan.seed),
        plan,
        packets_of([(recorded.index, part.device)], plan.rules),
    )


def parts_of(options: argparse.Namespace) -> Iterator[Part]:
    """Yield what is to be scored, in order."""
    for batch, split, window in JOBS:
        if batch not in (options.batch or BATCHES):
            continue
        if options.split and split not in options.split:
            continue
        for device in options.device or DEVICES:
            yield Part(
                device=device,
                batch=batch,
                split=split,
                window=window,
                seed=options.seed,
            )


def scores(options: argparse.Namespace, folder: Path) -> Iterator[tuple[Part, Record]]:
    """Yield each part and its figures; those of the same code are not made again."""
    place = options.out / "table1"
    place.mkdir(parents=True, exist_ok=True)
    key = options.digest or digest(folder, options.seed)
    until = time.monotonic() + 60 * options.minutes
    for part in parts_of(options):
        path = place / f"{part.stem}-{key}.json"
        if not path.exists():
            if options.as_it_is or time.monotonic() > until:
                continue
            found = score(folder, part)
            if digest(folder, options.seed) != key:
                raise SystemExit("analysis was changed while it was at work; again")
            about = {"digest": key, "part": part.stem}
            path.write_text(json.dumps(about | found, indent=1) + "\n", "utf-8")
            say(f"{part.stem}: {found['took_s']} s")
        yield part, json.loads(path.read_text(encoding="utf-8"))


def joined(parts: Sequence[Record]) -> Record:
    """Put the figures of parts together.

    Exits where parts are of different code, or a classifier had other settings.
    """
    found: Record = {"settings": {}, "took_s": 0.0, "digest": None}
    for part in parts:
        if found["digest"] not in (None, part["digest"]):
            raise SystemExit("parts of different code cannot be put into one table")
        found["digest"] = part["digest"]
        for name, settings in part["settings"].items():
            if found["settings"].setdefault(name, settings) != settings:
                raise SystemExit(f"{name}: parts were made with different settings")
        found["took_s"] += part["took_s"]
        for key, rows in part.items():
            if isinstance(rows, list):
                kept = found.setdefault(key, [])
                kept.extend(row for row in rows if row not in kept)
    return found


def options_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--page", type=Path)
    parser.add_argument("--seed", type=int, default=SEED, help="of campaign and scores")
    parser.add_argument("--device", action="append", choices=DEVICES)
    parser.add_argument("--batch", action="append", choices=BATCHES)
    parser.add_argument("--split", action="append")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin none later")
    parser.add_argument("--digest", help="take parts of this code, not of the present")
    parser.add_argument("--commit", default="", help="that this code is of, to be told")
    parser.add_argument(
        "--as-it-is", action="store_true", help="score nothing, write what is there"
    )
    options = parser.parse_args(argv)
    if options.digest and not options.as_it_is:
        parser.error("--digest: scores of other code are only taken --as-it-is")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Record, score, write."""
    options = options_of(argv)
    folder = recorded(options.out, options.seed)
    found = list(scores(options, folder))
    by_window = {
        window: joined([record for part, record in found if part.window == window])
        for window in (OWN, ALIKE, BLIND, DELAY)
    }
    own = by_window.pop(OWN)
    if any(each["digest"] not in (None, own["digest"]) for each in by_window.values()):
        raise SystemExit("parts of different code cannot be put onto one page")
    facts = {
        "command": "python -m tests.bench.table1",
        "commit": options.commit,
        "scenario": SCENARIO,
        "simulated": True,
        "form": "fast",
        "seed": options.seed,
        "n_idle": N_IDLE,
        "n_trials": n_trials(folder),
        "machine": machine(),
        "classifiers": list(dict.fromkeys(n for b in BATCHES.values() for n in b)),
        **own,
        **by_window,
    }
    path = options.out / "table1.json"
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print("\n".join((*accuracy_table(facts), "", *trust_table(facts))))
    if options.page:
        options.page.write_text(page(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
