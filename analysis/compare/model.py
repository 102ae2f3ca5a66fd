"""What a comparison of two campaigns is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Text = NDArray[np.str_]

ALL = ""  # stands for all windows of a device together


class Kind(StrEnum):
    """What a test looks at."""

    TIMING = "timing"
    SIZE = "size"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number of a trial."""

    name: str
    unit: str
    kind: Kind


MEASURES = (
    Measure(name="first_packet_s", unit="s", kind=Kind.TIMING),
    Measure(name="span_s", unit="s", kind=Kind.TIMING),
    Measure(name="since_last_s", unit="s", kind=Kind.TIMING),
    Measure(name="stimulus_s", unit="s", kind=Kind.TIMING),
    Measure(name="packets_out", unit="1", kind=Kind.SIZE),
    Measure(name="packets_in", unit="1", kind=Kind.SIZE),
    Measure(name="bytes_out", unit="b", kind=Kind.SIZE),
    Measure(name="bytes_in", unit="b", kind=Kind.SIZE),
    Measure(name="retransmissions", unit="1", kind=Kind.SIZE),
    *(
        Measure(name=f"frame_{what}_{way}_b", unit="b", kind=Kind.SIZE)
        for way in ("out", "in")
        for what in ("p25", "p50", "p75", "max")
    ),
)


class Unit(StrEnum):
    """What is exchanged between the campaigns to see what chance does."""

    SESSION = "session"
    TRIAL = "trial"


class Verdict(StrEnum):
    """What a test says."""

    SAME = "same"  # no more than chance, or too few to tell
    DRIFT = "drift"
    DAYS = "days"  # more than chance among trials, no more than between days


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How to compare.

    alpha         chance of any drift reported where there is none, over all tests
    permutations  at most so many exchanges
    seed          of exchanges and of classifiers
    classifiers   names, for transfer; none leaves it out
    intervals     whether effects get intervals, which takes most of the time
    """

    alpha: float = 0.05
    permutations: int = 9999
    seed: int = 0
    classifiers: tuple[str, ...] = ("random_forest",)
    intervals: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The label windows of one device in one campaign, and some idle ones.

    stratum   (k,) what was done, by what channel, over what network; or idle
    session   (k,) str
    values    (k, m) as `MEASURES`, NaN unknown, inf for a packet that did not come
    hosts     host -> (k,) whether the window has a packet of it
    elsewhere hosts that the device talked with outside of windows alone
    """

    device: str
    stratum: Text
    session: Text
    values: Float64
    hosts: Mapping[str, Bool]
    elsewhere: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return int(self.stratum.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How large a difference is.

    median_a, median_b  of the trials; shares for hosts
    ratio    of B's median to A's, None where A's is 0 or either is unknown
    ratio_low, ratio_high  its 95 % interval, None without
    delta    Cliff's: share of pairs in which B is larger less that in which A is
    """

    median_a: float | None
    median_b: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One question about one device, answered: is a measure another in B than in A.

    activity    stratum, or `ALL` for all of the device, each compared with its own kind
    p           of this test alone;  p_adjusted  over all tests of the comparison
    detectable  Cliff's delta that four of five such comparisons would find; None where
                no difference however large can be found with so few
    """

    device: str
    activity: str
    measure: str
    kind: Kind
    unit: str
    n_a: int
    n_b: int
    effect: Effect
    p: float
    p_adjusted: float
    verdict: Verdict
    detectable: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One endpoint that a device talked with.

    n_a, n_b  windows with a packet of it;  verdict  of its test, None where no window
              of either campaign has it
    """

    device: str
    host: str
    n_a: int
    n_b: int
    state: str
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with the interval in which it may lie at 95 %, None where unknown."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A classifier within one campaign, and learnt from the other one.

    direction  'A to B': learnt from A and tested on B, held against within B
    within     accuracy within the campaign that was tested; None where refused
    across     accuracy of what learnt from the other one
    loss       within less across, on the same trials
    note       how `within` was split, or why there is none
    """

    device: str
    classifier: str
    direction: str
    within: Share | None
    across: Share | None
    loss: Share | None
    n_trials: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that the campaigns say of themselves and that differs."""

    what: str
    a: str
    b: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that is said of two campaigns.

    unit     what was exchanged;  n_exchanges  how often, with the real one
    exact    whether these were all there are
    only     what is in one of them alone, a line each
    remarks  what to know before one believes it
    """

    a: str
    b: str
    asked: Asked
    unit: Unit
    n_exchanges: int
    exact: bool
    tests: tuple[Tested, ...]
    hosts: tuple[Host, ...]
    facts: tuple[Fact, ...]
    transfers: tuple[Transfer, ...] = ()
    only: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    @property
    def drifted(self) -> tuple[Tested, ...]:
        """Tests that report drift."""
        return tuple(t for t in self.tests if t.verdict is Verdict.DRIFT)
