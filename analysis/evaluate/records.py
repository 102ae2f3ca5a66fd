"""Scores as values that JSON knows, for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from analysis.evaluate.device_study import DeviceStudy
from analysis.evaluate.scores.intervals import Interval
from analysis.evaluate.scores.open_set import OpenSet
from analysis.evaluate.study import Refusal, Result
from analysis.evaluate.trust.canaries import Canary
from analysis.evaluate.trust.compare import Comparison, Gap
from analysis.evaluate.trust.curves import CurvePoint
from analysis.evaluate.trust.groups import GroupScore

Record = dict[str, Any]


def records_of(found: Sequence[DeviceStudy]) -> Record:
    """Return everything that was scored."""
    return {
        "results": [record_of(r) for study in found for r in study.results],
        "refusals": [_refusal(r) for study in found for r in study.refusals],
        "comparisons": [_comparison(c) for s in found for c in s.comparisons],
        "gaps": [_gap(each) for study in found for each in study.gaps],
        "canaries": [
            _canary(study.device, split, each)
            for study in found
            for split, canaries in study.canaries.items()
            for each in canaries
        ],
        "groups": [_group(each) for study in found for each in study.groups],
        "curves": [_point(each) for study in found for each in study.curves],
        "devices": [_device(study) for study in found],
    }


def record_of(result: Result) -> Record:
    """Return one result."""
    null = result.null
    return {
        "device": result.device,
        "classifier": result.classifier,
        "split": result.split.name,
        "leaky": result.split.leaky,
        "split_digest": result.split.digest,
        "split_note": result.split.note,
        "seed": result.seed,
        "accuracy": result.accuracy,
        "interval": _pair(result.interval),
        "precision": result.precision,
        "recall": result.recall,
        "f1": result.f1,
        "f1_interval": _pair(result.f1_interval),
        "null_accuracy": null.accuracy,
        "null_interval": _pair(null.interval),
        "null_n": null.n,
        "null_by_chance": None if result.confounded else null.by_chance,
        "confounded": result.confounded,
        "answered": result.answered,
        "majority": result.majority,
        "n_trials": result.n_trials,
        "n_sessions": result.n_sessions,
        "activities": list(result.activities),
        "confusion": np.asarray(result.matrix).tolist(),
        "per_activity": [asdict(each) for each in result.scores],
        "calibration": _calibration(result),
        "open_set": _open_set(result.open_set),
        "open_set_doubt": _open_set(result.open_set_doubt),
        "conformal": [
            asdict(each) | {"interval": _pair(each.interval)}
            for each in result.conformal
        ],
    }


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _calibration(result: Result) -> Record | None:
    found = result.calibration
    return None if found is None else asdict(found)


def _open_set(found: OpenSet | None) -> Record | None:
    if found is None:
        return None
    return asdict(found) | {"interval": _pair(found.interval)}


def _refusal(refusal: Refusal) -> Record:
    return {
        "device": refusal.device,
        "split": refusal.split,
        "reason": refusal.reason,
    }


def _comparison(each: Comparison) -> Record:
    return asdict(each) | {
        "interval": _pair(each.interval),
        "fewer_interval": _finite(each.fewer_interval),
    }


def _finite(interval: Interval | None) -> list[float | None] | None:
    """Return an interval whose infinite end, which JSON has not, is null."""
    if interval is None:
        return None
    return [v if np.isfinite(v) else None for v in (interval.low, interval.high)]


def _gap(each: Gap) -> Record:
    return asdict(each) | {"interval": _pair(each.interval)}


def _canary(device: str, split: str, each: Canary) -> Record:
    return {"device": device, "split": split} | asdict(each)


def _group(each: GroupScore) -> Record:
    return asdict(each) | {
        "interval": _pair(each.interval),
        "f1_interval": _pair(each.f1_interval),
        "groups": [[list(group) for group in fold] for fold in each.groups],
        "single": each.single,
    }


def _point(each: CurvePoint) -> Record:
    return asdict(each) | {"interval": _pair(each.interval)}


def _device(study: DeviceStudy) -> Record:
    return {
        "device": study.device,
        "windows": study.n_windows,
        "empty_windows": study.n_empty,
        "uncovered_windows": study.n_uncovered,
        "without_power_s": study.unpowered_ns / 1e9,
        "window_s": study.window_s,
        "too_close": study.n_too_close,
        "packets": study.n_packets,
        "removed": dict(study.removed),
    }
