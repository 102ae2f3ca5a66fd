"""What to do with a capture, and what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WEEK_NS = 7 * 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How to anonymise.

    payload        keep, headers (nothing above TCP and UDP), or truncate:N (bytes)
    names          keep-public or pseudonym: for records; the names themselves are among
                   the identifiers
    shift_ns       added to all stamps; whole weeks
    strip_beacons  leave the packets of the testbed itself out

    Raises ValueError for what cannot be done.
    """

    payload: str = "keep"
    names: str = "keep-public"
    shift_ns: int = 0
    strip_beacons: bool = True

    def __post_init__(self) -> None:
        """Check what was asked for."""
        _ = self.most_payload_b
        if self.names not in ("keep-public", "pseudonym"):
            raise ValueError(f"names must be keep-public or pseudonym: {self.names!r}")
        if self.shift_ns % WEEK_NS:
            raise ValueError("times can be shifted by whole weeks alone")

    @property
    def most_payload_b(self) -> int | None:
        """Bytes above TCP and UDP that stay; None for all."""
        if self.payload == "keep":
            return None
        if self.payload == "headers":
            return 0
        name, _, number = self.payload.partition(":")
        if name != "truncate" or not number.isdecimal():
            raise ValueError(
                f"payload must be keep, headers or truncate:N, got {self.payload!r}"
            )
        return int(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was done to one capture, or to all: add them up.

    packets    that were written
    beacons    that were left out
    changed    packets that were written with a replacement above their headers
    addresses  that differ, of all kinds, in headers
    comments   of packets, sections and interfaces, dropped
    blocks     dropped: secrets, those of unknown kinds
    unread     packets with a packed payload that was too large to look into
    replaced   places in payloads that were written, by kind of the identifier that
               stood there; what a border of segments cuts is two
    met        rows of the identifiers that stood anywhere, as these were given
    """

    packets: int = 0
    beacons: int = 0
    changed: int = 0
    addresses: int = 0
    comments: int = 0
    blocks: int = 0
    unread: int = 0
    replaced: Mapping[str, int] = field(default_factory=dict)
    met: Sequence[int] = ()

    def __add__(self, other: "Counts") -> "Counts":
        names = [n for n in self.__slots__ if n not in ("replaced", "met")]
        sums = {each: getattr(self, each) + getattr(other, each) for each in names}
        kinds = sorted({*self.replaced, *other.replaced})
        replaced = {
            kind: self.replaced.get(kind, 0) + other.replaced.get(kind, 0)
            for kind in kinds
        }
        met = tuple(sorted({*self.met, *other.met}))
        return Counts(**sums, replaced=replaced, met=met)
