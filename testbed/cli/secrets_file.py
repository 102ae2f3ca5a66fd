"""Secrets that no other file tells, read from the file that `publish --secrets` names.

A line that was read as something else than was meant would be a secret that nobody
looks for. So nothing is guessed: a line of several words begins with a kind.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.reading import text_told
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.exporters.identifiers import Identifier

_WHAT = "--secrets"


def read_secrets(path: Path) -> "tuple[Identifier, ...]":
    """Return what a file tells, a secret per line: KIND VALUE, or a value of one word.

    Empty lines and lines that begin with # count for nothing. Raises ConfigError with
    all faulty lines; a sentence never holds a value.
    """
    text = text_told(_WHAT, path)
    found, faults = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            found.append(_secret(line.strip()))
        except ValueError as exc:
            faults.append(f"{_WHAT}: {path}: line {number}: {exc}")
    if faults:
        raise ConfigError("\n".join(faults))
    return tuple(found)


def in_words(told: "tuple[Identifier, ...]") -> str:
    """Return how many of each kind there are, for who told them."""
    counts = Counter(each.kind for each in told)
    return ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))


def _secret(line: str) -> "Identifier":
    """Return what a line tells; raises ValueError that does not hold the value."""
    from analysis.exporters.audit.looking import searchable
    from analysis.exporters.identifiers import KINDS, Identifier

    first, *rest = line.split(maxsplit=1)
    kind, value = first.rstrip(":=").lower(), "".join(rest)
    if kind in KINDS and not value:
        raise ValueError(f"must be KIND VALUE: {kind}")
    if kind not in KINDS:
        if value:
            raise ValueError(
                f"begins with no kind; begin it with one of {', '.join(KINDS)}"
            )
        kind, value = "secret", line
    if " #" in value or "\t#" in value:
        raise ValueError("a remark stands in a line of its own")
    try:
        found = Identifier(kind=kind, value=value, source="secrets")
    except ValueError:
        raise ValueError(f"must be KIND VALUE: {kind}") from None
    if not searchable(found):
        raise ValueError(
            f"{kind}: is too short to be found; leave it out, or tell more"
        )
    return found
