"""Judge readable text: which words of it could tell of somebody, and which never do.

The rule is the same for all: a word that is in no vocabulary tells. Numbers tell when
they are as long as a telephone number, mixtures of letters and digits when they are as
long as a serial, and addresses, coordinates and mail addresses by their form.
"""

import html
import ipaddress
import re
from collections.abc import Iterable, Iterator

from analysis.exporters.audit.keys import FIXED, without_keys
from analysis.exporters.audit.numbers import (
    DIALLED,
    is_dialled,
    is_long_number,
    is_sum_of_sixtieths,
    without_meters,
)
from analysis.exporters.audit.vocabulary import WORDS
from analysis.exporters.identifiers.public import is_known_group
from analysis.exporters.identifiers.zones import dynamic_zone

_LEAST_LETTERS = 3  # a shorter piece stands in every text
_LEAST_OF_ALPHABET = 2  # of letters that are not Latin
_SYLLABIC = "\u0900"  # of India and the far east: one is a syllable or a word
_LATIN = re.compile("[A-Za-z\u00aa-\u036f\u1e00-\u1eff\u2000-\u2e7f\uff00-\uff5a]")
_SIGNS = frozenset("\u00b5\u03bc\u03a9\u00aa\u00ba")  # of units: micro, ohm
_LEAST_MIXED = 5
_MOST_SMALL_DIGITS = 2  # of a name such as basicevent1
_PATTERN = re.compile(r"(?i)(?=.*\d)[0-9a-f]{6,}")  # of few letters: ff0000ff
_MOST_ALIKE = 3
_HEX_KEY = re.compile(r"(?i)(?=.*\d)[0-9a-f]{16,}")
_LEAST_KEY, _OF_PIECE, _MOST_OF_KEY = 16, 3, 4
_PART = 4  # of words that are written together
_DULL = re.compile(r"(\w)\1{11,}")  # ooooo...: noise that could be inflated by chance
_MOST_KEPT = 1 << 18
_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? ?)?"
    r"(?:\d{1,2}[ \-](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
    r"[ \-]\d{2,4}|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d)"
    r"(?: \d{1,2}:\d\d:\d\d)?(?: GMT| UTC| [+\-]\d{4})?"
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?Z?)?"
)
_EMAIL = re.compile(r"[\w.+%\-]{1,64}(?:@|%40)[\w\-]{1,63}(?:\.[\w\-]{1,63})*")
_MAC = re.compile(
    r"(?<![\w:])[0-9A-Fa-f]{2}(?:([:\-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}"
)
_IPV6 = re.compile(r"(?i)(?<![\w:])(?:[0-9a-f]{1,4}:|:){2,7}[0-9a-f]{0,4}(?![\w])")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d]|\.\d)")
_PLACE = re.compile(r"(?<![\d.])-?\d{1,5}\.\d{4,}(?![\d.])")
_PLATE = re.compile(r"(?<![\w\-])[A-Z]{1,3}-[A-Z]{1,2}[ \-]?\d{1,4}(?!\w)")
_TOP = (
    "com|net|org|io|edu|gov|int|info|biz|de|uk|eu|us|fr|nl|it|es|ch|at|se|no|fi|dk|pl|cz"
    "|cn|jp|kr|tw|in|ru|br|ca|au|tv|cc|cloud|dev|app|example|goog|amazon|arpa"
)
_NAME = re.compile(
    rf"(?i)(?<![\w.\-])(?:[\w\-]{{1,63}}\.){{1,8}}(?:{_TOP})(?![\w\-]|\.\w)"
)
_DIGITS_OF_UNIT = re.compile(r"(?i)[0-9a-f]{10,}|\d{5,}|\d{1,3}(?:-\d{1,3}){3}")
_WORD = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_RESOLVERS = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"})
_LOCAL_MAILS = frozenset({"git", "noreply", "info", "support", "abuse", "postmaster"})


class Judge:
    """Knows words, and tells the others.

    words  of the devices of a campaign: makers, models, activities
    at_s   time of the recording, s UTC: a number near to it is a time
    """

    def __init__(self, words: Iterable[str] = (), *, at_s: int = 0) -> None:
        self._known = WORDS | {
            piece.lower()
            for word in words
            for each in _WORD.findall(word)
            for piece in (each, *_PIECE.findall(each))
        }
        self._at_s = at_s
        self._judged: dict[str, tuple[str, ...]] = {}

    def knows(self, word: str) -> bool:
        """Say whether a word is in the vocabulary."""
        return word.lower() in self._known

    def telling(self, text: str) -> Iterator[str]:
        """Yield the pieces of a text that could tell of somebody."""
        if "&#" in text:
            text = html.unescape(text)
        text = without_meters(_DATE.sub(" ", without_keys(text)), self._at_s)
        for pattern, tells in _FORMS:
            rest, at = [], 0
            for found in pattern.finditer(text):
                said = tells(found.group())
                if said is None:
                    continue
                if said:
                    yield found.group()
                rest += [text[at : found.start()], " "]
                at = found.end()
            if at:
                text = "".join((*rest, text[at:]))
        for word in _WORD.findall(_DULL.sub(" ", text)):
            yield from self._of_word(word)

    def _of_word(self, word: str) -> tuple[str, ...]:
        known = self._judged.get(word)
        if known is None:
            known = tuple(self._pieces(word))
            if len(self._judged) < _MOST_KEPT:
                self._judged[word] = known
        return known

    def _pieces(self, word: str) -> Iterator[str]:
        if _is_short(word) or word.lower() in self._known or word.lower() in FIXED:
            return
        if not word.isascii() and word.isalpha():
            yield word
            return
        if word.isdecimal():
            if is_long_number(word, self._at_s):
                yield word
            return
        pieces = _PIECE.findall(word)
        unknown = [piece for piece in pieces if not self._is_known(piece)]
        if _PATTERN.fullmatch(word) and len(set(word.lower())) <= _MOST_ALIKE:
            return
        if self._is_mixture(word, pieces) or len(unknown) > 1:
            yield word
            unknown = [p for p in unknown if not _is_of_key(p, word, len(pieces))]
        yield from unknown

    def _is_known(self, piece: str) -> bool:
        lowered = piece.lower()
        if piece.isdecimal():
            return not is_long_number(piece, self._at_s)
        if piece in _SIGNS or (len(piece) < _LEAST_LETTERS and piece.isascii()):
            return True
        return self._is_word(lowered) or any(
            lowered[:at] in self._known and lowered[at:] in self._known
            for at in range(_PART, len(lowered) - _PART + 1)
        )

    def _is_word(self, lowered: str) -> bool:
        return lowered in self._known or lowered.removesuffix("s") in self._known

    def _is_mixture(self, word: str, pieces: list[str]) -> bool:
        """Say whether letters and digits, or cases, change as in a serial or a key."""
        if len(word) < _LEAST_MIXED or len(pieces) == 1:
            return False
        words = [p for p in pieces if len(p) >= _LEAST_LETTERS and not p.isdigit()]
        n_digits = sum(char.isdigit() for char in word)
        if sum(map(len, words)) * 2 < len(word):
            return True
        return n_digits > _MOST_SMALL_DIGITS


def _is_of_key(piece: str, word: str, n_pieces: int) -> bool:
    """Say whether a piece is letters of a key that is told as a whole, and no name.

    A key is in hex, or changes between letters, cases and digits all the time.
    """
    if piece.isdecimal():
        return False
    if _HEX_KEY.fullmatch(word):
        return True
    drawn = len(word) >= _LEAST_KEY and n_pieces * _OF_PIECE >= len(word)
    return drawn and len(piece) <= _MOST_OF_KEY


def _is_short(word: str) -> bool:
    """Say whether a piece stands in every text, as two letters of Latin do.

    Two of Greek or Cyrillic are a name, and so is one of Chinese.
    """
    if len(word) >= _LEAST_LETTERS:
        return False
    own = [char for char in word if char.isalpha() and not _LATIN.match(char)]
    if any(char >= _SYLLABIC for char in own):
        return False
    return len(own) < _LEAST_OF_ALPHABET


def is_public_name(name: str) -> bool:
    """Say whether a name is of the public cloud: of no home, and of no single unit."""
    labels = name.lower().strip(".").split(".")
    if len(labels) < 2 or not re.fullmatch(_TOP, labels[-1]):
        return False
    if dynamic_zone(".".join(labels)):
        return False
    return not any(_DIGITS_OF_UNIT.search(label) for label in labels)


def is_public_ip(text: str) -> bool:
    """Say whether an address is of a group, of this host, of nobody, or of all."""
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    if str(address) in _RESOLVERS:
        return True
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        return True
    return address.version == 4 and (
        int(address) >> 28 == 15 or int(address) >> 24 == 0
    )


def is_public_mac(text: str) -> bool:
    """Say whether a MAC is of a group, of nobody, or one that is made up."""
    raw = bytes.fromhex(text.replace(":", "").replace("-", ""))
    made_up = raw[:5] == b"\x02\0\0\0\0" or raw[:3] == b"\0\0\x5e"
    return bool(raw[0] & 1) or not any(raw) or made_up


def _email(text: str) -> bool:
    return re.split("@|%40", text)[0].lower() not in _LOCAL_MAILS


def _mac(text: str) -> bool:
    """Say whether what is written as a MAC tells: numbers of units may look like one.

    Accessories of HomeKit draw theirs at random, every other one like that of a group.
    """
    raw = bytes.fromhex(text.replace(":", "").replace("-", ""))
    return not is_public_mac(text) or bool(raw[0] & 1 and not is_known_group(raw))


def _ipv6(text: str) -> bool | None:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None  # a time, or the like
    return not is_public_ip(str(address)) and int(address) >> 32 != 0


def _ipv4(text: str) -> bool | None:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return None
    small = sum(byte < 20 for byte in address.packed)  # 1.0.12.3
    if address.is_private or small < 3:
        return not is_public_ip(text)
    return None


def _place(text: str) -> bool:
    """Say whether it may be a coordinate: no zero, and no sum of minutes or seconds."""
    decimals = text.partition(".")[2]
    return len(set(decimals)) > 2 and not is_sum_of_sixtieths(text)


def _name(text: str) -> bool:
    return not is_public_name(text)


_FORMS = (
    (_EMAIL, _email),
    (_PLATE, bool),
    (_MAC, _mac),
    (_IPV4, _ipv4),
    (_IPV6, _ipv6),
    (_PLACE, _place),
    (_NAME, _name),
    (DIALLED, is_dialled),
)
