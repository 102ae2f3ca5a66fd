"""What this package raises on purpose.

CaptureError    a capture cannot be read or written as asked
"""

from pathlib import Path
from typing import Self


class CaptureError(Exception):
    """A capture is damaged, or not a capture at all.

    path    the file
    offset  byte of the (decompressed) file at which reading stopped; None when it
            could not be opened at all
    reason  what was found there, in words
    """

    exit_code = 2

    def __init__(self, path: Path | str, offset: int | None, reason: str) -> None:
        where = "" if offset is None else f"byte {offset}: "
        super().__init__(f"{path}: {where}{reason}")
        self.path = Path(path)
        self.offset = offset
        self.reason = reason

    def __reduce__(self) -> tuple[type[Self], tuple[Path, int | None, str]]:
        # by itself, an exception is copied with its message as the only argument
        return type(self), (self.path, self.offset, self.reason)


def cannot_write(path: Path, exc: OSError) -> OSError:
    """Return the error again, with the file that the system did not let us write."""
    return OSError(exc.errno, exc.strerror or str(exc), str(path))
