"""Manifests of closed campaigns to which a command adds something."""

from pathlib import Path


def keep_manifest_true(folder: Path) -> None:
    """Write the manifest of a closed campaign again, after something was added."""
    if (folder / "MANIFEST.sha256").exists():
        # loaded late: the runner brings the journal and its database with it
        from testbed.runner.folder import write_manifest

        write_manifest(folder)
