"""Tell what people call each other and their things from words of protocols.

The rule for a full name: two to four words, each of letters that begin with a capital,
none of them an everyday word. Its first and its last word count alone, too, when they
have at least four letters.
"""

import re
from collections.abc import Iterator

from analysis.exporters.identifiers.everyday import WORDS

_LEAST_ALONE = 4
_MOST_NAME = 64
_PARTS = re.compile(r"[^\W\d_]+")
_CAPITAL = re.compile(r"[^\W\d_a-z][^\W\d_A-Z]+(?:[-'\u2019][^\W\d_]+)*")
_PARTICLES = frozenset(
    ("von", "van", "de", "der", "den", "del", "di", "da", "la", "le", "du", "zu", "af")
)
_OWNER = re.compile(r"(?<!\w)([^\W\d_a-z][^\W\d_A-Z]{2,})['\u2019]s(?!\w)")
_COUNTED = re.compile(r"[\W\d_]+")
_LEAST_RANDOM, _LEAST_HEX = 16, 24
_SERIAL = re.compile(r"(?=(?:\D*\d){3})(?=\w*[A-Za-z])[A-Za-z0-9_\-]{6,64}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_NUMBER = re.compile(r"\d{6,32}")


def is_everyday(text: str) -> bool:
    """Say whether all words of a text are everybody's, as in 'Living room 2'."""
    words = [each for each in _PARTS.findall(text.lower()) if len(each) > 1]
    return all(word in WORDS or word.rstrip("s") in WORDS for word in words)


def is_full_name(text: str) -> bool:
    """Say whether a text is given name and surname, as 'Maja van der Berg'."""
    words = text.split(" ")
    if not 2 <= len(words) <= 4 or len(text) > _MOST_NAME:
        return False
    named = [word for word in words if word not in _PARTICLES]
    return len(named) >= 2 and all(map(_is_name, named))


def _is_name(word: str) -> bool:
    if word.endswith(("'s", "\u2019s")):
        return False  # a thing of somebody
    return bool(_CAPITAL.fullmatch(word)) and word.lower() not in WORDS


def parts_of(name: str) -> Iterator[str]:
    """Yield what of a person's name tells of them alone: 'Maja', 'Berg', of whom."""
    if is_full_name(name):
        words = name.split(" ")
        for word in (words[0], words[-1]):
            if len(word) >= _LEAST_ALONE:
                yield word
    for owner in _OWNER.findall(name):
        if len(owner) >= _LEAST_ALONE and owner.lower() not in WORDS:
            yield owner


def is_called(text: str, *, alone: bool) -> bool:
    """Say whether a field that may hold anything holds what somebody called a thing.

    alone  a single word with a capital is enough: the field is a thing's name
    """
    if not 2 < len(text) <= _MOST_NAME or not text.isprintable() or is_everyday(text):
        return False
    if " " not in text.strip():
        return alone and _is_name(text)
    words = [word for word in _PARTS.findall(text) if len(word) > 2]
    strange = [w for w in words if w.lower() not in WORDS and w[0].isupper()]
    return bool(strange) and len(words) <= 5 and not re.search(r"[<>{}=;/\\]", text)


def is_random(text: str) -> bool:
    """Say whether a text was drawn, as keys are: digits and letters in a long run."""
    digits = sum(char.isdigit() for char in text)
    letters = sum(char.isalpha() for char in text)
    if len(text) < _LEAST_RANDOM or not digits or letters < 2 or _UUID.fullmatch(text):
        return False
    if len(text) >= _LEAST_HEX and digits >= len(text) // 8:
        return True
    mixed = text != text.lower() and text != text.upper()
    return digits >= 2 and (mixed or digits >= len(text) // 4)


def is_serial(text: str) -> bool:
    """Say whether a word may number a thing: three digits or more, and letters."""
    return bool(_SERIAL.fullmatch(text) or _NUMBER.fullmatch(text))


def is_telling(word: str) -> bool:
    """Say whether a word is no everyday one, whatever numbers stand behind it."""
    parts = [each for each in _COUNTED.split(word.lower()) if each]
    return is_serial(word) or any(
        len(each) > 2 and each not in WORDS and each.rstrip("s") not in WORDS
        for each in parts
    )
