"""All features of a home's flows beside a pool of other homes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.detectors.cadesh import own, pool
from analysis.detectors.cadesh.flows import Bool, Float64, Int64
from analysis.detectors.cadesh.keys import Keys, keys_of
from analysis.detectors.cadesh.pool import Tables, tables_of
from analysis.flows import FlowRecords

NAMES = (*own.NAMES, *pool.NAMES)
N_OWN = len(own.NAMES)
_DOMAIN_WEEK = NAMES.index("domain_week")
_OLD_S = 6 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Flows of one home by start, their keys, and what the home shares."""

    flows: FlowRecords
    keys: Keys
    tables: Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Flows as a detector sees them.

    x         (n, f) float64, columns as `NAMES`, or the own ones alone
    vouched   (n,) two witnesses: half of the pool talked to this domain within a week,
              and this home has done just this there for six days
    start_ns  (n,) int64
    """

    x: Float64
    vouched: Bool
    start_ns: Int64

    def __len__(self) -> int:
        return len(self.start_ns)

    def take(self, rows: Int64 | Bool) -> "Rows":
        """Return some rows."""
        return Rows(
            x=self.x[rows], vouched=self.vouched[rows], start_ns=self.start_ns[rows]
        )

    def own(self) -> "Rows":
        """Return what a home without a pool has: no features of it, and no witness."""
        none = np.zeros(len(self), dtype=np.bool_)
        return Rows(x=self.x[:, :N_OWN], vouched=none, start_ns=self.start_ns)


def home_of(flows: FlowRecords, secret: str = "") -> Home:
    """Return a home made ready; homes with one secret can be compared."""
    flows = flows.by_time()
    keys = keys_of(flows, secret)
    return Home(flows=flows, keys=keys, tables=tables_of(flows, keys))


def rows_of(home: Home, others: Sequence[Tables]) -> Rows:
    """Return the features of a home's flows beside what other homes share."""
    keys = home.keys
    x = np.hstack(
        (
            own.own_features(home.flows, keys),
            pool.pool_features(home.flows, keys, home.tables, others),
        )
    )
    same = keys.domain ^ (keys.shape << 1)
    age_s = own.since(same, home.flows.start_ns)[1]
    vouched = (x[:, _DOMAIN_WEEK] >= 0.5) & (age_s >= _OLD_S)
    return Rows(x=x, vouched=vouched, start_ns=home.flows.start_ns)


def rows_of_all(homes: Mapping[str, Home]) -> dict[str, Rows]:
    """Return the features of each home beside all others, never beside itself."""
    return {
        name: rows_of(home, [h.tables for n, h in homes.items() if n != name])
        for name, home in homes.items()
    }
