"""Digests of code and data, so that what was kept is of the same code and data."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import analysis


@cache
def code_digest() -> str:
    """Return a digest of all code of the analysis and of these scores.

    Read once, so that one run is of one code even when files are edited meanwhile.
    """
    (folder,) = analysis.__path__
    ours = Path(__file__).parent.glob("public*.py")
    return _digest((*Path(folder).rglob("*.py"), *ours))


@cache
def data_digest(folder: Path) -> str:
    """Return a digest of every file below a folder, its name and what it holds."""
    return _digest(path for path in folder.rglob("*") if path.is_file())


def _digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(hashlib.sha256(path.name.encode()).digest())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]
