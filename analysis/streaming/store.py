"""What streaming has learnt, kept beside a trained model: JSON, and an estimator each.

save(model, folder, parts=to_parts(learnt))
learnt = of_parts(load_parts(folder))
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from analysis.classifiers.model import Estimator, Reads
from analysis.dataset import Device
from analysis.errors import ModelError
from analysis.features.matrix import feature_names
from analysis.features.sequence import n_columns
from analysis.models.estimators import from_bytes, to_bytes
from analysis.streaming.background import Background
from analysis.streaming.model import Stage, StreamDevice, Timing
from analysis.streaming.windows import EARLY_NS

FORMAT = 2  # changes whenever an older reader would misunderstand a newer file
PART = "streaming.json"
_AGAIN = "train the model again with --streaming"
_DEVICE = ("name", "mac", "ip", "unit", "firmware", "category", "every_packet")


def to_parts(learnt: Mapping[str, StreamDevice]) -> dict[str, bytes]:
    """Return file name -> bytes. Raises ModelError for an estimator of foreign type."""
    files, devices = {}, []
    for name, each in learnt.items():
        for number, stage in enumerate(each.stages):
            files[_file_of(name, number, "watcher")] = to_bytes(stage.watcher)
            files[_file_of(name, number, "namer")] = to_bytes(stage.namer)
        devices.append(_record(each))
    about = {
        "format": FORMAT,
        "features": list(feature_names()),
        "devices": devices,
    }
    text = json.dumps(about, indent=1, allow_nan=False) + "\n"
    return {PART: text.encode(), **files}


def of_parts(parts: Mapping[str, bytes]) -> dict[str, StreamDevice]:
    """Return what `to_parts` was given.

    Raises ModelError when there is nothing of it, or it is of another version.
    """
    if PART not in parts:
        raise ModelError(f"the model has not learnt streaming; {_AGAIN}")
    try:
        about = json.loads(parts[PART])
        if about["format"] != FORMAT or about["features"] != list(feature_names()):
            reason = "is of another version of this program"
            raise ModelError(f"{PART}: {reason}; {_AGAIN}")
        found = (_device(record, parts) for record in about["devices"])
        return {each.device.name: each for each in found}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise ModelError(f"{PART}: cannot be understood ({exc}); {_AGAIN}") from exc


def _record(each: StreamDevice) -> dict[str, Any]:
    return {
        "device": {key: getattr(each.device, key) for key in _DEVICE},
        "timings": {
            name: {"length_ns": timing.length_ns, "lag_ns": timing.lag_ns}
            for name, timing in each.timings.items()
        },
        "groups": each.groups,
        "background": each.background.as_record(),
        "stages": [
            {
                "length_ns": stage.length_ns,
                "reads": str(stage.reads),
                "groups": stage.groups,
                "event_from": stage.event_from,
                "known_from": stage.known_from,
                "choice_from": stage.choice_from,
            }
            for stage in each.stages
        ],
    }


def _device(record: Mapping[str, Any], parts: Mapping[str, bytes]) -> StreamDevice:
    device = Device(**record["device"])
    found = StreamDevice(
        device=device,
        background=Background.of_record(record["background"]),
        timings={
            str(name): Timing(
                length_ns=int(each["length_ns"]), lag_ns=int(each["lag_ns"])
            )
            for name, each in record["timings"].items()
        },
        groups=tuple(map(tuple, record["groups"])),
        stages=tuple(
            _stage(each, parts, device.name, number)
            for number, each in enumerate(record["stages"])
        ),
    )
    lengths_ns = [stage.length_ns for stage in found.stages]
    _require(bool(found.timings), "no activity shows")
    _require(bool(lengths_ns) and lengths_ns[0] > 0, "no window has a length")
    _require(lengths_ns == sorted(set(lengths_ns)), "its stages are out of order")
    return found


def _stage(
    record: Mapping[str, Any], parts: Mapping[str, bytes], device: str, number: int
) -> Stage:
    stage = Stage(
        length_ns=int(record["length_ns"]),
        watcher=_estimator(parts, _file_of(device, number, "watcher")),
        namer=_estimator(parts, _file_of(device, number, "namer")),
        reads=Reads(record["reads"]),
        groups=tuple(map(tuple, record["groups"])),
        event_from=float(record["event_from"]),
        known_from=float(record["known_from"]),
        choice_from=float(record["choice_from"]),
    )
    _require_fitting(stage)
    return stage


def _require_fitting(stage: Stage) -> None:
    """Raise ValueError where a window is no row of what estimators have learnt from.

    The trees of a watcher are asked without scikit-learn's own look at the width: they
    would read beside a row that is narrower.
    """
    n_statistics = len(feature_names()) * (1 + len(EARLY_NS))
    is_whole = stage.reads is Reads.WINDOW
    widths = (n_statistics, n_statistics + (n_columns() if is_whole else 0))
    for each, width in zip((stage.watcher, stage.namer), widths, strict=True):
        _require(int(each.n_features_in_) == width, "windows have another width")  # type: ignore[attr-defined]
    named = {name for group in stage.groups for name in group}
    _require(all(stage.groups) and bool(stage.groups), "a group is empty")
    _require(named <= set(stage.namer.classes_.tolist()), "a group is not known")
    limits = (stage.event_from, stage.known_from, stage.choice_from)
    _require(all(map(isfinite, limits)), "a limit is no number")


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)


def _estimator(parts: Mapping[str, bytes], name: str) -> Estimator:
    if name not in parts:
        raise ModelError(f"{name}: is not among the files of the model; {_AGAIN}")
    try:
        return from_bytes(parts[name])
    except ModelError as exc:
        raise ModelError(f"{name}: {exc}") from exc


def _file_of(device: str, stage: int, what: str) -> str:
    return f"{device}.stream{stage}.{what}.skops"
