"""The receipt of a campaign: files of the captures, drops, beacons, clock."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from analysis.verify.model import Findings
from analysis.verify.sums import Digests

NAME = "raw/receipt.json"
_MOST_RATE = 1e-3  # twice what no oscillator exceeds and NTP slews at most
_SLACK_NS = 1_000_000  # what tools, kernel and helper add, twice
_MOST_ERROR_NS = 50_000_000  # limits.clock_uncertainty, unless the lab says otherwise

Sample = Mapping[str, Any]


def captures_of(folder: Path, found: Findings) -> list[dict[str, Any]]:
    """Return the captures of the receipt of a campaign; none when there is none."""
    path = folder / NAME
    captures: list[dict[str, Any]] = []
    if not path.exists():
        found.skip(f"{found.name(path)}: is not there: drops, beacons and clock")
        return captures
    with found.guarded(path):
        data = json.loads(path.read_text(encoding="utf-8"))
        for number, each in enumerate(data["captures"]):
            if isinstance(each, dict) and isinstance(each.get("files"), list):
                captures.append(each)
            else:
                found.fault(path, "is no capture with files", f"captures[{number}]")
    return captures


def samples_of(captures: Iterable[Mapping[str, Any]]) -> list[Sample]:
    """Return all measurements of the clock."""
    return [sample for each in captures for sample in each.get("clock") or ()]


def check_receipt(
    folder: Path,
    found: Findings,
    digests: Digests,
    captures: list[dict[str, Any]],
    raw: tuple[Path, ...],
) -> None:
    """Compare the receipt of a campaign with the captures that are there."""
    if not captures:
        return
    path = folder / NAME
    told: dict[str, dict[str, Any]] = {}
    for capture in captures:
        with found.guarded(path):
            told |= {file["name"]: file for file in capture["files"]}
            _check_capture(path, found, capture)
    for each in raw:
        if each.name not in told:
            found.fault(each, f"is not named by {found.name(path)}")
    for name, file in told.items():
        _check_file(folder / "raw" / name, found, digests, file)
    with found.guarded(path):
        _check_clock(path, found, captures)


def _check_file(
    path: Path, found: Findings, digests: Digests, file: Mapping[str, Any]
) -> None:
    if path not in digests.files:
        found.fault(path, f"is not there, but {NAME} names it")
        return
    if file.get("size_b") != digests.files[path]:
        size_b = digests.files[path]
        found.fault(path, f"has {size_b} bytes, but {NAME} says {file.get('size_b')}")
    elif digests.sum(path) not in (None, file.get("sha256")):
        found.fault(path, f"differs from the SHA-256 in {NAME}")


def _check_capture(path: Path, found: Findings, capture: Mapping[str, Any]) -> None:
    name = str(capture["capture"])
    place = f"capture {name}"
    dropped, received = capture["dropped"], capture["received"]
    if dropped is None:
        found.skip(f"{found.name(path)}: {place}: nobody counted dropped packets")
    elif dropped:
        share = f" of {received}" if received else ""
        found.fault(path, f"{dropped}{share} packets were dropped", place)
    for file, reason in (capture.get("unreadable") or {}).items():
        what = f"{file} could not be read when it was recorded: {reason}"
        found.fault(path, what, place)
    ready, stopped = capture["ready_ns"], capture["stopped_ns"]
    if ready is not None and stopped is not None and ready > stopped:
        found.fault(path, "stopped before it was ready", place)
    if capture.get("truncated_at") is not None:
        found.remark(f"{found.name(path)}: {place}: ended inside a packet")


def _check_clock(path: Path, found: Findings, captures: list[dict[str, Any]]) -> None:
    """Look whether the clock of each capture was measured, and at one rate."""
    for capture in captures:
        place = f"capture {capture['capture']}"
        samples = capture.get("clock") or []
        if not samples:
            if capture.get("tool") != "imported":
                found.fault(path, "the clock was never measured", place)
            continue
        for what in _of_clock(samples):
            found.fault(path, what, place)
        steps = sum(_is_step(one, two) for one, two in _pairs(samples))
        if steps:
            what = f"the clock was stepped {steps} times"
            found.remark(f"{found.name(path)}: {place}: {what}")


def _of_clock(samples: list[Sample]) -> Iterator[str]:
    for number, sample in enumerate(samples, start=1):
        if sample["error_ns"] < 0:
            yield f"clock measurement {number} has an error below 0"
        elif sample["error_ns"] > _MOST_ERROR_NS:
            error_ms = sample["error_ns"] / 1e6
            yield f"clock measurement {number} is known to {error_ms:g} ms only"
    for number, (one, two) in enumerate(_pairs(samples), start=2):
        if two["at_ns"] < one["at_ns"]:
            yield f"clock measurement {number} is earlier than the one before"


def _pairs(samples: list[Sample]) -> Iterator[tuple[Sample, Sample]]:
    return pairwise(samples)


def _is_step(one: Sample, two: Sample) -> bool:
    """Say whether no rate of a clock leads from one measurement to the next."""
    apart_ns = abs(two["offset_ns"] - one["offset_ns"])
    room_ns = one["error_ns"] + two["error_ns"] + _SLACK_NS
    return bool(apart_ns > room_ns + _MOST_RATE * abs(two["at_ns"] - one["at_ns"]))


class Offsets:
    """Offsets of the capture's clock, as they were measured.

    samples  of the receipt, of all captures, in any order
    """

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = sorted(samples, key=lambda each: int(each["at_ns"]))
        self._at_ns = [int(each["at_ns"]) for each in self._samples]

    def at(self, at_ns: int) -> tuple[int, int] | None:
        """Return the offset at an instant, and how sure it is, both in ns.

        at_ns  ns UTC on the controller's clock

        Between two measurements the offset lies on the way from one to the other; None
        where the clock was stepped meanwhile, or nothing was measured.
        """
        row = bisect_right(self._at_ns, at_ns)
        near = self._samples[max(0, row - 1) : row + 1]
        if len(near) < 2:
            return self._beside(near, at_ns)
        one, two = near
        if _is_step(one, two):
            return None
        part = (at_ns - one["at_ns"]) / max(1, two["at_ns"] - one["at_ns"])
        offset = one["offset_ns"] + round(part * (two["offset_ns"] - one["offset_ns"]))
        bent_ns = _MOST_RATE * min(at_ns - one["at_ns"], two["at_ns"] - at_ns)
        slack_ns = max(one["error_ns"], two["error_ns"]) + _SLACK_NS + bent_ns
        return offset, int(slack_ns)

    def _beside(self, near: list[Sample], at_ns: int) -> tuple[int, int] | None:
        if not near:
            return None
        away_ns = abs(at_ns - near[0]["at_ns"])
        slack_ns = near[0]["error_ns"] + _SLACK_NS + _MOST_RATE * away_ns
        return near[0]["offset_ns"], int(slack_ns)
