"""Score everything that can be scored on a campaign, device by device."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import analysis.classifiers
from analysis.classifiers.model import Classifier
from analysis.dataset import devices_of
from analysis.evaluate.delta.alike import alike, alike_both, n_too_close
from analysis.evaluate.device_study import (
    DeviceStudy,
    StudyPlan,
    packets_of,
    study_device,
)
from analysis.evaluate.fits import Told, nobody_told
from analysis.evaluate.patterns.payloads import NAME as PAYLOAD
from analysis.evaluate.patterns.payloads import (
    open_captures,
    payloads_in,
    payloads_over,
    plain_devices,
)
from analysis.evaluate.records import record_of
from analysis.evaluate.samples import (
    Cut,
    Recorded,
    Samples,
    cut_of,
    open_recorded,
    samples_in,
    samples_of,
)
from analysis.evaluate.splits.folds import Split, SplitRefusedError
from analysis.evaluate.splits.names import splits_of
from analysis.evaluate.splits.transfer import NAME as TRANSFER
from analysis.evaluate.splits.transfer import joined, transfer
from analysis.evaluate.study import Refusal, Result, parted
from analysis.evaluate.trust.compare import OF_PAPER
from analysis.payload import Captures
from analysis.registry import discover, find

__all__ = [
    "DeviceStudy",
    "StudyPlan",
    "alike",
    "all_classifiers",
    "devices_of",
    "plan_of",
    "record_of",
    "studies",
    "studies_between",
]

# who says which activities can be told apart
_GROUPERS = ("random_forest", "fusion")


def all_classifiers() -> Mapping[str, Classifier]:
    """Return the classifiers that work on features, those of the paper first."""
    found = dict(discover(analysis.classifiers, "CLASSIFIERS"))
    first = {name: found.pop(name) for name in OF_PAPER}
    return first | found


def plan_of(
    classifiers: Sequence[str] = (), splits: Sequence[str] = (), **options: Any
) -> StudyPlan:
    """Turn names into a plan; without names, every classifier and S0, S1 and S2.

    classifiers  names or short names, and 'payload'
    splits       names, 's0' for both random ones, or 'all'
    options      the other fields of `StudyPlan`

    Raises AnalysisError for one that does not exist, with the nearest name or all.
    """
    wanted = splits_of(splits)
    known: dict[str, Any] = dict(all_classifiers())
    shorts = {c.short: name for name, c in known.items() if c.short}
    known[PAYLOAD] = None
    asked = dict.fromkeys(shorts.get(name, name) for name in classifiers or known)
    for name in asked:
        if name not in known:
            find(known | shorts, name, "classifier")
    chosen = (known[name] for name in asked)
    return StudyPlan(
        classifiers=tuple(c for c in chosen if c is not None),
        with_payload=PAYLOAD in asked,
        splits=wanted,
        groupers=tuple(all_classifiers()[n] for n in _GROUPERS if n in known),
        **options,
    )


def studies(
    folder: Path, devices: Sequence[str], plan: StudyPlan, told: Told = nobody_told
) -> Iterator[DeviceStudy]:
    """Score device after device; packet tables that are missing are made first.

    The payload matcher is scored on the devices that may speak in plain text. Raises
    DatasetError when the folder cannot be read, LabelError when windows overlap.
    """
    recorded = open_recorded(folder)
    plain = plain_devices(recorded.campaign, devices) if plan.with_payload else ()
    captures = open_captures(folder) if plain else ""
    for device in devices:
        yield _study(
            recorded, device, plan, captures if device in plain else None, told
        )


def studies_between(
    train: Path,
    test: Path,
    devices: Sequence[str],
    plan: StudyPlan,
    told: Told = nobody_told,
    *,
    called: Mapping[str, str] | None = None,
) -> Iterator[DeviceStudy]:
    """Learn devices from one campaign and test them on another.

    devices  names in the first; the splits of the plan play no part. The payload
             matcher is scored on those that may speak in plain text in both
    called   what a device is called in the second, where that is another name
    """
    opened = open_recorded(train), open_recorded(test)
    pairs = [(name, (called or {}).get(name, name)) for name in devices]
    plain = _plain_in_both(opened, pairs) if plan.with_payload else ()
    captures = [open_captures(folder) if plain else "" for folder in (train, test)]
    names = opened[0].campaign.name, opened[1].campaign.name
    for pair in pairs:
        both, device = opened, pair[0]
        if plan.window_s is not None:
            both = alike_both(opened, pair, plan.window_s)
        samples = joined(*_of_both(both, pair, plan), names)
        splits: tuple[Split, ...] = ()
        refusals: tuple[Refusal, ...] = ()
        try:
            splits = (transfer(samples, names),)
        except SplitRefusedError as exc:
            refusals = (Refusal(device=device, split=TRANSFER, reason=str(exc)),)
        extra: tuple[tuple[Result, ...], tuple[Refusal, ...]] = (), ()
        if device in plain:
            sources = _sources(captures, both, pair, plan)
            extra = payloads_over(sources, samples, (splits, refusals), plan.seed)
        made = study_device(
            samples,
            (splits, refusals),
            plan,
            packets_of(zip((e.index for e in both), pair, strict=True), plan.rules),
            extra=extra,
            told=told,
        )
        yield _with_window(made, zip(both, pair, strict=True), plan)


def _plain_in_both(
    both: tuple[Recorded, Recorded], pairs: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Return which devices, as the first campaign calls them, speak plain in both."""
    first = plain_devices(both[0].campaign, [one for one, _ in pairs])
    second = plain_devices(both[1].campaign, [two for _, two in pairs])
    return tuple(one for one, two in pairs if one in first and two in second)


def _sources(
    captures: Sequence[Captures | str],
    both: tuple[Recorded, Recorded],
    pair: tuple[str, str],
    plan: StudyPlan,
) -> list[tuple[Captures | str, Cut]]:
    """Return captures of two campaigns, and the windows of a device in each."""
    cuts = (cut_of(*each, **_cutting(plan)) for each in zip(both, pair, strict=True))
    return list(zip(captures, cuts, strict=True))


def _of_both(
    both: tuple[Recorded, Recorded], pair: tuple[str, str], plan: StudyPlan
) -> tuple[Samples, Samples]:
    """Return samples of two campaigns, of one name, whose features mean the same.

    A packet that does not come is as late as the longest window is long: that of those
    that are learnt from, on both sides.
    """
    how = {"by": plan.by, **_cutting(plan)}
    train = samples_of(both[0], pair[0], **how)
    longest_s = int(train.length_ns.max(initial=0)) / 1e9
    test = samples_of(both[1], pair[1], longest_s=longest_s, **how)
    return train, replace(test, device=pair[0])


def _with_window(
    made: DeviceStudy, recorded: Iterable[tuple[Recorded, str]], plan: StudyPlan
) -> DeviceStudy:
    """Add how long all windows were made, and what had to be left out for it.

    recorded  campaigns, and what the device is called in each
    """
    if plan.window_s is None:
        return made
    held = list(recorded)
    (first, name), *_ = held
    rows = first.log.of_device(name).frame["delta_ns"].drop_nulls()
    return replace(
        made,
        window_s=rows[0] / 1e9 if len(rows) else None,
        n_too_close=sum(n_too_close(*each) for each in held),
    )


def _cutting(plan: StudyPlan) -> dict[str, Any]:
    return {
        "overlap": plan.overlap,
        "n_idle": plan.n_idle,
        "seed": plan.seed,
        "rules": plan.rules,
    }


def _study(
    recorded: Recorded,
    device: str,
    plan: StudyPlan,
    captures: Captures | str | None,
    told: Told,
) -> DeviceStudy:
    if plan.window_s is not None:
        recorded = alike(recorded, device, plan.window_s)
    whole = captures is not None or plan.curves
    made = cut_of(recorded, device, **_cutting(plan)) if whole else None
    if made is None:
        samples = samples_of(recorded, device, by=plan.by, **_cutting(plan))
    else:
        samples = samples_in(made, by=plan.by)
    extra: tuple[tuple[Result, ...], tuple[Refusal, ...]] = (), ()
    if captures is not None and made is not None:
        extra = payloads_in(captures, made, samples, plan.splits, plan.seed)
    scored = study_device(
        samples,
        parted(samples, plan.splits, plan.seed),
        plan,
        packets_of([(recorded.index, device)], plan.rules),
        extra=extra,
        made=made,
        told=told,
    )
    return _with_window(scored, [(recorded, device)], plan)
