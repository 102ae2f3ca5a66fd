"""Several detectors at once: what any of them has hardly ever seen in usual hours.

Each member's score becomes a p-value, by the hours of days that the member had not
learnt from; Cauchy's sum combines them.
"""

from collections.abc import Sequence

import numpy as np

from analysis.detectors.conformal import Usual, cauchy
from analysis.detectors.context import Context
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection, Detector, Float64, day_folds
from analysis.detectors.rate import Rate
from analysis.detectors.replay import Replay
from analysis.detectors.sequence import Sequence as Orders
from analysis.errors import RequestError

# Weights and members were chosen on other households than the published figures.
MEMBERS: tuple[tuple[type[Detection], float], ...] = (
    (Rate, 3 / 10),
    (Orders, 3 / 10),
    (Context, 3 / 10),
    (Replay, 1 / 10),
)


class Ensemble(Detection):
    """How often, the members say, such a thing occurs in a usual hour.

    Score: -ln of the combined p-value, of an activity and of an hour; the hour's is of
    the p-values of the hour's scores, and so at least about that of its activities.
    """

    unit = 1.0

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

        Scores of the days left out of one part are compared with those of the other
        parts: hours to come are compared with hours that they are not among, either.
        Raises RequestError where there is not a single hour to learn from.
        """
        if not len(hours):
            raise RequestError("there is no hour to learn from; give a longer stretch")
        self.learn(hours)
        folds = day_folds(hours, self.n_folds)
        held_out = [member.usual_ for member in self.members_]
        self.usual_ = np.zeros(len(hours))
        for fold in np.unique(folds):
            out = folds == fold
            rest = ~out if not out.all() else out
            pairs = zip(self.members_, held_out, strict=True)
            usuals = [Usual.of(each[rest], member.unit) for member, each in pairs]
            self.usual_[out] = combined([each[out] for each in held_out], usuals)
        self.offset_ = -self.threshold()
        return self

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, 0 where nothing happened."""
        return self.judge(hours)[0]

    def judge(self, hours: Hours, first: int = 0) -> tuple[Float64, Float64]:
        """Return `score` and `hour_scores` of the rows from `first` on."""
        told = [member.judge(hours, first) for member in self.members_]
        cells = combined([each for each, _ in told], self.usuals_)
        scores = combined([each for _, each in told], self.usuals_)
        counts, total = hours.counts[first:], hours.total[first:]
        return np.where(counts > 0, cells, 0.0), np.where(total > 0, scores, 0.0)

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say what the member says to which it is strangest."""
        so_far = hours.take(np.arange(len(hours)) <= row)
        p = [
            float(usual.tail_p_values(member.latest(so_far, row)[:, column])[0])
            for member, usual in zip(self.members_, self.usuals_, strict=True)
        ]
        return self.members_[int(np.argmin(p))].explain(so_far, row, column)


def combined(scores: Sequence[Float64], usuals: Sequence[Usual]) -> Float64:
    """Return scores made of those of the members, of any shape, one each."""
    pairs = zip(scores, usuals, strict=True)
    p = np.array([usual.tail_p_values(each) for each, usual in pairs])
    weights = np.array([weight for _, weight in MEMBERS])
    return np.maximum(-np.log(cauchy(p, weights)), 0.0)


DETECTORS = (Detector(name="ensemble", title="ensemble", make=Ensemble),)
