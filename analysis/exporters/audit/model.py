"""What an audit says: where something is still found, and what it looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_SHOWN_SHARE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One identifier in one spelling in one file.

    file      path below the folder that was audited
    place     where it was first seen there, for people
    kind      of the identifier
    encoding  how it is written, and what it had to be unpacked from: 'utf-8 in gzip'
    shown     the identifier with most of it hidden
    reader    who found it: 'bytes', 'stream', 'header', 'tshark', 'table' or 'name'
    n         how often it is there, at least
    number    row of the identifier among those that were asked for
    """

    file: str
    place: str
    kind: str
    encoding: str
    shown: str
    reader: str
    n: int
    number: int


@dataclass(slots=True, kw_only=True)
class LookedAt:
    """How much was read.

    files, bytes_b    of the folder
    unpacked_b        what came out of layers, tables and packed files
    packets           of captures, whose headers were looked at
    stretches         pieces of TCP streams that were put together
    dissected         packets that tshark dissected
    spellings         patterns that were searched for
    chance            hits of weak patterns among bytes that look random, which do not
                      count
    """

    files: int = 0
    bytes_b: int = 0
    unpacked_b: int = 0
    packets: int = 0
    stretches: int = 0
    dissected: int = 0
    spellings: int = 0
    chance: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What is left of what should be gone.

    findings   in order of file, kind and number; empty is what one wants
    looked_at  how much was read
    by_kind    identifiers that were searched for, by kind
    too_short  (kind, row) of identifiers that no search can find in bytes
    notes      what could not be read, and why
    """

    findings: tuple[Finding, ...]
    looked_at: LookedAt
    by_kind: Mapping[str, int] = field(default_factory=dict)
    too_short: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Say whether nothing was found."""
        return not self.findings


def shown(value: str) -> str:
    """Return a text of which no more than a quarter can be read."""
    keep = min(len(value) // _SHOWN_SHARE, 6)
    head, tail = value[: (keep + 1) // 2], value[len(value) - keep // 2 :]
    return f"{head}…{tail} ({len(value)} characters)"
