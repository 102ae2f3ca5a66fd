"""Which bytes become which: every spelling of every identifier, laid out for kernels.

A spelling of an identifier becomes the same spelling of its pseudonym, as long as that
has the same length; else a text of the same shape.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.writing import lowered
from analysis.exporters.identifiers.model import Identifier
from analysis.exporters.identifiers.variants import Variant, variants

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Uint32 = NDArray[np.uint32]

LEAST_B = 4  # what is shorter stands everywhere by chance
MOST_B = 16_384
EDGES = ("", "digit", "hex", "word", "pointer")
_TURNS = 1000
_ASCII_LOWER = bytes(range(65)) + bytes(range(97, 123)) + bytes(range(91, 256))
FOLD = np.frombuffer(_ASCII_LOWER, dtype=np.uint8)
# spellings of an IPv4 or IPv6 address that are its bytes, not its text
_NUMERIC = ("binary", "interface", "eui-64", "hex binary", "decimal", "mapped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One pattern and what stands there afterwards, of the same length.

    fold   whether ASCII letters of either case count; both texts are in lower case
    edges  row of `EDGES`: what must not stand beside it; or a pointer of DNS that must
           follow
    kind   of the identifier
    owner  row of the identifier among all, -1 for what is of none
    """

    pattern: bytes
    instead: bytes
    fold: bool
    edges: int
    kind: str
    owner: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """All changes, by their first four bytes in lower case and then the longest first.

    pool     (m,) uint8, all patterns; exact, or in lower case
    instead  (m,) uint8, what they become
    first    (k,) int64, where each begins
    size     (k,) int64
    fold     (k,) uint8
    edges    (k,) uint8
    keys     (u,) uint32, first four bytes, increasing
    group    (u+1,) int64, the first pattern of each key
    bitmap   uint64 words; the bit of a hash of each key is set
    kinds, owners  of each, as in `Change`
    headers  addresses as they stand in headers -> row of the identifier
    """

    pool: Uint8
    instead: Uint8
    first: Int64
    size: Int64
    fold: Uint8
    edges: Uint8
    keys: Uint32
    group: Int64
    bitmap: NDArray[np.uint64]
    kinds: tuple[str, ...]
    owners: tuple[int, ...]
    headers: Mapping[bytes, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.first.size

    @property
    def longest_b(self) -> int:
        """Bytes of the longest pattern."""
        return int(self.size.max(initial=0))

    def with_more(self, changes: Sequence[Change]) -> "Patterns":
        """Add changes that no search finds, behind all others."""
        size = np.array([len(c.pattern) for c in changes], dtype=np.int64)
        first = self.pool.size + np.cumsum(size) - size
        zeros = np.zeros(len(changes), dtype=np.uint8)
        return replace(
            self,
            pool=np.concatenate((self.pool, _bytes(c.pattern for c in changes))),
            instead=np.concatenate((self.instead, _bytes(c.instead for c in changes))),
            first=np.concatenate((self.first, first)),
            size=np.concatenate((self.size, size)),
            fold=np.concatenate((self.fold, zeros)),
            edges=np.concatenate((self.edges, zeros)),
            kinds=(*self.kinds, *(c.kind for c in changes)),
            owners=(*self.owners, *(c.owner for c in changes)),
        )

    @property
    def tables(self) -> tuple[Uint8, Uint8, Int64, Int64, Uint8, Uint8]:
        """What kernels verify a hit by, and `FOLD`."""
        return self.pool, FOLD, self.first, self.size, self.fold, self.edges

    @property
    def finders(self) -> tuple[Uint32, Int64, NDArray[np.uint64]]:
        """What kernels find candidates by."""
        return self.keys, self.group, self.bitmap


def assigned(
    identifiers: Sequence[Identifier], pseudonyms: Pseudonyms
) -> dict[tuple[str, str], str]:
    """Return the pseudonym, as text, of each (kind, value).

    No two of alike kind get the same one, and none gets what another one is called.
    """
    real = {lowered(each.value) for each in identifiers}
    given: dict[str, str] = {}  # pseudonym -> whose
    made: dict[tuple[str, str], str] = {}
    for each in sorted({(each.kind, each.value) for each in identifiers}):
        kind, value = each
        own = lowered(value)
        for turn in range(_TURNS):
            text = pseudonyms.text(value, kind, turn)
            taken = given.get(lowered(text), own) != own or lowered(text) in real
            if not taken or kind == "mac":
                break
        else:
            text = pseudonyms.text(value, kind)  # there is nothing else of that shape
        given.setdefault(lowered(text), own)
        made[each] = text
    return made


def patterns_of(identifiers: Iterable[Identifier], pseudonyms: Pseudonyms) -> Patterns:
    """Lay out all spellings of the identifiers."""
    known = {
        row: each for row, each in enumerate(identifiers) if not stays(each, pseudonyms)
    }
    texts = assigned(list(known.values()), pseudonyms)
    changes: dict[tuple[bytes, bool], Change] = {}
    for row, each in known.items():
        instead = texts[(each.kind, each.value)]
        for change in _changes(each, instead, pseudonyms):
            if LEAST_B <= len(change.pattern) <= MOST_B:
                owned = replace(change, owner=row)
                changes.setdefault((change.pattern, change.fold), owned)
    headers = {each.binary: row for row, each in known.items() if each.binary}
    return replace(laid_out(list(changes.values())), headers=headers)


def written_addresses(
    identifiers: Iterable[Identifier], pseudonyms: Pseudonyms
) -> dict[str, str]:
    """Return address as in headers -> as written into payloads, where these differ."""
    known = [each for each in identifiers if not stays(each, pseudonyms)]
    texts = assigned(known, pseudonyms)
    found: dict[str, str] = {}
    for each in known:
        if each.kind in ("ipv4", "ipv6"):
            own, text = _numeric(each, pseudonyms), texts[each.kind, each.value]
            if own != text:
                found[own] = text
    return found


def stays(identifier: Identifier, pseudonyms: Pseudonyms) -> bool:
    """Say whether there is no pseudonym: beacons, addresses that are everybody's."""
    kind, raw = identifier.kind, identifier.binary
    if kind == "mac":
        return pseudonyms.mac(raw) == raw
    if raw:
        return _numeric(identifier, pseudonyms) == identifier.value
    return kind == "beacon"


def laid_out(changes: Sequence[Change]) -> Patterns:
    """Return the changes as flat arrays."""
    ordered = sorted(
        changes, key=lambda c: (c.pattern[:4].lower(), -len(c.pattern), c.pattern)
    )
    size = np.array([len(c.pattern) for c in ordered], dtype=np.int64)
    heads = np.array(
        [int.from_bytes(c.pattern[:4].lower()) for c in ordered], dtype=np.uint32
    )
    keys, group = np.unique(heads, return_index=True)
    return Patterns(
        pool=_bytes(c.pattern for c in ordered),
        instead=_bytes(c.instead for c in ordered),
        first=np.cumsum(size) - size,
        size=size,
        fold=np.array([c.fold for c in ordered], dtype=np.uint8),
        edges=np.array([c.edges for c in ordered], dtype=np.uint8),
        keys=keys,
        group=np.append(group, len(ordered)).astype(np.int64),
        bitmap=_bitmap(keys),
        kinds=tuple(c.kind for c in ordered),
        owners=tuple(c.owner for c in ordered),
    )


def _bytes(parts: Iterable[bytes]) -> Uint8:
    return np.frombuffer(b"".join(parts), dtype=np.uint8).copy()


def _bitmap(keys: Uint32) -> NDArray[np.uint64]:
    """Mark the hash of each key, in a map of which few bits are set."""
    bits = max(18, int(keys.size).bit_length() + 6)
    spread = keys * np.uint32(0x9E3779B1) >> np.uint32(32 - bits)
    marks = np.zeros(1 << bits, dtype=np.uint8)
    marks[spread] = 1
    return np.packbits(marks, bitorder="little").view("<u8").astype(np.uint64)


def _changes(
    identifier: Identifier, instead: str, pseudonyms: Pseudonyms
) -> Iterable[Change]:
    """Yield a change for each spelling of one identifier."""
    kind = identifier.kind
    by_text = _by_encoding(kind, instead)
    by_number = _by_encoding(kind, _numeric(identifier, pseudonyms))
    for each in variants(identifier):
        numeric = each.encoding.startswith(_NUMERIC) and kind in ("ipv4", "ipv6")
        sources = (by_number, by_text) if numeric else (by_text, by_number)
        found = _same_size(each, sources)
        if found is None:
            found = _shaped(each.pattern, pseudonyms)
        pattern = each.pattern.lower() if each.fold else each.pattern
        yield Change(
            pattern=pattern,
            instead=found.lower() if each.fold else found,
            fold=each.fold,
            edges=EDGES.index(each.edges),
            kind=kind,
        )
    if kind in ("domain", "hostname"):
        yield from _led(identifier, instead)


def _led(identifier: Identifier, instead: str) -> Iterable[Change]:
    """Yield the first labels of a name, where DNS points to the others."""
    before, after = identifier.value.split("."), instead.split(".")
    if len(before) < 2 or len(before) != len(after) or "" in before:
        return
    for n in range(1, len(before)):
        yield Change(
            pattern=_labels(before[:n]).lower(),
            instead=_labels(after[:n]).lower(),
            fold=True,
            edges=EDGES.index("pointer"),
            kind=identifier.kind,
        )


def _labels(labels: Sequence[str]) -> bytes:
    raw = [label.encode(errors="surrogateescape") for label in labels]
    return b"".join(bytes([min(len(each), 63)]) + each for each in raw)


def _by_encoding(kind: str, value: str) -> dict[str, Variant]:
    if not value:
        return {}
    return {
        each.encoding: each for each in variants(Identifier(kind=kind, value=value))
    }


def _numeric(identifier: Identifier, pseudonyms: Pseudonyms) -> str:
    """Return the address that stands in headers instead; '' for other kinds."""
    raw = identifier.binary
    makers: dict[str, Callable[[], str]] = {
        "ipv4": lambda: str(
            ip_address(pseudonyms.ipv4(int.from_bytes(raw)).to_bytes(4))
        ),
        "ipv6": lambda: str(ip_address(pseudonyms.ipv6(raw))),
    }
    maker = makers.get(identifier.kind)
    return maker() if maker else ""


def _same_size(each: Variant, sources: Sequence[dict[str, Variant]]) -> bytes | None:
    for source in sources:
        other = source.get(each.encoding)
        if other is None or len(other.pattern) != len(each.pattern):
            continue
        if other.pattern != each.pattern:
            return other.pattern
    return None


def _shaped(pattern: bytes, pseudonyms: Pseudonyms) -> bytes:
    """Return other bytes of the same shape."""
    try:
        text = pattern.decode()
    except UnicodeDecodeError:
        return pseudonyms.filler(pattern, len(pattern))
    return pseudonyms.text(text, "serial").encode()
