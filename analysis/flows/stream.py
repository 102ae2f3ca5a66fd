"""Flow records from a pipe of CSV, each as soon as its line is there.

for records in csv_records(sys.stdin, name="standard input"): ...

What `testbed flows extract - --out -` prints is read like this by who watches it.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from analysis.errors import DatasetError
from analysis.flows.records import COLUMNS, FlowRecords
from analysis.flows.texts import Texts

_TRUTH = {"true": True, "false": False}


def csv_records(lines: Iterable[str], *, name: str = "-") -> Iterator[FlowRecords]:
    """Yield one record per line; the first line names the columns, in their order.

    name  what errors call it

    Raises DatasetError, with the line, after the records before it.
    """
    reader = csv.reader(lines)
    head = next(reader, None)
    if head is None:
        return
    if head != list(COLUMNS):
        reason = "does not begin with the columns of flow records"
        raise DatasetError(f"{name}: {reason}; see docs/flows.md")
    for values in reader:
        try:
            record = _record(dict(zip(COLUMNS, values, strict=True)))
        except (ValueError, KeyError, OverflowError) as exc:
            reason = f"line {reader.line_num}: {exc}"
            raise DatasetError(f"{name}: {reason}") from exc
        yield record


def _record(of: Mapping[str, str]) -> FlowRecords:
    columns: dict[str, Any] = {}
    for name, dtype in COLUMNS.items():
        if dtype is None:
            columns[name] = Texts.of([of[name]])
        else:
            columns[name] = np.array([_READ.get(dtype, int)(of[name])], dtype=dtype)
    return FlowRecords(**columns)


def _truth(text: str) -> bool:
    if text not in _TRUTH:
        raise ValueError(f"must be true or false, got {text!r}")
    return _TRUTH[text]


def _number(text: str) -> float:
    return float(text or "nan")


_READ: Mapping[type[np.generic], Callable[[str], Any]] = {
    np.bool_: _truth,
    np.float64: _number,
}
