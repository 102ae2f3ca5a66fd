"""Folders that commands are to make, looked at before the work begins."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from testbed.errors import ConfigError

_TABLES = "packets.json"
_DRAFT, _LEDGER = ".draft", "ledger.json"
_DATASET = "a dataset"
_CLOSED = {
    _DATASET: ("bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"),
    "the archive of a dataset": ("parts.sha256",),
    "a campaign": ("campaign.yaml", "MANIFEST.sha256"),
}


def refuse_without_tables(campaign: Path) -> None:
    """Raise ConfigError where tables of packets are missing and cannot be made."""
    if not (campaign / _TABLES).is_file() and not os.access(campaign, os.W_OK):
        reason = "has no tables of packets, and you may not write them there"
        raise ConfigError(f"{campaign}: {reason}; copy it, and name the copy")


def refuse_unwritable(folder: Path, option: str = "") -> None:
    """Raise ConfigError where a folder cannot be made, or written, or must not be.

    option  that named it, for the sentence
    """
    named = f"{option}: " if option else ""
    try:
        place = _nearest(folder)
        if not place.is_dir():
            here = place == folder.absolute()
            where = "is" if here else f"cannot be made: {place} is"
            raise ConfigError(f"{named}{folder}: {where} no folder; name another one")
        _refuse_inside(folder, named)
        if not os.access(place, os.W_OK | os.X_OK):
            reason = f"cannot be written: you may not write in {place}"
            raise ConfigError(f"{named}{folder}: {reason}; name another folder")
        # who may write may still not: as anybody in /proc, or on a full disk
        Path(tempfile.mkdtemp(prefix=".testbed-", dir=place)).rmdir()
    except OSError as exc:
        reason = f"cannot be made there: {(exc.strerror or str(exc)).lower()}"
        raise ConfigError(f"{named}{folder}: {reason}; name another folder") from exc


def refuse_inside(folder: Path, option: str = "") -> None:
    """Raise ConfigError where a folder is, or lies in, what would be damaged by it."""
    _refuse_inside(folder, f"{option}: " if option else "")


def refuse_changing(campaign: Path, remedy: str) -> None:
    """Raise ConfigError where a campaign is of a dataset, which more files damage."""
    for each in campaign.resolve().parents:
        if _closed(each) == _DATASET:
            reason = f"is of the dataset {each}, which more files would damage"
            raise ConfigError(f"{campaign}: {reason}; {remedy}")


def refuse_replacing(
    folder: Path, names: Iterable[str], mark: str, option: str
) -> None:
    """Raise ConfigError where files of somebody else would be written over.

    mark  a file that only what wrote `names` leaves there: it may write them again
    """
    taken = [name for name in names if (folder / name).exists()]
    if taken and not (folder / mark).is_file():
        reason = f"holds {taken[0]} of something else; name another folder"
        raise ConfigError(f"{option}: {folder}: {reason}")


def _nearest(folder: Path) -> Path:
    """Return a folder, or the first above it that is there; links count as there."""
    place = folder.absolute()
    while not (place.exists() or place.is_symlink()) and place != place.parent:
        place = place.parent
    return place


def _refuse_inside(folder: Path, named: str) -> None:
    place = folder.resolve()
    for each in (place, *place.parents):
        what = _closed(each) or (each != place and _coming(each))
        if what:
            where = "is" if each == place else f"lies in {each},"
            reason = f"{where} {what}, which more files would damage"
            raise ConfigError(f"{named}{folder}: {reason}; name a folder elsewhere")


def _coming(folder: Path) -> str:
    """Return what a folder will be, whose draft lies beside it; '' for any other."""
    draft = folder.parent / f"{folder.name}{_DRAFT}"
    if (draft / _LEDGER).is_file():
        return "the place of an unfinished publication"
    return ""


def _closed(folder: Path) -> str:
    """Return what a folder is whose files are told one by one; '' for any other."""
    if folder.suffix == _DRAFT and (folder / _LEDGER).is_file():
        return "a draft of `publish`"
    for what, names in _CLOSED.items():
        if any((folder / name).is_file() for name in names):
            return what
    return ""
