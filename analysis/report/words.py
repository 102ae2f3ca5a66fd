"""How numbers and names are written for people: counts, shares, sizes, stamps."""

import re
from datetime import UTC, datetime

# what XML does not know, what acts on a terminal, and halves of characters
_ILLEGIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]"
)


def legible(text: str) -> str:
    """Return text with what cannot stand in a page or a picture as its number."""
    return _ILLEGIBLE.sub(lambda found: _number(ord(found[0])), text)


def _number(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def count(number: int) -> str:
    """Return a whole number with a comma per thousand."""
    return f"{number:,}"


def share(part: int, whole: int) -> str:
    """Return a part of a whole in per cent, or a dash when there is no whole."""
    if whole == 0:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def score(value: float) -> str:
    """Return a score between 0 and 1 with three digits, as the paper does."""
    return f"{value:.3f}"


def size(size_b: int) -> str:
    """Return bytes in kB or MB."""
    if size_b < 1_000_000:
        return f"{size_b / 1e3:.1f} kB"
    return f"{size_b / 1e6:.1f} MB"


def milliseconds(span_ns: float) -> str:
    """Return a short span in ms, with digits that mean something."""
    span_ms = span_ns / 1e6
    return f"{span_ms:.0f} ms" if span_ms >= 100 else f"{span_ms:.2g} ms"


def seconds(span_ns: float) -> str:
    """Return a signed span in s to the tenth of a millisecond."""
    return f"{span_ns / 1e9:+.4f} s"


def stamp(at_ns: int | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return ns UTC as text, or a dash when there is no stamp."""
    if at_ns is None:
        return "–"
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime(form)


def plain(name: str) -> str:
    """Return a name of the project as people say it."""
    return name.replace("_", " ")


def listed(names: list[str], shown: int = 6) -> str:
    """Return names with commas; what does not fit is counted."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
