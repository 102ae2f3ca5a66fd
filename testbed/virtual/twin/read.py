"""Reading a twin: two files that somebody else may have made.

Nothing in them is executed, what they unpack to is bounded before it is unpacked, and
every number that is used as a place is checked.
"""

import hashlib
import io
import ipaddress
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.npz import ArraysError, TooLargeError, open_arrays
from analysis.pcap.twin_format import FORMAT, KIND, OTHERS, PACKETS
from analysis.pcap.twin_format import arrays as known_arrays
from testbed.errors import ConfigError

MOST_HEADER_B = 8 << 20
MOST_ARRAYS_B = 256 << 20  # unpacked
_MOST_FRAME_B = 65_549  # the largest IPv4 packet, in Ethernet
_DAY_NS = 86_400 * 10**9
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_AGAIN = "learn the twin again with `testbed lab learn`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The packets of one trial or event, in order of time; columns are arrays.

    `group` is the number of the other end with protocol and port, `flow` counts the
    connections of a group.
    """

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return int(self.columns["offset_ns"].size)

    def take(self, rows: NDArray[Any]) -> "Shape":
        """Return the chosen packets."""
        return Shape(columns={n: c[rows] for n, c in self.columns.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A recorded trial; `length_ns` is that of its label window."""

    shape: Shape
    activity: str
    session: int
    length_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleSource:
    """One other end that is talked to unasked: events, and seconds between them."""

    events: tuple[Shape, ...]
    mean_s: float
    cv: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """What a virtual device knows of the device that it was learnt from.

    device    name of the twin;  learnt_from  name of the source
    trials    activity -> its trials
    delta_ns  activity -> length of its label window
    spread    factor on what differs from trial to trial
    """

    device: str
    learnt_from: str
    category: str
    mac: str
    firmware: str
    source: Mapping[str, Any]
    remotes: tuple[str, ...]
    sessions: tuple[str, ...]
    trials: Mapping[str, tuple[Trial, ...]]
    delta_ns: Mapping[str, int]
    idle: tuple[IdleSource, ...]
    spread: float


def load_twin(path: Path) -> Twin:
    """Read a twin from its JSON file, with the arrays beside it.

    Raises ConfigError, in one sentence with the remedy, for files that are missing,
    changed, too large or senseless.
    """
    header = _header(path)
    arrays = _arrays(path.with_suffix(".npz"), header)
    try:
        return _twin(header, arrays)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise ConfigError(f"{path}: is no twin ({exc}); {_AGAIN}") from exc


def twin_name(device: str) -> str:
    """Return how a twin is called: no device of the virtual house has such a name."""
    plain = re.sub(r"[^a-z0-9_]+", "_", device.lower()).strip("_")
    plain = plain if plain[:1].isalpha() else f"device_{plain}"
    return f"{plain[:58]}_twin"


def mac_of(twin: Twin) -> str:
    """Return a MAC of the same vendor that is not the source's own."""
    digest = hashlib.sha256(f"{twin.device} {twin.mac}".encode()).hexdigest()
    return f"{twin.mac[:8]}:{digest[:2]}:{digest[2:4]}:{digest[4:6]}"


def slugs(names: list[str]) -> dict[str, str]:
    """Return name -> name that profiles and scenarios may use; each once."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "activity"
        plain = (plain if plain[0].isalpha() else f"a_{plain}")[:60]
        unique, k = plain, 1
        while unique in found.values():
            k += 1
            unique = f"{plain}_{k}"
        found[name] = unique
    return found


def _header(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MOST_HEADER_B:
            raise ConfigError(f"{path}: is larger than any twin; {_AGAIN}")
        header = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be read: {exc.strerror}; name the .json file of a twin"
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path}: is not JSON; {_AGAIN}") from exc
    if not isinstance(header, dict) or header.get("kind") != KIND:
        raise ConfigError(f"{path}: is no twin; {_AGAIN}")
    if header.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: has format {header.get('format')!r}, this version reads {FORMAT};"
            f" {_AGAIN}"
        )
    return header


def _arrays(path: Path, header: Mapping[str, Any]) -> Mapping[str, NDArray[Any]]:
    told = header.get("arrays")
    told = told if isinstance(told, dict) else {}
    try:
        if path.stat().st_size > MOST_ARRAYS_B:
            raise ConfigError(f"{path}: is larger than any twin; {_AGAIN}")
        data = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}; {_AGAIN}") from exc
    if hashlib.sha256(data).hexdigest() != told.get("sha256"):
        raise ConfigError(f"{path}: is not what its JSON file tells of; {_AGAIN}")
    known = known_arrays()
    try:
        with open_arrays(io.BytesIO(data), most_b=MOST_ARRAYS_B) as held:
            if held.names != known.keys():
                raise ConfigError(f"{path}: has other arrays than a twin; {_AGAIN}")
            return {name: held.array(name, dtype) for name, dtype in known.items()}
    except TooLargeError as exc:
        raise ConfigError(f"{path}: unpacks to more than any twin; {_AGAIN}") from exc
    except ArraysError as exc:
        raise ConfigError(f"{path}: {exc}; {_AGAIN}") from exc


def _twin(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Twin:
    names = [str(each["activity"]) for each in header["activities"]]
    remotes = tuple(str(ipaddress.ip_address(each)) for each in header["remotes"])
    sessions = tuple(map(str, header["sessions"]))
    _require(all(column.ndim == 1 for column in arrays.values()), "columns")
    others = {name: arrays[name] for name in OTHERS}
    shapes = _shapes(arrays, "trial", len(remotes))
    _require(_within(others["trial_activity"], len(names)), "activities")
    _require(_within(others["trial_session"], len(sessions)), "sessions")
    called = slugs(names)
    rows = zip(
        shapes,
        others["trial_activity"].tolist(),
        others["trial_session"].tolist(),
        others["trial_length_ns"].tolist(),
        strict=True,
    )
    trials = [
        Trial(shape=s, activity=called[names[a]], session=of, length_ns=length)
        for s, a, of, length in rows
    ]
    told = zip(names, header["activities"], strict=True)
    deltas = {called[name]: int(each["delta_ns"]) for name, each in told}
    _require(all(0 < delta < _DAY_NS for delta in deltas.values()), "delta_ns")
    spread = float(header["spread"])
    _require(0 <= spread <= 10, "spread")
    found = Twin(
        device=twin_name(str(header["device"])),
        learnt_from=str(header["device"]),
        category=str(header["category"]),
        mac=_mac(header),
        firmware=str(header["firmware"]),
        source=dict(header["source"]),
        remotes=remotes,
        sessions=sessions,
        trials={
            name: tuple(t for t in trials if t.activity == name)
            for name in called.values()
        },
        delta_ns=deltas,
        idle=_idle(arrays, others, len(remotes)),
        spread=spread,
    )
    _require(all(found.trials.values()) and bool(found.trials), "trials")
    return found


def _mac(header: Mapping[str, Any]) -> str:
    mac = str(header["mac"])
    _require(bool(_MAC.fullmatch(mac)), "mac")
    return mac


def _idle(
    arrays: Mapping[str, NDArray[Any]], others: Mapping[str, Any], n_remotes: int
) -> tuple[IdleSource, ...]:
    shapes = _shapes(arrays, "idle", n_remotes)
    mean_s, cv, source = (others[f"idle_{n}"] for n in ("mean_s", "cv", "source"))
    _require(_within(source, mean_s.size) and cv.size == mean_s.size, "idle sources")
    found = []
    for k, (mean, variation) in enumerate(
        zip(mean_s.tolist(), cv.tolist(), strict=True)
    ):
        _require(math.isfinite(mean) and mean >= 0.01, "idle times")
        _require(0 <= variation <= 10, "idle times")
        owned = zip(shapes, source.tolist(), strict=True)
        events = tuple(shape for shape, of in owned if of == k)
        if events:
            found.append(IdleSource(events=events, mean_s=mean, cv=variation))
    return tuple(found)


def _shapes(
    arrays: Mapping[str, NDArray[Any]], prefix: str, n_remotes: int
) -> list[Shape]:
    columns = {name: arrays[f"{prefix}_{name}"] for name in PACKETS}
    first = arrays[f"{prefix}_first"]
    n = columns["offset_ns"].size
    _require(all(c.size == n for c in columns.values()), "columns")
    _require(first.size >= 1 and first[0] == 0 and first[-1] == n, "rows")
    _require(bool((np.diff(first) > 0).all()), "rows")
    _require(_within(columns["length_b"], _MOST_FRAME_B + 1), "lengths")
    _require(bool((columns["payload_b"] <= columns["length_b"]).all()), "lengths")
    remote = columns["remote"]
    _require(bool(((remote >= -1) & (remote < n_remotes)).all()), "remotes")
    far = np.abs(columns["offset_ns"]) > _DAY_NS
    _require(not bool(far.any()), "times")
    whole = Shape(columns=columns)
    spans = zip(first[:-1].tolist(), first[1:].tolist(), strict=True)
    return [whole.take(np.arange(a, b)) for a, b in spans]


def _within(column: NDArray[Any], n: int) -> bool:
    return bool(((column >= 0) & (column < n)).all())


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} do not fit")
