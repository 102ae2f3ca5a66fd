"""What makers say of a dataset to everybody: it may name nothing that must not leave.

It is looked at as the audit looks at it in the papers at the end, only before the long
work, so what passes here passes there.
"""

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from analysis.errors import RequestError
from analysis.exporters.audit import audit
from analysis.exporters.audit.model import shown
from analysis.exporters.bundle.model import Request
from analysis.exporters.identifiers import Identifier, unique
from analysis.exporters.identifiers.naming import parts_of

TOLD = "is told as a secret; leave it out there or here"
FOUND = (
    "stands in a campaign and must not leave the lab; say it otherwise, such as an "
    "author by initials or as a group"
)


def refuse_said(request: Request, identifiers: Iterable[Identifier], why: str) -> None:
    """Refuse title, authors, name or answers that say an identifier.

    why  what is wrong with it, and the remedy

    Raises RequestError with a line for each, which shows little of the identifier.
    """
    every = _with_parts(identifiers)
    said = {place: text for place, text in _said(request).items() if text}
    faults = sorted(_by_word(said, every) | _by_audit(said, every)) if every else []
    if faults:
        lines = (
            f"{place}: says {kind} {shown(value)}, which {why}"
            for place, kind, value in faults
        )
        raise RequestError("\n".join(dict.fromkeys(lines)))


def _said(request: Request) -> Mapping[str, str]:
    """Return what is said, by the place where it is."""
    about = request.about
    authors = {f"--author {n}": name for n, name in enumerate(about.authors, 1)}
    answers = {f"--answers: {each}": text for each, text in about.answers}
    return {"--title": about.title, **authors, **answers, "OUT": request.out.name}


def _with_parts(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """Return identifiers, and what of people's names tells of them alone."""
    every = tuple(identifiers)
    people = (each for each in every if each.kind == "person")
    parts = (
        Identifier(kind="person", value=part, source=each.source)
        for each in people
        for part in parts_of(each.value)
    )
    return unique((*every, *parts))


_Fault = tuple[str, str, str]  # place, kind, value


def _by_word(said: Mapping[str, str], every: Iterable[Identifier]) -> set[_Fault]:
    """Find identifiers that are said as words of their own, however short."""
    found = set()
    for each in every:
        word = re.compile(rf"(?<!\w){re.escape(each.value)}(?!\w)", re.IGNORECASE)
        for place, text in said.items():
            if word.search(text):
                found.add((place, each.kind, each.value))
    return found


def _by_audit(said: Mapping[str, str], every: tuple[Identifier, ...]) -> set[_Fault]:
    """Find identifiers in any spelling, as they would be found in the papers."""
    places = dict(enumerate(said))
    with tempfile.TemporaryDirectory(prefix="testbed-said-") as folder:
        for number, place in places.items():
            text = said[place] + "\n"
            (Path(folder) / f"{number}.txt").write_text(text, encoding="utf-8")
        findings = audit(Path(folder), every).findings
    found = set()
    for finding in findings:
        if finding.number >= 0:  # else it is none of an identifier
            each = every[finding.number]
            found.add((places[int(Path(finding.file).stem)], each.kind, each.value))
    return found
