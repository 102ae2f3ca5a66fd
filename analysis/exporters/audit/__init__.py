"""Find what is left of identifiers in a folder that others shall have.

result = audit(folder, identifiers)

Every byte of every file is searched for every spelling, in all that can be unpacked, in
TCP streams put together, in header fields, and in what tshark makes of the captures.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from analysis.exporters.audit.files import look_at_path
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.model import AuditResult, Finding, LookedAt
from analysis.exporters.audit.second import SecondReader
from analysis.exporters.identifiers.model import Identifier

__all__ = ["AuditResult", "Finding", "LookedAt", "audit"]


def audit(
    folder: Path,
    identifiers: Iterable[Identifier],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> AuditResult:
    """Look for identifiers in all files below a folder; blocks.

    progress  is called with bytes looked at and bytes in all

    Files that cannot be read as what they are called are searched as bytes, and noted.
    """
    looker = Looker(tuple(identifiers))
    second = SecondReader(looker)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    total_b, done_b = sum(path.stat().st_size for path in paths), 0

    def step(size_b: int) -> None:
        nonlocal done_b
        done_b += size_b
        if progress:
            progress(done_b, total_b)

    for path in paths:
        look_at_path(looker, second, folder, path, step)
    second.finish()
    return AuditResult(
        findings=looker.findings(),
        looked_at=looker.looked_at,
        by_kind=dict(sorted(Counter(e.kind for e in looker.identifiers).items())),
        too_short=looker.too_short,
        notes=tuple(looker.notes),
    )
