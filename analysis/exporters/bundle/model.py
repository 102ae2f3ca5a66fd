"""What is to be published, who watches it, and what refuses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from analysis.errors import AnalysisError
from analysis.exporters.anonymise import Policy
from analysis.exporters.audit import (
    NO_WORDS,
    NOT_HARVESTED,
    PLAIN,
    SAME,
    UNREAD,
    AcceptedWords,
    Finding,
)
from analysis.exporters.identifiers import Identifier

TIME = "time"  # kind of a finding: it tells the day of the recording
UNSAID = "TO FILL"  # what only people know; nothing else is marked so


class RefusedError(AnalysisError):
    """The audit found something, or could not look: nothing is published.

    The draft is kept.

    findings  all of them;  draft  the folder to look into
    unneeded  acceptances by names that nothing has which was found
    unmet  of `Request.extra`, what nothing recorded says
    """

    def __init__(
        self, findings: tuple[Finding, ...], draft: Path, unneeded: tuple[str, ...] = ()
    ) -> None:
        super().__init__(
            f"not published: {_counted(findings)}; the draft is {draft}, which holds "
            "what must not leave the lab"
        )
        self.findings = findings
        self.draft = draft
        self.unneeded = unneeded
        self.unmet: tuple[Identifier, ...] = ()


def _counted(findings: tuple[Finding, ...]) -> str:
    """Say how many findings of each sort there are."""
    n = {kind: sum(f.kind == kind for f in findings) for kind in (*NOT_HARVESTED, TIME)}
    found = len(findings) - sum(n.values())
    said = (
        (
            found,
            "1 finding of an identifier that is still there",
            "findings of identifiers that are still there",
        ),
        (
            n[SAME],
            "1 value of identity is as it was recorded",
            "values of identity are as they were recorded",
        ),
        (
            n[PLAIN],
            "1 conversation says in plain what nobody knows",
            "conversations say in plain what nobody knows",
        ),
        (
            n[TIME],
            "1 file tells the day of the recording",
            "files tell the day of the recording",
        ),
        (n[UNREAD], "1 thing was not looked at", "things were not looked at"),
    )
    return ", ".join(one if k == 1 else f"{k} {many}" for k, one, many in said if k)


class Results(Protocol):
    """Who makes tables and figures of a campaign; the command line brings it."""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What `reproduce` needs to make them again, as values that JSON knows."""

    def write(self, campaign: Path, out: Path) -> None:
        """Write the results of one campaign folder into `out`."""


class Watcher(Protocol):
    """Who is told how far it is."""

    def begin(self, step: str, total_b: int) -> None:
        """Hear that a step begins, with `total_b` bytes to be read, 0 for none."""

    def read(self, size_b: int) -> None:
        """Hear how many bytes were read since the last call."""

    def end(self, step: str, note: str) -> None:
        """Hear that a step ended, and what came out; or that it was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What people say of a dataset.

    authors  names, each with an ORCID in parentheses where there is one
    answers  questions of the datasheet, each with what its makers tell
    """

    title: str = ""
    licence: str = "CC-BY-4.0"
    authors: tuple[str, ...] = ()
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to publish, and how.

    campaigns  folders of closed campaigns, none of them named like another
    out        folder that must not be there yet
    key        32 secret bytes, under which pseudonyms are made
    extra      identifiers that no file tells
    accept     findings of the audit that are known and tell nothing, by their names
    words      that the audit found, and that were read and tell nothing
    shift      whether times go back by whole weeks, as the key says
    part_b     bytes of an archive part at most, 0 for no archive
    jobs       captures side by side
    results    None for a dataset without
    """

    campaigns: tuple[Path, ...]
    out: Path
    key: bytes = field(repr=False)
    about: About = field(default_factory=About)
    policy: Policy = field(default_factory=Policy)
    accept: tuple[str, ...] = ()
    words: AcceptedWords = field(default=NO_WORDS, repr=False)
    shift: bool = False
    extra: tuple[Identifier, ...] = field(default=(), repr=False)
    part_b: int = 0
    jobs: int = 1
    results: Results | None = None

    @property
    def draft(self) -> Path:
        """Where everything is made."""
        return self.out.with_name(f"{self.out.name}.draft")

    @property
    def parts(self) -> Path:
        """Where the archive goes."""
        return self.out.with_name(f"{self.out.name}.parts")
