"""A detector asked about one home while its flows come in, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.detectors.cadesh.detector import Scored
from analysis.detectors.cadesh.rows import home_of, rows_of
from analysis.detectors.cadesh.store import FlowModel
from analysis.flows import FlowRecords

REMEMBERED = 150_000  # flows: three to four weeks of a speaker
_PIECE = 20_000


@dataclass(slots=True)
class Watch:
    """Remembers the flows of a home, and scores those that come.

    A home that was learnt from is not compared with what it shared itself.

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
        rows = rows_of(home_of(both.take(order), self.model.secret), others)
        asked = np.flatnonzero(order >= len(self.past))
        self.past = both.take(order[-self.most :]).compacted()
        return self.model.detector.score(rows.take(asked))
