"""Secrets that no other file tells, read from the file that `publish --secrets` names.

A line that was read as something else than was meant would be a secret that nobody
looks for. So nothing is guessed: a line of several words begins with a kind.
"""

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.reading import text_told
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.exporters.identifiers import Identifier

_WHAT = "--secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsTold:
    """Secrets of a file, by the number of the line that tells each.

    path  the file, None where none was named
    """

    path: Path | None = None
    by_line: "Mapping[int, Identifier]" = field(default_factory=dict, repr=False)

    @property
    def every(self) -> "tuple[Identifier, ...]":
        """All of them, in order."""
        return tuple(self.by_line.values())

    def in_words(self) -> str:
        """Return how many of each kind there are, for who told them."""
        counts = Counter(each.kind for each in self.every)
        said = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))
        return said or "none"

    def unmet_lines(self, unmet: "Container[Identifier]") -> tuple[str, ...]:
        """Return what to say of lines that nothing recorded says; never a value."""
        why = "nothing that was recorded says so; is it spelt as it was recorded?"
        return tuple(
            f"testbed: {_WHAT}: {self.path}: line {number}: {each.kind}: {why}"
            for number, each in self.by_line.items()
            if each in unmet
        )


def read_secrets(path: Path) -> SecretsTold:
    """Return what lines of a file tell: KIND VALUE, or a value of one word.

    Empty lines and lines that begin with # count for nothing. Raises ConfigError with
    all faulty lines; a sentence never holds a value.
    """
    from analysis.exporters.identifiers import KINDS

    text = text_told(_WHAT, path)
    found: dict[int, Identifier] = {}
    faults = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            found[number] = _secret(line.strip())
        except ValueError as exc:
            faults.append(f"{_WHAT}: {path}: line {number}: {exc}")
    if faults:
        faults.append(f"{_WHAT}: kinds are {', '.join(KINDS)}")
        raise ConfigError("\n".join(faults))
    return SecretsTold(path=path, by_line=found)


def _secret(line: str) -> "Identifier":
    """Return what a line tells; raises ValueError that does not hold the value."""
    from analysis.exporters.audit.looking import searchable
    from analysis.exporters.identifiers import KINDS, Identifier
    from analysis.exporters.identifiers.search import ANCHOR_B

    first, *rest = line.split(maxsplit=1)
    kind, value = first.rstrip(":=").lower(), "".join(rest)
    if kind in KINDS and not value:
        raise ValueError(f"must be KIND VALUE: {kind}")
    if kind not in KINDS:
        if value:
            raise ValueError("is several words and begins with no kind")
        kind, value = "secret", line
    if " #" in value or "\t#" in value:
        raise ValueError("a remark stands in a line of its own")
    try:
        found = Identifier(kind=kind, value=value, source="secrets")
    except ValueError:
        raise ValueError(f"{kind}: what stands behind it is none") from None
    if not searchable(found):
        raise ValueError(
            f"{kind}: is too short to be found: {len(value.encode())} bytes, where "
            f"{ANCHOR_B} are the least; tell more of it, such as a whole name"
        )
    return found
