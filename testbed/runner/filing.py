"""Files that are there whole or not at all, whenever their writer is killed."""

import os
from contextlib import suppress
from pathlib import Path

from testbed.errors import JournalError

PARTIAL = ".part"  # ends the name of what is not whole yet


def write_whole(path: Path, content: str | bytes, *, synced: bool = False) -> None:
    """Write a file so that it is there whole or not at all; raises JournalError.

    content  text is written as UTF-8
    synced   on the disk before this returns, as what cannot be made again must be
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
        if synced:
            _sync_folder(path.parent)
            _sync_folder(path.parent.parent)
    except OSError as exc:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise unsafe(path, exc) from exc


def remove_partial(folder: Path) -> None:
    """Remove what somebody who was killed left half written in a folder."""
    for path in folder.glob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)


def unsafe(path: Path, exc: OSError) -> JournalError:
    """Return the error that says why a file is not safe."""
    return JournalError(f"{path} cannot be written: {exc.strerror}; free some space")


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
