"""`signatures`: which packet lengths mark each activity, in words."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from testbed.cli.options import (
    AsJson,
    CampaignFolder,
    CleaningRules,
    DeviceNames,
    Idle,
    OverlapPolicy,
    Seed,
    overlap_of,
    rules_of,
)
from testbed.cli.packets import make_current
from testbed.cli.starting import load_kernels

if TYPE_CHECKING:
    from analysis.evaluate.study import Result


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(signatures)


def signatures(
    folder: CampaignFolder,
    device: DeviceNames = None,
    overlap: OverlapPolicy = "refuse",
    clean: CleaningRules = None,
    idle: Idle = 80,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Tell which lengths of packets, sent and answered, mark each activity.

    Works on encrypted traffic. What windows without an activity hold marks nothing. A
    score is by session: learnt from some, tested on new.
    """
    load_kernels()
    from analysis.evaluate.campaign import devices_of
    from analysis.evaluate.samples import open_recorded

    options = {"overlap": overlap_of(overlap), "rules": rules_of(clean)}
    make_current(folder)
    recorded = open_recorded(folder)
    told = []
    for name in devices_of(folder, device or ()):
        row = _of_device(recorded, name, n_idle=idle, seed=seed, **options)
        told.append(row)
        if not as_json:
            _print(row)
    if as_json:
        print(json.dumps(told, indent=2))


def _of_device(recorded: Any, name: str, **cutting: Any) -> dict[str, Any]:
    import numpy as np

    from analysis.evaluate.patterns.signatures import signature_study
    from analysis.evaluate.samples import cut_of, samples_in
    from analysis.signatures import SignatureMatcher, pairs_of

    made = cut_of(recorded, name, **cutting)
    samples = samples_in(made)
    pairs = pairs_of(made.cleaned.table, made.windows)
    learnt = SignatureMatcher(pairs).fit(np.arange(len(samples)), samples.activity)
    results, refusals = signature_study(samples, pairs, ["s1"], cutting["seed"])
    return {
        "device": name,
        "signatures": [
            {**asdict(each), "also": each.also, "in_words": str(each)}
            for each in learnt.signatures.values()
        ],
        "by_session": _score(results[0]) if results else None,
        "refused": [each.reason for each in refusals],
    }


def _score(result: "Result") -> dict[str, Any]:
    interval = result.interval
    return {
        "accuracy": result.accuracy,
        "interval": None if interval is None else [interval.low, interval.high],
        "null": result.null_accuracy,
        "windows": result.n_trials,
        "sessions": result.n_sessions,
    }


def _print(row: dict[str, Any]) -> None:
    from analysis.dissection import printable

    for line in _lines(row):
        print(printable(line))


def _lines(row: dict[str, Any]) -> Iterator[str]:
    for each in row["signatures"]:
        yield f"{row['device']}: {each['in_words']}"
    score = row["by_session"]
    if score is None:
        yield f"{row['device']}: no score: {'; '.join(row['refused'])}"
        return
    between = ""
    if score["interval"]:
        low, high = score["interval"]
        between = f" [{low:.2f}, {high:.2f}]"
    yield (
        f"{row['device']}: by session, {score['accuracy']:.2f}{between} of "
        f"{score['windows']} windows are named right, with shuffled labels "
        f"{score['null']:.2f}"
    )
