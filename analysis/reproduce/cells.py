"""Compare tables in CSV and JSON cell by cell."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.reproduce.numbers import Rule

# place, sentence, published, made anew
Told = tuple[str, str, str, str]
ABSENT: Any = object()  # stands for a row that the other table has alone
_SHOWN = 80


def csv_differences(
    published: Path, remade: Path, rule: Rule, without: str = ""
) -> Iterator[Told]:
    """Yield the differences of two CSV files.

    without  name of a column whose cells do not count
    """
    heads, rows = _read(published, without)
    wanted_heads, wanted = _read(remade, without)
    if heads != wanted_heads:
        yield from _other_heads(heads, wanted_heads)
        return  # and never without a word: rows were not compared

    def same(one: Sequence[str], two: Sequence[str]) -> bool:
        return len(one) == len(two) and all(map(rule.same_text, one, two))

    for number, one, two in aligned(rows, wanted, same):
        place = f"row {number}"
        if one is ABSENT or two is ABSENT:
            row = two if one is ABSENT else one
            yield _alone(place, ",".join(row), published=two is ABSENT)
        elif len(one) != len(two):
            what = f"has {len(one)} cells, made anew {len(two)}"
            yield place, what, short(",".join(one)), short(",".join(two))
        else:
            for head, *pair in zip(heads, one, two, strict=True):
                if not rule.same_text(*pair):
                    yield said(f"{place}, column {head}", pair[0], pair[1])


def json_differences(published: Path, remade: Path, rule: Rule) -> Iterator[Told]:
    """Yield the differences of two JSON files: rows and columns, else keys."""
    is_there = json.loads(published.read_text(encoding="utf-8"))
    wanted = json.loads(remade.read_text(encoding="utf-8"))
    yield from values_differ(is_there, wanted, rule)


def values_differ(one: Any, two: Any, rule: Rule, place: str = "") -> Iterator[Told]:
    """Yield the differences of two values that JSON knows."""
    if isinstance(one, dict) and isinstance(two, dict):
        yield from _keys_differ(one, two, rule, place)
    elif isinstance(one, list) and isinstance(two, list):
        yield from _items_differ(one, two, rule, place)
    elif not rule.same(one, two):
        yield said(place, one, two)


def _keys_differ(
    one: dict[str, Any], two: dict[str, Any], rule: Rule, place: str
) -> Iterator[Told]:
    of_row = place.startswith("row ") and "," not in place
    for key in dict.fromkeys((*one, *two)):
        name = f"column {key}" if of_row else key
        inner = f"{place}, {name}" if place else name
        if key not in two:
            yield _alone(inner, one[key], published=True)
        elif key not in one:
            yield _alone(inner, two[key], published=False)
        else:
            yield from values_differ(one[key], two[key], rule, inner)


def _items_differ(
    one: list[Any], two: list[Any], rule: Rule, place: str
) -> Iterator[Told]:
    def same(a: Any, b: Any) -> bool:
        return next(values_differ(a, b, rule), None) is None

    for number, a, b in aligned(one, two, same):
        inner = f"{place}, row {number}" if place else f"row {number}"
        if a is ABSENT or b is ABSENT:
            yield _alone(inner, b if a is ABSENT else a, published=b is ABSENT)
        else:
            yield from values_differ(a, b, rule, inner)


def aligned(
    one: Sequence[Any], two: Sequence[Any], same: Any
) -> Iterator[tuple[int, Any, Any]]:
    """Yield pairs of rows that differ, numbered from 1; ABSENT where one is alone.

    What is alike at the beginning and at the end is passed over, so that one row that
    was removed or put in between is one difference.
    """
    shorter = min(len(one), len(two))
    head = 0
    while head < shorter and same(one[head], two[head]):
        head += 1
    tail = 0
    if len(one) != len(two):
        while tail < shorter - head and same(one[-1 - tail], two[-1 - tail]):
            tail += 1
    ends = len(one) - tail, len(two) - tail
    for at in range(head, max(ends)):
        a = one[at] if at < ends[0] else ABSENT
        b = two[at] if at < ends[1] else ABSENT
        if a is ABSENT or b is ABSENT or not same(a, b):
            yield at + 1, a, b


def said(place: str, one: Any, two: Any) -> Told:
    """Return the difference of two values."""
    a, b = short(one), short(two)
    return place, f"published {a or 'nothing'}, made anew {b or 'nothing'}", a, b


def short(value: Any) -> str:
    """Return a value as text that is not too long."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _read(path: Path, without: str) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    if not rows:
        return [], []
    heads, rows = rows[0], rows[1:]
    if without in heads:
        at = heads.index(without)
        for row in rows:
            row[at : at + 1] = [""] * (at < len(row))  # the column stays, and is empty
    return heads, rows


def _other_heads(one: Sequence[str], two: Sequence[str]) -> Iterator[Told]:
    for name in one:
        if name not in two:
            yield f"column {name}", "is not made anew", name, ""
    for name in two:
        if name not in one:
            yield f"column {name}", "is missing, but made anew", "", name
    if set(one) == set(two):  # in another order, or one of them twice
        yield said("columns", ", ".join(one), ", ".join(two))


def _alone(place: str, value: Any, *, published: bool) -> Told:
    text = short(value)
    if published:
        return place, f"is not made anew: {text}", text, ""
    return place, f"is missing, but made anew: {text}", "", text
