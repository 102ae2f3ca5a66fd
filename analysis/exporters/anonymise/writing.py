"""Texts under a key: as long as before, with the same kind of character at each place.

A digit becomes a digit, a letter a letter of the same case; what is neither stays. What
is written in hexadecimal stays so. Texts of one shape are numbered, and the number goes
through a Feistel network over two parts of it, by addition as in FF1 of NIST SP
800-38G: so no two texts of one shape become the same.
"""

import hmac
import string
from collections.abc import Sequence
from hashlib import sha512
from math import prod

_ROUNDS = 8  # each changes both parts
_LOWER_HEX, _UPPER_HEX = "abcdef", "ABCDEF"
_LEAST_HEX = 6  # digits; a shorter one may be a word
_MARKS = "-:._ {}"
# characters of other scripts stay as long in UTF-8 and in UTF-16: where they end up, by
# the first code point that needs more bytes
_SCRIPTS = ((0x80, 0x100, 128), (0x800, 0x4E00, 20_480), (0x10000, 0x20000, 40_960))
_SURROGATES = range(0xDC80, 0xDD00)  # bytes that are no UTF-8, as Python keeps them


class Feistel:
    """Permutations of whole numbers under a key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def permute(self, number: int, sizes: tuple[int, int], tweak: bytes) -> int:
        """Return where `number` below sizes[0] * sizes[1] goes.

        tweak  each makes a permutation of its own
        """
        left, right = divmod(number, sizes[1])
        for turn in range(_ROUNDS):
            left = (left + self._noise(turn, right, sizes[0], tweak)) % sizes[0]
            right = (right + self._noise(turn, left, sizes[1], tweak)) % sizes[1]
        return left * sizes[1] + right

    def _noise(self, turn: int, half: int, below: int, tweak: bytes) -> int:
        """Return a number that looks like chance; too large, to be reduced."""
        n = below.bit_length() // 8 + 9
        said = half.to_bytes(half.bit_length() // 8 + 1)
        asked = b"%d|%d|%d|" % (turn, below, len(tweak)) + tweak + said
        blocks = -(-n // sha512().digest_size)
        made = b"".join(
            hmac.digest(self._key, b"%d|" % k + asked, "sha512") for k in range(blocks)
        )
        return int.from_bytes(made[:n])


def alphabets(text: str) -> tuple[str | range, ...]:
    """Return what each character may become; one thing where it stays."""
    is_hex = _is_hex(text)
    return tuple(_alphabet(char, is_hex=is_hex) for char in text)


def permuted(
    text: str, feistel: Feistel, tweak: bytes, given: Sequence[str | range] = ()
) -> str:
    """Return the text that another one becomes.

    given  what each character may become, `alphabets` by itself. A character that is
           not among these counts as the one of its number, modulo
    """
    choices = given or alphabets(text)
    sizes = [len(each) for each in choices]
    middle = _middle(sizes)
    number = 0
    for char, choice in zip(text, choices, strict=True):
        number = number * len(choice) + _place(char, choice)
    parts = prod(sizes[:middle]), prod(sizes[middle:])
    shape = "".join(str(each) + ";" for each in sizes).encode()
    number = feistel.permute(number, parts, tweak + b"|" + shape)
    made = []
    for choice in reversed(choices):
        number, place = divmod(number, len(choice))
        each = choice[place]
        made.append(each if isinstance(each, str) else chr(each))
    return "".join(reversed(made))


def recased(text: str, like: str) -> str:
    """Return the text with the case that ASCII letters of `like` have at each place."""
    return "".join(
        a.upper() if b in string.ascii_uppercase else a
        for a, b in zip(text, like, strict=True)
    )


def lowered(text: str) -> str:
    """Return the text with ASCII letters in lower case; others can change in length."""
    return "".join(c.lower() if c in string.ascii_uppercase else c for c in text)


def _alphabet(char: str, *, is_hex: bool) -> str | range:
    if char in string.digits:
        return string.digits
    if char in string.ascii_lowercase:
        return _LOWER_HEX if is_hex else string.ascii_lowercase
    if char in string.ascii_uppercase:
        return _UPPER_HEX if is_hex else string.ascii_uppercase
    code = ord(char)
    if code in _SURROGATES:
        return _SURROGATES
    for least, first, size in reversed(_SCRIPTS):
        if code >= least:
            return range(first, first + size)
    return char


def _place(char: str, choice: str | range) -> int:
    if isinstance(choice, str):
        return choice.index(char)
    return (ord(char) - choice.start) % len(choice)


def _is_hex(text: str) -> bool:
    bare = [char for char in text if char not in _MARKS]
    if len(bare) < _LEAST_HEX or not all(char in string.hexdigits for char in bare):
        return False
    return any(char in string.digits for char in bare)


def _middle(sizes: Sequence[int]) -> int:
    """Return where about as much can vary before as behind."""
    varying = [k for k, size in enumerate(sizes) if size > 1]
    return varying[len(varying) // 2] if varying else 0
