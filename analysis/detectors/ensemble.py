"""Several detectors at once: what any of them has hardly ever seen in usual hours.

Each member's score becomes a p-value, by the hours of days that the member had not
learnt from; Cauchy's sum combines them.
"""

import numpy as np

from analysis.detectors.conformal import Usual, cauchy
from analysis.detectors.context import Context
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection, Detector, Float64
from analysis.detectors.rate import Rate
from analysis.detectors.replay import Replay
from analysis.detectors.sequence import Sequence
from analysis.detectors.typical import TYPICAL
from analysis.errors import RequestError

# Weights and members were chosen on other households than the published figures.
MEMBERS: tuple[tuple[type[Detection], float], ...] = (
    (Rate, 3 / 10),
    (Sequence, 3 / 10),
    (Context, 3 / 10),
    (Replay, 1 / 10),
)


class Ensemble(Detection):
    """How often, the members say, such a thing occurs in a usual hour.

    Score: -ln of the combined p-value, of an activity and of an hour; the hour's is of
    the p-values of the hour's scores, and so at least about that of its activities.
    """

    typical = TYPICAL.get("ensemble")

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.members_: tuple[Detection, ...] = ()
        self.usuals_: tuple[Usual, ...] = ()

    def learn(self, hours: Hours) -> None:
        """Let each member learn, and what is usual for it."""
        self.members_ = tuple(make(self.seed).fit(hours) for make, _ in MEMBERS)
        self.usuals_ = tuple(member.usual() for member in self.members_)

    def fit(self, hours: Hours) -> "Ensemble":
        """Learn; the members' own held-out scores tell what is usual for all of them.

        Raises RequestError where there is not a single hour to learn from.
        """
        if not len(hours):
            raise RequestError("there is no hour to learn from; give a longer stretch")
        self.learn(hours)
        self.usual_ = self.combined([m.usual_ for m in self.members_])
        self.offset_ = -self.threshold()
        return self

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, 0 where nothing happened."""
        scores = self.combined([member.score(hours) for member in self.members_])
        return np.where(hours.counts > 0, scores, 0.0)

    def hour_scores(self, hours: Hours) -> Float64:
        """Return (h,) float64, 0 where nothing happened."""
        scores = self.combined([m.hour_scores(hours) for m in self.members_])
        return np.where(hours.total > 0, scores, 0.0)

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say what the member says to which it is strangest."""
        p = [
            float(usual.tail_p_values(member.score(hours)[row : row + 1, column])[0])
            for member, usual in zip(self.members_, self.usuals_, strict=True)
        ]
        return self.members_[int(np.argmin(p))].explain(hours, row, column)

    def combined(self, scores: list[Float64]) -> Float64:
        """Return scores made of those of the members, of any shape, one each."""
        pairs = zip(scores, self.usuals_, strict=True)
        p = np.array([usual.tail_p_values(each) for each, usual in pairs])
        weights = np.array([weight for _, weight in MEMBERS])
        return np.maximum(-np.log(cauchy(p, weights)), 0.0)


DETECTORS = (Detector(name="ensemble", title="ensemble", make=Ensemble),)
