"""Compare what was published with what was made anew, file by file.

A file is equal only when all that is in it was compared. What follows from a key that
was never published, and what other versions draw in other lines, is not compared, and
counted as such.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis.pcap.errors import CaptureError
from analysis.reproduce.captures import capture_differences
from analysis.reproduce.cells import (
    Told,
    csv_differences,
    json_differences,
    values_differ,
)
from analysis.reproduce.columns import parquet_differences
from analysis.reproduce.ledger import files_below
from analysis.reproduce.model import (
    DIFFERS,
    EQUAL,
    EXTRA,
    MISSING,
    NOT_COMPARED,
    STATES,
    Counts,
    Difference,
    NotCompared,
)
from analysis.reproduce.numbers import Rule
from analysis.reproduce.pages import (
    drawing_differences,
    other_frame,
    page_differences,
)
from analysis.reproduce.recipe import NAME as RECIPE

_PIECE_B = 1 << 20
_MOST = 10_000  # differences of one file that are kept; all of them are counted
_KINDS = (
    "labelled captures",
    "packet tables",
    "flow tables",
    "tables",
    "splits",
    "features",
    "results: tables",
    "results: figures",
    "results: pages",
    "results: other files",
    "inputs",
    "papers and metadata",
)
_INPUTS, _PAPERS = _KINDS[-2:]
_DRAWN = (".svg", ".png")
# columns that nobody can make again, by path within the payload
_BY_KEY = {"tables/hosts.csv": "written", "tables/hosts.parquet": "written"}
_WHY_KEY = (
    "`written` follows from the key of the pseudonyms, which is not published; the "
    "other columns are equal"
)
_WHY_DRAWN = "drawn by other versions; the numbers behind it are in tables"
_WHY_PAGE = (
    "words outside of tables, and pictures, are of other versions; its tables are equal"
)
_WHY_INPUT = "what all else is made of: taken as it is"
_WHY_PAPER = "is not made again; `testbed verify` looks at it"


@dataclass(slots=True)
class Comparison:
    """What was found; counts by kind and state.

    progress  is called with bytes of published files that were compared
    """

    states: dict[str, dict[str, int]] = field(default_factory=dict)
    not_compared: list[NotCompared] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    progress: Callable[[int], None] = field(default=lambda _size_b: None)
    n_differences: int = 0
    n_files: int = 0

    def enter(self, name: str, state: str, kind: str = "") -> None:
        """Count a file."""
        known = self.states.setdefault(kind or kind_of(name), dict.fromkeys(STATES, 0))
        known[state] += 1
        self.n_files += 1

    def pass_over(self, name: str, why: str, kind: str = "") -> None:
        """Count a file of which something was not compared."""
        self.enter(name, NOT_COMPARED, kind)
        self.not_compared.append(NotCompared(file=name, why=why))

    def tell(self, name: str, told: Iterator[Told]) -> int:
        """Enter the differences of a file; return how many there are."""
        n = 0
        for place, what, published, remade in told:
            n += 1
            if n <= _MOST:
                self.differences.append(
                    Difference(
                        file=name,
                        place=place,
                        what=what,
                        published=published,
                        remade=remade,
                    )
                )
        self.n_differences += n
        return n

    def counts(self) -> tuple[Counts, ...]:
        """Return the kinds that were seen, in the order of their making."""
        return tuple(
            Counts(kind=kind, **self.states[kind])
            for kind in _KINDS
            if kind in self.states
        )


def compare_files(
    found: Comparison, data: Path, made: Path, places: Sequence[str], rule: Rule
) -> None:
    """Compare all files below some places of a payload with those made anew."""
    for place in places:
        names = {_name(path, data) for path in files_below(data / place)}
        wanted = {_name(path, made) for path in files_below(made / place)}
        for name in sorted(names | wanted):
            if name == RECIPE:
                continue  # it was followed
            if name not in names:
                found.enter(name, MISSING)
                found.tell(name, _once("is missing, but made anew"))
            elif name not in wanted:
                found.enter(name, EXTRA)
                found.tell(name, _once("is not made anew"))
            else:
                _compare(found, name, data / name, made / name, rule)
                found.progress((data / name).stat().st_size)


def pass_over_others(
    found: Comparison, data: Path, places: Sequence[str], inputs: Collection[str]
) -> None:
    """Count all files of a payload that are not below `places`: nobody made them."""
    compared = tuple(f"{place}/" for place in places)
    for path in files_below(data):
        name = _name(path, data)
        if name in places or (name.startswith(compared) and name != RECIPE):
            continue
        if name in inputs:
            found.pass_over(name, _WHY_INPUT, _INPUTS)
        else:
            found.pass_over(name, _WHY_PAPER, _PAPERS)


def kind_of(name: str) -> str:
    """Return the kind of a file, by its path within the payload."""
    parts, suffix = name.split("/"), name.rpartition(".")[2]
    if parts[0] == "campaigns":
        made = {"labelled": 0, "flows": 2}.get(parts[2], 1)
        return _KINDS[made]
    if parts[0] == "tables":
        return _KINDS[3]
    if parts[0] == "splits.json":
        return _KINDS[4]
    if parts[-1] == "features.parquet":
        return _KINDS[5]
    kinds = {"csv": 6, "json": 6, "parquet": 6, "svg": 7, "png": 7, "html": 8}
    return _KINDS[kinds.get(suffix, 9)]


def _compare(
    found: Comparison, name: str, published: Path, remade: Path, rule: Rule
) -> None:
    if _same_bytes(published, remade):
        found.enter(name, EQUAL)
        return
    if published.suffix in _DRAWN and not rule.exact:
        found.pass_over(name, _WHY_DRAWN)
        return
    without = _BY_KEY.get(name, "")
    told = _guarded(_differences(published, remade, rule, without))
    if found.tell(name, told):
        found.enter(name, DIFFERS)
        return
    if without and next(_differences(published, remade, rule), None) is not None:
        found.pass_over(name, _WHY_KEY)
    elif published.suffix == ".html" and other_frame(published, remade):
        found.pass_over(name, _WHY_PAGE)
    else:
        found.enter(name, EQUAL)


def _differences(
    published: Path, remade: Path, rule: Rule, without: str = ""
) -> Iterator[Told]:
    """Return the differences of two files of other bytes.

    without  name of a column of a table that does not count
    """
    if published.name == "packets.json":
        return _index(published, remade, rule)
    if without and published.suffix == ".csv":
        return csv_differences(published, remade, rule, without)
    if without and published.suffix == ".parquet":
        return parquet_differences(published, remade, rule, without)
    ways: dict[str, Callable[[Path, Path, Rule], Iterator[Told]]] = {
        ".csv": csv_differences,
        ".json": json_differences,
        ".parquet": parquet_differences,
        ".html": page_differences,
    }
    if published.suffix in ways:
        return ways[published.suffix](published, remade, rule)
    if published.suffix == ".pcapng":
        return capture_differences(published, remade)
    if published.suffix == ".svg":
        return drawing_differences(published, remade)
    return _once("holds other bytes than made anew")


def _index(published: Path, remade: Path, rule: Rule) -> Iterator[Told]:
    """Compare two indices of packet tables; sizes of files and times do not count."""
    pair: list[Any] = [
        json.loads(path.read_text(encoding="utf-8")) for path in (published, remade)
    ]
    for index in pair:
        for capture in index["captures"]:
            capture.pop("mtime_ns", None)
            for part in capture["devices"].values():
                part.pop("flows_b", None)
                for file in part["files"]:
                    file.pop("size_b", None)
    yield from values_differ(pair[0], pair[1], rule)


def _guarded(told: Iterator[Told]) -> Iterator[Told]:
    """Turn a file that cannot be read into a difference."""
    try:
        yield from told
    except CaptureError as exc:
        yield "", f"cannot be read: {exc.reason}", "", ""
    except OSError as exc:  # also what the reader of Parquet says of damaged files
        reason = " ".join((exc.strerror or str(exc)).split())
        yield "", f"cannot be read: {reason}", "", ""
    except (KeyError, AttributeError, pa.ArrowException, ValueError, TypeError) as exc:
        yield "", f"cannot be understood: {' '.join(str(exc).split())}", "", ""


def _once(what: str) -> Iterator[Told]:
    yield "", what, "", ""


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _same_bytes(one: Path, two: Path) -> bool:
    if one.stat().st_size != two.stat().st_size:
        return False
    with one.open("rb") as left, two.open("rb") as right:
        while piece := left.read(_PIECE_B):
            if piece != right.read(_PIECE_B):
                return False
    return True
