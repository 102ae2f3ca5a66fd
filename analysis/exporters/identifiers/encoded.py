"""Elements of ASN.1: what SNMP, LDAP, Kerberos and certificates are made of."""

from collections.abc import Iterator
from dataclasses import dataclass

_MOST_DEPTH = 24
_MOST_ELEMENTS = 4096
_CONSTRUCTED = 0x20
OCTETS, OBJECT, SEQUENCE = 0x04, 0x06, 0x30
# UTF8, Numeric, Printable, T61, IA5, Visible, General
TEXTS = (0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1B)
WIDE = 0x1E


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element, of the `data` it stands in.

    tag    first byte
    begin  where its content begins
    end    where that ends
    """

    data: bytes
    tag: int
    begin: int
    end: int

    @property
    def content(self) -> bytes:
        """Return the bytes of its content."""
        return self.data[self.begin : self.end]

    @property
    def text(self) -> str:
        """Return its content as text, '' where it is of another kind."""
        if self.tag in TEXTS or self.tag == OCTETS:
            return self.content.decode(errors="replace")
        if self.tag == WIDE:
            return self.content.decode("utf-16-be", errors="replace")
        return ""

    def __iter__(self) -> Iterator["Element"]:
        """Yield the elements in it; none when it cannot be read."""
        if self.tag & _CONSTRUCTED:
            yield from elements(self.data, self.begin, self.end)


def elements(data: bytes, at: int = 0, end: int | None = None) -> Iterator[Element]:
    """Yield elements that stand side by side, up to one that cannot be read."""
    last = len(data) if end is None else end
    for _ in range(_MOST_ELEMENTS):
        found = element(data, at, last)
        if found is None:
            return
        yield found
        at = found.end


def element(data: bytes, at: int, last: int) -> Element | None:
    """Return the element that begins at a place, None for none that fits."""
    if at + 2 > last or data[at] & 0x1F == 0x1F:
        return None
    tag, size, begin = data[at], data[at + 1], at + 2
    if size & 0x80:
        n = size & 0x7F
        if not 1 <= n <= 4 or begin + n > last:
            return None
        size = int.from_bytes(data[begin : begin + n])
        begin += n
    if begin + size > last:
        return None
    return Element(data=data, tag=tag, begin=begin, end=begin + size)


def walk(first: Element, depth: int = _MOST_DEPTH) -> Iterator[Element]:
    """Yield an element, and all within it."""
    yield first
    if depth:
        for each in first:
            yield from walk(each, depth - 1)
