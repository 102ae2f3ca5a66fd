"""Behaviour studies: the paper's two pictures, a week and a month, and a household.

    python -m tests.bench.study [--page docs/behaviour-study.md] [--seeds 20]
                                [--record week_camera,...] [--learnt FOLDER]
                                [--out FOLDER]

Each study three times: at activity depth over many seeds (acts as they are drawn); from
the activity log of one campaign of the fast form; and from what `classify` found in the
packets of that campaign, by a model that learnt on another campaign. `--record` records
and classifies what is not there yet; captures are deleted then. `--learnt` holds what
`tests.bench.stream` has learnt. Writes FOLDER/study.json. All of it is simulated.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import analysis.detectors
from analysis.dataset import load_activities
from analysis.evaluate.patterns.events import Happening, score_events
from analysis.evaluate.watched.verdicts import PAPER
from analysis.registry import discover
from testbed.model.load import load_profiles
from tests.bench.measure import machine
from tests.bench.study_lab import EVENTS, ROOT, record_and_classify
from tests.bench.study_page import write_page
from tests.bench.study_runs import (
    RATE,
    STUDIES,
    Study,
    campaigns_of,
    classified,
    drawn,
    kinds_of,
    logged,
    scores,
)

FIRST_SEED = 9100  # of what is published; 5000 and up were for trying things out,
# 9000 to 9038 were published with the detectors before commit 5b4fd4e
_COLLAR_S = 5.0  # speech is a label from its first sound on
_DRAWS = 2000
Record = dict[str, Any]


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"study: {text}", file=sys.stderr, flush=True)


def over_seeds(study: Study, names: Sequence[str], n_seeds: int) -> Record:
    """Return the figures at activity depth: of each detector mean and interval."""
    kinds = kinds_of(study.watched)
    seeds = range(FIRST_SEED, FIRST_SEED + 2 * n_seeds, 2)
    runs = [scores(drawn(study, seed), names, kinds) for seed in seeds]
    found: Record = {}
    for name in names:
        mine = [run[name] for run in runs]
        found[name] = {
            "auprc": _mean([run["own"]["auprc"] for run in mine]),
            "own": _pooled([run["own"] for run in mine]),
            "fdr": _pooled([run["fdr"] for run in mine]),
            "one": _pooled([run["one"] for run in mine]),
        }
    by_name = {
        name: np.array([run[name]["own"]["auprc"] for run in runs]) for name in names
    }
    return {
        "n": n_seeds,
        "first_seed": FIRST_SEED,
        "base": float(np.mean([run[names[0]]["own"]["base"] for run in runs])),
        "ratio": _ratio(by_name["ensemble"], by_name[PAPER]),
        "detectors": found,
    }


def _ratio(ours: np.ndarray, theirs: np.ndarray) -> list[float]:
    """Return the ratio of two means and its 95 % interval over seeds, in pairs."""
    rows = np.random.default_rng(0).integers(ours.size, size=(_DRAWS, ours.size))
    drawn_ = ours[rows].mean(axis=1) / theirs[rows].mean(axis=1)
    low, high = np.quantile(drawn_, (0.025, 0.975))
    return [float(ours.mean() / theirs.mean()), float(low), float(high)]


def _pooled(runs: Sequence[Record]) -> Record:
    """Return figures of several runs: shares of all, and the mean of rates."""
    kinds = {
        kind: [sum(r["kinds"][kind][i] for r in runs) for i in (0, 1)]
        for kind in runs[0]["kinds"]
    }
    delays = [r["delay_h"] for r in runs if r["delay_h"] == r["delay_h"]]
    return {
        "noticed": sum(r["noticed"] for r in runs) / sum(r["malicious"] for r in runs),
        "false_per_week": _mean([r["false"] / r["weeks"] for r in runs]),
        "delay_h": float(np.median(delays)) if delays else None,
        "kinds": kinds,
    }


def _mean(values: Sequence[float]) -> list[float]:
    """Return mean and 95 % interval over seeds (percentile bootstrap)."""
    known = np.array(values)
    rng = np.random.default_rng(0)
    drawn_ = rng.choice(known, (_DRAWS, known.size)).mean(axis=1)
    low, high = np.quantile(drawn_, (0.025, 0.975))
    return [float(known.mean()), float(low), float(high)]


def through_packets(
    study: Study, campaigns: Sequence[Mapping[str, Path]], names: Sequence[str]
) -> Record:
    """Return the figures of campaigns: from their logs, and from their packets."""
    kinds = kinds_of(study.watched)
    runs = {
        "logged": [scores(logged(study, each), names, kinds) for each in campaigns],
        "classified": [
            scores(classified(study, each), names, kinds) for each in campaigns
        ],
    }
    folders = [folder for each in campaigns for folder in each.values()]
    return {
        "n": len(campaigns),
        **{
            kind: {name: _summed([run[name]["own"] for run in of]) for name in names}
            for kind, of in runs.items()
        },
        "events": {folder.name: found_events(folder) for folder in sorted(folders)},
    }


def _summed(runs: Sequence[Record]) -> Record:
    """Return figures of several campaigns: sums, and the mean AUPRC."""
    keys = ("noticed", "malicious", "caught", "attacks", "false", "weeks")
    found: Record = {key: sum(run[key] for run in runs) for key in keys}
    found["auprc"] = float(np.mean([run["auprc"] for run in runs]))
    return found


def found_events(folder: Path) -> Record:
    """Return how well `classify` found the acts of a campaign."""
    profiles = load_profiles(ROOT / "devices")
    frame = load_activities(folder).labelled().frame
    happened = [
        Happening(device=d, activity=a, start_ns=t, end_ns=t + _long(profiles, d, a))
        for d, a, t in frame.select("device", "activity", "t_ns").iter_rows()
    ]
    lines = (folder / EVENTS).read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    detected = [
        Happening(
            device=e["device"],
            activity=e["activity"],
            start_ns=e["start_ns"],
            end_ns=e["end_ns"],
        )
        for e in told
    ]
    found = score_events(happened, detected, collar_s=_COLLAR_S, class_aware=False)
    named = sum(
        pair.happened.activity in pair.detected.activity.split("|")
        for pair in found.pairs
    )
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return {
        "acts": len(happened),
        "found": len(found.pairs),
        "named": named,
        "false": len(found.false),
        "unknown": sum(e["activity"] == "unknown" for e in told),
        **facts,
    }


def _long(profiles: Mapping[str, Any], device: str, activity: str) -> int:
    return int(profiles[device].delta_s(activity) * 1e9)


def _learnt(place: Path) -> Mapping[str, Any]:
    from analysis.streaming.store import of_parts

    return of_parts({path.name: path.read_bytes() for path in place.iterdir()})


def main(argv: Sequence[str] | None = None) -> None:
    """Record where asked, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench/study"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--record", default="")
    parser.add_argument(
        "--learnt", type=Path, default=Path("build/bench/stream/learnt")
    )
    options = parser.parse_args(argv)
    for name in filter(None, options.record.split(",")):
        say(f"recording {name}")
        record_and_classify(name, options.out, _learnt(options.learnt))
    kept = {
        path.parent.name: path.parent for path in options.out.glob("kept/*/events*")
    }
    names = list(discover(analysis.detectors, "DETECTORS"))
    facts: Record = {
        "simulated": True,
        "rate": RATE,
        "machine": machine(),
        "studies": {},
    }
    for study in STUDIES:
        say(study.title)
        record: Record = {"drawn": over_seeds(study, names, options.seeds)}
        campaigns = campaigns_of(study, kept)
        if campaigns:
            record["packets"] = through_packets(study, campaigns, names)
        facts["studies"][study.title] = record
    fit = Path("build/bench/fit/fit.json")  # of `tests.bench.fit_events`
    facts["fit"] = json.loads(fit.read_text("utf-8")) if fit.exists() else None
    path = options.out / "study.json"
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if options.page:
        write_page(facts, kept, options.page)


if __name__ == "__main__":
    main()
