"""How faults of somebody's files are told: each by its line, many alike by a few.

A file with one fault in every row is wrong as a whole, and its first rows tell why.
"""

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

SHOWN = 5

# 'FILE: line 12: time: is empty' -> 'time'
_COLUMN = re.compile(r": line \d+: (\w+):")


def few(path: Path, faults: Iterable[str]) -> list[str]:
    """Return the first faults of each column of a file, and how many more there are."""
    told: list[str] = []
    count: Counter[str] = Counter()
    for fault in faults:
        found = _COLUMN.search(fault)
        column = found[1] if found else ""
        count[column] += 1
        if count[column] <= SHOWN or not column:
            told.append(fault)
    return told + [
        f"{path}: {column}: {n - SHOWN} more rows with a fault; mend these first"
        for column, n in count.items()
        if column and n > SHOWN
    ]


def no_such_column(ours: str, theirs: str, known: Collection[str]) -> str:
    """Return what is wrong with `--column OURS=THEIRS` where there is no such column.

    known  the columns that there are
    """
    if theirs in known:
        return (
            f"no column is called {ours!r}; --column is OURS=THEIRS, did you mean "
            f"{theirs}={ours}?"
        )
    return f"no column is called {ours!r}; use {', '.join(known)}"


def lacking(path: Path, name: str, header: Sequence[str], remedy: str = "") -> str:
    """Return that a file lacks a column, what helps, and what it has instead."""
    near = difflib.get_close_matches(name, header, n=1)
    has = [column for column in header if column.isprintable()]
    told = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(has[:12])}"
    helps = f"{remedy}; " if remedy else ""
    return f"{path}: line 1: has no column {name!r}; {helps}{told}"
