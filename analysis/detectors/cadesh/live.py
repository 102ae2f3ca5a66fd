"""A detector asked about one home while its flows come in, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.detectors.cadesh.detector import Scored
from analysis.detectors.cadesh.flows import HOUR_NS, Int64
from analysis.detectors.cadesh.rows import Home, home_of, rows_of, ways_of
from analysis.detectors.cadesh.store import FlowModel
from analysis.flows import FlowRecords

REMEMBERED = 150_000  # flows at most: three to four weeks of a speaker
_RECENT_NS = 26 * HOUR_NS  # a day of closed hours, and the one that is open
_PIECE = 20_000


@dataclass(slots=True)
class Watch:
    """Remembers what of a home's flows still counts, and scores those that come.

    A home that was learnt from is not compared with what it shared itself. What counts
    are the flows of the last day, the first and the last with each server, and the
    first of each shape: scores are those that all the past would give.

    most  flows that are remembered; what came before is new again
    """

    model: FlowModel
    past: FlowRecords
    most: int = REMEMBERED

    def told(self, flows: FlowRecords) -> Iterator[tuple[FlowRecords, Scored]]:
        """Score flows, in pieces, and remember them; yield each with its scores.

        Flows of a piece are put in order of their starts. A piece that begins before
        what is remembered ends is taken as it is: its past is what starts earlier.
        """
        for first in range(0, len(flows), _PIECE):
            piece = flows.take(slice(first, first + _PIECE)).by_time()
            yield piece, self._scored(piece)

    def _scored(self, piece: FlowRecords) -> Scored:
        both = FlowRecords.joined([self.past, piece])
        order = np.argsort(both.start_ns, kind="stable")
        own = set(piece.home.tolist())
        others = [t for name, t in self.model.pool.items() if name not in own]
        home = home_of(both.take(order), self.model.secret)
        rows = rows_of(home, others)
        asked = np.flatnonzero(order >= len(self.past))
        self.past = home.flows.take(_counting(home)[-self.most :]).compacted()
        return self.model.detector.score(rows.take(asked))


def _counting(home: Home) -> Int64:
    """Return the flows that features of later ones can depend on, by time."""
    at = home.flows.start_ns
    counts = at >= at[-1] - _RECENT_NS
    first, last = _ends(home.keys.server)
    counts[first] = counts[last] = True
    counts[_ends(ways_of(home.keys))[0]] = True
    return np.flatnonzero(counts)


def _ends(what: Int64) -> tuple[Int64, Int64]:
    """Return where each kind is first, and where it is last."""
    order = np.argsort(what, kind="stable")
    new = np.append(True, np.diff(what[order]) != 0)[: len(order)]
    return order[new], order[np.roll(new, -1)]
