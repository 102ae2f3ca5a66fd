"""Take each packet once that was captured more often: on two interfaces, or sent again.

A router that is captured at every interface shows a packet as often as it passes one,
and TCP sends again what it thinks is lost. Addresses, ports and payload are the same
then, and for TCP the sequence number; for UDP, which may well repeat itself, the number
of the IP packet, and where devices leave that at 0, that it is another capture.
"""

from collections import deque
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
    recent: dict[Hashable, deque[Segment]] = {}
    kept: list[Segment] = []
    for segment in sorted(segments, key=lambda each: each.time_ns):
        known = recent.setdefault(segment.key, deque())
        while known and not _is_near(segment, known[0]):
            known.popleft()
        # two that are alike pass the next interface in the order in which they came
        first = next((each for each in known if _is_copy(segment, each)), None)
        if first is None:
            known.append(segment)
            kept.append(segment)
        else:
            first.captures |= segment.captures
            first.copies += 1
    yield from kept


def _is_near(segment: Segment, known: Segment) -> bool:
    most_ns = _PASSING_NS if segment.seq is None else _SENT_AGAIN_NS
    return segment.time_ns - known.time_ns <= most_ns


def _is_copy(segment: Segment, known: Segment) -> bool:
    """Say whether a segment that looks the same as one of late is that one."""
    if segment.seq is not None or segment.number:
        return True
    return not segment.captures & known.captures
