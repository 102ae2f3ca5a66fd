"""What a page is made of: chapters of sections of blocks. Values only, no HTML."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.report.drawing import Picture
from analysis.report.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Head of a column; neighbours with the same `group` share a head above theirs."""

    title: str
    group: str = ""
    number: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One cell; `below` is small print under the text, in one or more lines.

    shade  0..1, how strongly the cell is coloured;  strong  the best of its kind
    """

    text: str
    below: str = ""
    strong: bool = False
    shade: float = 0.0
    span: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table as people see it, and the numbers of it as files.

    folded  True when it is shown only when asked for
    """

    kind: ClassVar[str] = "grid"
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Item, ...], ...]
    data: Table
    note: str = ""
    folded: bool = False

    def groups(self) -> tuple[tuple[str, int], ...]:
        """Return (head, columns below it) of the upper row, if there is one."""
        if not any(column.group for column in self.columns):
            return ()
        heads: list[tuple[str, int]] = []
        for column in self.columns:
            if heads and column.group and heads[-1][0] == column.group:
                heads[-1] = (column.group, heads[-1][1] + 1)
            else:
                heads.append((column.group, 1))
        return tuple(heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A sentence or two."""

    kind: ClassVar[str] = "note"
    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures side by side where there is room, or one under the other.

    wide  each picture takes the whole width
    """

    kind: ClassVar[str] = "gallery"
    title: str = ""
    pictures: tuple[Picture, ...]
    wide: bool = False


Block = Grid | Note | Gallery


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One topic of a chapter; `lead` says what to look at."""

    key: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One campaign, or one study of behaviour.

    origin  'captured', 'simulated, live form' or 'simulated, fast form'
    tiles   (number, what it counts);  facts  (name, value)
    """

    key: str
    title: str
    origin: str
    lead: str
    tiles: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]

    def grids(self) -> tuple[Grid, ...]:
        """Return every table."""
        return tuple(b for s in self.sections for b in s.blocks if isinstance(b, Grid))

    def pictures(self) -> tuple[Picture, ...]:
        """Return every picture."""
        return tuple(
            picture
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Gallery)
            for picture in block.pictures
        )


def items(*texts: str) -> tuple[Item, ...]:
    """Return plain cells."""
    return tuple(Item(text=text) for text in texts)


def columns(*titles: str, texts: int = 1) -> tuple[Column, ...]:
    """Return heads; the first `texts` columns hold text, the others numbers."""
    return tuple(
        Column(title=title, number=i >= texts) for i, title in enumerate(titles)
    )
