"""`python -m tests.bench.torture --seed 1 --count 200 --form both`.

Exit code 1 when anything was lost, duplicated, wrong or left behind.
"""

import argparse
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.clock import SystemClock
from tests.bench.torture.campaigns import Campaigns, Tally
from tests.bench.torture.hands import ROOT
from tests.bench.torture.judge import DUPLICATED, LOST, ORPHAN, WRONG
from tests.bench.torture.scenes import (
    FAST_SCENARIO,
    PAUSES,
    Scene,
    fast_scene,
    live_scene,
)

OWN_SERVER = "postgres"  # a PostgreSQL that is started for this and ended after it
RESULT = ROOT / "build" / "torture.json"
_LIVE_SHARE = 4  # one random kill of so many is in a live lab
_PAUSES_SHARE = 10  # and one of so many in the fast lab, with faults that make pauses
_LIVE_LABS = 3
_PER_CAMPAIGN = {"fast": 3, "live": 5}

KINDS = {LOST: "lost", DUPLICATED: "duplicated", WRONG: "wrong", ORPHAN: "orphans"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one scene does. count: random kills; steps: moments, -1 for all.

    part, parts  which part of all that several scenes have in common
    """

    opening: AbstractContextManager[Scene]
    count: int
    steps: int
    part: int = 0
    parts: int = 1

    def of(self, count: int) -> int:
        """Return this part's share of a number."""
        return len(range(self.part, count, self.parts))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, kill, say what came of it; return the exit code."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="random instants")
    parser.add_argument("--form", choices=("fast", "live", "both"), default="both")
    parser.add_argument("--journal", default="", help="database URL, or 'postgres'")
    parser.add_argument("--labs", type=int, default=_LIVE_LABS, help="live labs")
    parser.add_argument("--steps", type=int, default=-1, help="so many moments only")
    parser.add_argument("--rivals", type=int, default=10, help="second controllers")
    parser.add_argument("--full", type=int, default=10, help="disks that fill up")
    parser.add_argument("--out", type=Path, default=None, help="folder to work in")
    parser.add_argument("--sabotage", default="", help="break the product: must fail")
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--keep", action="store_true", help="keep good campaigns too")
    options = parser.parse_args(arguments)
    folder = options.out or Path(tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    clock = SystemClock()
    began_s = clock.monotonic_s()
    with ExitStack() as stack:
        if options.journal == OWN_SERVER:
            from tests.postgres import PostgresServer  # psycopg is an extra

            server = stack.enter_context(closing(PostgresServer()))
            options.journal = server.new_database()
        tallies = work(options, folder, _sayer(clock))
    took_s = clock.monotonic_s() - began_s
    return _report(options, tallies, took_s, folder)


def work(
    options: argparse.Namespace, folder: Path, say: Callable[[str], None]
) -> dict[str, Tally]:
    """Do everything, scenes side by side; return the tally of each scene."""
    shares = _shares(options, folder)
    with ThreadPoolExecutor(len(shares)) as pool:
        running = {
            name: pool.submit(_in_scene, share, options, say)
            for name, share in shares.items()
        }
        return {name: one.result() for name, one in running.items()}


def _shares(options: argparse.Namespace, folder: Path) -> dict[str, Share]:
    n, form, steps = options.count, options.form, options.steps
    n_live = {"both": n // _LIVE_SHARE, "live": n, "fast": 0}[form]
    n_pauses = {"both": n // _PAUSES_SHARE, "live": 0, "fast": n // _PAUSES_SHARE}[form]
    shares: dict[str, Share] = {}
    if form != "live":
        place = folder / "fast"
        opening = fast_scene(place, FAST_SCENARIO, options.journal)
        shares["fast"] = Share(
            opening=opening, count=n - n_live - n_pauses, steps=steps
        )
    if n_pauses:
        place = folder / "pauses"
        opening = fast_scene(place, FAST_SCENARIO, options.journal, PAUSES)
        few = 60 if steps < 0 else min(steps, 60)
        shares["pauses"] = Share(opening=opening, count=n_pauses, steps=few)
    for part in range(options.labs if form != "fast" else 0):
        name = f"live{part + 1}"
        opening = live_scene(folder / name, options.journal)
        shares[name] = Share(
            opening=opening, count=n_live, steps=steps, part=part, parts=options.labs
        )
    return shares


def _in_scene(
    share: Share, options: argparse.Namespace, say: Callable[[str], None]
) -> Tally:
    """Do the share of one scene."""
    with share.opening as scene:
        scene.sabotage = options.sabotage
        campaigns = Campaigns(
            scene,
            options.seed,
            say,
            per_campaign=_PER_CAMPAIGN[scene.form],
            keep=options.keep,
        )
        campaigns.random(share.of(share.count))
        campaigns.rivals(share.of(options.rivals))
        campaigns.full_disks(share.of(options.full))
        targets = campaigns.targets() if share.steps else []
        if 0 < share.steps < len(targets):
            targets = targets[:: -(-len(targets) // share.steps)]
        campaigns.systematic(targets[share.part :: share.parts])
        return campaigns.tally


def _sayer(clock: SystemClock) -> Callable[[str], None]:
    turn, began_s = threading.Lock(), clock.monotonic_s()

    def say(line: str) -> None:
        with turn:
            print(f"{clock.monotonic_s() - began_s:7.1f} s  {line}", flush=True)

    return say


def _report(
    options: argparse.Namespace,
    tallies: dict[str, Tally],
    took_s: float,
    folder: Path,
) -> int:
    n = {kind: sum(t.count(kind) for t in tallies.values()) for kind in KINDS}
    kills = sum(t.kills for t in tallies.values())
    instants = sum(t.moments["instant"] for t in tallies.values())
    result = {
        "seed": options.seed,
        "count": options.count,
        "form": options.form,
        "took_s": round(took_s, 1),
        "kills": kills,
        **n,
        "scenes": {
            name: {**asdict(t), "moments": dict(t.moments)}
            for name, t in tallies.items()
        },
    }
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(result, indent=2) + "\n")
    for name, tally in tallies.items():
        for moment in tally.never:
            print(f"{name}: {moment} was not passed again, so nobody died there")
    campaigns = sum(t.campaigns for t in tallies.values())
    rivals = sum(t.rivals for t in tallies.values())
    full = sum(t.full_disks for t in tallies.values())
    if any(n.values()):
        print(f"what is not right is in {folder}")
    else:
        _tidy(folder, options)
    faults = ", ".join(f"{n[kind]} {words}" for kind, words in KINDS.items())
    print(
        f"torture: {kills} kills ({instants} at random instants), {campaigns} "
        f"campaigns, {rivals} rivals refused, {full} full disks, {faults}, "
        f"seed {options.seed}, {took_s:.0f} s"
    )
    return 1 if any(n.values()) else 0


def _tidy(folder: Path, options: argparse.Namespace) -> None:
    import shutil

    if options.out is None and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
