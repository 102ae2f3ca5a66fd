"""The recipe of a dataset: what its results were made with, and of what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import DatasetError

NAME = "results/recipe.json"
FORMAT = 1
MADE_BY = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What makes the results again.

    classifiers, splits  names;  seed  of all that is random
    versions   software -> version;  platform  what else may decide the last digit
    code       digest of the code that made them, '' where the recipe does not tell
    campaigns  names of the campaigns that have results
    """

    classifiers: tuple[str, ...]
    splits: tuple[str, ...]
    seed: int
    versions: Mapping[str, str]
    platform: Mapping[str, str]
    code: str
    campaigns: tuple[str, ...]


def load_recipe(data: Path) -> Recipe | None:
    """Read the recipe of a payload, None where no results were published.

    Raises DatasetError for one that cannot be followed.
    """
    path = data / NAME
    if not path.parent.is_dir():
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        reason = f"cannot be read, so nothing tells how results were made: {exc}"
        raise DatasetError(f"{path}: {reason}") from exc
    try:
        return _recipe(about)
    except (KeyError, TypeError, AttributeError) as exc:
        raise DatasetError(f"{path}: is no recipe: {exc}") from exc
    except ValueError as exc:
        raise DatasetError(f"{path}: {exc}") from exc


def _recipe(about: Any) -> Recipe:
    if about["format"] != FORMAT or about["made_by"] != MADE_BY:
        what = f"format {about['format']}, made by {about['made_by']!r}"
        raise ValueError(f"is of {what}; a newer version may know it")
    seed = about["seed"]
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be a whole number from 0, got {seed!r}")
    return Recipe(
        classifiers=_texts(about, "classifiers"),
        splits=_texts(about, "splits"),
        seed=seed,
        versions={str(k): str(v) for k, v in about.get("versions", {}).items()},
        platform={str(k): str(v) for k, v in about.get("platform", {}).items()},
        code=str(about.get("code", "")),
        campaigns=tuple(_campaign(each) for each in about["campaigns"]),
    )


def _texts(about: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = about[key]
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise ValueError(f"{key} must be names, got {values!r}")
    return tuple(values)


def _campaign(about: Mapping[str, Any]) -> str:
    """Return the name of a campaign; paths that lead elsewhere are refused."""
    name = str(about["campaign"])
    wanted = {"from": f"campaigns/{name}", "out": f"results/{name}"}
    if Path(name).name != name or any(about[k] != v for k, v in wanted.items()):
        raise ValueError(f"campaign {name!r} lies elsewhere than a dataset has it")
    return name
