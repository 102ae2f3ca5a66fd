"""`signatures`: which packet lengths mark each activity, in words."""

import json
from collections.abc import Iterator, Sequence
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
    from analysis.signatures import SignatureMatcher, alike, pairs_of

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
        "by_session": (
            _score(results[0], alike(learnt.signatures)) if results else None
        ),
        "refused": [each.reason for each in refusals],
    }


def _score(result: "Result", groups: "Sequence[Sequence[str]]" = ()) -> dict[str, Any]:
    """Return the score as it is, and where `groups` of activities count as one."""
    from analysis.windows import IDLE_ACTIVITY

    interval = result.interval
    one = {name: group[0] for group in groups for name in group}
    truth, said = result.truth.tolist(), result.answers.said.tolist()
    pairs = zip(truth, said, strict=True)
    n_right = sum(one.get(a, a) == one.get(b, b) for a, b in pairs)
    return {
        "accuracy": result.accuracy,
        "interval": None if interval is None else [interval.low, interval.high],
        "null": result.null_accuracy,
        "windows": result.n_trials,
        "idle": truth.count(IDLE_ACTIVITY),
        "activities": len(set(truth)),
        "alike": [list(group) for group in groups],
        "accuracy_alike_as_one": n_right / len(truth),
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
    n_trials = score["windows"] - score["idle"]
    as_one = _as_one(score)
    yield (
        f"{row['device']}: by session, {score['accuracy']:.2f}{between} of "
        f"{score['windows']} windows ({n_trials} trials + {score['idle']} idle) are "
        f"named right{as_one}; with shuffled labels {score['null']:.2f}{_why(score)}"
    )


def _as_one(score: dict[str, Any]) -> str:
    """Say how many are right where activities that look alike count as one."""
    if not score["alike"]:
        return ""
    groups = ", ".join(" = ".join(group) for group in score["alike"])
    return f", {score['accuracy_alike_as_one']:.2f} with {groups} taken as one"


def _why(score: dict[str, Any]) -> str:
    """Say why less than chance is right: what holds no signature gets no name."""
    if score["null"] >= 0.5 / score["activities"]:
        return ""
    return ", for then no lengths mark an activity, and windows get no name"
