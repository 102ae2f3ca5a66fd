"""What a comparison of two campaigns is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Text = NDArray[np.str_]

ALL = ""  # stands for all windows of a device together


class Kind(StrEnum):
    """What a test looks at."""

    TIMING = "timing"
    SIZE = "size"
    HOST = "host"
    SHAPE = "shape"  # how sizes or pauses are distributed
    PRINT = "fingerprint"  # what a device's network software says of itself


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


# of the windows of an activity, of idle windows, of all of a device
FRAMES = Measure(name="frames", unit="share", kind=Kind.SHAPE)
EXACT_FRAMES = Measure(name="exact_frames", unit="share", kind=Kind.SHAPE)
FIRST_FRAMES = Measure(name="first_frames", unit="share", kind=Kind.SHAPE)


class Unit(StrEnum):
    """What is exchanged between the campaigns to see what chance does."""

    DAY = "day"
    SESSION = "session"  # where nobody knows which sessions share a day


class Verdict(StrEnum):
    """What a test says."""

    SAME = "same"  # no more than chance
    DRIFT = "drift"
    UNTOLD = "cannot be told"  # too few days of it


class Outcome(StrEnum):
    """What a comparison says."""

    DRIFT = "drift"
    NO_DRIFT = "no drift found"
    UNTOLD = "cannot be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How to compare.

    alpha         chance of any drift reported where there is none, over all tests
    permutations  at most so many exchanges
    seed          of exchanges and of classifiers
    classifiers   names, for transfer; none leaves it out
    intervals     whether effects get intervals, which takes most of the time
    renamed       (name in A, name in B) of devices that are one under two names
    """

    alpha: float = 0.05
    permutations: int = 9999
    seed: int = 0
    classifiers: tuple[str, ...] = ("random_forest",)
    intervals: bool = True
    renamed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The label windows of one device in one campaign, and some idle ones.

    stratum   (k,) what was done, by what channel, over what network; or idle
    unit      (k,) str, day (or session) of the window
    values    (k, m) as `MEASURES`, NaN unknown, inf for a packet that did not come
    hosts     host -> (k,) whether the window has a packet of it
    lengths   (2, k, longest + 1) frames of each length, out and in
    first     (k, 6) lengths of the first frames with payload, those in negative; NaN
              for none
    events    what was seen outside of windows, or is said by captures, by its name
    elsewhere hosts that the device talked with outside of windows alone
    """

    device: str
    stratum: Text
    unit: Text
    values: Float64
    hosts: Mapping[str, Bool]
    lengths: NDArray[np.int32]
    first: Float64
    events: Mapping[str, "Events"] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return int(self.stratum.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """How often what was seen on which day.

    unit, value, n  (e,) str, int or str, int: seen n times in that unit
    ordered  whether values are on a scale, so that near ones are nearly the same
    """

    unit: Text
    value: NDArray[Any]
    n: Int64
    kind: Kind
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How large a difference is.

    median_a, median_b  of the trials; shares for hosts; None for shapes
    ratio    of B's median to A's, None where A's is 0 or either is unknown
    ratio_low, ratio_high  its 95 % interval, None without
    delta    Cliff's: share of pairs in which B is larger less that in which A is; of a
             shape, the share of packets that are others
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
    n_a, n_b    windows, or packets
    units_a, units_b  days (or sessions) with any of them
    p           of this test alone;  p_adjusted  over all tests of the comparison; None
                where there are too few days to tell
    detectable  Cliff's delta (of hosts, difference of shares) that four of five such
                comparisons would find; None where none however large would be, and for
                shapes
    """

    device: str
    activity: str
    measure: str
    kind: Kind
    unit: str
    n_a: int
    n_b: int
    units_a: int
    units_b: int
    effect: Effect
    p: float | None
    p_adjusted: float | None
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
    loss       within less across, on the same trials; None without an interval
    n_learnt   trials that each of the two learnt from, on average over what is tested
    note       how `within` was split, or why there is none
    """

    device: str
    classifier: str
    direction: str
    within: Share | None
    across: Share | None
    loss: Share | None
    n_trials: int
    n_learnt: float | None
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

    unit     what was exchanged;  units_a, units_b  how many of them there are
    n_exchanges  how often, with the real one
    exact    whether these were all there are
    only     what is in one of them alone, a line each
    remarks  what to know before one believes it
    identical  whether both have the very same captures and activities
    """

    a: str
    b: str
    asked: Asked
    unit: Unit
    units_a: int
    units_b: int
    n_exchanges: int
    exact: bool
    tests: tuple[Tested, ...]
    hosts: tuple[Host, ...]
    facts: tuple[Fact, ...]
    transfers: tuple[Transfer, ...] = ()
    only: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())
    identical: bool = False

    @property
    def drifted(self) -> tuple[Tested, ...]:
        """Tests that report drift."""
        return tuple(t for t in self.tests if t.verdict is Verdict.DRIFT)

    @property
    def blind(self) -> tuple[str, ...]:
        """Devices of which nothing can be told, in order."""
        seen = {t.device for t in self.tests if t.verdict is not Verdict.UNTOLD}
        devices = dict.fromkeys(t.device for t in self.tests)
        return tuple(name for name in devices if name not in seen)

    @property
    def outcome(self) -> Outcome:
        """Drift where any is; no drift only where every device could be told."""
        if self.drifted:
            return Outcome.DRIFT
        if self.identical:
            return Outcome.NO_DRIFT
        return Outcome.UNTOLD if self.blind else Outcome.NO_DRIFT
