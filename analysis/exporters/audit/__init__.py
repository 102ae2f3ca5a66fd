"""Find what is left of identifiers in a folder that others shall have.

result = audit(folder, identifiers)

Every byte of every file is searched for every spelling, in all that can be unpacked, in
TCP streams put together, in header fields, and in what tshark makes of the captures.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from analysis.exporters.audit.accepting import (
    NO_WORDS,
    AcceptedWords,
    listed,
    without,
)
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.model import (
    NOT_HARVESTED,
    PLAIN,
    SAME,
    UNREAD,
    AuditResult,
    Finding,
    LookedAt,
    parted,
)
from analysis.exporters.audit.opinion import compared_b, second_opinion
from analysis.exporters.audit.units import Kept, look_at_all
from analysis.exporters.identifiers.model import Identifier

__all__ = [
    "NOT_HARVESTED",
    "NO_WORDS",
    "PLAIN",
    "SAME",
    "UNREAD",
    "AcceptedWords",
    "AuditResult",
    "Finding",
    "Kept",
    "LookedAt",
    "audit",
    "compared_b",
    "listed",
]


def audit(
    folder: Path,
    identifiers: Iterable[Identifier],
    *,
    originals: Mapping[str, Path] | None = None,
    accepted: Iterable[str] = (),
    words: AcceptedWords = NO_WORDS,
    progress: Callable[[int, int], None] | None = None,
    jobs: int = 1,
    kept: Kept | None = None,
) -> AuditResult:
    """Look for identifiers in all files below a folder; blocks.

    originals  path of a published capture below the folder -> the recorded one. With
              them, what is as it was recorded is found though no identifier names it
    accepted  names of findings that are known and tell nothing, as they name themselves
    words     that somebody has read and knows to tell nothing; all others refuse
    progress  is called with bytes looked at and bytes in all; captures that are
              compared with originals count twice
    jobs      processes that look at files side by side
    kept      what an earlier call saw, which is not looked at again

    Whatever cannot be read as what it is called is searched as bytes, and is a finding:
    nobody knows what lies in it.
    """
    looker = Looker(tuple(identifiers))
    total_b = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    total_b += compared_b(folder, originals or {})
    step = _counting(progress, total_b)
    look_at_all(looker, folder, jobs=jobs, kept=kept, step=step)
    second_opinion(looker, folder, originals or {}, step, jobs=jobs, kept=kept)
    findings, passed = parted(looker.findings(), tuple(accepted))
    findings, words_passed = without(findings, words)
    return AuditResult(
        findings=findings,
        accepted=passed,
        words=words_passed,
        looked_at=looker.looked_at,
        by_kind=dict(sorted(Counter(e.kind for e in looker.identifiers).items())),
        too_short=looker.too_short,
        notes=tuple(looker.notes),
    )


def _counting(
    progress: Callable[[int, int], None] | None, total_b: int
) -> Callable[[int], None]:
    """Return what is told bytes one by one, and tells how many they are by then."""
    done_b = 0

    def step(size_b: int) -> None:
        nonlocal done_b
        done_b += size_b
        if progress:
            progress(done_b, total_b)

    return step
