"""What decides the digits of results besides data and seed: versions and arithmetic."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from analysis.reproduce.recipe import Recipe

# what computes, draws or writes numbers
PACKAGES = (
    "smarthome-testbed",
    "matplotlib",
    "numba",
    "numpy",
    "polars",
    "pyarrow",
    "scikit-learn",
    "scipy",
)


def surroundings() -> dict[str, dict[str, str]]:
    """Return versions and platform as a recipe tells them.

    No name of a machine or of a user, nor the number of its cores: results do not
    depend on them.
    """
    major, minor, _ = platform.python_version_tuple()
    versions = {"python": f"{major}.{minor}"} | {
        name: found for name in PACKAGES if (found := _version(name))
    }
    told = {
        "system": platform.system(),
        "machine": platform.machine(),
        "vectors": " ".join(_vectors()),
    }
    return {"versions": versions, "platform": told}


def others(recipe: Recipe, here: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each version and platform that is other than told."""
    return (
        *_other("", recipe.versions, here["versions"]),
        *_other("the platform's ", recipe.platform, here["platform"]),
    )


def other_code(recipe: Recipe, code: str) -> tuple[str, ...]:
    """Return a sentence where the same version is of other code, as in development."""
    if not recipe.code or recipe.code == code:
        return ()
    return (f"code of the analysis: {recipe.code} in the recipe, {code} here",)


def _other(
    what: str, published: Mapping[str, str], here: Mapping[str, str]
) -> Iterator[str]:
    for name in sorted({*published, *here}):
        was, is_ = published.get(name), here.get(name)
        if was is None:
            yield f"{what}{name}: {is_} here, not told by the recipe"
        elif is_ is None:
            yield f"{what}{name}: {was} in the recipe, not known here"
        elif was != is_:
            yield f"{what}{name}: {was} in the recipe, {is_} here"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _vectors() -> list[str]:
    """Return the vector units that numpy uses: sums may differ in their last digit."""
    found: Any = np.show_config(mode="dicts")
    units = found.get("SIMD Extensions", {}) if isinstance(found, dict) else {}
    return [str(each) for each in units.get("found", [])]
