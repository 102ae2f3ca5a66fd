"""Take each packet once that was captured more often: on two interfaces, or sent again.

A router that is captured at every interface shows a packet as often as it passes one,
and TCP sends again what it thinks is lost. Addresses, ports and payload are the same
then, and for TCP the sequence number; for UDP, which may well repeat itself, the number
of the IP packet, and where devices leave that at 0, that it is another capture.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field

_SENT_AGAIN_NS = 300_000_000_000  # TCP gives up after minutes
_PASSING_NS = 1_000_000_000  # from one interface of a router to the next


@dataclass(slots=True, kw_only=True)
class Segment:
    """A piece of what one side said to the other; times are ns UTC.

    flow      both ends and the protocol, the same for either direction
    source    address and port of who said it;  target  of the other
    seq       TCP sequence number, None for UDP
    number    number of the IP packet, 0 where it has none
    time_ns   earliest stamp;  captures  files in which it is;  copies  packets
    """

    flow: Hashable
    source: tuple[str, int]
    target: tuple[str, int]
    seq: int | None
    number: int
    time_ns: int
    outbound: bool | None
    payload: bytes
    captures: set[str] = field(default_factory=set)
    copies: int = 1

    @property
    def key(self) -> Hashable:
        """What copies have in common."""
        number = self.number if self.seq is None else 0
        return self.source, self.target, self.seq, number, self.payload


def each_once(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Yield segments in order of time, the copies of one counted with it."""
    recent: dict[Hashable, _Alike] = {}
    kept: list[Segment] = []
    for segment in sorted(segments, key=lambda each: each.time_ns):
        first = recent.setdefault(segment.key, _Alike()).original(segment)
        if first is None:
            kept.append(segment)
        else:
            first.captures |= segment.captures
            first.copies += 1
    yield from kept


@dataclass(slots=True)
class _Alike:
    """Segments that look the same, in order of time, each once.

    begin    number of the first that is recent;  passed  captures -> number of the
             first that may be in none of them. Neither ever goes back, so that each of
             many that are alike is looked at once per capture
    """

    kept: list[Segment] = field(default_factory=list)
    begin: int = 0
    passed: dict[frozenset[str], int] = field(default_factory=dict)

    def original(self, segment: Segment) -> Segment | None:
        """Return what a segment is a copy of; keep it where that is nothing."""
        kept = self.kept
        while self.begin < len(kept) and not _is_near(segment, kept[self.begin]):
            self.begin += 1
        at = self.begin
        if segment.seq is None and not segment.number:
            # two that are alike pass the next interface in the order in which they came
            captures = frozenset(segment.captures)
            at = max(at, self.passed.get(captures, 0))
            while at < len(kept) and captures & kept[at].captures:
                at += 1
            self.passed[captures] = at
        if at < len(kept):
            return kept[at]
        kept.append(segment)
        return None


def _is_near(segment: Segment, known: Segment) -> bool:
    most_ns = _PASSING_NS if segment.seq is None else _SENT_AGAIN_NS
    return segment.time_ns - known.time_ns <= most_ns
