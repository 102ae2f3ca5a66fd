"""The two steps together, learnt over homes, asked about another.

Scores: below 0.5 frequent, up to 1 infrequent but known, above 1 unknown: an alarm.
All thresholds come from homes that the part in question has not learnt from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.detectors.cadesh.autoencoder import (
    Layers,
    Network,
    Scale,
    errors,
    network,
    weights_of,
)
from analysis.detectors.cadesh.flows import Bool, Float64, Int64
from analysis.detectors.cadesh.known import Known, chosen, learn_known
from analysis.detectors.cadesh.pool import support
from analysis.detectors.cadesh.rows import ALL, DOMAIN_WEEK, Rows
from analysis.errors import RequestError

FREQUENT, KNOWN = 0.5, 1.0
_GROUPS = 3  # of homes, each with a network to judge the others by
_CALIBRATED = 25_000  # rows of each home that thresholds are taken from
_LOWER_THIRD = (
    1.0 / 3.0
)  # so many of the homes may have been taken over, and raise theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What can be chosen; docs/cadesh.md tells why these.

    infrequent  share of flows of homes not learnt from that step 2 looks at
    false_rate  share of the flows above the limit, in a home that sets a low one
    least       homes that must have shown something before it is known; 0 for what the
                number of homes asks for, which is put here by learning
    step_two    a method of `known`, or 'none': the autoencoder alone
    sample      flows of each home that the network learns from
    """

    infrequent: float = 0.04
    false_rate: float = 0.002
    least: int = 0
    step_two: str = "knn"
    backend: str = "sklearn"
    sample: int = 5_000
    epochs: int = 12
    rare_points: int = 2_500
    usual_points: int = 500
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """(n,) of each flow: its score, what step 1 says, and whether step 2 looked."""

    score: Float64
    error: Float64
    infrequent: Bool

    @property
    def alarm(self) -> Bool:
        """(n,) whether a flow is unknown."""
        alarm: Bool = self.score > KNOWN
        return alarm


@dataclass(slots=True)
class FlowDetector:
    """A detector over a pool of homes."""

    choices: Choices = field(default_factory=Choices)
    scale: Scale | None = None
    drawn_by: Network = field(default_factory=lambda: Layers(()))
    weights: Float64 = field(default_factory=lambda: np.zeros(0))
    limit_error: float = np.inf
    known: Known | None = None
    limit: float = np.inf

    def fit(self, homes: Mapping[str, Rows]) -> "FlowDetector":
        """Learn what is usual from homes; those without a flow are left out.

        Raises RequestError where no home has any.
        """
        homes = peers(homes)
        least = self.choices.least or support(len(homes) - 1)
        self.choices = replace(self.choices, least=least)
        rng = np.random.default_rng(self.choices.seed)
        samples = {n: _some(r, self.choices.sample, rng).x for n, r in homes.items()}
        self.scale = Scale.of(np.vstack(list(samples.values())))
        samples = {name: self.scale(x) for name, x in samples.items()}
        seen = {n: _some(r, _CALIBRATED, rng) for n, r in homes.items()}
        held_out = self._held_out(samples, seen)
        self.weights = weights_of({n: np.mean(e, axis=0) for n, e in held_out.items()})
        error = {n: self._worst(each) for n, each in held_out.items()}
        self.limit_error = self._limit_error(error)
        self.drawn_by = self._network(self._frequent(seen, error, rng))
        if self.choices.step_two != "none":
            self._learn_known(seen, error, rng)
        self.limit = self._limit(seen, error)
        return self

    def judged_by(self, homes: Mapping[str, Rows]) -> "FlowDetector":
        """Set the limits anew, on homes that nothing else was learnt from."""
        seen = {name: rows for name, rows in homes.items() if len(rows)}
        error = {name: self._error(self._scaled(r)) for name, r in seen.items()}
        self.limit_error = self._limit_error(error)
        strange = [
            self._strangeness(error[name], self._scaled(rows), rows.spared)
            for name, rows in seen.items()
        ]
        self.limit = self._farthest(strange)
        return self

    def score(self, rows: Rows) -> Scored:
        """Return the scores of a home's flows."""
        x = self._scaled(rows)
        return self._scored(self._error(x), x, rows.spared)

    # learning

    def _network(self, samples: list[Float64]) -> Network:
        made = network(
            self.choices.backend, seed=self.choices.seed, epochs=self.choices.epochs
        )
        return made.learn(np.vstack(samples))

    def _held_out(
        self, samples: Mapping[str, Float64], seen: Mapping[str, Rows]
    ) -> dict[str, list[Float64]]:
        """Return errors of each home by the networks of other groups of homes."""
        names = list(samples)
        groups = [g for g in (names[k::_GROUPS] for k in range(_GROUPS)) if g]
        found: dict[str, list[Float64]] = {name: [] for name in names}
        for group in groups:
            drawn_by = self._network([samples[name] for name in group])
            for name in names:
                if name not in group:
                    found[name].append(errors(drawn_by, self._scaled(seen[name])))
        return found

    def _error(self, x: Float64) -> Float64:
        found: Float64 = errors(self.drawn_by, x) @ self.weights / len(self.weights)
        return found

    def _limit_error(self, error: Mapping[str, Float64]) -> float:
        share = 1.0 - self.choices.infrequent
        return float(np.median([np.quantile(e, share) for e in error.values()]))

    def _worst(self, by_network: list[Float64]) -> Float64:
        """Return the largest error: what one group finds usual, another may not."""
        each = [e @ self.weights / len(self.weights) for e in by_network]
        worst: Float64 = np.max(each, axis=0)
        return worst

    def _frequent(
        self,
        seen: Mapping[str, Rows],
        error: Mapping[str, Float64],
        rng: np.random.Generator,
    ) -> list[Float64]:
        """Return scaled flows that all other groups find frequent, to learn from.

        Of domains that enough other homes talk to, where there are others: so what
        some homes have been made to do is not learnt as usual, though it be frequent.
        """
        kept = {}
        for name, rows in seen.items():
            shared = np.ones(len(rows), dtype=np.bool_)
            if rows.x.shape[1] > DOMAIN_WEEK:
                shared = rows.x[:, DOMAIN_WEEK] > 0
            usual = error[name] <= self.limit_error
            kept[name] = rows.take(usual & shared if (usual & shared).any() else usual)
        return [
            self._scaled(_some(rows, self.choices.sample, rng))
            for rows in kept.values()
        ]

    def _learn_known(
        self,
        seen: Mapping[str, Rows],
        error: Mapping[str, Float64],
        rng: np.random.Generator,
    ) -> None:
        sizes = (self.choices.rare_points, self.choices.usual_points)
        points = {}
        for name, rows in seen.items():
            rare = error[name] > self.limit_error
            groups = (np.flatnonzero(rare), np.flatnonzero(~rare))
            points[name] = chosen(self._scaled(rows), groups, sizes, rng)
        self.known = learn_known(
            points, method=self.choices.step_two, least=self.choices.least
        )

    def _limit(self, seen: Mapping[str, Rows], error: Mapping[str, Float64]) -> float:
        """Return the distance that is too far, as each home would set it for another.

        A third of the homes' own limits lie below it: those of homes that were taken
        over are high, and the median may lie beside a gap that one of them closes.
        """
        return self._farthest(
            [
                self._strangeness(error[name], self._scaled(rows), rows.spared, k)
                for k, (name, rows) in enumerate(seen.items())
            ]
        )

    def _farthest(self, strange: Sequence[Float64]) -> float:
        share = 1.0 - self.choices.false_rate
        each = [np.quantile(found, share) for found in strange]
        limit = float(np.quantile(each, _LOWER_THIRD))
        return max(1e-9 if self.known else self.limit_error, limit)

    # scoring

    def _scaled(self, rows: Rows) -> Float64:
        if self.scale is None:
            raise RequestError("the detector has learnt nothing; train it first")
        return self.scale(rows.x)

    def _strangeness(
        self, error: Float64, x: Float64, spared: Int64, without: int = -1
    ) -> Float64:
        """Return what the limit is compared with: a distance, or the error alone."""
        if self.known is None:
            return error
        far = np.zeros(len(error))
        asked = (error > self.limit_error) & (spared < ALL)
        far[asked] = self.known.distance(x[asked], spared[asked], without)
        return np.minimum(far, 1e6)

    def _scored(self, error: Float64, x: Float64, spared: Int64) -> Scored:
        infrequent = error > self.limit_error
        usual = FREQUENT * np.minimum(error / self.limit_error, 1.0)
        strange = self._strangeness(error, x, spared) / self.limit
        if self.known is None:
            return Scored(score=strange, error=error, infrequent=infrequent)
        known = FREQUENT + FREQUENT * np.minimum(strange, 1.0)
        score = np.where(strange > 1.0, strange, known)
        asked = infrequent & (spared < ALL)
        return Scored(
            score=np.where(asked, score, usual), error=error, infrequent=infrequent
        )


def peers(homes: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return homes with flows; of a single one its halves by time, to judge each other.

    Raises RequestError where no home has any.
    """
    found = {name: rows for name, rows in homes.items() if len(rows)}
    if not found:
        raise RequestError("there is no flow to learn from; name more homes or days")
    if len(found) > 1:
        return found
    (name, rows) = next(iter(found.items()))
    order = np.argsort(rows.start_ns, kind="stable")
    parts = np.array_split(order, 2)
    halves = {f"{name} {k}": rows.take(part) for k, part in enumerate(parts, 1)}
    return {half: part for half, part in halves.items() if len(part)}


def _some(rows: Rows, n: int, rng: np.random.Generator) -> Rows:
    if len(rows) <= n:
        return rows
    return rows.take(np.sort(rng.choice(len(rows), n, replace=False)))
