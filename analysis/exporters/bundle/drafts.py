"""The draft of a dataset: a folder of this software alone, and secret.

refuse_foreign(draft)  refuses what somebody else keeps by its name, or in it
begin_draft(draft)     makes it, or takes the one that is there; git sees none of it
finish_draft(draft)    removes it, when what was made has left it
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from analysis.errors import RequestError
from analysis.exporters.bundle import ledger

BAG, PARTS, PRIVATE, LATE = "bag", "parts", "private", "late"
IDENTIFIERS, NAMES = "identifiers.json", "names"
WORDS = "plain.txt"  # of what the audit found said in plain; it stays in the draft
_IGNORE = ".gitignore"
_IGNORED = "*\n"  # all of it: what must not leave the lab would go along with all else
_MADE = (BAG, PARTS, LATE, ledger.PART)
_OURS = frozenset((*_MADE, PRIVATE, _IGNORE, ledger.NAME))
_OF_PRIVATE = frozenset(
    (IDENTIFIERS, WORDS, NAMES, *(f".{name}.part" for name in (IDENTIFIERS, WORDS)))
)
_MOST_NAMED = 3


def refuse_foreign(draft: Path) -> None:
    """Raise RequestError where a draft is not ours, or holds what we did not make.

    It is all removed in the end. What lies in the bag is no question of whose it is:
    only what the ledger knows stays there.
    """
    if draft.is_symlink() or (draft.exists() and not draft.is_dir()):
        reason = "is no folder, and a draft would be made there"
        raise RequestError(f"{draft}: {reason}; move it away, or name another OUT")
    strangers = sorted(path.relative_to(draft).as_posix() for path in _strangers(draft))
    if strangers:
        more = len(strangers) - _MOST_NAMED
        named = ", ".join(strangers[:_MOST_NAMED]) + (f" and {more} more" * (more > 0))
        reason = f"holds what `publish` did not make, and would remove: {named}"
        raise RequestError(f"{draft}: {reason}; move it away, or name another OUT")


def begin_draft(draft: Path) -> None:
    """Make a draft that its owner alone can read and git does not take."""
    draft.mkdir(parents=True, exist_ok=True, mode=0o700)
    ignore = draft / _IGNORE
    if not ignore.exists():
        ignore.write_text(_IGNORED, encoding="utf-8")


def finish_draft(draft: Path) -> None:
    """Remove a draft; its ledger last, so that whoever is killed here can go on.

    What somebody put there meanwhile stays, and git does not take that either.
    """
    stays = list(_strangers(draft))
    private = draft / PRIVATE
    for path in (
        *(private / name for name in _OF_PRIVATE),
        *map(draft.joinpath, _MADE),
    ):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if stays:
        (draft / ledger.NAME).unlink(missing_ok=True)
        return
    for path in (private, draft / _IGNORE, draft / ledger.NAME, draft):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


def _strangers(draft: Path) -> Iterator[Path]:
    """Yield what lies in a draft, or in its place, and that no publication made."""
    inside = _in(draft)
    if _is_ours(draft, {path.name for path in inside}):
        yield from (path for path in inside if path.name not in _OURS)
        private = _in(draft / PRIVATE)
        yield from (path for path in private if path.name not in _OF_PRIVATE)
    else:
        yield from inside


def _is_ours(draft: Path, names: set[str]) -> bool:
    """Say whether a publication made a folder, maybe one that was killed at once."""
    told = ledger.is_ledger(draft / ledger.NAME)
    if told or not names:
        return bool(told)
    try:
        marked = (draft / _IGNORE).read_text(encoding="utf-8") in ("", _IGNORED)
    except (OSError, ValueError):
        return False
    # a power cut may leave a ledger that nobody can read; all of it is made again
    return marked and (told is None or names <= {_IGNORE, ledger.PART})


def _in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
