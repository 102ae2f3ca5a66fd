"""`payloads`: how well plain text is recognised that was never said in training."""

import json
from typing import TYPE_CHECKING, Any

import typer

from testbed.cli.options import (
    AsJson,
    CampaignFolder,
    CleaningRules,
    DeviceNames,
    OverlapPolicy,
    Seed,
    overlap_of,
    rules_of,
)
from testbed.cli.packets import make_current
from testbed.cli.reading import counted
from testbed.cli.starting import load_kernels

if TYPE_CHECKING:
    from analysis.evaluate.patterns.new_payloads import NewResult
    from analysis.evaluate.study import Result

_WORDS = {
    "raw_sets": "windows that say what no other says, as sent, by session",
    "raw_messages": "messages that nobody sent in training, by session",
    "masked_sets": "windows that say what no other says but for numbers, one by one",
}

_SILENT = "says nothing in plain text in any labelled window"


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(payloads)


def payloads(
    folder: CampaignFolder,
    device: DeviceNames = None,
    overlap: OverlapPolicy = "refuse",
    clean: CleaningRules = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Recognise activities by plain text that was never said in training.

    Devices say the same again and again: duplicates are taken out before splitting, in
    three meanings. `evaluate --classifier payload` scores all windows. Devices are
    those whose profile says plaintext, and all of an imported campaign.
    """
    load_kernels()
    from analysis.evaluate.campaign import devices_of
    from analysis.evaluate.patterns.payloads import plain_devices
    from analysis.evaluate.samples import open_recorded

    policy, rules = overlap_of(overlap), rules_of(clean)
    make_current(folder)
    recorded = open_recorded(folder)
    names = devices_of(folder, device or ())
    told = []
    for name in plain_devices(recorded.campaign, names):
        row = _of_device(recorded, name, overlap=policy, rules=rules, seed=seed)
        told.append(row)
        if not as_json:
            _print(row)
    if as_json:
        print(json.dumps(told, indent=2))
    elif not told:
        whose = (
            f"none of {', '.join(device)}" if device else "no device of the campaign"
        )
        print(f"{whose} speaks in plain text, by its profile")


def _of_device(recorded: Any, name: str, **cutting: Any) -> dict[str, Any]:
    from analysis.evaluate.patterns.new_payloads import new_payload_study
    from analysis.evaluate.samples import cut_of, samples_in
    from analysis.packets import find_raw
    from analysis.payload import Captures, texts_of

    made = cut_of(recorded, name, **cutting)
    captures = Captures(find_raw(recorded.folder))
    texts = texts_of(captures, made.cleaned.table, made.windows)
    windows = sum(map(bool, texts))
    about = {"device": name, "windows": windows, "seed": cutting["seed"]}
    if not any(texts):
        return {**about, "scores": [], "refused": dict.fromkeys(_WORDS, _SILENT)}
    found, refused = new_payload_study(samples_in(made), texts, seed=cutting["seed"])
    return {
        **about,
        "scores": [_score(each) for each in found],
        "refused": {each.split: each.reason for each in refused},
    }


def _score(found: "NewResult") -> dict[str, Any]:
    return {
        "new": str(found.new),
        "windows": found.n_windows,
        "distinct": found.n_distinct,
        "conflicts": found.n_conflicts,
        "tested": dict(found.tested),
        "sessions": found.matcher.n_sessions,
        "matcher": _figures(found.matcher),
        "three_grams": _figures(found.grams),
    }


def _figures(result: "Result") -> dict[str, Any]:
    interval = result.interval
    return {
        "accuracy": result.accuracy,
        "interval": None if interval is None else [interval.low, interval.high],
        "null": result.null_accuracy,
        "answered": result.answered,
    }


def _print(row: dict[str, Any]) -> None:
    from analysis.dissection import printable

    name = printable(row["device"])
    if not row["windows"]:
        print(f"{name}: {_SILENT}")
        return
    n = row["windows"]
    say = "say" if n != 1 else "says"
    print(f"{name}: {counted(n, 'window')} {say} something in plain text")
    for score in row["scores"]:
        matcher, grams = score["matcher"], score["three_grams"]
        between = ""
        if matcher["interval"]:
            low, high = matcher["interval"]
            between = f" [{low:.2f}, {high:.2f}]"
        print(
            f"  {_WORDS[score['new']]}: {matcher['accuracy']:.3f}{between} of "
            f"{sum(score['tested'].values())} in "
            f"{counted(score['sessions'], 'session')}, "
            f"shuffled labels {matcher['null']:.2f}, 3-grams {grams['accuracy']:.3f}"
        )
        if score["conflicts"]:
            n = score["conflicts"]
            are = "are" if n != 1 else "is"
            print(f"    {counted(n, 'text')} {are} said under several activities")
    for new, reason in row["refused"].items():
        print(f"  {_WORDS[new]}: none: {printable(reason)}")
