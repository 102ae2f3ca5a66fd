"""All features of a home's flows beside a pool of other homes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.detectors.cadesh import own, pool
from analysis.detectors.cadesh.flows import GROUP, Bool, Float64, Int64, place
from analysis.detectors.cadesh.keys import Keys, keys_of
from analysis.detectors.cadesh.pool import Tables, tables_of
from analysis.flows import FlowRecords

NAMES = (*own.NAMES, *pool.NAMES)
N_OWN = len(own.NAMES)
DOMAIN_WEEK = NAMES.index("domain_week")
_OLD_S = 6 * 86_400.0
FORMED_NS = 7 * 86_400_000_000_000  # habits are those of a home's first week
NOBODY, ONE, ALL = 0, 1, 2  # of the homes that must have shown something


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
    spared    (n,) homes that need not have shown a flow: NOBODY, ONE, or ALL. Two
              witnesses spare all: half of the pool talked to this domain within a week,
              and this home has done just this there for six days. So do habits
              inside of a home; others spare one
    start_ns  (n,) int64
    """

    x: Float64
    spared: Int64
    start_ns: Int64

    def __len__(self) -> int:
        return len(self.start_ns)

    def take(self, rows: Int64 | Bool) -> "Rows":
        """Return some rows."""
        return Rows(
            x=self.x[rows], spared=self.spared[rows], start_ns=self.start_ns[rows]
        )

    def own(self) -> "Rows":
        """Return what a home without a pool has: no features of it, and no witness."""
        return replace(self, x=self.x[:, :N_OWN], spared=np.zeros_like(self.spared))


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
    age_s = own.since(ways_of(keys), home.flows.start_ns)[1]
    usual = (x[:, DOMAIN_WEEK] >= 0.5) & (age_s >= _OLD_S)
    spared: Int64 = np.where(usual, ALL, _habits(home))
    return Rows(x=x, spared=spared, start_ns=home.flows.start_ns)


def ways_of(keys: Keys) -> Int64:
    """Return (n,) keys of what a home does with whom: domain and shape together."""
    way: Int64 = keys.domain ^ (keys.shape << 1)
    return way


def _habits(home: Home) -> Int64:
    """Return (n,) what the home's habits stand for, once its first week is over.

    A domain that a home has talked to since its first week is a habit, and stands for
    one home. What begins later is never one, however long it lasts. What goes to all
    on the home's own LAN leaves no home, so that there a habit stands for all.
    """
    at, domain = home.flows.start_ns, home.keys.domain
    if not len(at):
        return np.zeros(0, dtype=np.int64)
    formed_ns = int(at[0]) + FORMED_NS
    habits = np.unique(domain[at < formed_ns])
    old = np.isin(domain, habits) & (at >= formed_ns)
    stands = np.where(place(home.flows) == GROUP, ALL, ONE)
    spared: Int64 = np.where(old, stands, NOBODY)
    return spared


def rows_of_all(homes: Mapping[str, Home]) -> dict[str, Rows]:
    """Return the features of each home beside all others, never beside itself."""
    return {
        name: rows_of(home, [h.tables for n, h in homes.items() if n != name])
        for name, home in homes.items()
    }
