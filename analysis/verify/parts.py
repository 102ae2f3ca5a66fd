"""Archive parts beside a dataset: whole, and the same files as the dataset."""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis.verify.model import Findings
from analysis.verify.sums import Digests, compare, load_sums

SUMS = "parts.sha256"
READ_ME = "README.txt"
_PIECE_B = 1 << 20
# what the library raises for an archive that is damaged, encrypted or packed otherwise
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
_SLICE = re.compile(r"(.+)\.slice-(\d+)")


def parts_of(bag: Path) -> Path:
    """Return the folder where the archive of a dataset lies."""
    return bag.with_name(f"{bag.name}.parts")


def check_parts(
    bag: Path,
    found: Findings,
    digests: Digests,
    parts: Digests,
    told: Callable[[int], None],
    *,
    quick: bool,
) -> None:
    """Hold the archive against its sums, and what is in it against the dataset.

    parts  digests of the folder of the archive
    quick  leave out what is in it
    """
    folder = parts_of(bag)
    sums = load_sums(folder / SUMS, found)
    if sums is None:
        return
    there = [path for path in parts.files if path != folder / SUMS]
    compare(found, parts, folder / SUMS, sums, there)
    if quick:
        return
    inside = _Inside(bag, found, digests)
    for name in [name for name in sums if name != READ_ME]:
        with found.guarded(folder / name):
            try:
                inside.read(folder / name, told)
            except _DAMAGED as exc:
                found.fault(folder / name, f"is damaged: {exc}")
    inside.close(folder)


class _Inside:
    """The files of all parts, against those of the dataset; slices are joined."""

    def __init__(self, bag: Path, found: Findings, digests: Digests) -> None:
        self._bag = bag
        self._found = found
        self._digests = digests
        self._seen: set[Path] = set()
        self._slices: dict[str, tuple[int, hashlib._Hash, Path]] = {}

    def read(self, part: Path, told: Callable[[int], None]) -> None:
        """Read one part."""
        with zipfile.ZipFile(part) as archive:
            for entry in archive.infolist():
                digest = self._digest(part, entry.filename)
                if digest is None:
                    continue
                with archive.open(entry) as file:
                    while piece := file.read(_PIECE_B):
                        digest.update(piece)
                        told(len(piece))
                if not _SLICE.fullmatch(entry.filename):
                    self._compare(part, entry.filename, digest)

    def _digest(self, part: Path, name: str) -> "hashlib._Hash | None":
        """Return what an entry is to be added to; None when it is out of order."""
        match = _SLICE.fullmatch(name)
        if match is None or self._path(name) in self._digests.files:
            return hashlib.sha256()
        number = int(match[2])
        before, digest, _part = self._slices.get(match[1], (0, hashlib.sha256(), part))
        if number != before + 1:
            self._found.fault(part, "is not the next slice", name)
            return None
        self._slices[match[1]] = number, digest, part
        return digest

    def _compare(self, part: Path, name: str, digest: "hashlib._Hash") -> None:
        path = self._path(name)
        if path not in self._digests.files:
            self._found.fault(part, "is not in the dataset", name)
        elif self._digests.sum(path) not in (None, digest.hexdigest()):
            self._found.fault(part, "is another file than in the dataset", name)
        self._seen.add(path)

    def _path(self, name: str) -> Path:
        top, _, rest = name.partition("/")
        return self._bag / rest if top == self._bag.name else self._bag / name

    def close(self, folder: Path) -> None:
        """Compare what came in slices, and tell what is in no part."""
        for name, (_number, digest, part) in self._slices.items():
            self._compare(part, name, digest)
        for path in self._missing():
            what = f"is in no part of {self._found.name(folder)}"
            self._found.fault(path, what)

    def _missing(self) -> Iterator[Path]:
        return (path for path in self._digests.files if path not in self._seen)
