"""A trained model as a folder: `model.json`, an estimator per device, `CARD.md`.

The folder appears whole or not at all. What is read is compared with what was written:
format, versions, columns and a SHA-256 of each estimator.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from analysis.classifiers.decision import Rule
from analysis.classifiers.model import Reads
from analysis.classifiers.novelty import Novelty
from analysis.errors import ModelError
from analysis.features.matrix import feature_names
from analysis.features.sequence import n_columns
from analysis.models.card import CARD, card_of
from analysis.models.estimators import from_bytes, to_bytes
from analysis.models.model import DeviceFacts, DeviceModel, Origin, TrainedModel

FORMAT = 2  # changes whenever an older reader would misunderstand a newer folder
HEADER = "model.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NUMBERS = re.compile(r"\[\n([-+.e\d,\s]+)\]")  # no text in JSON holds a line end
_AGAIN = "train the model again"
_LEARNER = "scikit-learn"  # others cannot be relied on to read its estimators


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One device in `model.json`; its estimator is `<device>.skops` of `size_b`.

    decision  see `Rule.record`;  novelty  see `Novelty.record`
    """

    sha256: str
    size_b: int
    facts: DeviceFacts
    decision: Mapping[str, Any]
    novelty: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A file that another floor keeps in the folder."""

    sha256: str
    size_b: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    format: int
    origin: Origin
    devices: Mapping[str, _Entry]
    parts: Mapping[str, _Part]


def save(
    model: TrainedModel, folder: Path, *, parts: Mapping[str, bytes] | None = None
) -> int:
    """Write a model into a new folder and return its size in bytes.

    parts  file name -> bytes that are kept beside it, for `load_parts`

    Raises ModelError when the folder is there already or the estimator is of a type
    that `load` would refuse, OSError when there is no room.
    """
    refuse_present(folder)
    packed = {name: to_bytes(each.estimator) for name, each in model.devices.items()}
    parts = parts or {}
    header = _Header(
        format=FORMAT,
        origin=model.origin,
        devices={
            name: _entry(model.devices[name], data) for name, data in packed.items()
        },
        parts={
            name: _Part(sha256=_digest(data), size_b=len(data))
            for name, data in parts.items()
        },
    )
    text = json.dumps(asdict(header), indent=1, allow_nan=False)
    text = _NUMBERS.sub(_on_one_line, text) + "\n"
    sizes_b = {name: len(data) for name, data in packed.items()}
    own = {
        **{_file_of(name): data for name, data in packed.items()},
        CARD: card_of(model, sizes_b, tuple(parts)).encode(),
        HEADER: text.encode(),
    }
    if own.keys() & parts.keys() or not all(map(_NAME.fullmatch, parts)):
        raise ValueError(f"parts must have file names of their own, got {list(parts)}")
    files = own | dict(parts)
    _write_whole(folder, files)
    return sum(map(len, files.values()))


def refuse_present(folder: Path) -> None:
    """Raise ModelError when something is there where a model is to be written."""
    if folder.exists() or folder.is_symlink():
        raise ModelError(f"{folder}: is there already; remove it, or name another")


def load(folder: Path) -> TrainedModel:
    """Read a model that `save` wrote; it gives the same probabilities to the bit.

    Raises ModelError, in one sentence with the remedy, for anything else: another
    format, another version of scikit-learn or of the features, a file that is changed,
    cut short or missing, and types that no model of ours has.
    """
    path = folder / HEADER
    header = _header(path)
    _refuse_other_versions(path, header.origin)
    devices = {
        name: _device(folder, name, entry) for name, entry in header.devices.items()
    }
    return TrainedModel(origin=header.origin, devices=devices)


def load_parts(folder: Path) -> Mapping[str, bytes]:
    """Return what was kept beside a model, unchanged. Raises ModelError."""
    header = _header(folder / HEADER)
    _refuse_other_versions(folder / HEADER, header.origin)
    return {name: _unchanged(folder, name, part) for name, part in header.parts.items()}


def _header(path: Path) -> _Header:
    from pydantic import TypeAdapter, ValidationError

    data = _read(path, "is this the folder of a model, as `testbed train` writes it?")
    try:
        version = json.loads(data)["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ModelError(f"{path}: is no description of a model; {_AGAIN}") from exc
    if version != FORMAT:
        raise ModelError(
            f"{path}: has format {version!r:.20}, this version reads {FORMAT}; {_AGAIN}"
        )
    try:
        header: _Header = TypeAdapter(_Header).validate_json(data, strict=True)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg'].lower()}"
        raise ModelError(f"{path}: {reason}; {_AGAIN}") from exc
    return header


def _refuse_other_versions(path: Path, origin: Origin) -> None:
    made, here = origin.versions.get(_LEARNER, ""), metadata.version(_LEARNER)
    if made.split(".")[:2] != here.split(".")[:2]:
        raise ModelError(
            f"{path}: was trained with {_LEARNER} {made:.20}, and {here} is installed, "
            f"which may read it wrongly; {_AGAIN}, or install {_LEARNER} {made:.20}"
        )
    if (origin.features, origin.n_sequence) != (feature_names(), n_columns()):
        raise ModelError(
            f"{path}: was trained on other features than this version computes; "
            f"{_AGAIN}"
        )


def _device(folder: Path, name: str, entry: _Entry) -> DeviceModel:
    if not _NAME.fullmatch(name) or name != entry.facts.device.name:
        raise ModelError(f"{folder / HEADER}: {name[:80]!r} is no device; {_AGAIN}")
    path = folder / _file_of(name)
    data = _unchanged(folder, _file_of(name), entry)
    try:
        estimator = from_bytes(data)
    except ModelError as exc:
        raise ModelError(f"{path}: {exc}") from exc
    if tuple(str(label) for label in estimator.classes_) != entry.facts.activities:
        raise ModelError(f"{path}: has other activities than {HEADER}; {_AGAIN}")
    width = len(feature_names())
    if entry.facts.reads is Reads.WINDOW:
        width += n_columns()
    if getattr(estimator, "n_features_in_", 0) != width:
        raise ModelError(f"{path}: has other columns than {HEADER}; {_AGAIN}")
    try:
        decision = Rule.of_record(entry.decision)
        novelty = _novelty(entry)
        decision.decide(np.ones((1, len(decision.classes))), np.zeros(1))
    except (KeyError, ValueError, TypeError, IndexError) as exc:
        reason = "has thresholds that cannot be understood"
        raise ModelError(f"{folder / HEADER}: {name}: {reason}; {_AGAIN}") from exc
    return DeviceModel(
        facts=entry.facts, estimator=estimator, novelty=novelty, decision=decision
    )


def _entry(made: DeviceModel, data: bytes) -> _Entry:
    return _Entry(
        sha256=_digest(data),
        size_b=len(data),
        facts=made.facts,
        decision=made.decision.record(),
        novelty=made.novelty.record(),
    )


def _novelty(entry: _Entry) -> Novelty:
    names = entry.facts.activities
    if tuple(entry.decision["classes"]) != names:
        raise ValueError("has other activities than the estimator")
    if len(entry.decision["set_limits"]) != len(names):
        raise ValueError("has limits of other activities")
    novelty = Novelty.of_record(entry.novelty, names)
    if novelty.columns.max(initial=-1) >= len(feature_names()):
        raise ValueError("has values of features that are not there")
    return novelty


def _unchanged(folder: Path, name: str, entry: _Entry | _Part) -> bytes:
    """Return the bytes of a file that is what `model.json` says."""
    path = folder / name
    if not _NAME.fullmatch(name):
        raise ModelError(f"{folder / HEADER}: {name[:80]!r} is no file; {_AGAIN}")
    data = _read(path, f"{_AGAIN}, or copy the whole folder")
    if _digest(data) != entry.sha256:
        fault = "cut short" if len(data) < entry.size_b else "changed"
        raise ModelError(f"{path}: was {fault} after it was written; {_AGAIN}")
    return data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        reason = (exc.strerror or "cannot be read").lower()
        raise ModelError(f"{path}: {reason}; {remedy}") from exc


def _on_one_line(numbers: re.Match[str]) -> str:
    return f"[{' '.join(numbers.group(1).split())}]"


def _file_of(device: str) -> str:
    return f"{device}.skops"


def _write_whole(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files that appears at once, when all of it is on the disk."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name, data in files.items():
            with (part / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        part.replace(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
