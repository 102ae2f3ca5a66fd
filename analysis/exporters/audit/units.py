"""Look at the files of a folder in units of work: side by side, and not twice.

look_at_all(looker, folder, jobs=2, kept=None, step=print)

Units follow from names and sizes alone, and what they saw is put together in their
order: so the result is the same with any number of processes, and after a kill.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from analysis.exporters.audit.captures import is_capture
from analysis.exporters.audit.files import (
    is_plain,
    look_at_part,
    look_at_path,
    place_findings,
)
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.model import UNREAD, Finding, LookedAt
from analysis.exporters.audit.pool import Step, side_by_side
from analysis.exporters.audit.second import SecondReader
from analysis.exporters.identifiers.model import Identifier

_UNIT_B = 1 << 25  # small files that are looked at together
_PART_B = 1 << 27  # of a large capture
_WORTH_IT_B = 1 << 26  # a process takes seconds to begin
_STEPS_B = 1 << 22


class Kept(Protocol):
    """Remembers what units saw."""

    def load(self, unit: str, files: Sequence[Path]) -> Mapping[str, Any] | None:
        """Return what was saved of a unit, if its files are as they were."""

    def save(self, unit: str, files: Sequence[Path], seen: Mapping[str, Any]) -> None:
        """Keep what a unit saw, as values that JSON knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Work that is done in one go.

    name   tells it from others, for as long as files and sizes stay
    files  to look at, in order
    size_b bytes that it counts for
    part   bytes of the only file, to be searched; None for all
    rest   whether the bytes of the only file are searched by other units
    """

    name: str
    files: tuple[Path, ...]
    size_b: int
    part: tuple[int, int] | None = None
    rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one unit saw."""

    findings: tuple[Finding, ...]
    looked_at: LookedAt
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> "Seen":
        """Return what `as_json` made of it."""
        lists = ("accept", "words")
        return cls(
            findings=tuple(
                Finding(**each | {name: tuple(each[name]) for name in lists})
                for each in value["findings"]
            ),
            looked_at=LookedAt(**value["looked_at"]),
            notes=tuple(value["notes"]),
        )


def look_at_all(
    looker: Looker,
    folder: Path,
    *,
    jobs: int = 1,
    kept: Kept | None = None,
    step: Step,
) -> None:
    """Look at all files below a folder; the looker takes what was seen.

    jobs  processes at most; one where there is little to look at
    kept  what an earlier call saw
    step  is told bytes as they are looked at

    Raises AnalysisError when a process is ended from outside.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    units = list(units_of(folder, paths))
    seen: dict[str, Seen] = {}
    for unit in units:
        known = None if kept is None else kept.load(unit.name, unit.files)
        if known is not None:
            seen[unit.name] = Seen.of_json(known)
            step(unit.size_b)
    todo = [unit for unit in units if unit.name not in seen]
    for unit, found in _done(looker, folder, todo, jobs, step):
        seen[unit.name] = found
        # what was not looked at is tried again: perhaps tshark is there by then
        unread = any(each.kind == UNREAD for each in found.findings)
        if kept is not None and not unread:
            kept.save(unit.name, unit.files, found.as_json())
    for unit in units:
        found = seen[unit.name]
        looker.take(found.findings, found.looked_at, found.notes)
    for unit in units:
        if unit.rest:
            place_findings(looker, folder, unit.files[0])


def units_of(folder: Path, paths: Iterable[Path]) -> Iterator[Unit]:
    """Yield units: small files together, a large capture in parts."""
    held: list[Path] = []
    held_b = 0
    for path in paths:
        size_b = path.stat().st_size
        if held and held_b + size_b > _UNIT_B:
            yield _together(folder, held, held_b)
            held, held_b = [], 0
        if size_b > 2 * _PART_B and is_capture(path.name) and is_plain(path):
            yield from _parted(folder, path, size_b)
            continue
        held.append(path)
        held_b += size_b
    if held:
        yield _together(folder, held, held_b)


def _together(folder: Path, files: Sequence[Path], size_b: int) -> Unit:
    names = [path.relative_to(folder).as_posix() for path in files]
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return Unit(name=name, files=tuple(files), size_b=size_b)


def _parted(folder: Path, path: Path, size_b: int) -> Iterator[Unit]:
    name = path.relative_to(folder).as_posix()
    whole = 0
    for at in range(0, size_b, _PART_B):
        end = min(at + _PART_B, size_b)
        counted = end * 4 // 10 - at * 4 // 10
        whole += counted
        part = (at, end)
        called = f"{name} from byte {at}"
        yield Unit(name=called, files=(path,), size_b=counted, part=part)
    yield Unit(name=name, files=(path,), size_b=size_b - whole, rest=True)


def look_at_unit(looker: Looker, folder: Path, unit: Unit, step: Step) -> Seen:
    """Do one unit; `looker` only lends its tables."""
    own, told_b = looker.fresh(), 0

    def told(size_b: int) -> None:
        nonlocal told_b
        told_b += size_b
        step(size_b)

    second = SecondReader(own)
    for path in unit.files:
        if unit.part is not None:
            look_at_part(own, folder, path, unit.part, told)
        else:
            look_at_path(own, second, folder, path, told, searched=unit.rest)
    second.finish()
    if told_b < unit.size_b:
        step(unit.size_b - told_b)
    return Seen(findings=own.seen(), looked_at=own.looked_at, notes=tuple(own.notes))


def _done(
    looker: Looker, folder: Path, units: Sequence[Unit], jobs: int, step: Step
) -> Iterator[tuple[Unit, Seen]]:
    """Yield units as they are done."""
    jobs = min(jobs, len(units))
    if jobs < 2 or sum(unit.size_b for unit in units) < _WORTH_IT_B:
        for unit in units:
            yield unit, look_at_unit(looker, folder, unit, step)
        return
    with side_by_side(jobs, _begin, (folder, looker.identifiers)) as pool:
        largest_first = sorted(units, key=lambda unit: -unit.size_b)
        yield from pool.done(_there, largest_first, step)


_lent: tuple[Path, Looker] | None = None  # what a process was given


def _begin(folder: Path, identifiers: Sequence[Identifier]) -> None:
    """Make a process ready: the tables are made once."""
    global _lent
    _lent = (folder, Looker(identifiers))


def _there(unit: Unit, step: Step) -> Seen:
    """Do a unit in a process of its own."""
    if _lent is None:
        raise RuntimeError("the process was given nothing")
    folder, looker = _lent
    return look_at_unit(looker, folder, unit, step)
