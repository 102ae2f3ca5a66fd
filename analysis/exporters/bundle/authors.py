"""Who made a dataset: names, each with an ORCID where there is one."""

import re
from collections.abc import Sequence

from analysis.errors import RequestError

_ORCID = re.compile(r"(.+?)\s*\(\s*(?:https?://orcid\.org/)?([\dX-]{16,19})\s*\)", re.I)
_WRITTEN = re.compile(r"(\d{4})-(\d{4})-(\d{4})-(\d{3}[\dX])")


def author_of(text: str) -> tuple[str, str]:
    """Return name and ORCID of an author, '' where there is none."""
    found = _ORCID.fullmatch(text)
    return (found[1], found[2].upper()) if found else (text, "")


def authors_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Return authors as they are asked for, if they can be.

    Raises RequestError with a line for each that is no name, or holds a mail address,
    parentheses without an ORCID, or one whose check digit is wrong (ISO 7064).
    """
    faults = [
        f"--author: {text.strip() or repr(text)}: {why}"
        for text in texts
        if (why := _wrong_with(text))
    ]
    if faults:
        raise RequestError("\n".join(faults))
    return tuple(texts)


def _wrong_with(text: str) -> str:
    """Return what is wrong with an author, and what to do; '' for nothing."""
    name, orcid = author_of(text)
    if not text.strip():
        return "is empty; name somebody, or leave it out"
    if "(" in name or ")" in name:
        return (
            "what stands in parentheses must be an ORCID, as in "
            "'Ada Byron (0000-0002-1825-0097)', for all else would be published as a "
            "part of the name; leave it out"
        )
    if not any(char.isalpha() for char in name):
        return "is no name; write it as 'Ada Byron', or 'Ada Byron (ORCID)'"
    if "@" in name or "<" in name:
        return "a mail address would be published as a part of the name; leave it out"
    if not orcid and _WRITTEN.search(name):
        return "write an ORCID in parentheses, as in 'Ada Byron (0000-0002-1825-0097)'"
    if orcid and not _is_orcid(orcid):
        why = f"{orcid} is no ORCID: four groups of four digits, the last one checks"
        return f"{why}; look it up, or leave it out"
    return ""


def _is_orcid(text: str) -> bool:
    if not _WRITTEN.fullmatch(text):
        return False
    digits, total = text.replace("-", ""), 0
    for digit in digits[:15]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return digits[15] == ("X" if check == 10 else str(check))
