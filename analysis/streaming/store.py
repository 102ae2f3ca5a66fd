"""What streaming has learnt, kept beside a trained model: JSON, and an estimator each.

save(model, folder, parts=to_parts(learnt))
learnt = of_parts(load_parts(folder))
"""

import json
from collections.abc import Mapping
from typing import Any

from analysis.classifiers.model import Estimator, Reads
from analysis.dataset import Device
from analysis.errors import ModelError
from analysis.features.matrix import feature_names
from analysis.models.estimators import from_bytes, to_bytes
from analysis.streaming.background import Background
from analysis.streaming.model import Stage, StreamDevice, Timing

FORMAT = 1  # changes whenever an older reader would misunderstand a newer file
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
    except (KeyError, TypeError, ValueError) as exc:
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
    return StreamDevice(
        device=device,
        background=Background.of_record(record["background"]),
        timings={
            name: Timing(length_ns=each["length_ns"], lag_ns=each["lag_ns"])
            for name, each in record["timings"].items()
        },
        groups=tuple(map(tuple, record["groups"])),
        stages=tuple(
            _stage(each, parts, device.name, number)
            for number, each in enumerate(record["stages"])
        ),
    )


def _stage(
    record: Mapping[str, Any], parts: Mapping[str, bytes], device: str, number: int
) -> Stage:
    return Stage(
        length_ns=record["length_ns"],
        watcher=_estimator(parts, _file_of(device, number, "watcher")),
        namer=_estimator(parts, _file_of(device, number, "namer")),
        reads=Reads(record["reads"]),
        groups=tuple(map(tuple, record["groups"])),
        event_from=record["event_from"],
        known_from=record["known_from"],
        choice_from=record["choice_from"],
    )


def _estimator(parts: Mapping[str, bytes], name: str) -> Estimator:
    if name not in parts:
        raise ModelError(f"{name}: is not among the files of the model; {_AGAIN}")
    try:
        return from_bytes(parts[name])
    except ModelError as exc:
        raise ModelError(f"{name}: {exc}") from exc


def _file_of(device: str, stage: int, what: str) -> str:
    return f"{device}.stream{stage}.{what}.skops"
