"""What of two captures, as recorded and as published, is compared in one go.

Tasks follow from names and sizes alone, so that results are the same with any number
of processes, and after a kill.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.plain import ALL, Share
from analysis.exporters.audit.second import series

_TOGETHER_B = 1 << 27  # of captures whose fields are compared together
_SHARE_B = 1 << 27  # of a capture whose words are compared in shares
_MOST_SHARES = 4  # each of which reads all packets
_FIELDS_SHARE = 0.3  # of the time that a byte takes
Pair = tuple[str, Path, Path]  # name of the published capture, source, published
Step = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is known of a campaign whose captures are compared.

    about    its campaign.yaml
    words    of products and activities
    devices  MAC as a number -> device
    at_s     when it began, s UTC
    """

    about: Path
    words: tuple[str, ...]
    devices: Mapping[int, str]
    at_s: int

    def judge(self) -> Judge:
        """Return who knows its words."""
        return Judge(self.words, at_s=self.at_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Captures of a campaign that are compared in one go.

    name    tells it from others, for as long as captures and sizes stay
    size_b  bytes that it counts for
    known   fields of identity that this tshark knows
    share   conversations whose words are compared
    opaque  ports behind which tshark knows no protocol
    """

    name: str
    campaign: Campaign
    pairs: tuple[Pair, ...]
    size_b: int
    known: tuple[str, ...] = ()
    share: Share = ALL
    opaque: frozenset[str] = frozenset()

    @property
    def files(self) -> list[Path]:
        """Return all that it depends on."""
        captures = [path for _, *both in self.pairs for path in both]
        return [*captures, *([self.campaign.about] * self.campaign.about.is_file())]


class Progress:
    """Tells bytes as a task goes on, each once."""

    def __init__(self, size_b: int, step: Step) -> None:
        self._size_b = size_b
        self._step = step
        self._told_b = 0

    def at(self, share: float) -> None:
        """Say how much of it is done, 0 to 1."""
        now_b = int(self._size_b * min(share, 1.0))
        if now_b > self._told_b:
            self._step(now_b - self._told_b)
            self._told_b = now_b

    def within(self, first: float, last: float) -> Callable[[float], None]:
        """Return what to tell how much is done of what lasts from share to share."""
        return lambda share: self.at(first + (last - first) * min(share, 1.0))

    def part(self, first: float, last: float, total_b: int) -> Step:
        """Return what to tell bytes of what lasts from share to share."""
        tell, done_b = self.within(first, last), 0

        def step(size_b: int) -> None:
            nonlocal done_b
            done_b += size_b
            tell(done_b / max(1, total_b))

        return step


def counted_b(pair: Pair, *, fields: bool) -> int:
    """Return how many bytes one comparison of a capture counts for."""
    size_b = pair[2].stat().st_size
    of_fields = int(size_b * _FIELDS_SHARE)
    return of_fields if fields else size_b - of_fields


def fields_tasks(
    campaign: Campaign, pairs: Sequence[Pair], known: tuple[str, ...]
) -> Iterator[Task]:
    """Yield tasks that compare fields: captures that roll on, until they are many."""
    held: list[Pair] = []
    held_b = 0
    for pair in pairs:
        size_b = pair[2].stat().st_size
        rolling = bool(held) and series(held[-1][0]) == series(pair[0])
        if held and (not rolling or held_b >= _TOGETHER_B):
            yield _fields_task(campaign, held, known)
            held, held_b = [], 0
        held.append(pair)
        held_b += size_b
    if held:
        yield _fields_task(campaign, held, known)


def _fields_task(
    campaign: Campaign, pairs: Sequence[Pair], known: tuple[str, ...]
) -> Task:
    more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
    return Task(
        name=f"fields of {pairs[0][0]}{more}",
        campaign=campaign,
        pairs=tuple(pairs),
        size_b=sum(counted_b(pair, fields=True) for pair in pairs),
        known=known,
    )


def words_tasks(
    campaign: Campaign, pairs: Sequence[Pair], opaque: frozenset[str]
) -> Iterator[Task]:
    """Yield tasks that compare words: a capture, or a share of a large one."""
    for pair in pairs:
        total_b = counted_b(pair, fields=False)
        size_b = pair[2].stat().st_size
        n = 1 if size_b <= 2 * _SHARE_B else min(_MOST_SHARES, size_b // _SHARE_B)
        for number in range(n):
            share = f", share {number + 1} of {n}" if n > 1 else ""
            yield Task(
                name=f"words of {pair[0]}{share}",
                campaign=campaign,
                pairs=(pair,),
                size_b=total_b * (number + 1) // n - total_b * number // n,
                share=Share(number, n),
                opaque=opaque,
            )
