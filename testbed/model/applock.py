"""The app lock: for which phone and app builds the selectors were seen to work.

`app.lock.yaml` lies beside `lab.yaml`. It is made by `testbed doctor --lock`, never by
hand; a campaign on a phone that differs from it is refused.
"""

import hashlib
import os
from pathlib import Path

import yaml
from pydantic import Field

from testbed.errors import JournalError
from testbed.model.source import FaultyFilesError, read_document
from testbed.model.typed import typed
from testbed.model.types import Slug, Strict

NAME = "app.lock.yaml"
_HEAD = """\
# yaml-language-server: $schema=docs/schema/app.lock.schema.json
# Made by `testbed doctor --lock`: on this phone, with these builds of the apps, every
# selector was found. Not to be edited by hand; see docs/doctor.md.
"""


class LockedPhone(Strict):
    """What decides how the screens of a phone look."""

    model: str = ""
    android: str = ""
    width: int = 0
    height: int = 0
    density: int = 0
    locale: str = ""
    font_scale: str = ""


class LockedSelector(Strict):
    """How a selector was found: its rung, what the view said, and a digest of both.

    view  digest of the text and the place of the view
    """

    rung: str
    text: str = ""
    view: str = ""


class LockedApp(Strict):
    """One app; `selectors` by activity and number of the step, as 'turn_on/2'."""

    package: str
    version: str
    version_code: str = ""
    signer: str = ""
    selectors: dict[str, LockedSelector] = Field(default_factory=dict)


class AppLock(Strict):
    """The phone and the app of each device.

    made  UTC basic time at which the lock was made
    """

    lab: Slug
    made: str
    phone: LockedPhone = LockedPhone()
    devices: dict[Slug, LockedApp] = Field(default_factory=dict)


def lock_beside(lab_file: Path) -> Path:
    """Return where the lock of a lab file is."""
    return lab_file.parent / NAME


def load_lock(path: Path) -> AppLock | None:
    """Load a lock, None when there is none; raises FaultyFilesError."""
    if not path.exists():
        return None
    document = read_document(path)
    lock = typed(document, AppLock)
    if document.faults or lock is None:
        raise FaultyFilesError(document.faults)
    return lock


def write_lock(path: Path, lock: AppLock) -> None:
    """Write a lock, whole or not at all; raises JournalError."""
    body = yaml.safe_dump(
        lock.model_dump(exclude_defaults=True), sort_keys=False, allow_unicode=True
    )
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(_HEAD + body, encoding="utf-8")
        part.replace(path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise JournalError(f"{path} cannot be written: {exc.strerror}") from exc


def digest_of(text: str, point: tuple[int, int]) -> str:
    """Return a short digest of what a view says and where it is."""
    return hashlib.sha256(f"{text}@{point[0]},{point[1]}".encode()).hexdigest()[:16]
