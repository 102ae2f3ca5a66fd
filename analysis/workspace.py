"""Room to work in: a disk that is full is no fault of what is looked at.

room_told()               turns what fails for want of room into WorkspaceError
working_folder(prefix)    a folder for temporary files, removed at the end
refuse_without_room(...)  before the work begins, where it is known what it takes
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.errors import AnalysisError, WorkspaceError
from analysis.pcap.errors import CaptureError

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG))
# what writers say that pass on no number of the operating system
_WORDS = (
    "no space left on device",
    "disk quota exceeded",
    "read-only file system",
    "file too large",
)
_REMEDY = "free some space, or name another folder"
_WAY = "by TMPDIR"
_TURNED = (OSError, AnalysisError, CaptureError, RuntimeError, ValueError)


@contextmanager
def room_told(folder: Path | None = None, way: str = _WAY) -> Iterator[None]:
    """Turn what fails since a disk is full or cannot be written into WorkspaceError.

    folder  that is written, where the error does not tell; by default the one for
            temporary files
    way     how another one is named
    """
    try:
        yield
    except WorkspaceError:
        raise
    except _TURNED as exc:
        lack = _lack(exc)
        if lack is None:
            raise
        place = lack[0] or folder or tempfile.gettempdir()
        raise WorkspaceError(f"{place}: {lack[1]}; {_REMEDY} {way}") from exc


@contextmanager
def working_folder(prefix: str) -> Iterator[Path]:
    """Make a folder for temporary files. Raises WorkspaceError where none can be."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as exc:
        reason = f"no folder for temporary files can be made: {exc.strerror or exc}"
        raise WorkspaceError(f"{reason}; name another one by TMPDIR") from exc
    with folder as name:
        yield Path(name)


def refuse_without_room(folder: Path, needed_b: int, way: str = _WAY) -> None:
    """Raise WorkspaceError where a folder has less room than will be needed."""
    free_b = shutil.disk_usage(folder).free
    if free_b < needed_b:
        room = f"{free_b / 1e6:,.0f} MB free, {needed_b / 1e6:,.0f} MB needed"
        raise WorkspaceError(f"{folder}: too little room: {room}; {_REMEDY} {way}")


def _lack(exc: BaseException) -> tuple[str, str] | None:
    """Return file and reason where an error, or what led to it, is lack of room."""
    cause: BaseException | None = exc
    while cause is not None:
        said = str(cause).lower()
        why = next((each for each in _WORDS if each in said), "")
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            why = os.strerror(cause.errno).lower()
        if why:
            named = getattr(cause, "filename", None)
            return named if isinstance(named, str) else "", why
        cause = cause.__cause__ or cause.__context__
    return None
