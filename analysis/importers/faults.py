"""How faults of somebody's files are told: each by its line, many alike by a few.

A file with one fault in every row is wrong as a whole, and its first rows tell why.
"""

import difflib
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

SHOWN = 5  # rows with a fault in one column
FILES = 10

_NAMELESS = "one without a name"

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


def lacking(
    path: Path, names: Sequence[str], header: Sequence[str], remedy: str = ""
) -> str:
    """Return that a file lacks columns, what helps, and what it has instead."""
    near = [_near(name, header) for name in names]
    has = [column for column in header if column.isprintable()][:12]
    told = f"it has {', '.join(each.strip() or _NAMELESS for each in has) or 'none'}"
    if all(near):
        told = f"did you mean {', '.join(repr(each[0]) for each in near)}?"
    what = f"column{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"
    helps = f"{remedy}; " if remedy else ""
    return f"{path}: line 1: has no {what}; {helps}{told}"


def misspelt(
    path: Path,
    header: Sequence[str],
    wanted: Iterable[str],
    taken: Collection[str] = (),
    *,
    option: bool = True,
) -> list[str]:
    """Return a sentence for each column that is not taken for how it is written.

    It would be passed over without a word, and what it says would be missed.

    wanted  columns that could be there and are not;  taken  those that are
    option  whether --column can name theirs
    """
    ours = {_bare(name): name for name in wanted}
    faults = []
    for theirs in header:
        name = ours.get(_bare(theirs)) if theirs not in taken else None
        if name:
            what = f"{theirs!r} is not taken; did you mean {name!r}? rename it"
            given = shlex.quote(f"{name}={theirs}")
            can = option and theirs.isprintable()
            how = f", or say --column {given}" if can else ""
            faults.append(f"{path}: line 1: {what}{how}")
    return faults


def _near(name: str, header: Sequence[str]) -> list[str]:
    """Return the column that is most likely meant, in a list; none where none is."""
    same = [theirs for theirs in header if _bare(theirs) == _bare(name)]
    return same[:1] or difflib.get_close_matches(name, header, n=1)


def _bare(name: str) -> str:
    """Return a name without case, blanks, marks and what editors put before it."""
    return "".join(filter(str.isalnum, name.casefold()))


def few_files(faults: Iterable[Sequence[str]]) -> list[str]:
    """Return the faults of the first files that have some, and how many more have.

    faults  those of each file
    """
    faulty = [of_file for of_file in faults if of_file]
    told = [fault for of_file in faulty[:FILES] for fault in of_file]
    more = len(faulty) - FILES
    return told + ([f"{more} more files have faults; mend these first"] * (more > 0))


def other_separator(path: Path, header: Sequence[str]) -> list[str]:
    """Return a sentence when what stands between columns is no comma."""
    if len(header) == 1:
        for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if mark in header[0]:
                reason = f"columns are separated by {name}; write commas instead"
                return [f"{path}: line 1: {reason}"]
    return []
