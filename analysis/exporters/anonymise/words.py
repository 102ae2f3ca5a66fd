"""Texts about a campaign under pseudonyms: words, addresses and dates in them.

Escapes and encodings are undone, rewritten and written back, as in captures.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache

from analysis.exporters.anonymise.patterns import (
    Change,
    Patterns,
    assigned,
    laid_out,
    patterns_of,
)
from analysis.exporters.anonymise.policy import Policy
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.replace import Replacer
from analysis.exporters.identifiers.model import Identifier, canonical
from analysis.exporters.identifiers.rewriting import rewritten

_DAY_NS = 86_400 * 1_000_000_000
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)-(\d\d)-(\d\d)(?!\d)")
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?=T\d{4})")
_MAC = r"(?<![0-9a-f:-])(?P<mac>[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5})(?![0-9a-f:-])"
# a dot behind it may end a sentence, or begin the suffix of a file
_IPV4 = r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"
_IPV6 = r"(?<![0-9a-z:.])[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*(?![0-9a-z:.])"
_ONE_ADDRESS = re.compile(f"(?i){_MAC}|{_IPV4}|{_IPV6}")
_ONE_MAC = re.compile(f"(?i){_MAC}")
_ADDRESSES = ("mac", "ipv4", "ipv6")
# a stamp of this size is a moment since 1973, a smaller one a span
_LEAST_STAMP_NS = 10**17
_PACKED = (".gz", ".zst")
_MOST_CACHED = 1 << 16


class Words:
    """Rewrites the texts of one or more campaigns, the same way everywhere.

    Addresses in them become those that stand in the headers of the captures; other
    identifiers become what they became in payloads.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        identifiers: Iterable[Identifier],
        policy: Policy,
    ) -> None:
        every = tuple(identifiers)
        known = [each for each in every if each.kind not in _ADDRESSES]
        self.pseudonyms = pseudonyms
        patterns = patterns_of(every, pseudonyms)
        self._names, self._units, self._all = (
            Replacer(_without(patterns, kinds))
            for kinds in (_ADDRESSES, _ADDRESSES[1:], ())
        )
        self._whole: Mapping[str, str] = {
            value: text
            for (kind, value), text in assigned(known, pseudonyms).items()
            if kind != "beacon"
        }
        self._every = every
        self._met: set[str] = set()
        self._shift_ns = policy.shift_ns
        self._days = timedelta(days=policy.shift_ns // _DAY_NS)
        self.known = lru_cache(_MOST_CACHED)(self._known)
        self.text = lru_cache(_MOST_CACHED)(self._text)

    def _known(self, text: str) -> str:
        """Return a text without identifiers; addresses of IP and dates in it stay."""
        if text in self._whole:
            self._met.add(text)
            return self._whole[text]
        return self._rewritten(text, _ONE_MAC, self._units)

    def capture(self, name: str) -> str:
        """Return what a file of packets is called, once it is unpacked."""
        return unpacked(self.text(name))

    def _text(self, text: str) -> str:
        """Return a text under pseudonyms; addresses in it may become longer."""
        if text in self._whole:
            self._met.add(text)
            return self._whole[text]
        return self.dates(self._rewritten(text, _ONE_ADDRESS, self._all))

    def _rewritten(
        self, text: str, addresses: re.Pattern[str], replacer: Replacer
    ) -> str:
        """Return a text with names and addresses replaced, in every spelling.

        addresses  finds those that become what stands in headers, of any length
        replacer   of all other spellings, which stay as long as they are
        """
        raw = self._names.bytes(text.encode(errors="surrogateescape"))
        found: list[tuple[int, int, bytes]] = []
        for match in addresses.finditer(raw.decode("latin-1")):
            instead = self._instead(match)
            if instead != match[0]:
                found.append((*match.span(), instead.encode()))
        made = _around(raw, found, lambda rest: rewritten(rest, replacer.bytes))
        return made.decode(errors="surrogateescape")

    def _instead(self, found: re.Match[str]) -> str:
        mac = found["mac"]
        if mac:
            self._met.add(canonical("mac", mac))
        return self.pseudonyms.text(mac, "mac") if mac else self.address(found[0])

    def person(self, name: str) -> str:
        """Return another name for somebody, or for a home; none for none."""
        if not name:
            return name
        self._met.add(name)
        return self._whole.get(name) or self.pseudonyms.text(name, "person")

    def address(self, text: str) -> str:
        """Return the address that stands in headers; what is none stays."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        self._met.add(str(address))
        if address.version == 4:
            made = self.pseudonyms.ipv4(int(address)).to_bytes(4)
        else:
            made = self.pseudonyms.ipv6(address.packed)
        return str(ipaddress.ip_address(made))

    def met(self) -> frozenset[int]:
        """Return rows of the identifiers that texts had in them until now."""
        rows = {row for row, e in enumerate(self._every) if e.value in self._met}
        return frozenset(rows).union(
            *(each.met for each in (self._names, self._units, self._all))
        )

    def dates(self, text: str) -> str:
        """Shift the dates in a text, as 2026-01-31 and as 20260131T1200."""
        if not self._days:
            return text
        text = _DAY.sub(lambda m: self._day(m, "%Y-%m-%d"), text)
        return _COMPACT.sub(lambda m: self._day(m, "%Y%m%d"), text)

    def stamp(self, time_ns: int) -> int:
        """Shift a moment; a span of time stays."""
        return time_ns + self._shift_ns if time_ns >= _LEAST_STAMP_NS else time_ns

    def _day(self, found: re.Match[str], form: str) -> str:
        try:
            day = date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            return found[0]
        return (day + self._days).strftime(form)


def unpacked(name: str) -> str:
    """Return the name of a capture without the suffix of a packer."""
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    return name.replace("/", "_")


def _around(
    raw: bytes,
    parts: Iterable[tuple[int, int, bytes]],
    rewrite: Callable[[bytes], bytes],
) -> bytes:
    """Return bytes with parts, (begin, end, instead), replaced and others rewritten.

    rewrite  sees all, with zeros where the parts are; returns as many bytes as it gets
    """
    rest = bytearray(raw)
    parts = list(parts)
    for begin, end, _instead in parts:
        rest[begin:end] = bytes(end - begin)
    new, made, at = rewrite(bytes(rest)), b"", 0
    for begin, end, instead in parts:
        made += new[at:begin] + instead
        at = end
    return made + new[at:]


def _without(patterns: Patterns, kinds: tuple[str, ...]) -> Patterns:
    """Return the patterns of identifiers of other kinds."""
    rows = [row for row, kind in enumerate(patterns.kinds) if kind not in kinds]
    if len(rows) == len(patterns):
        return patterns
    pool, instead = patterns.pool.tobytes(), patterns.instead.tobytes()
    ends = patterns.first + patterns.size
    spans = {row: slice(patterns.first[row], ends[row]) for row in rows}
    return laid_out(
        [
            Change(
                pattern=pool[spans[row]],
                instead=instead[spans[row]],
                fold=bool(patterns.fold[row]),
                edges=int(patterns.edges[row]),
                kind=patterns.kinds[row],
                owner=patterns.owners[row],
            )
            for row in rows
        ]
    )
