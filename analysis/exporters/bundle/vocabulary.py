"""Words that every dataset holds: columns, fields, values of closed lists.

An audit would find them in each, so nobody can look for an identifier that is one of
them, or part of one. Where the word is none of the format it is replaced all the same:
in captures, in names, in free texts.
"""

import re
from collections.abc import Iterable

from analysis.dataset import HOST_SOURCES, TABLES
from analysis.errors import RequestError
from analysis.exporters.anonymise.closed import CLOSED, FIELDS
from analysis.exporters.identifiers import Identifier

_ADDRESSES = ("mac", "ipv4", "ipv6", "beacon")
_LEAST_PART_B = 8  # a shorter text is an identifier as a word of its own alone
_COLUMNS = {column for columns in TABLES.values() for column in columns}
WORDS = frozenset(
    word.lower()
    for word in {*_COLUMNS, *TABLES, *HOST_SOURCES, *FIELDS}.union(*CLOSED.values())
)


def parted(
    identifiers: Iterable[Identifier],
    told: Iterable[Identifier],
    words: Iterable[str] = WORDS,
) -> tuple[tuple[Identifier, ...], tuple[Identifier, ...]]:
    """Return identifiers to be looked for, and those that every dataset holds.

    Raises RequestError for one that was told and is a whole word of the format.
    """
    whole = frozenset(words)
    text = "\n".join(sorted(whole))
    secrets = {(each.kind, each.value) for each in told}
    looked_for, held = [], []
    for each in identifiers:
        if not _is_in(each, text):
            looked_for.append(each)
            continue
        if each.value.lower() in whole and (each.kind, each.value) in secrets:
            reason = "is a word that every dataset holds, so it can be no secret"
            raise RequestError(f"{each.kind} {each.value!r}: {reason}; leave it out")
        held.append(each)
    return tuple(looked_for), tuple(held)


def _is_in(identifier: Identifier, text: str) -> bool:
    """Say whether an audit would find an identifier in words of the format."""
    value = identifier.value.lower()
    if identifier.kind in _ADDRESSES or value not in text:
        return False
    if len(value) >= _LEAST_PART_B:
        return True
    word = rf"(?<![a-z0-9]){re.escape(value)}(?![a-z0-9])"
    return re.search(word, text) is not None
