"""Find the drivers that are installed, by kind and name.

Each sibling module that drives an instrument defines one constant `DRIVER`; dropping
such a file into this folder is all that a new driver takes. A module imports its heavy
libraries when its driver is opened, not before, so that looking for drivers is cheap.
"""

import difflib
import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

import testbed.drivers
from testbed.clock import Clock
from testbed.errors import ConfigError

Kind = Literal["phone", "voice", "plug", "router"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How to open one make of instrument.

    kind  which protocol it keeps: phone, voice, plug, router
    name  the word behind `driver:` in lab.yaml
    open  called with the section of lab.yaml (PhoneAt, VoiceAt, PlugAt, RouterAt) and
          a clock; returns the instrument
    """

    kind: Kind
    name: str
    open: Callable[[Any, Clock], Any]


def discover() -> Mapping[tuple[str, str], Driver]:
    """Return all drivers of this folder by (kind, name), in the order of their names.

    Raises ConfigError when two modules claim the same kind and name.
    """
    files = sorted(resources.files(testbed.drivers).iterdir(), key=lambda f: f.name)
    modules = (
        importlib.import_module(f"{testbed.drivers.__name__}.{file.name[:-3]}")
        for file in files
        if file.name.endswith(".py") and _defines_driver(file)
    )
    return collect((module.__name__, module.DRIVER) for module in modules)


def collect(claims: Iterable[tuple[str, Driver]]) -> Mapping[tuple[str, str], Driver]:
    """Return the drivers that modules claim; `claims` are (module name, driver).

    Raises ConfigError when two modules claim the same kind and name.
    """
    owners: dict[tuple[str, str], str] = {}
    found: dict[tuple[str, str], Driver] = {}
    for module, driver in claims:
        key = (driver.kind, driver.name)
        if key in found:
            raise ConfigError(
                f"two modules define the {driver.kind} driver {driver.name!r}: "
                f"{owners[key]} and {module}; rename one of them"
            )
        owners[key] = module
        found[key] = driver
    return found


def open_driver(kind: Kind, name: str, at: object, clock: Clock) -> Any:
    """Return the instrument that the driver `name` opens at `at`.

    at  the instrument's section of lab.yaml

    Raises ConfigError for a name that no driver has, DriverError as the driver does.
    """
    return find_driver(kind, name).open(at, clock)


def find_driver(kind: Kind, name: str) -> Driver:
    """Return one driver; raises ConfigError, with the nearest name, when unknown."""
    drivers = discover()
    if (kind, name) in drivers:
        return drivers[kind, name]
    valid = [n for k, n in drivers if k == kind]
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(valid)}"
    raise ConfigError(f"{name!r} is not a {kind} driver; {hint}")


def _defines_driver(file: Traversable) -> bool:
    """Say whether a module has a DRIVER, without importing it.

    The other modules here are parts of drivers, and those may import what they like.
    """
    text = file.read_text(encoding="utf-8")
    return re.search(r"^DRIVER\b", text, flags=re.MULTILINE) is not None
