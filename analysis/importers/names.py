"""Refuse names of others that could act on the terminal that shows them.

Names of activities, sessions, folders and files reach labels, tables and sentences as
they are; one that holds an escape sequence could clear a screen or set its title.
"""

from collections.abc import Iterable
from pathlib import Path


def unprintable(what: str, text: str) -> list[str]:
    """Return a sentence when a text holds a character that is not to be printed."""
    if text.isprintable():
        return []
    return [f"{what}: holds characters that cannot be printed, got {text!r}"]


def unprintable_files(paths: Iterable[Path]) -> list[str]:
    """Return a sentence for each file whose name, or a folder's, cannot be printed."""
    return [
        f"{str(path)!r}: the name holds characters that cannot be printed; rename it"
        for path in paths
        if not str(path).isprintable()
    ]


def folders_in(folder: Path) -> str:
    """Return the names of the folders that there are, as the end of a sentence."""
    found = sorted(each.name for each in folder.glob("*") if each.is_dir())
    known = [name for name in found if name.isprintable()]
    return f"; it has {', '.join(known[:12])}" if known else ""
