"""Texts about a campaign under pseudonyms: words, addresses and dates in them."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache

from analysis.exporters.anonymise.patterns import assigned, patterns_of
from analysis.exporters.anonymise.policy import Policy
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.replace import Replacer
from analysis.exporters.identifiers.model import Identifier

_DAY_NS = 86_400 * 1_000_000_000
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)-(\d\d)-(\d\d)(?!\d)")
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?=T\d{4})")
_MAC = re.compile(r"(?i)(?<![0-9a-f:-])[0-9a-f]{2}([:-][0-9a-f]{2}){5}(?![0-9a-f:-])")
# a dot behind it may end a sentence, or begin the suffix of a file
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_IPV6 = re.compile(r"(?i)(?<![0-9a-z:.])[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*(?![0-9a-z:.])")
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
        known = [each for each in identifiers if each.kind not in _ADDRESSES]
        self.pseudonyms = pseudonyms
        self.replacer = Replacer(patterns_of(known, pseudonyms))
        self._whole: Mapping[str, str] = {
            value: text
            for (kind, value), text in assigned(known, pseudonyms).items()
            if kind != "beacon"
        }
        self._shift_ns = policy.shift_ns
        self._days = timedelta(days=policy.shift_ns // _DAY_NS)
        self.known = lru_cache(_MOST_CACHED)(self._known)
        self.text = lru_cache(_MOST_CACHED)(self._text)

    def _known(self, text: str) -> str:
        """Return a text without identifiers; addresses and dates in it stay."""
        return self._whole.get(text) or self.replacer.text(text)

    def capture(self, name: str) -> str:
        """Return what a file of packets is called, once it is unpacked."""
        return unpacked(self.text(name))

    def _text(self, text: str) -> str:
        """Return a text under pseudonyms; addresses in it may become longer."""
        if text in self._whole:
            return self._whole[text]
        text = self.replacer.text(text)
        text = _MAC.sub(lambda m: self.pseudonyms.text(m[0], "mac"), text)
        text = _IPV4.sub(lambda m: self.address(m[0]), text)
        text = _IPV6.sub(lambda m: self.address(m[0]), text)
        return self.dates(text)

    def person(self, name: str) -> str:
        """Return another name for somebody, or for a home; none for none."""
        if not name:
            return name
        return self._whole.get(name) or self.pseudonyms.text(name, "person")

    def address(self, text: str) -> str:
        """Return the address that stands in headers; what is none stays."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if address.version == 4:
            made = self.pseudonyms.ipv4(int(address)).to_bytes(4)
        else:
            made = self.pseudonyms.ipv6(address.packed)
        return str(ipaddress.ip_address(made))

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
