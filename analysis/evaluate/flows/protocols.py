"""Who is learnt from and who is asked: by home, and by time.

The home that is asked is never learnt from, and what is learnt from lies before what
is asked. The first days are left out: a pool that has seen nothing yet finds all new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.detectors.cadesh.flows import Bool
from analysis.detectors.cadesh.rows import Home, Rows, rows_of
from analysis.errors import RequestError

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Stretches of a span, in days from `start_ns`.

    warm_up  days at the beginning that only fill the pool
    until    where learning ends and asking begins;  end  where asking ends
    """

    start_ns: int
    warm_up: int = 3
    until: int = 14
    end: int = 21

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up < self.until < self.end:
            raise RequestError(
                f"days {self.warm_up}, {self.until} and {self.end} are no split; "
                "learning must begin before it ends, and asking come after"
            )

    def learnt(self, rows: Rows) -> Rows:
        """Return the rows that may be learnt from."""
        return rows.take(self._between(rows, self.warm_up, self.until))

    def asked(self, rows: Rows) -> Rows:
        """Return the rows that are asked about."""
        return rows.take(self.is_asked(rows))

    def is_asked(self, rows: Rows) -> Bool:
        """Return (n,) which rows are asked about."""
        return self._between(rows, self.until, self.end)

    @property
    def lasts_s(self) -> float:
        """How long is asked about."""
        return (self.end - self.until) * DAY_NS / 1e9

    def _between(self, rows: Rows, first: int, last: int) -> Bool:
        day = (rows.start_ns - self.start_ns) / DAY_NS
        between: Bool = (day >= first) & (day < last)
        return between


def training_rows(
    homes: Mapping[str, Home], names: Sequence[str], split: Split
) -> dict[str, Rows]:
    """Return what is learnt from: each of `names` beside the others of them."""
    return {
        name: split.learnt(
            rows_of(homes[name], [homes[n].tables for n in names if n != name])
        )
        for name in names
    }
