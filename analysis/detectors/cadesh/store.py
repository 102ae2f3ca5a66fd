"""A trained detector of flows as one file: arrays and a header of JSON, no pickle.

The file holds what homes shared: hashed keys by hour, and feature rows without
addresses or names. It holds the secret of the hashes too, without which nobody's flows
could be compared; keep it as you would keep the flows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.detectors.cadesh.autoencoder import Layers, Scale
from analysis.detectors.cadesh.detector import Choices, FlowDetector
from analysis.detectors.cadesh.flows import HOUR_NS
from analysis.detectors.cadesh.keys import KINDS
from analysis.detectors.cadesh.known import METHODS, Known
from analysis.detectors.cadesh.pool import Table, Tables
from analysis.detectors.cadesh.rows import NAMES
from analysis.errors import ModelError, named
from analysis.pcap import npz

FORMAT = 3
_AGAIN = "train it again"
_SUMS = 4
_LAST_HOUR = (1 << 63) // HOUR_NS
MOST_B = 1 << 30  # of a model, unpacked; one of 8 homes and 14 days has some MB
_BROKEN = (
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RecursionError,  # lists in lists, in the header
    TypeError,
    ValueError,
)

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowModel:
    """A detector with the pool that it was learnt over.

    pool    what each home shared;  secret  of the hashes of keys
    models  of the devices that were learnt from
    """

    detector: FlowDetector
    pool: Mapping[str, Tables]
    secret: str
    models: tuple[str, ...]


def save(model: FlowModel, path: Path) -> int:
    """Write a model into a new file and return its size in bytes.

    Raises ModelError when the file is there already or nothing was learnt.
    """
    if path.exists():
        raise ModelError(f"{path}: is there already; name a new file")
    detector = model.detector
    if detector.scale is None:
        raise ModelError("the detector has learnt nothing; train it first")
    header = {
        "format": FORMAT,
        "choices": asdict(detector.choices),
        "columns": list(NAMES),
        "limits": [detector.limit_error, detector.limit],
        "most": detector.scale.most,
        "n_layers": len(detector.drawn_by.layers()),
        "homes": list(model.pool),
        "secret": model.secret,
        "models": list(model.models),
    }
    arrays: Arrays = {
        "middle": detector.scale.middle,
        "spread": detector.scale.spread,
        "weights": detector.weights,
    }
    for k, (weights, offsets) in enumerate(detector.drawn_by.layers()):
        arrays |= {f"w{k}": weights, f"b{k}": offsets}
    if detector.known is not None:
        known = detector.known
        arrays |= {"points": known.points, "of": known.home, "in": known.cluster}
    for h, tables in enumerate(model.pool.values()):
        for kind in KINDS:
            arrays |= _of_table(f"t{h}.{kind}", tables[kind])
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    part = path.with_name(f"{path.name}.part")
    try:
        with named(path), part.open("wb") as file:
            np.savez_compressed(file, header=text, **arrays)  # type: ignore[arg-type]
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path.stat().st_size


def load(path: Path) -> FlowModel:
    """Read a model that `save` wrote.

    Raises ModelError for anything else: other formats, damaged or missing arrays, and
    files that unpack to more than `MOST_B`.
    """
    if not path.is_file():
        raise ModelError(f"{path}: is not there; train a model first")
    if path.stat().st_size > MOST_B:
        raise _too_large(path, path.stat().st_size)
    try:
        with path.open("rb") as file, npz.open_arrays(file, most_b=MOST_B) as held:
            header = json.loads(_array(held, "header").tobytes())
            if header["format"] != FORMAT or header["columns"] != list(NAMES):
                raise ModelError(f"{path}: is of another version; {_AGAIN}")
            names = _names_of(header)
            if held.names != {"header", *names}:
                raise ValueError("holds other arrays than a model has")
            arrays = {name: _array(held, name) for name in names}
        return _model(header, arrays)
    except npz.TooLargeError as exc:
        raise _too_large(path, exc.size_b) from exc
    except _BROKEN as exc:
        raise ModelError(f"{path}: is no model of flows, or damaged; {_AGAIN}") from exc


def _too_large(path: Path, size_b: int) -> ModelError:
    """Return what is said of more than any model of ours has."""
    return ModelError(
        f"{path}: holds {size_b >> 20:,} MiB, and a model has at most "
        f"{MOST_B >> 20:,}; {_AGAIN}, on fewer homes or days"
    )


def _names_of(header: Mapping[str, Any]) -> list[str]:
    """Return the arrays that a model of this header has."""
    layers = [f"{what}{k}" for k in range(header["n_layers"]) for what in "wb"]
    known = ["points", "of", "in"] if header["choices"]["step_two"] in METHODS else []
    tables = [
        f"t{h}.{kind}.{part}"
        for h in range(len(header["homes"]))
        for kind in KINDS
        for part in ("keys", "begin", "hour", "sums")
    ]
    return ["middle", "spread", "weights", *layers, *known, *tables]


def _array(held: npz.Arrays, name: str) -> NDArray[Any]:
    array = held.array(name)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has a number that cannot be")
    return array


def _model(header: Mapping[str, Any], arrays: Arrays) -> FlowModel:
    choices = replace(Choices(), **header["choices"])
    scale = Scale(arrays["middle"], arrays["spread"], float(header["most"]))
    layers = [(arrays[f"w{k}"], arrays[f"b{k}"]) for k in range(header["n_layers"])]
    limit_error, limit = (float(value) for value in header["limits"])
    known = None
    if choices.step_two in METHODS:
        known = Known(
            points=arrays["points"],
            home=arrays["of"],
            cluster=arrays["in"],
            least=choices.least,
            method=choices.step_two,
        )
    detector = FlowDetector(
        choices=choices,
        scale=scale,
        drawn_by=Layers(layers),
        weights=arrays["weights"],
        limit_error=limit_error,
        known=known,
        limit=limit,
    )
    _check(detector, scale, layers)
    pool = {
        str(name): {kind: _table(arrays, f"t{h}.{kind}") for kind in KINDS}
        for h, name in enumerate(header["homes"])
    }
    return FlowModel(
        detector=detector,
        pool=pool,
        secret=str(header["secret"]),
        models=tuple(map(str, header["models"])),
    )


def _check(detector: FlowDetector, scale: Scale, layers: list[Any]) -> None:
    """Raise ValueError where arrays do not fit each other, or numbers cannot be."""
    width = (len(NAMES),)
    sizes = [scale.middle.shape, scale.spread.shape, detector.weights.shape]
    if any(size != width for size in sizes) or not (scale.spread > 0).all():
        raise ValueError("columns do not fit")
    # of weights or a cut that are 0, nothing is ever an error
    if not (detector.weights > 0).all() or not 0 < scale.most < np.inf:
        raise ValueError("weights cannot be")
    if detector.choices.step_two not in (*METHODS, "none"):
        raise ValueError("a method is not there")
    probe = detector.drawn_by.redrawn(np.zeros((1, len(NAMES))))
    if probe.shape != (1, len(NAMES)) or not np.isfinite(probe).all():
        raise ValueError("layers do not fit")
    # of NaN nothing is above, and nothing would ever be an alarm
    if not (0 <= detector.limit_error < np.inf and 0 < detector.limit < np.inf):
        raise ValueError("limits cannot be")
    if type(detector.choices.least) is not int or detector.choices.least < 1:
        raise ValueError("a number of homes cannot be")
    known = detector.known
    if known is not None and not (
        known.points.shape == (len(known.home), len(NAMES))
        and known.cluster.shape == known.home.shape
        and known.least <= len(np.unique(known.home))
    ):
        raise ValueError("known flows do not fit")


def _of_table(name: str, table: Table) -> Arrays:
    return {
        f"{name}.keys": table.keys,
        f"{name}.begin": table.begin,
        f"{name}.hour": table.hour,
        f"{name}.sums": table.sums,
    }


def _table(arrays: Arrays, name: str) -> Table:
    table = Table(
        keys=arrays[f"{name}.keys"],
        begin=arrays[f"{name}.begin"],
        hour=arrays[f"{name}.hour"],
        sums=arrays[f"{name}.sums"],
    )
    n = len(table.hour)
    fits = len(table.begin) == len(table.keys) + 1 and table.sums.shape == (n, _SUMS)
    if not fits or table.begin[0] != 0 or table.begin[-1] != n:
        raise ValueError("a table does not fit")
    if (np.diff(table.begin) <= 0).any() or (np.diff(table.keys) <= 0).any():
        raise ValueError("a table is out of order")
    if (table.hour < 0).any() or (table.hour > _LAST_HOUR).any():
        raise ValueError("a table has hours that cannot be")
    return table
