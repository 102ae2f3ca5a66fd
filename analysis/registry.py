"""Find what a folder of equal siblings offers: features, classifiers, detectors.

Each sibling module defines one constant, a tuple of named values. Dropping such a file
into the folder is all that an extension takes.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol, TypeVar

from analysis.errors import AnalysisError, RequestError


class Named(Protocol):
    """Anything with a name of its own."""

    @property
    def name(self) -> str:
        """The name by which people ask for it."""


_SHORT = 2  # letters of a name that is near to every other of as many

T = TypeVar("T", bound=Named)
Anything = TypeVar("Anything")


def discover(package: ModuleType, constant: str) -> Mapping[str, Any]:
    """Return what the modules of `package` offer under `constant`, by name.

    The order is that of the module names, then that within each tuple.
    Raises AnalysisError when a name is used twice.
    """
    modules = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
    loaded = (importlib.import_module(f"{package.__name__}.{m}") for m in modules)
    return collect((m.__name__, getattr(m, constant, ())) for m in loaded)


def collect(claims: Iterable[tuple[str, Sequence[T]]]) -> Mapping[str, T]:
    """Return the named values of (module, values) pairs; refuse a name used twice."""
    owners: dict[str, str] = {}
    found: dict[str, T] = {}
    for module, values in claims:
        for value in values:
            if value.name in found:
                raise AnalysisError(
                    f"two modules define {value.name!r}: {owners[value.name]} and "
                    f"{module}; rename one of them"
                )
            owners[value.name], found[value.name] = module, value
    return found


def find(found: Mapping[str, Anything], name: str, what: str) -> Anything:
    """Return the value called `name`.

    Raises RequestError with the nearest name; with all of them where none is near, or
    where names are so short that any may be meant.
    """
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1, cutoff=0.5)
    hint = f"there are: {', '.join(found)}"
    if near and len(name) > _SHORT:
        hint = f"did you mean {near[0]!r}?"
    raise RequestError(f"{name!r} is not a {what}; {hint}")
