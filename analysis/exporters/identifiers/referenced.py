"""Secrets that a lab file names and does not hold: values of environment variables."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.exporters.identifiers.harvest import scalars
from analysis.exporters.identifiers.model import Identifier, unique
from analysis.exporters.identifiers.public import Products

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ACCOUNTS = ("user", "username", "login", "account")
_LEAST = 4


def referenced(
    lab: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Identifier, ...]:
    """Return what the variables stand for that a lab file refers to, sorted.

    `${NAME}` anywhere, and the variable that a key ending in `_env` names. What is not
    set here, or is everybody's ('root'), is left out.
    """
    nothing = Products({})
    found = (
        Identifier(kind=kind, value=value, source=f"variable {name}")
        for name, kind, value in _values(lab, environment)
        if len(value) >= _LEAST and value not in nothing
    )
    return unique(found)


def _values(
    lab: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for key, text in scalars(lab):
        names = _VARIABLE.findall(text)
        if key.endswith("_env"):
            names.append(text)
        for name in names:
            value = environment.get(name, "")
            kind = "account" if key in _ACCOUNTS else "secret"
            yield name, "path" if Path(value).is_absolute() else kind, value
