"""Folders of homes, as `lab homes` writes them: which flow records are whose."""

import json
from collections.abc import Mapping
from pathlib import Path

from analysis.errors import DatasetError

ABOUT = "homes.json"
_AGAIN = "simulate it again, or name the files of flow records themselves"


def homes_of(folder: Path) -> Mapping[str, Path]:
    """Return the file of flow records of each home of a folder, by its name.

    `homes.json` is written last, so it says which homes are whole.
    Raises DatasetError when it is missing or damaged, or names other homes than are
    there.
    """
    listed = _listed(folder / ABOUT)
    found = {
        path.parent.name.removeprefix("home="): path
        for path in sorted(folder.glob("home=*/flows.parquet"))
    }
    for name in sorted(found.keys() - listed):
        reason = f"home={name} is not listed in {ABOUT}, so nobody knows it is whole"
        raise DatasetError(f"{folder}: {reason}; {_AGAIN}")
    for name in sorted(listed - found.keys()):
        reason = f"has no home={name}/flows.parquet, which {ABOUT} lists"
        raise DatasetError(f"{folder}: {reason}; {_AGAIN}")
    return found


def _listed(path: Path) -> set[str]:
    """Return the names of the homes. Raises DatasetError."""
    try:
        listed = {str(home["name"]) for home in json.loads(path.read_bytes())["homes"]}
    except FileNotFoundError as exc:
        reason = "is not there, so the homes beside it may be cut short"
        raise DatasetError(f"{path}: {reason}; {_AGAIN}") from exc
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        reason = "lists no homes, or is damaged"
        raise DatasetError(f"{path}: {reason}; {_AGAIN}") from exc
    if not listed:
        raise DatasetError(f"{path}: lists no homes, or is damaged; {_AGAIN}")
    return listed
