"""What is to be published, who watches it, and what refuses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from analysis.errors import AnalysisError
from analysis.exporters.anonymise import Policy
from analysis.exporters.audit import Finding
from analysis.exporters.identifiers import Identifier

UNSAID = "TO FILL"  # what only people know; nothing else is marked so


class RefusedError(AnalysisError):
    """The audit still finds identifiers: nothing is published, the draft is kept.

    findings  all of them;  draft  the folder to look into
    """

    def __init__(self, findings: tuple[Finding, ...], draft: Path) -> None:
        n = len(findings)
        what = "1 identifier is" if n == 1 else f"{n} identifiers are"
        super().__init__(
            f"not published: {what} still found; the draft is {draft}, which holds "
            "what must not leave the lab"
        )
        self.findings = findings
        self.draft = draft


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
    """

    title: str = ""
    licence: str = "CC-BY-4.0"
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to publish, and how.

    campaigns  folders of closed campaigns, none of them named like another
    out        folder that must not be there yet
    key        32 secret bytes, under which pseudonyms are made
    extra      identifiers that no file tells
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
