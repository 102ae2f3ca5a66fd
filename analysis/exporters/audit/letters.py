r"""Find readable runs among bytes: ASCII, UTF-8, UTF-16, old code pages.

A byte of 128 or above is no noise where it is part of a letter. What is encrypted holds
such letters by chance, too, but hardly ever several of one script in a row: one of two
bytes has the lead of one of four, and a right follower, once in 256 times.
"""

import re
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

_TEXT_SHARE = 0.85
_LEAST_RUN_B, _STRONG_RUN_B = 6, 24
_AROUND_B = 16
_MOST_CUT_B = 6  # of letters at both ends of what is around
_MOST_HIGH = 1 / 8  # of bytes around a run, and one more, are 128 or above
_HIGH = bytes(range(128, 256))
_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})

_UTF8 = (
    rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
)
# lead bytes of scripts, and letters of which in a row are no chance
_SCRIPTS = {
    rb"[\xc3-\xc5][\x80-\xbf]": 5,  # Latin
    rb"[\xcd-\xcf][\x80-\xbf]": 5,  # Greek
    rb"[\xd0-\xd3][\x80-\xbf]": 5,  # Cyrillic
    rb"[\xd4-\xd7][\x80-\xbf]": 5,  # Armenian, Hebrew
    rb"[\xd8-\xdb][\x80-\xbf]": 5,  # Arabic
    rb"\xe0[\xa4-\xbe][\x80-\xbf]": 4,  # of India, Thai
    rb"\xe1[\x80-\xbf]{2}": 4,  # Georgian, Khmer, Vietnamese
    rb"(?:[\xe4-\xe9][\x80-\xbf]{2}|\xe3[\x81-\x83][\x80-\xbf])": 4,  # far east
    rb"[\xea-\xed][\x80-\xbf]{2}": 4,  # Korean
}
_STRONG = re.compile(
    rb"[a-z]{8}|[A-Z]{8}|[A-Z][a-z]{7}|[A-Za-z0-9 ]{12}|"
    + b"|".join(b"(?:%b){%d}" % (each, n) for each, n in _SCRIPTS.items())
)
# sorts of bytes: ASCII letters, those that follow, leads of three bytes, leads of two
_LETTER, _FOLLOWS, _OF_THREE, _OF_TWO = 1, 2, 3, 7
_BESIDE_UMLAUT = 3
_BESIDE_B = 6
_PAD = bytes(_BESIDE_B)
_OF_SCRIPTS = (b"\xe0", b"\xe1", bytes(range(0xE3, 0xEA)), b"\xea\xeb\xec\xed")
_LATIN_ON = (b"\xc3\xc4\xc5", b"\xcd\xce\xcf", b"\xd0\xd1\xd2\xd3")
_HEBREW_ON = (b"\xd4\xd5\xd6\xd7", b"\xd8\xd9\xda\xdb")
_ASCII_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))


def _sorts() -> bytes:
    leads = (*_OF_SCRIPTS, *_LATIN_ON, *_HEBREW_ON)
    sort = bytearray(256)
    for number, each in enumerate((_ASCII_LETTERS, _HIGH[:64], *leads), start=1):
        for byte in each:
            sort[byte] = number
    return bytes(sort)


_SORT = _sorts()
_ALIKE = re.compile(b"|".join(b"(?:%b){2,}" % each for each in _SCRIPTS))
_RUN = re.compile(rb"(?:[ -~]|%b){3,}|%b+" % (_UTF8, _UTF8))
_MIXED = re.compile(rb"(?:[ -~]|%b){2,}" % _UTF8)
_LETTERS = re.compile(rb"[ -~]{6,}")
_COUNTED = re.compile(  # fewer letters behind their length
    rb"\x03[ -~]{3}(?![ -~])|\x04[ -~]{4}(?![ -~])|\x05[ -~]{5}(?![ -~])"
)
_LATIN = rb"(?:[A-Za-z]|[\xc3-\xc5][\x80-\xbf])"
_FOREIGN_COUNTED = re.compile(
    rb"\x04(?:[\xc3-\xdb][\x80-\xbf]){2}(?![ -~\x80-\xff])"
    rb"|\x04(?=[^\0]{4}(?![ -~\x80-\xff]))%b{3}(?![ -~\x80-\xff])"
    rb"|\x05(?=[^\0]{5}(?![ -~\x80-\xff]))%b{4}(?![ -~\x80-\xff])" % (_LATIN, _LATIN)
)

_FORMED = re.compile(  # JSON, XML, HTTP: noise hardly begins and ends so
    rb"(?s)\s*(?:[{\[]\s*[\"{\[].*[\"}\]\dels]\s*[}\]]\s*|<[A-Za-z?!].*(?:</[\w:.]+|/|--)>\s*"
    rb"|(?:[A-Z]{3,9} /|HTTP/1).*)"
)
_SUM = re.compile(rb"(?:(?<=\})|(?<=\}\]))[^ \"'{}\[\]]{1,4}\Z")
_SUM_OF_FRAME = re.compile(rb"(?s)(?<=\}).{4}(?=\x00\x00\xaa\x55)")  # of Tuya's
_OLD = re.compile(rb"[0-9A-Za-z\x80-\xff]*[\x80-\xff][0-9A-Za-z\x80-\xff]*")
_MARK = re.compile(rb"(?<![\x80-\xff])[\xa0-\xbf\xd7\xf7](?![\x80-\xff])")
_AROUND_OLD_B = 64
_LEAST_SURE_B = 48

_WIDE = re.compile(rb"(?:[ -~]\x00){4,}")
_IN_WIDE = re.compile(rb"\x00[ -~]\x00[ -~]\x00[ -~]\x00")  # quicker to search for
# high byte of a letter in UTF-16 -> its low bytes
_PAGES = {
    3: rb"[\x70-\xff]",  # Greek
    4: rb"[\x01\x04-\x07\x0e-\x5f\x90\x91]",  # Cyrillic
    5: rb"[\x31-\xea]",  # Armenian, Hebrew
    6: rb"[\x20-\xd3]",  # Arabic
    9: rb"[\x00-\x7f]",  # of India
    14: rb"[\x01-\x4e]",  # Thai
    16: rb"[\xa0-\xff]",  # Georgian
    48: rb"[\x41-\xfe]",  # Japanese
}
_IN_FOREIGN_WIDE = re.compile(rb"(?s)([\x03-\x06\x09\x0e\x10\x30]).\1.\1")
_LEAST_WIDE, _STRONG_WIDE = 3, 6
_NARROW = rb"[ ,.\-0-9]"


def _wide_patterns() -> dict[int, tuple[re.Pattern[bytes], re.Pattern[bytes]]]:
    found = {}
    for page, low in _PAGES.items():
        high = re.escape(bytes((page,)))
        little = rb"(?s)%b%b(?:%b%b|%b\x00)+" % (low, high, low, high, _NARROW)
        big = rb"(?s)%b%b(?:%b%b|\x00%b)+" % (high, low, high, low, _NARROW)
        found[page] = (re.compile(little), re.compile(big))
    return found


_WIDE_PATTERNS = _wide_patterns()


def is_text(data: bytes) -> bool:
    """Say whether bytes are mostly text, of whatever script."""
    if not data:
        return False
    n_controls = len(data) - len(data.translate(None, _CONTROLS))
    n_high = len(data) - len(data.translate(None, _HIGH))
    most = (1 - _TEXT_SHARE) * len(data)
    if n_controls + n_high <= most:
        return n_controls + n_high < len(data)
    if not n_controls and _FORMED.fullmatch(data):
        return True  # JSON, XML or HTTP in an old code page
    if n_controls > most:
        return False
    most *= len(data) >= _LEAST_SURE_B  # of fewer bytes all have to be letters
    return n_controls + len(data) - _utf8_b(data) <= most


def _without_sum(run: bytes) -> bytes:
    """Return a run without the checksum that binary protocols put behind a text.

    Its bytes are letters by chance: behind the end of JSON, and before what is no
    letter, so few of them say nothing.
    """
    return _SUM.sub(b"", run)


def _utf8_b(data: bytes) -> int:
    """Return how many bytes are of UTF-8."""
    return len(data.decode(errors="ignore").encode())


def runs(data: bytes) -> Iterable[bytes]:
    """Yield the readable runs of bytes in UTF-8: all of a text, else what is no chance.

    In random bytes a run of six letters with small bytes around it comes once in
    forty million.
    """
    data = _SUM_OF_FRAME.sub(bytes(4), data)
    if is_text(data):
        whole = data.isascii() or _utf8_b(data) == len(data)
        for found in _RUN.finditer(data):
            at, end = found.span()  # pictures may lie among texts
            short = end - at < _LEAST_RUN_B and not (whole or found.group().isascii())
            if not short and (end - at >= _STRONG_RUN_B or is_calm(data, at, end)):
                yield found.group() if whole else _without_sum(found.group())
        if not whole:
            yield from _old_runs(data)
    else:
        yield from map(_without_sum, _among_bytes(data))
    if _IN_WIDE.search(data):
        yield from (each.group()[::2] for each in _WIDE.finditer(data))
    if _IN_FOREIGN_WIDE.search(data):
        yield from _wide_runs(data)


def _among_bytes(data: bytes) -> Iterator[bytes]:
    free = [
        (each.start(), each.group())
        for each in _LETTERS.finditer(data)
        if _counts(data, *each.span())
    ]
    counted = [*_COUNTED.finditer(data), *_FOREIGN_COUNTED.finditer(data)]
    told = [
        (each.start() + 1, each.group()[1:])
        for each in counted
        if is_calm(data, each.start() + 1, each.end())
    ]
    if not data.isascii() and _holds_foreign(data):
        free += [
            (each.start(), each.group())
            for each in _MIXED.finditer(data)
            if not each.group().isascii() and _counts_foreign(data, *each.span())
        ]
    yield from (run for _, run in sorted(free + told))


def _holds_foreign(data: bytes) -> bool:
    """Say whether two letters of a script stand in a row, or an umlaut among letters.

    Noise of a packet holds such in one of five.
    """
    return _foreign(
        np.frombuffer((_PAD + data + _PAD).translate(_SORT), dtype=np.uint8)
    )


@kernel
def _foreign(sort: NDArray[np.uint8]) -> bool:
    """Say the same of sorts of bytes, with six of none at both ends."""
    for at in range(_BESIDE_B, sort.size - _BESIDE_B):
        lead = sort[at]
        if lead < _OF_THREE or sort[at + 1] != _FOLLOWS:
            continue
        if lead < _OF_TWO:
            again = sort[at + 3] == lead and sort[at + 2] == _FOLLOWS
            if again and sort[at + 4] == _FOLLOWS and sort[at + 5] == _FOLLOWS:
                return True
            continue
        if sort[at + 2] == lead and sort[at + 3] == _FOLLOWS:
            return True
        if lead == _OF_TWO:
            beside = 0
            if sort[at - 1] == _LETTER:
                beside += 1 + (sort[at - 2] == _LETTER)
            if sort[at + 2] == _LETTER:
                beside += 1 + (sort[at + 3] == _LETTER)
            if beside >= _BESIDE_UMLAUT:
                return True
    return False


def _counts_foreign(data: bytes, at: int, end: int) -> bool:
    if end - at < _LEAST_RUN_B:
        return False
    strong = _STRONG.search(data, at, end) or is_calm(data, at, end)
    return bool(strong) and _holds_foreign(data[at:end])


def _counts(data: bytes, at: int, end: int) -> bool:
    if end - at >= _STRONG_RUN_B or _STRONG.search(data, at, end):
        return True
    return is_calm(data, at, end)


def is_calm(data: bytes, at: int, end: int) -> bool:
    """Say whether the bytes around a run are small, as random ones are not.

    Letters of one script in a row are as good as small bytes.
    """
    size_b = end - at
    first = max(0, min(at - _AROUND_B, len(data) - size_b - 2 * _AROUND_B))
    around = data[first:at] + data[end : first + size_b + 2 * _AROUND_B]
    most = 1 + len(around) * _MOST_HIGH
    high = len(around) - len(around.translate(None, _HIGH))
    if high > most and len(around) - _utf8_b(around) <= _MOST_CUT_B:
        around = _ALIKE.sub(b"", around)
        high = len(around) - len(around.translate(None, _HIGH))
    return high <= most


def _old_runs(data: bytes) -> Iterator[bytes]:
    """Yield words of a text in an old code page, spelled with any letters.

    Which page it is nobody says: what was replaced differs in any.
    """
    if len(data) < _LEAST_SURE_B and not _FORMED.fullmatch(data):
        return  # so few bytes are a text by chance
    for found in _OLD.finditer(data):
        word = found.group()
        if _utf8_b(word) == len(word):
            continue
        at, end = found.span()
        around = data[max(0, at - _AROUND_OLD_B) : end + _AROUND_OLD_B]
        if around.translate(None, _CONTROLS) == around:
            marked = _MARK.sub(b" ", word)
            spelled = "".join(chr(b + 256 * (128 <= b < 192)) for b in marked)
            yield spelled.encode()


def _wide_runs(data: bytes) -> Iterator[bytes]:
    """Yield runs of UTF-16 in scripts that have pages of their own."""
    for page in sorted({each[0] for each in _IN_FOREIGN_WIDE.findall(data)}):
        little, big = (list(each.finditer(data)) for each in _WIDE_PATTERNS[page])
        spans = [each.span() for each in little]
        for found in little:
            yield from _wide_run(data, found, "utf-16-le")
        for found in big:  # the same letters, but for one, read by the other order
            at, end = found.span()
            if not any(a < end and at < b and b - a >= end - at for a, b in spans):
                yield from _wide_run(data, found, "utf-16-be")


def _wide_run(data: bytes, found: re.Match[bytes], encoding: str) -> Iterator[bytes]:
    text = found.group().decode(encoding, errors="replace")
    n = sum(char.isalpha() for char in text)
    if n < _LEAST_WIDE or len(set(text)) < _LEAST_WIDE:
        return
    if n >= _STRONG_WIDE or is_calm(data, *found.span()):
        yield text.strip().encode(errors="replace")
