"""Manifests: lines of SHA-256 and path, and the files that they speak of."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.verify.model import Findings

_LINE = re.compile(r"([0-9a-f]{64})  (\S(?:.*\S)?)")
_PIECE_B = 1 << 20
_CODES = (("%0A", "\n"), ("%0D", "\r"), ("%25", "%"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What is said of files that are not as a manifest tells; {} is another file."""

    renamed: str
    changed: str
    added: str


_OF_WHOLE = _Said(
    renamed=": it was renamed to {}",
    changed=": it was changed or is damaged",
    added=": it was added since",
)
_ITSELF = "which has a fault itself, as told above"
_OF_FAULTY = _Said(
    renamed=f", {_ITSELF}; {{}} has the SHA-256 that it should have",
    changed=f", {_ITSELF}",
    added=f", {_ITSELF}",
)


class Digests:
    """SHA-256 of every file below a folder, each read once; links are not followed.

    files  path -> bytes, in the order of paths
    """

    def __init__(self, folder: Path, found: Findings) -> None:
        self.files: dict[Path, int] = {}
        self._found = found
        self._sums: dict[Path, str] = {}
        for path in sorted(folder.rglob("*"), key=lambda p: p.as_posix()):
            if path.is_symlink():
                found.fault(path, "is a link, which leads out of what was published")
            elif path.is_file():
                self.files[path] = path.stat().st_size

    @property
    def size_b(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())

    def read_all(self, told: Callable[[int], None]) -> None:
        """Read all files; one that cannot be read is a fault."""
        for path in self.files:
            self.read(path, told)

    def read(self, path: Path, told: Callable[[int], None]) -> None:
        """Read one file, again if need be."""
        with self._found.guarded(path):
            self._sums[path] = sha256_of(path, told)

    def sum(self, path: Path) -> str | None:
        """Return the digest of a file, None when it is not there or unreadable."""
        return self._sums.get(path)

    def below(self, folder: Path) -> list[Path]:
        """Return the files below a folder, in order."""
        return [path for path in self.files if path.is_relative_to(folder)]


def sha256_of(path: Path, told: Callable[[int], None]) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_B):
            digest.update(piece)
            told(len(piece))
    return digest.hexdigest()


def load_sums(
    path: Path, found: Findings, *, escaped: bool = False
) -> dict[str, str] | None:
    """Read a manifest: path -> SHA-256; None when it cannot be read.

    escaped  whether line ends and percent signs are written as BagIt wants it

    Each line that is not as it should be is a fault.
    """
    text: str | None = None
    with found.guarded(path):
        text = path.read_bytes().decode("utf-8")
    if text is None:
        return None
    sums: dict[str, str] = {}
    *lines, last = text.split("\n")
    if last:
        found.fault(path, "does not end with a line end", f"line {len(lines) + 1}")
        lines.append(last)
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        name = "" if match is None else _unescaped(match[2]) if escaped else match[2]
        if match is None or _leads_out(name):
            reason = "is not a SHA-256, two spaces and a path below"
            found.fault(path, f"{reason}: {line[:100]!r}", f"line {number}")
        elif name in sums:
            found.fault(path, f"names {name} a second time", f"line {number}")
        else:
            sums[name] = match[1]
    return sums


def _unescaped(name: str) -> str:
    for code, char in _CODES:
        name = name.replace(code, char)
    return name


def _leads_out(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/")


def compare(
    found: Findings,
    digests: Digests,
    manifest: Path,
    sums: Mapping[str, str],
    there: Iterable[Path],
) -> None:
    """Tell what is missing, changed, renamed or too much, against a manifest.

    sums   path within the folder of the manifest -> SHA-256
    there  files that it must name, and no others

    Nobody is said to have changed files where the manifest itself has a fault.
    """
    folder, told = manifest.parent, found.name(manifest)
    said = _OF_FAULTY if found.has_fault(manifest) else _OF_WHOLE
    named = {folder / name for name in sums}
    unnamed = [path for path in there if path not in named]
    by_sum: dict[str, list[Path]] = {}
    for path in unnamed:
        by_sum.setdefault(digests.sum(path) or "", []).append(path)
    renamed = set()
    for name, wanted in sums.items():
        path = folder / name
        actual = digests.sum(path)
        if path not in digests.files:
            what = f"is not there, but {told} names it"
            if twins := by_sum.get(wanted):
                twin = twins.pop(0)
                renamed.add(twin)
                what += said.renamed.format(found.name(twin))
            found.fault(path, what)
        elif actual is not None and actual != wanted:
            found.fault(path, f"differs from {told}{said.changed}")
    for path in unnamed:
        if path not in renamed:
            found.fault(path, f"is not named by {told}{said.added}")
