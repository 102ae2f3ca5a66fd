"""What the testbed itself adds to a trial, in the fast lab.

    python -m tests.bench.overhead [--scenario house] [--trials 600] [--postgresql]

A whole campaign is run by `run_campaign` on the fast lab's instruments, with a durable
journal. Of each trial the wall time from the end of the one before to its own end is
taken, less what virtual instruments and the virtual clock need to compute: in a real
lab that is the time of phones and rests, and is not the testbed's. All else is in it:
journal, export, beacons (made and sent to the fast lab's capture), checks, evidence
written to the disk, tending of the capture, and whatever Python does between.

Writes `build/bench/overhead-sqlite.json` (or `-postgresql`). Most of the time goes into
waiting for the disk, so that what a bare sync of 4 KiB costs is written beside it.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from testbed.cli.plan import DEVICES, LAB, SCENARIOS, make_plan
from testbed.runner.bench import Bench
from testbed.runner.campaigns.campaign import Inputs, Means, run_campaign
from testbed.runner.journal.store import open_store
from testbed.runner.stop import Stop
from testbed.runner.trials.site import Settings
from testbed.virtual.fast.lab import open_fast_lab
from tests.bench import environment
from tests.postgres import PostgresServer

START_NS = 1_767_607_200 * 10**9  # 2026-01-05T10:00:00Z
INSTRUMENTS = "instruments"  # not the testbed's own
CLOCK = "clock"  # nor what the house does while time passes
OWN = "own code"
TARGET_MS = 50.0
_SYNCS = 100  # before, and after
# which call of whom is which part of the overhead
PARTS = {
    "insert": "journal write",
    "select": "journal read",
    "change": "lease",
    "send": "beacon",
}


class Meter:
    """Gives each moment to one part: the innermost one that goes on."""

    def __init__(self) -> None:
        self.trials: list[dict[str, float]] = []
        self._open = [OWN]
        self._since = time.perf_counter()
        self._spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Give what goes on inside to a part."""
        self._settle()
        self._open.append(name)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def end_trial(self) -> None:
        """Close the account of one trial."""
        self._settle()
        self.trials.append(dict(self._spent))
        self._spent.clear()

    def _settle(self) -> None:
        now = time.perf_counter()
        self._spent[self._open[-1]] += now - self._since
        self._since = now


class Timed:
    """Stands for an object; its calls go to a part of the meter."""

    def __init__(self, of: Any, meter: Meter, part: str | None) -> None:
        self.__dict__.update(_of=of, _meter=meter, _part=part)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._of, name)
        part = self._part or PARTS.get(name)
        if not callable(found) or part is None:
            return found

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._meter.part(part):
                return found(*args, **kwargs)

        return timed


def measure(
    scenario: str, n_trials: int, journal: str | None, folder: Path
) -> list[dict[str, float]]:
    """Run a campaign; return for each trial but the first part -> seconds."""
    lab, profiles, plan = make_plan(scenario, LAB, DEVICES, SCENARIOS)
    plan = replace(plan, trials=plan.trials[:n_trials])
    name, meter = f"{scenario}-overhead", Meter()
    truth = folder / "truth"
    with (
        open_fast_lab(lab, profiles, seed=1, truth=truth, start_ns=START_NS) as fast,
        open_store(journal or folder / "journal.sqlite", fast.clock) as store,
    ):
        means = Means(
            bench=Bench(
                capture=Timed(fast.capture_point, meter, INSTRUMENTS),
                beacons=Timed(fast.beacons, meter, None),
                phone=Timed(fast.phone, meter, INSTRUMENTS),
                voice=Timed(fast.voice, meter, INSTRUMENTS),
                plugs={n: Timed(p, meter, INSTRUMENTS) for n, p in fast.plugs.items()},
            ),
            store=Timed(store, meter, None),
            clock=Timed(fast.clock, meter, CLOCK),
            stop=Stop(),
            captures=folder,
            settings=Settings(threads=False, fetch_every_s=900.0),
            fresh=True,
            between=fast.next_session,
        )
        inputs = Inputs(
            campaign=name,
            form="fast",
            simulated=True,
            lab=lab,
            profiles=profiles,
            plan=plan,
        )
        run_campaign(inputs, means, lambda _: meter.end_trial())
    return meter.trials[1:]


def bare_syncs(folder: Path) -> list[float]:
    """Return how long the disk takes to keep 4 KiB, in s, a few times."""
    took_s = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took_s.append(time.perf_counter() - begun)
    return took_s


def figures(trials: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return p50 and p95 in ms, of all parts together and of each."""
    names = sorted({n for t in trials for n in t} - {INSTRUMENTS, CLOCK})
    own = [sum(t.get(n, 0.0) for n in names) for t in trials]
    tenth = max(1, len(own) // 10)
    return {
        "n": len(trials),
        "own_ms": spread(own),
        "parts_ms": {n: spread([t.get(n, 0.0) for t in trials]) for n in names},
        # a cost that grows with the campaign shows here
        "own_ms_first_tenth": spread(own[:tenth]),
        "own_ms_last_tenth": spread(own[-tenth:]),
        "not_counted_ms": {
            n: spread([t.get(n, 0.0) for t in trials]) for n in (INSTRUMENTS, CLOCK)
        },
    }


def spread(values_s: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile, mean and maximum in ms."""
    cuts = statistics.quantiles(values_s, n=20, method="inclusive")
    found = {
        "p50": cuts[9],
        "p95": cuts[18],
        "mean": statistics.fmean(values_s),
        "max": max(values_s),
    }
    return {key: round(value * 1000, 3) for key, value in found.items()}


def main(words: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Measure, write, say; return 1 when the target is missed."""
    parser = argparse.ArgumentParser(description="the testbed's own time per trial")
    parser.add_argument("--scenario", default="house")
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument(
        "--postgresql", action="store_true", help="on a server of its own, not a file"
    )
    parser.add_argument("--out", type=Path, default=environment.ROOT / "build/bench")
    asked = parser.parse_args(words)
    asked.out.mkdir(parents=True, exist_ok=True)
    # Not among temporary files: those may be in memory, where a sync costs nothing.
    folder = Path(tempfile.mkdtemp(prefix="overhead-", dir=asked.out))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        journal = None
        if asked.postgresql:
            server = stack.enter_context(closing(PostgresServer(durable=True)))
            journal = server.new_database()
        syncs_s = bare_syncs(folder)
        trials = measure(asked.scenario, asked.trials, journal, folder)
        syncs_s += bare_syncs(folder)
    kind = "postgresql" if asked.postgresql else "sqlite"
    found = {
        "what": "wall time per trial, less that of virtual instruments and clock",
        "scenario": asked.scenario,
        "journal": f"{kind}, durable",
        "target_p95_ms": TARGET_MS,
        **figures(trials),
        "bare_sync_ms": spread(syncs_s),
    }
    path = asked.out / f"overhead-{kind}.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    own = found["own_ms"]
    say(
        f"overhead per trial: p50 {own['p50']} ms, p95 {own['p95']} ms, "
        f"n={found['n']} ({path})"
    )
    return int(own["p95"] > TARGET_MS)


if __name__ == "__main__":
    sys.exit(main())
