"""Judge numbers: which may be somebody's telephone, and which are times or nothing.

A time is near to the recording, so a number is one only when it says such a time. What
begins with a zero, or is parted as people part the numbers that they dial, is none.
"""

import re
from datetime import UTC, datetime, timedelta

_LEAST_DIGITS, _MOST_DIGITS = 8, 15
_COUNTING = "012345678901234567890"
_LEAST_PADDED = 5  # digits behind zeros: 00000012 counts something
# clocks of devices, and when a plug was switched last; a firmware is older
_EPOCH_DAYS, _DATE_DAYS = 66, 2 * 366
_OF_SECOND = (1, 1000, 10**6, 10**9)
_DAY_S = 86_400
_STAMPS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_EUROPEAN = re.compile(r"[0-3]?\d([ ./\-])[01]?\d\1(?:19|20)?\d\d")
_ZONE = timedelta(days=1)

DIALLED = re.compile(
    r"(?<![\w.,:+\-])(?:"
    r"\(?(?:\+\d{1,4}|0[1-9]\d{0,5}|00[1-9]\d{0,3})\)?"  # 0176 1234567, +49 (0) 89 ...
    r"(?:(?: ?\(0\) ?|[ ()/.\-]{1,3})\d{1,10}){1,6}"
    r"|\(?[2-9]\d\d\)?[ .\-]{1,2}\d{3}[ .\-]\d{4}"  # (731) 555-0123
    r"|[1-9]\d{1,4}[ /\-]\d{7}"  # 176 1234567
    r")(?![\w]|[.:,\-/]\w)"
)

_OF_METER, _NEAR = 6, 1e-4  # 3305.466667, as meters of energy count by the minute
# what an Insight plug tells of itself: state, since when (s UTC), four times (s),
# signal, mW, mW minutes of the day and of all days, threshold. A day of 50 W has eight
# digits on the meter.
_METERED = re.compile(
    r"(?<![\w|.,:@+\-])\d\|(?P<since>\d{10})(?:\|\d{1,7}){6}"
    r"\|(?P<today>0|[1-9]\d{0,9})\|(?P<meter>(?:0|[1-9]\d{0,9})\.\d{6})"
    r"(?:\|\d{1,6})?(?![\w|.,:@+\-])"
)


def without_meters(text: str, at_s: int) -> str:
    """Return a text without what plugs measure, when they were switched lately.

    at_s  when the campaign began, s UTC; 0 where it is not known
    """
    if not at_s or "|" not in text:
        return text

    def cleared(found: re.Match[str]) -> str:
        lately = abs(int(found["since"]) - at_s) < _EPOCH_DAYS * _DAY_S
        counted = is_sum_of_sixtieths(found["meter"])
        counted = counted and int(found["today"]) <= float(found["meter"]) + 1
        return " " if lately and counted else found.group()

    return _METERED.sub(cleared, text)


def is_sum_of_sixtieths(text: str) -> bool:
    """Say whether a decimal number is one as meters count by the minute."""
    sixtieths = float(text) * 60
    counted = len(text.partition(".")[2]) == _OF_METER
    return counted and abs(sixtieths - round(sixtieths)) < _NEAR


def is_dialled(text: str) -> bool | None:
    """Say whether parted digits are a telephone number; None to judge them one by one.

    Bytes in hex, dates and short numbers with zeros before them are none.
    """
    digits = re.sub(r"\D", "", text.replace("(0)", ""))
    groups = re.findall(r"\d+", text)
    bytewise = len(set(map(len, groups))) == 1 and len(groups[0]) < 3
    french = bytewise and len(groups) == 5
    if bytewise and not french and "+" not in text:
        return None
    if _EUROPEAN.fullmatch(text):
        return None
    if not _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS or len(set(digits)) < 3:
        return None
    return True


def is_long_number(digits: str, at_s: int) -> bool:
    """Say whether decimal digits may be somebody's number, and no time.

    at_s  time of the recording, s UTC; 0 where it is not known
    """
    if len(digits) < _LEAST_DIGITS or len(set(digits)) == 1 or digits in _COUNTING:
        return False
    if digits[0] == "0":
        return len(digits.lstrip("0")) >= _LEAST_PADDED
    if not at_s:
        return True
    value = int(digits)
    near_s = _EPOCH_DAYS * _DAY_S
    if any(abs(value // per - at_s) < near_s for per in _OF_SECOND):
        return False
    return not _is_near_date(digits, at_s)


def _is_near_date(digits: str, at_s: int) -> bool:
    form = _STAMPS.get(len(digits))
    if form is None:
        return False
    try:
        said = datetime.strptime(digits, form).replace(tzinfo=UTC)
    except ValueError:
        return False
    away = said - datetime.fromtimestamp(at_s, UTC)
    return -timedelta(days=_DATE_DAYS) < away < timedelta(days=_EPOCH_DAYS) + _ZONE
