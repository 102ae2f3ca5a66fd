"""Score everything that can be scored on a campaign, device by device."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import analysis.classifiers
from analysis.classifiers.model import Classifier
from analysis.dataset import load_campaign
from analysis.evaluate.payloads import NAME as PAYLOAD
from analysis.evaluate.payloads import open_captures, payloads_in, plain_devices
from analysis.evaluate.samples import (
    By,
    Recorded,
    cut_of,
    open_recorded,
    samples_in,
    samples_of,
)
from analysis.evaluate.splits import SPLITS
from analysis.evaluate.study import Refusal, Result, study
from analysis.labelling import Overlap
from analysis.packets import removed_in
from analysis.packets.cleaning import DEFAULT_RULES
from analysis.payload import Captures
from analysis.registry import discover, find

_TABLE_1 = ("random_forest", "nearest", "naive_bayes")  # the columns of the paper
# people ask for the paper's splits by their common beginning
_FAMILIES = {"s0": ("s0_folds", "s0_holdout"), "all": tuple(SPLITS)}
_USUAL = ("s0_folds", "s0_holdout", "s1", "s2")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """What to score. Names are checked by `plan_of`.

    with_payload  whether payloads of devices in plain text are matched
    rules         of cleaning, by name; see `analysis.packets.cleaning`
    """

    classifiers: tuple[Classifier, ...]
    with_payload: bool
    splits: tuple[str, ...]
    seed: int = 0
    by: By = By.ACTIVITY
    overlap: Overlap = Overlap.REFUSE
    n_idle: int = 0
    rules: tuple[str, ...] = DEFAULT_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStudy:
    """All scores of one device.

    n_windows  label windows;  n_empty  those of them without a packet
    n_uncovered  label windows that no capture covers; they are not among n_windows
    n_packets  before cleaning;  removed  rule -> packets that it removed, of which
               some may be those of another rule as well
    """

    device: str
    results: tuple[Result, ...]
    refusals: tuple[Refusal, ...]
    n_windows: int
    n_empty: int
    n_uncovered: int
    n_packets: int
    removed: Mapping[str, int]


def all_classifiers() -> Mapping[str, Classifier]:
    """Return the classifiers that work on features, those of the paper first."""
    found = dict(discover(analysis.classifiers, "CLASSIFIERS"))
    first = {name: found.pop(name) for name in _TABLE_1}
    return first | found


def plan_of(
    classifiers: Sequence[str] = (), splits: Sequence[str] = (), **options: Any
) -> StudyPlan:
    """Turn names into a plan; without names, every classifier and S0, S1 and S2.

    classifiers  names or short names, and 'payload'
    splits       names, 's0' for both random ones, or 'all'
    options      the other fields of `StudyPlan`

    Raises AnalysisError with the nearest name for one that does not exist.
    """
    known: dict[str, Classifier | None] = dict(all_classifiers())
    shorts = {c.short: name for name, c in known.items() if c is not None and c.short}
    known[PAYLOAD] = None
    asked = dict.fromkeys(shorts.get(name, name) for name in classifiers or known)
    for name in asked:
        if name not in known:
            find(all_classifiers(), name, "classifier")
    wanted = [
        part for name in splits or _USUAL for part in _FAMILIES.get(name, (name,))
    ]
    for name in wanted:
        find(SPLITS, name, "split")
    chosen = (known[name] for name in asked)
    return StudyPlan(
        classifiers=tuple(c for c in chosen if c is not None),
        with_payload=PAYLOAD in asked,
        splits=tuple(dict.fromkeys(wanted)),
        **options,
    )


def devices_of(folder: Path, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the devices asked for, or all. Raises DatasetError for an unknown one."""
    campaign = load_campaign(folder)
    if not wanted:
        return tuple(device.name for device in campaign.devices)
    return tuple(campaign.device(name).name for name in dict.fromkeys(wanted))


def studies(
    folder: Path, devices: Sequence[str], plan: StudyPlan
) -> Iterator[DeviceStudy]:
    """Score device after device; packet tables that are missing are made first.

    The payload matcher is scored on the devices that may speak in plain text. Raises
    DatasetError when the folder cannot be read, LabelError when windows overlap.
    """
    recorded = open_recorded(folder)
    campaign = recorded.campaign
    plain = plain_devices(campaign, devices) if plan.with_payload else ()
    captures = open_captures(folder) if plain else ""
    for device in devices:
        yield _study(recorded, device, plan, captures if device in plain else None)


def _study(
    recorded: Recorded, device: str, plan: StudyPlan, captures: Captures | str | None
) -> DeviceStudy:
    cutting: dict[str, Any] = {
        "overlap": plan.overlap,
        "n_idle": plan.n_idle,
        "seed": plan.seed,
        "rules": plan.rules,
    }
    made = cut_of(recorded, device, **cutting) if captures is not None else None
    if made is None:
        samples = samples_of(recorded, device, by=plan.by, **cutting)
    else:
        samples = samples_in(made, by=plan.by)
    results, refusals = study(samples, plan.classifiers, plan.splits, seed=plan.seed)
    if captures is not None and made is not None:
        more, refused = payloads_in(captures, made, samples, plan.splits, plan.seed)
        results += more
        refusals += tuple(r for r in refused if r not in refusals)
    return DeviceStudy(
        device=samples.device,
        results=results,
        refusals=refusals,
        n_windows=len(samples),
        n_empty=int((samples.n_packets == 0).sum()),
        n_uncovered=samples.n_uncovered,
        n_packets=recorded.index.n_packets(device),
        removed=removed_in(recorded.index, device, plan.rules),
    )


def record_of(result: Result) -> dict[str, Any]:
    """Return a result as values that JSON knows, for machines."""
    interval = result.interval
    return {
        "device": result.device,
        "classifier": result.classifier,
        "split": result.split.name,
        "leaky": result.split.leaky,
        "split_digest": result.split.digest,
        "split_note": result.split.note,
        "seed": result.seed,
        "accuracy": result.accuracy,
        "interval": None if interval is None else [interval.low, interval.high],
        "precision": result.precision,
        "recall": result.recall,
        "f1": result.f1,
        "null_accuracy": result.null_accuracy,
        "confounded": result.confounded,
        "answered": result.answered,
        "majority": result.majority,
        "n_trials": result.n_trials,
        "n_sessions": result.n_sessions,
        "activities": list(result.activities),
        "confusion": np.asarray(result.matrix).tolist(),
    }
