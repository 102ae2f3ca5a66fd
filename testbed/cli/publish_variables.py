"""Secrets that a lab file names as variables: what they hold here, and which are unset.

A secret that was used in a campaign and is not set any more would be one that nobody
looks for. So it is refused, unless whoever publishes says that it held none.
"""

import os
import pwd
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.exporters.identifiers import Identifier

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_OF_THE_LAB = "TESTBED_"  # a virtual lab sets them, to folders and keys of its own


def of_variables(
    labs: Sequence[Mapping[str, Any]], declared: Sequence[str]
) -> "tuple[tuple[Identifier, ...], list[str]]":
    """Return what the variables hold that labs refer to, and what to tell of them.

    declared  names of variables that held nothing secret

    Raises ConfigError with a line for each that is not set here and was not declared,
    and for each that was and that no lab refers to.
    """
    from analysis.exporters.identifiers import referenced

    environment = _environment()
    told, faults, known = [], [], set()
    of_virtual: set[str] = set()
    for lab in labs:
        made_up = "virtual" in lab
        for where, name in _references(lab, "lab"):
            known.add(name)
            if environment.get(name):
                continue
            said = f"{where}: ${{{name}}} is not set here"
            if name in declared:
                told.append(f"{said}; you say that it held no secret")
            elif made_up and name.startswith(_OF_THE_LAB):
                of_virtual.add(name)
            else:
                remedy = f"set it to what it held, or say --no-secret {name}"
                faults.append(f"{said}, so what it held is not looked for; {remedy}")
    faults += [
        f"--no-secret {name}: no campaign refers to it"
        for name in sorted(set(declared) - known)
    ]
    if faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))
    found = {each for lab in labs for each in referenced(lab, environment)}
    searched = {each.source.removeprefix("variable ") for each in found}
    if of_virtual:
        names = ", ".join(sorted(of_virtual))
        nothing = "the virtual lab's own, so nothing is to be done"
        told.append(f"not set here, as usual: {names}: {nothing}")
    told += _too_short(known - searched - set(declared), environment)
    return tuple(sorted(found)), list(dict.fromkeys(told))


def _too_short(names: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Return what to tell of variables whose values nobody looks for."""
    from analysis.exporters.identifiers.public import Products

    return [
        f"${{{name}}}: its {len(value)} characters are too few to be looked for; see "
        "that none of the texts that are kept tells them"
        for name in sorted(names)
        if (value := environment.get(name)) and value not in Products({})
    ]


def _references(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield place and name of each variable, however deep it stands."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            place = f"{where}.{key}"
            if str(key).endswith("_env") and isinstance(each, str):
                yield place, each
            else:
                yield from _references(each, place)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _references(each, f"{where}[{number}]")
    elif isinstance(value, str):
        yield from ((where, name) for name in _VARIABLE.findall(value))


def _environment() -> dict[str, str]:
    """Return the environment, with what the system itself knows of the user."""
    known = {}
    try:
        user = pwd.getpwuid(os.getuid())
        known = {"USER": user.pw_name, "LOGNAME": user.pw_name, "HOME": user.pw_dir}
    except KeyError:
        pass  # a container's user without a name
    return known | dict(os.environ)
