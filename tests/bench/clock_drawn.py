"""Clock measurements that are drawn at random, by the thousand, with their truth.

Nothing runs: round trips, beacons and the wander of two clocks come from a generator
whose distributions are stated here. What is under test is
`testbed.runner.recording.clockwork`, and how the driver makes one
measurement of many round trips.

Delays of one way: a constant part, of which each way has a random share (so paths are
asymmetric by up to all of it), and a queue, Pareto distributed with index 2.5 (long
tails), drawn anew for each packet. Clocks: offset, constant drift, a slow sine of the
rate (2 ppm, a period of two hours) and a random walk (0.2 ppm per root minute).
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from testbed.drivers.router_clock import SAMPLES, common
from testbed.model.events import ClockMeasured
from testbed.model.protocols import ClockSample
from testbed.runner.recording.clockwork import fit

Floats = NDArray[np.float64]

S = 10**9
T0 = 1_795_000_000 * S
TRIALS = 100  # per drawn campaign
DELTA_S = 8.0
LIMIT_NS = 50_000_000  # limits.clock_uncertainty as shipped
_GRID_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the matrix.

    router, controller  offset in s, drift in ppm
    steps      (after_s, by_s) of the router's clock
    slews      (after_s, for_s, ppm) of the router's clock, as NTP does it
    path_ms    constant part of a round trip
    queue_ms   mean queue of one way
    gap_s      (from, to) without a measurement
    every_s    between two measurements
    wave       amplitude in ppm and period in s of the slow sine of the rate
    """

    name: str
    router: tuple[float, float] = (0.0, 0.0)
    controller: tuple[float, float] = (0.0, 0.0)
    steps: tuple[tuple[float, float], ...] = ()
    slews: tuple[tuple[float, float, float], ...] = ()
    path_ms: float = 0.4
    queue_ms: float = 0.2
    gap_s: tuple[float, float] | None = None
    every_s: float = 20.0
    length_s: float = 1800.0
    wave: tuple[float, float] = (2.0, 7200.0)


CELLS = (
    Cell(name="right clocks"),
    Cell(name="router -49 s", router=(-49.0, 20.0)),
    Cell(name="router +3 h", router=(10_800.0, 20.0)),
    Cell(name="router drifts 200 ppm", router=(49.0, 200.0)),
    Cell(name="both drift", router=(-49.0, 200.0), controller=(10_800.0, -200.0)),
    Cell(name="busy link", router=(49.0, 200.0), queue_ms=8.0),
    Cell(name="far router", router=(49.0, 200.0), path_ms=30.0, queue_ms=2.0),
    Cell(name="10 min without SSH", router=(49.0, 200.0), gap_s=(600.0, 1200.0)),
    Cell(name="measured each minute", router=(49.0, 200.0), every_s=60.0),
    Cell(name="NTP slews 500 ppm", router=(0.0, 20.0), slews=((600.0, 120.0, 500.0),)),
    Cell(name="step +3 s", router=(49.0, 20.0), steps=((907.0, 3.0),)),
    Cell(name="step -3 s", router=(49.0, 20.0), steps=((907.0, -3.0),)),
    Cell(name="step 0.2 s", router=(49.0, 20.0), steps=((907.0, 0.2),)),
    Cell(name="step and back in 12 s", steps=((907.0, 3.0), (919.0, -3.0))),
    Cell(
        name="8 h, rate swings by 15 ppm",
        router=(49.0, 200.0),
        length_s=28_800.0,
        wave=(15.0, 7200.0),
    ),
    Cell(
        name="8 h, 40 ppm, 10 min without SSH",
        router=(49.0, 200.0),
        length_s=28_800.0,
        wave=(40.0, 1800.0),
        gap_s=(3600.0, 4200.0),
    ),
    Cell(name="set once at boot", router=(-1.7e9, 20.0), steps=((60.0, 1.7e9),)),
)


@dataclass(kw_only=True)
class Score:
    """Errors of many trials. `stated_ns` is the uncertainty, both in ns."""

    error_ns: list[float] = field(default_factory=list)
    stated_ns: list[float] = field(default_factory=list)
    end_error_ns: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float | int]:
        """Return what is printed and written."""
        error, stated = np.array(self.error_ns), np.array(self.stated_ns)
        sure = stated <= LIMIT_NS
        wrong_end = np.array(self.end_error_ns) > stated + DELTA_S * 500e3
        wrong = sure & ((error > stated) | wrong_end)
        known = error[sure]
        return {
            "n": int(error.size),
            "n_labelled": int(sure.sum()),
            "error_p50_ms": _ms(known, 50),
            "error_p95_ms": _ms(known, 95),
            "error_max_ms": _ms(known, 100),
            "stated_p50_ms": _ms(stated[sure], 50),
            "stated_p95_ms": _ms(stated[sure], 95),
            "covered_share": float(np.mean(error <= stated)),
            "wrong_windows": int(wrong.sum()),
        }


def _ms(values_ns: Floats, percent: float) -> float:
    if not len(values_ns):
        return 0.0
    return round(float(np.percentile(values_ns, percent)) / 1e6, 3)


class Clocks:
    """Two clocks over one drawn campaign; times are true seconds from its start."""

    def __init__(self, cell: Cell, draw: np.random.Generator) -> None:
        self._cell = cell
        self._grid = np.arange(0.0, cell.length_s + 30.0, _GRID_S)
        walk = np.cumsum(draw.normal(0, 0.2 / np.sqrt(60), self._grid.size))
        phase = draw.uniform(0, 2 * np.pi)
        rate = cell.router[1] + walk
        ppm, period_s = cell.wave
        rate += ppm * np.sin(2 * np.pi * self._grid / period_s + phase)
        for after_s, for_s, ppm in cell.slews:
            inside = (self._grid >= after_s) & (self._grid < after_s + for_s)
            rate = rate + np.where(inside, ppm, 0.0)
        self._run = np.concatenate(([0.0], np.cumsum(rate * 1e-6)[:-1] * _GRID_S))

    def router_ns(self, at_s: Floats) -> NDArray[np.int64]:
        """Return what the router shows."""
        wrong_s = np.interp(at_s, self._grid, self._run) + self._cell.router[0]
        for after_s, by_s in self._cell.steps:
            wrong_s = wrong_s + np.where(at_s >= after_s, by_s, 0.0)
        return T0 + np.rint((at_s + wrong_s) * S).astype(np.int64)

    def controller_ns(self, at_s: Floats) -> NDArray[np.int64]:
        """Return what the controller shows."""
        offset_s, ppm = self._cell.controller
        shown_s = at_s * (1 + ppm * 1e-6) + offset_s
        return T0 + np.rint(shown_s * S).astype(np.int64)


def score(cell: Cell, n_trials: int, seed: int) -> Score:
    """Draw campaigns until there are `n_trials` trials; return their errors."""
    total = Score()
    for number in range(-(-n_trials // TRIALS)):
        draw = np.random.default_rng([seed, number, zlib.crc32(cell.name.encode())])
        _campaign(cell, draw, total)
    return total


def _campaign(cell: Cell, draw: np.random.Generator, total: Score) -> None:
    clocks = Clocks(cell, draw)
    share = draw.uniform(0, 1)  # of the path that is on the way there
    ways_s = (share * cell.path_ms / 1e3, (1 - share) * cell.path_ms / 1e3)
    samples = _samples(cell, clocks, ways_s, draw)
    at_s = np.sort(draw.uniform(10.0, cell.length_s - 10.0 - DELTA_S, TRIALS))
    sent = np.concatenate((at_s - draw.uniform(0.3, 2, TRIALS), at_s + 0.5, at_s + 8.2))
    took_s = 60e-6 + _queue(cell, sent.shape, draw)
    beacons = list(
        zip(
            clocks.controller_ns(sent).tolist(),
            clocks.router_ns(sent + took_s).tolist(),
            strict=True,
        )
    )
    found = fit(samples, beacons)
    starts, ends = clocks.router_ns(at_s), clocks.router_ns(at_s + DELTA_S)
    for stamp, start, end in zip(
        clocks.controller_ns(at_s).tolist(), starts.tolist(), ends.tolist(), strict=True
    ):
        mapped = found.of_window(stamp, round(DELTA_S * S))
        total.error_ns.append(abs(mapped.capture_ns - start))
        total.stated_ns.append(mapped.uncertainty_ns)
        total.end_error_ns.append(abs(mapped.capture_ns + DELTA_S * S - end))


def _queue(cell: Cell, shape: tuple[int, ...], draw: np.random.Generator) -> Floats:
    """Draw queues of a mean of `queue_ms`; Lomax with index 2.5 has a mean of 1/1.5."""
    return draw.pareto(2.5, shape) * 1.5 * cell.queue_ms / 1e3


def _samples(
    cell: Cell,
    clocks: Clocks,
    ways_s: Sequence[float],
    draw: np.random.Generator,
) -> list[ClockMeasured]:
    """Measure as the driver does: a burst of round trips each time."""
    regular = np.arange(10.0, cell.length_s, cell.every_s)
    if cell.gap_s is not None:
        regular = regular[(regular < cell.gap_s[0]) | (regular > cell.gap_s[1])]
    burst = np.array([0.1, 0.2, 0.3])
    times = np.concatenate((burst, regular, burst + cell.length_s))
    found = []
    for begin_s in times:
        there = ways_s[0] + _queue(cell, (SAMPLES,), draw)
        back = ways_s[1] + _queue(cell, (SAMPLES,), draw)
        asked = begin_s + np.concatenate(([0.0], np.cumsum(there + back)[:-1]))
        shown = clocks.router_ns(asked + there).tolist()
        first = clocks.controller_ns(asked).tolist()
        last = clocks.controller_ns(asked + there + back).tolist()
        one = common([_trip(*x) for x in zip(first, last, shown, strict=True)])
        found.append(
            ClockMeasured(
                session="drawn",
                at_ns=one.at_ns,
                offset_ns=one.offset_ns,
                error_ns=one.error_ns,
            )
        )
    return found


def _trip(asked_ns: int, answered_ns: int, shown_ns: int) -> ClockSample:
    half_ns = (answered_ns - asked_ns + 1) // 2
    at_ns = asked_ns + half_ns
    return ClockSample(
        at_ns=at_ns, offset_ns=shown_ns - at_ns, error_ns=max(half_ns, 1)
    )
