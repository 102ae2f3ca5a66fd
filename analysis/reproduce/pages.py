"""Compare pages by the data of their tables and by their words, and pictures."""

from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path

from analysis.reproduce.cells import ABSENT, Told, aligned, said, short
from analysis.reproduce.numbers import Rule

_CELLS = ("td", "th")
_UNSEEN = ("style", "script")


class _Page(HTMLParser):
    """The tables of a page, its other words, and its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self.pictures: list[str] = []
        self._cell = False
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in _CELLS and self.tables and self.tables[-1]:
            self.tables[-1][-1].append("")
            self._cell = True
        elif tag == "img":
            self.pictures.append(dict(attrs).get("src") or "")
            self.words.append(dict(attrs).get("alt") or "")
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN
        if tag in _CELLS:
            self._cell = False

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text or self._unseen:
            return
        if self._cell:
            row = self.tables[-1][-1]
            row[-1] = f"{row[-1]} {text}".strip()
        else:
            self.words.append(text)


def page_differences(published: Path, remade: Path, rule: Rule) -> Iterator[Told]:
    """Yield the differences of two pages; their markup does not count.

    Words outside of tables, and pictures in the page, count where numbers are exact.
    """
    one, two = _read(published), _read(remade)
    n = len(one.tables), len(two.tables)
    if n[0] != n[1]:
        yield "", f"has {n[0]} tables, made anew {n[1]}", str(n[0]), str(n[1])
    for number, pair in enumerate(zip(one.tables, two.tables, strict=False), start=1):
        yield from _table(f"table {number}", *pair, rule)
    if not rule.exact:
        return
    for number, a, b in aligned(one.words, two.words, str.__eq__):
        yield said(f"text {number}", _text(a), _text(b))
    for number, (src, wanted) in enumerate(
        zip_longest(one.pictures, two.pictures, fillvalue=""), start=1
    ):
        if src != wanted:
            yield f"picture {number}", "is drawn otherwise than made anew", "", ""


def other_frame(published: Path, remade: Path) -> bool:
    """Say whether words outside of tables, or pictures, of two pages differ."""
    one, two = _read(published), _read(remade)
    return (one.words, one.pictures) != (two.words, two.pictures)


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def _table(
    place: str, one: list[list[str]], two: list[list[str]], rule: Rule
) -> Iterator[Told]:
    def same(a: list[str], b: list[str]) -> bool:
        return len(a) == len(b) and all(map(rule.same_words, a, b))

    for number, a, b in aligned(one, two, same):
        where = f"{place}, row {number}"
        if a is ABSENT or b is ABSENT or len(a) != len(b):
            yield said(where, _text(a), _text(b))
            continue
        for column, pair in enumerate(zip(a, b, strict=True), start=1):
            if not rule.same_words(*pair):
                yield said(f"{where}, column {column}", *pair)


def _text(value: str | list[str]) -> str:
    if value is ABSENT:
        return ""
    return value if isinstance(value, str) else " | ".join(value)


def drawing_differences(published: Path, remade: Path) -> Iterator[Told]:
    """Yield the first line in which two drawings differ."""
    lines = [path.read_bytes().splitlines() for path in (published, remade)]
    for number, pair in enumerate(zip_longest(*lines, fillvalue=b""), start=1):
        if pair[0] != pair[1]:
            a, b = (short(each.decode("utf-8", "replace").strip()) for each in pair)
            yield f"line {number}", f"is drawn as {a}, made anew as {b}", a, b
            return
    yield "", "holds other bytes than made anew", "", ""
