"""From probabilities to an answer: an activity or `unknown`, and a set it is in.

An answer is given when the window is no stranger than nearly all known ones. How
strange it is, is the rank of its novelty among known windows that were not learnt, or
of its doubt (1 - the highest probability) where novelty is not looked at. Doubt has no
say beside it: a window that may be of two known activities is in doubt, and is not
unknown. An empty set is `unknown`, too.

rule = fit_rule(held_out(classifier, x, sequence, y, session))   # calibration.py
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from analysis.classifiers.model import UNKNOWN, Float64
from analysis.classifiers.temperature import tempered


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An answer for one window.

    label          an activity, `idle`, or `unknown`
    probability    of the likeliest activity, also when the answer is `unknown`
    conformal_set  the activities that the window may be, likeliest first; none when it
                   is like nothing that was learnt
    strangeness    0 ... 1, see `Rule.strangeness`
    """

    label: str
    probability: float
    conformal_set: tuple[str, ...]
    strangeness: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When which answer is given; made of calibration windows only.

    classes      in the order of the columns of probabilities
    temperature  of these; see `temperature`
    doubts       (m,) float64, sorted: 1 - the highest probability of known windows
    novelties    the same, see `Novelty.of`; empty where not looked at
    strange_from strangeness above which the answer is `unknown`
    set_limits   (c,) float64: 1 - the lowest probability of each class that is in a set
    n_sessions   of the calibration windows;  n_windows  how many these are
    """

    classes: tuple[str, ...]
    temperature: float
    doubts: Float64
    novelties: Float64
    strange_from: float
    set_limits: Float64
    n_sessions: int
    n_windows: int

    def strangeness(self, shares: Float64, novelty: Float64 | None = None) -> Float64:
        """Return (k,) float64, 0 ... 1: the rank of novelty, or else of doubt.

        shares   (k, c) float64, as the classifier gave them
        novelty  (k,) float64, see `Novelty.of`; needed where the rule has novelties
        """
        if not self.novelties.size:
            made = tempered(shares, self.temperature)
            return _ranks(self.doubts, 1.0 - made.max(axis=1))
        if novelty is None:
            raise ValueError("this rule looks at novelty; give it")
        return _ranks(self.novelties, novelty)

    def sets(self, shares: Float64) -> list[tuple[str, ...]]:
        """Return the conformal set of each window, likeliest first."""
        made = tempered(shares, self.temperature)
        inside = 1.0 - made <= self.set_limits + 1e-12
        order = np.argsort(-made, axis=1, kind="stable")
        return [
            tuple(self.classes[c] for c in row if kept[c])
            for row, kept in zip(order.tolist(), inside, strict=True)
        ]

    def decide(self, shares: Float64, novelty: Float64 | None = None) -> list[Decision]:
        """Answer for each of k windows; see `strangeness`."""
        made = tempered(shares, self.temperature)
        strange = self.strangeness(shares, novelty)
        best = made.argmax(axis=1)
        return [
            Decision(
                label=self.classes[column] if kept and known else UNKNOWN,
                probability=float(row[column]),
                conformal_set=kept,
                strangeness=float(value),
            )
            for row, column, kept, value, known in zip(
                *(made, best.tolist(), self.sets(shares), strange),
                strange <= self.strange_from,
                strict=True,
            )
        ]

    def record(self) -> dict[str, Any]:
        """Return values that JSON knows."""
        return {
            "classes": list(self.classes),
            "temperature": self.temperature,
            "doubts": self.doubts.tolist(),
            "novelties": self.novelties.tolist(),
            "strange_from": self.strange_from,
            "set_limits": self.set_limits.tolist(),
            "n_sessions": self.n_sessions,
            "n_windows": self.n_windows,
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the rule that `record` told of. Raises KeyError, ValueError."""
        return cls(
            classes=tuple(str(name) for name in record["classes"]),
            temperature=float(record["temperature"]),
            doubts=np.asarray(record["doubts"], dtype=np.float64),
            novelties=np.asarray(record["novelties"], dtype=np.float64),
            strange_from=float(record["strange_from"]),
            set_limits=np.asarray(record["set_limits"], dtype=np.float64),
            n_sessions=int(record["n_sessions"]),
            n_windows=int(record["n_windows"]),
        )


def _ranks(known: Float64, values: Float64) -> Float64:
    """Return (k,) float64: the share of known values that are below each value."""
    if not known.size:
        return np.zeros(values.size)
    below: Float64 = np.searchsorted(known, values - 1e-12) / known.size
    return below
