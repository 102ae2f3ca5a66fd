"""Words that whoever publishes has read, one by one, and knows to tell nothing.

A line of the file is a word, which then may stand anywhere, or what the draft's list of
words holds: where it was said, a tab, the word. Such a word passes there alone, so that
to delete one line of two refuses the other place. All other words go on refusing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from analysis.exporters.audit.model import PLAIN, SAME, Finding, PassedWords, shown

_TAB = "\t"
_LIKE_SECRET = re.compile(
    r"@|%40|.{20}|(?=.*\d)(?=.*[^\W\d_]).{8}|\d{8}|\d+\.\d{4}|(?:[0-9A-Fa-f]{1,4}[:.\-]){3}"
)


@dataclass(frozen=True, slots=True)
class AcceptedWords:
    """What a file of accepted words says.

    pairs  (where it was said, word); where is '' for a word that passes anywhere
    """

    pairs: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def read(cls, text: str) -> "AcceptedWords":
        """Return what a text says; empty lines and those behind # do not count."""
        return cls(frozenset(_pairs(text)))

    def __len__(self) -> int:
        return len({word for _, word in self.pairs})

    def passes(self, where: str, word: str) -> bool:
        """Say whether a word was accepted where it was said."""
        return (where, word) in self.pairs or ("", word) in self.pairs


NO_WORDS = AcceptedWords()


def where_of(finding: Finding) -> str:
    """Return the conversation, or the field, that words were found in."""
    if finding.kind == SAME:
        return finding.encoding
    return finding.place.partition(", packet")[0]


def without(
    findings: Iterable[Finding], accepted: AcceptedWords
) -> tuple[tuple[Finding, ...], tuple[PassedWords, ...]]:
    """Return findings with the words that still refuse, and what passed of each."""
    left: list[Finding] = []
    passed: list[PassedWords] = []
    for each in findings:
        words = each.words if each.kind in (PLAIN, SAME) else ()
        rest = [w for w in words if not accepted.passes(where_of(each), w)]
        if len(rest) == len(words):
            left.append(each)
            continue
        n = len(words) - len(rest)
        passed.append(
            PassedWords(kind=each.kind, file=each.file, place=where_of(each), words=n)
        )
        if rest:
            left.append(replace(each, words=tuple(rest), shown=_shown(each.kind, rest)))
    return tuple(left), tuple(passed)


def listed(findings: Iterable[Finding]) -> list[str]:
    """Return a line for each word and where it was said, for who publishes alone.

    What looks like an address, a number or a key comes first: nobody reads hundreds of
    words with the same care.
    """
    lines = dict.fromkeys(
        (not _LIKE_SECRET.search(word), f"{where_of(each)}{_TAB}{word}\n")
        for each in findings
        for word in each.words
    )
    return [line for _, line in sorted(lines, key=lambda line: line[0])]


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.removeprefix("\ufeff").split("\n"):
        where, tab, word = line.removesuffix("\r").rpartition(_TAB)
        if not tab:
            word = word.strip()
        if word and (tab or not word.startswith("#")):
            yield where, word


def _shown(kind: str, words: Sequence[str]) -> str:
    what = "values" if kind == SAME else "words"
    more = f" and {len(words) - 1} more {what}" if len(words) > 1 else ""
    return f"{shown(max(words, key=len))}{more}"
