"""What an audit says: where something is still found, and what it looked at."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

_SHOWN_SHARE = 4

UNREAD = "unread"  # what nobody looked at
SAME = "same"  # a value of a field of identity that is as it was recorded
PLAIN = "plain"  # readable words that are as they were recorded, and nobody knows
NOT_HARVESTED = (UNREAD, SAME, PLAIN)  # kinds of findings that are no identifiers


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One identifier in one spelling in one file, or what else refuses a publication.

    file      path below the folder that was audited
    place     where it was first seen there, for people
    kind      of the identifier; or `UNREAD`, `SAME`, `PLAIN`
    encoding  how it is written, and what it had to be unpacked from: 'utf-8 in gzip'
    shown     the identifier with most of it hidden
    reader    who found it: 'bytes', 'stream', 'header', 'tshark', 'table' or 'name'
    n         how often it is there, at least
    number    row of the identifier among those that were asked for, -1 for no such
    accept    names by any of which it can be accepted; none for an identifier
    remedy    what to do about it, where that is not the same for all
    words     what was said in plain, not hidden: for the eyes of who publishes alone
    """

    file: str
    place: str
    kind: str
    encoding: str
    shown: str
    reader: str
    n: int
    number: int = -1
    accept: tuple[str, ...] = ()
    remedy: str = ""
    words: tuple[str, ...] = field(default=(), repr=False)

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        if self.kind == UNREAD:
            what = f"{self.place}: was not looked at: {self.shown}"
        else:
            what = f"{self.place}: {self.kind} {self.shown}, as {self.encoding}"
        times = f", {self.n} times" if self.n > 1 else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.file}: {what}{times}{remedy}"


@dataclass(slots=True, kw_only=True)
class LookedAt:
    """How much was read.

    files, bytes_b    of the folder
    unpacked_b        what came out of layers, tables and packed files
    packets           of captures, whose headers were looked at
    stretches         pieces of TCP streams that were put together
    dissected         packets that tshark dissected; of some that are alike the first
    spellings         patterns that were searched for
    identities        values of fields of identity that were compared with the recorded
    words             readable words that are in no vocabulary, compared likewise
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
    identities: int = 0
    words: int = 0
    chance: int = 0

    def add(self, other: "LookedAt") -> None:
        """Add what another reader looked at."""
        for each in fields(self):
            total = getattr(self, each.name) + getattr(other, each.name)
            setattr(self, each.name, total)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedWords:
    """How many words of a finding passed, as somebody has read and accepted them.

    place  the conversation, or the field, that they were found in
    """

    kind: str
    file: str
    place: str
    words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What is left of what should be gone.

    findings   in order of file, kind and number; empty is what one wants
    accepted   what would be a finding, and was accepted by name
    words      how many words of which findings were accepted word by word
    looked_at  how much was read
    by_kind    identifiers that were searched for, by kind
    too_short  (kind, row) of identifiers that no search can find in bytes
    notes      what is worth knowing and refuses nothing
    """

    findings: tuple[Finding, ...]
    looked_at: LookedAt
    accepted: tuple[Finding, ...] = ()
    words: tuple[PassedWords, ...] = ()
    by_kind: Mapping[str, int] = field(default_factory=dict)
    too_short: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Say whether nothing was found."""
        return not self.findings


def unread(file: str, why: str, *, name: str = "", remedy: str = "") -> Finding:
    """Return the finding that something was not looked at.

    name  by which it is accepted, behind 'unread:'; the file by default
    """
    accept = f"{UNREAD}:{name or file}"
    mend = remedy or "mend it, or leave it out"
    return Finding(
        file=file,
        place=name or "the file",
        kind=UNREAD,
        encoding="",
        shown=why,
        reader="",
        n=1,
        accept=(accept,),
        remedy=f"{mend}; who knows that it tells nothing: --accept '{accept}'",
    )


def parted(
    findings: Collection[Finding], accepted: Collection[str]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return findings that refuse, and those that were accepted by name."""
    names = set(accepted)
    passed = {each for each in findings if names.intersection(each.accept)}
    return tuple(e for e in findings if e not in passed), tuple(
        e for e in findings if e in passed
    )


def shown(value: str) -> str:
    """Return a text of which no more than a quarter can be read."""
    keep = min(len(value) // _SHOWN_SHARE, 6)
    head, tail = value[: (keep + 1) // 2], value[len(value) - keep // 2 :]
    return f"{head}…{tail} ({len(value)} characters)"
