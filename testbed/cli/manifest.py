"""Manifests of closed campaigns to which a command adds something."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def keep_manifest_true(folder: Path) -> None:
    """Write the manifest of a closed campaign again, after something was added."""
    if (folder / "MANIFEST.sha256").exists():
        # loaded late: the runner brings the journal and its database with it
        from testbed.runner.folder import write_manifest

        write_manifest(folder)


@contextmanager
def manifest_kept_true(folder: Path) -> Iterator[None]:
    """Write the manifest again when packet tables are made on the way."""
    index = folder / "packets.json"
    before = index.stat().st_mtime_ns if index.exists() else None
    yield
    if index.exists() and index.stat().st_mtime_ns != before:
        keep_manifest_true(folder)
