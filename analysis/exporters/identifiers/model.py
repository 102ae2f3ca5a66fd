"""What tells a household, a device or a person from others, as a value.

Every identifier has one canonical text, so that two sources that write it differently
make one identifier.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

KINDS = (
    "mac",  # lower case, colons
    "ipv4",  # canonical text
    "ipv6",  # canonical text
    "ssid",
    "hostname",  # one label: what a device calls itself
    "domain",  # a name with dots that is not of the public cloud
    "account",  # a login that is no mail address, or a user's number at a vendor
    "email",
    "serial",
    "uuid",  # as found, lower case
    "secret",  # passwords, keys
    "token",  # what a server or device gave for a session
    "place",  # one coordinate, as text
    "beacon",  # the start of every beacon of ours
    "person",  # a name of a human, or what one calls a device
    "path",  # a folder or file of a machine
)
_MAC = re.compile(r"[0-9a-f]{12}")
_SEPARATORS = re.compile(r"[:\-.\s]")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Identifier:
    """One text that must not leave the lab.

    kind    one of `KINDS`
    value   canonical text for addresses and UUIDs, as found for all else
    source  where it was found, for people: a file, or 'secrets'
    """

    kind: str
    value: str
    source: str = ""

    def __post_init__(self) -> None:
        """Write the value canonically. Raises ValueError when it is not of its kind."""
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}: {self.kind!r}")
        object.__setattr__(self, "value", canonical(self.kind, self.value))

    @property
    def binary(self) -> bytes:
        """Return an address as in a header, 4, 6 or 16 bytes; b'' for other kinds."""
        if self.kind == "mac":
            return bytes.fromhex(self.value.replace(":", ""))
        if self.kind in ("ipv4", "ipv6"):
            return ipaddress.ip_address(self.value).packed
        return b""


def canonical(kind: str, value: str) -> str:
    """Write a value as its kind is written. Raises ValueError for what cannot be it."""
    if not value:
        raise ValueError(f"an identifier of kind {kind} must not be empty")
    if kind == "mac":
        bare = _SEPARATORS.sub("", value).lower()
        if not _MAC.fullmatch(bare):
            raise ValueError(f"must be a MAC address, got {value!r}")
        return ":".join(bare[i : i + 2] for i in range(0, 12, 2))
    if kind == "ipv4":
        return str(ipaddress.IPv4Address(value))
    if kind == "ipv6":
        return str(ipaddress.IPv6Address(value.split("%")[0]))
    return value.lower() if kind == "uuid" else value


def unique(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """Keep one of each kind and value, that of the first source, in order."""
    kept: dict[tuple[str, str], Identifier] = {}
    for each in sorted(identifiers):
        kept.setdefault((each.kind, each.value), each)
    return tuple(kept.values())
