"""Shapes of recorded trials, learnt into a file that a virtual device can play.

    learnt = learn_twin(folder, "echo")
    save_twin(learnt, target)

Nothing of a payload is learnt: only when packets were sent, how long they were, which
way they went, and to whom.
"""

from analysis.twins.learn import learn_twin
from analysis.twins.limits import MEASURED_WITH, Known, Limits, limits_of
from analysis.twins.model import LearntTwin
from analysis.twins.store import FORMAT, save_twin

__all__ = [
    "FORMAT",
    "MEASURED_WITH",
    "Known",
    "LearntTwin",
    "Limits",
    "learn_twin",
    "limits_of",
    "save_twin",
]
