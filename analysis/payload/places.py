"""Where messages of one kind differ: which fields vary, and which never did.

One character may be all that tells on from off, so no distance tells a new command from
a known one with another counter in it. The place does: `"cid":7` where counters were
seen to vary is nothing new, `"state":0` where there never was but a 1 is.
"""

import re
from collections.abc import Iterable

_TOKEN = re.compile(r"[A-Za-z_]+|#|\d|[^\sA-Za-z_\d#]")
_WORD = re.compile(r"[A-Za-z_]+")


def places(known: str, other: str) -> frozenset[str]:
    """Return the places at which two messages differ, '' for the very beginning.

    A place is called by the last word before it, in the known message: the key of a
    field, mostly.
    """
    from rapidfuzz.distance import Levenshtein

    tokens = _TOKEN.findall(known)
    edits = Levenshtein.opcodes(tokens, _TOKEN.findall(other))
    starts = [edit.src_start for edit in edits if edit.tag != "equal"]
    return frozenset(_before(tokens, start) for start in starts)


def varied(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the places at which any of the pairs differ, seen from both sides."""
    found: frozenset[str] = frozenset()
    for one, other in pairs:
        found |= places(one, other) | places(other, one)
    return found


def _before(tokens: list[str], start: int) -> str:
    words = (token for token in reversed(tokens[:start]) if _WORD.fullmatch(token))
    return next(words, "")
