"""Folders that commands are to make, looked at before the work begins."""

import os
from pathlib import Path

from testbed.errors import ConfigError

_TABLES = "packets.json"


def refuse_without_tables(campaign: Path) -> None:
    """Raise ConfigError where tables of packets are missing and cannot be made."""
    if not (campaign / _TABLES).is_file() and not os.access(campaign, os.W_OK):
        reason = "has no tables of packets, and you may not write them there"
        raise ConfigError(f"{campaign}: {reason}; copy it, and name the copy")


def refuse_unwritable(folder: Path, option: str = "") -> None:
    """Raise ConfigError where a folder cannot be made, or written.

    option  that named it, for the sentence
    """
    named = f"{option}: " if option else ""
    place = folder.absolute()
    while not (place.exists() or place.is_symlink()) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        where = "is" if place == folder.absolute() else f"cannot be made: {place} is"
        raise ConfigError(f"{named}{folder}: {where} no folder; name another one")
    if not os.access(place, os.W_OK | os.X_OK):
        reason = f"cannot be written: you may not write in {place}"
        raise ConfigError(f"{named}{folder}: {reason}; name another folder")
