"""What is found while a dataset is looked at: faults, and what was not looked at."""

import csv
import errno
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import yaml

from analysis.errors import AnalysisError, WorkspaceError
from analysis.pcap.errors import CaptureError
from analysis.workspace import room_told

MOST_OF_A_KIND = 1000  # of a file; who is told of more learns nothing
# what several checks say of one file
_GONE = ("is not there", f"cannot be read: {os.strerror(errno.ENOENT)}")
# what readers of damaged files raise, ours and those of others
_NONSENSE = (
    pa.ArrowException,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
    struct.error,
    csv.Error,
    yaml.YAMLError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    file   path within what was verified, '.' for all of it
    place  row, frame, line or key, '' where it is the whole file
    what   a sentence without capital and full stop
    """

    file: str
    place: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.place, self.what) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What came out.

    kind       'dataset' or 'campaign'
    digest     SHA-256 of the manifest over all others: of all of it; '' without one
    checks     what was checked, in order
    unchecked  what was not, and why
    remarks    what is no fault, but should be known
    """

    path: Path
    kind: str
    digest: str
    files: int
    size_b: int
    checks: tuple[str, ...]
    faults: tuple[Fault, ...]
    unchecked: tuple[str, ...]
    remarks: tuple[str, ...]


class Watcher(Protocol):
    """Who is told how far it is."""

    def begin(self, check: str, total_b: int) -> None:
        """Hear that a check begins, with `total_b` bytes to be read, 0 for few."""

    def read(self, size_b: int) -> None:
        """Hear how many bytes were read since the last call."""

    def end(self, check: str, note: str) -> None:
        """Hear that a check ended, and what came out."""


class Findings:
    """Collects what is found, in order.

    root  folder that is verified: files are told as paths within it
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checks: list[str] = []
        self._faults: dict[str, Fault] = {}
        self._gone: set[str] = set()
        self.unchecked: list[str] = []
        self.remarks: list[str] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong, in the order in which it was found."""
        return tuple(self._faults.values())

    def name(self, path: Path) -> str:
        """Return how a file is told."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:  # lies beside it
            return path.relative_to(self.root.parent).as_posix()

    def has_fault(self, path: Path) -> bool:
        """Say whether anything is wrong with a file, as far as it was looked at."""
        name = self.name(path)
        return any(each.file == name for each in self._faults.values())

    def fault(self, path: Path, what: str, place: str = "") -> None:
        """Enter a fault; one that is told in the same words is not entered again."""
        made = Fault(file=self.name(path), place=place, what=what)
        if not place and what.startswith(_GONE):
            if made.file in self._gone:
                return
            self._gone.add(made.file)
        self._faults.setdefault(str(made), made)

    def several(self, path: Path, places: list[str], what: str) -> None:
        """Enter a fault of many rows: the first few, and how many more."""
        for place in places[:MOST_OF_A_KIND]:
            self.fault(path, what, place)
        more = len(places) - MOST_OF_A_KIND
        if more > 0:
            self.fault(path, f"{what}; so {more} more")

    def skip(self, what: str) -> None:
        """Tell that something was not checked."""
        if what not in self.unchecked:
            self.unchecked.append(what)

    def remark(self, what: str) -> None:
        """Tell what is no fault."""
        if what not in self.remarks:
            self.remarks.append(what)

    @contextmanager
    def guarded(self, path: Path) -> Iterator[None]:
        """Turn what cannot be read, or is not what it should be, into a fault.

        Raises WorkspaceError where there is no room to work in: that is none.
        """
        try:
            with room_told():
                yield
        except WorkspaceError:
            raise
        except CaptureError as exc:
            where = "" if exc.offset is None else f"byte {exc.offset}"
            self.fault(self._within(exc.path, path), exc.reason, where)
        except AnalysisError as exc:
            for text in str(exc).splitlines():
                self._told(path, text.strip())
        except OSError as exc:
            found = Path(exc.filename) if isinstance(exc.filename, str) else path
            reason = f"cannot be read: {exc.strerror or exc}"
            self.fault(self._within(found, path), reason)
        except json.JSONDecodeError as exc:
            self.fault(path, f"is not JSON: {exc.msg}", f"line {exc.lineno}")
        except UnicodeDecodeError as exc:
            self.fault(path, "is not text in UTF-8", f"byte {exc.start}")
        except (KeyError, IndexError) as exc:
            self.fault(path, f"has no {exc.args[0]!r}")
        except _NONSENSE as exc:
            self.fault(path, f"cannot be understood: {' '.join(str(exc).split())}")

    def _within(self, path: Path, otherwise: Path) -> Path:
        return path if path.is_relative_to(self.root) else otherwise

    def _told(self, path: Path, text: str) -> None:
        """Enter the sentence of an error, which often names its file itself.

        It may be by a link in a folder for temporary files.
        """
        head, _, rest = text.partition(": ")
        named, root = Path(head), self.root.resolve()
        if rest and (named.is_absolute() or named.exists()):
            real = named if named.is_relative_to(root) else named.resolve()
            if real.is_relative_to(root):
                self.fault(self.root / real.relative_to(root), rest)
                return
        self.fault(path, text)
