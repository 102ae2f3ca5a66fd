"""Manifests of closed campaigns to which a command adds something."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

State = dict[str, tuple[int, int]]


@contextmanager
def manifest_kept_true(folder: Path, *parts: str) -> Iterator[None]:
    """Keep the manifest true, whether what is done inside comes to its end or not.

    parts  names of the files and folders in `folder` that may change
    """
    before = _state(folder, parts)
    try:
        yield
    finally:
        if _state(folder, parts) != before:
            keep_manifest_true(folder)


def keep_manifest_true(folder: Path) -> None:
    """Write the manifest of a closed campaign again, after something was added."""
    if (folder / "MANIFEST.sha256").exists():
        # loaded late: the runner brings the journal and its database with it
        from testbed.runner.campaigns.folder import write_manifest

        write_manifest(folder)


def _state(folder: Path, parts: tuple[str, ...]) -> State:
    """Return size and time of change of each file."""
    found = {}
    for part in parts:
        for path in (folder / part, *(folder / part).rglob("*")):
            if path.is_file():
                state = path.stat()
                found[str(path)] = (state.st_size, state.st_mtime_ns)
    return found
