"""What is wrong with a file of flow records, in our words and by its line."""

import re
from collections.abc import Callable, Mapping

from analysis.flows.records import COLUMNS

Words = Callable[[re.Match[str], int], str]


def reason_of(message: str, before: int = 0) -> str:
    """Return what a message of Arrow means; its first line where nobody knows.

    before  lines before those that it counts
    """
    for pattern, words in _KNOWN.items():
        found = re.search(pattern, message)
        if found:
            return words(found, before)
    lines = message.splitlines()
    return lines[0].rstrip(".") if lines else "is damaged"


def _line(text: str | None, before: int) -> str:
    return "" if text is None else f"line {int(text) + before}: "


def _value(found: re.Match[str], before: int) -> str:
    column, said = int(found["column"]), found["value"].rstrip("'")[:40]
    name = [*COLUMNS][column] if column < len(COLUMNS) else f"column {column + 1}"
    return f"{_line(found['row'], before)}{name} must be {found['kind']}, not {said!r}"


def _width(found: re.Match[str], before: int) -> str:
    fields = f"has {found['got']} fields where the first line has {found['wanted']}"
    return f"{_line(found['row'], before)}{fields}; is it cut?"


def _plain(words: str) -> Words:
    return lambda _found, _before: words


_ROW = r"(?:Row #(?P<row>\d+): )?"
_KNOWN: Mapping[str, Words] = {
    rf"In CSV column #(?P<column>\d+): {_ROW}CSV conversion error to (?P<kind>\w+): "
    r"invalid value '(?P<value>.*)": _value,
    rf"{_ROW}Expected (?P<wanted>\d+) columns, got (?P<got>\d+)": _width,
    r"Empty CSV file": _plain("is empty"),
    r"straddl": _plain("a line is longer than 1 MiB; is a quote open?"),
    r"UTF-?8": _plain("a text is not in UTF-8"),
    r"Parquet magic bytes|Parquet file size": _plain(
        "is no Parquet, or was cut short; `testbed flows convert` takes over tables of "
        "Zeek and Joy"
    ),
    r"^b'(?P<name>\w+)'$": lambda found, _before: f"lacks the column {found['name']}",
}
