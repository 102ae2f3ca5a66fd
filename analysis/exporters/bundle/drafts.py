"""The draft of a dataset: a folder of this software alone, and secret.

begin_draft(draft)   makes it, or takes the one that is there; git sees none of it
finish_draft(draft)  removes it, when what was made has left it
"""

import shutil
from pathlib import Path

from analysis.exporters.bundle import ledger

_IGNORE = ".gitignore"
_IGNORED = "*\n"  # all of it: what must not leave the lab would go along with all else


def begin_draft(draft: Path) -> None:
    """Make a draft that its owner alone can read and git does not take."""
    draft.mkdir(parents=True, exist_ok=True, mode=0o700)
    ignore = draft / _IGNORE
    if not ignore.exists():
        ignore.write_text(_IGNORED, encoding="utf-8")


def finish_draft(draft: Path) -> None:
    """Remove a draft; its ledger last, so that whoever is killed here can go on."""
    for path in draft.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    for name in (_IGNORE, ledger.NAME):
        (draft / name).unlink(missing_ok=True)
    for path in draft.iterdir():
        path.unlink()
    draft.rmdir()
