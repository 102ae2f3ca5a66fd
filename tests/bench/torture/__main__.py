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
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from testbed.clock import SystemClock
from tests.bench.torture.campaigns import Campaigns, Tally
from tests.bench.torture.hands import ROOT
from tests.bench.torture.judge import DUPLICATED, LOST, ORPHAN, WRONG
from tests.bench.torture.scenes import FAST_SCENARIO, Scene, fast_scene, live_scene

RESULT = ROOT / "build" / "torture.json"
_LIVE_SHARE = 4  # one random kill of so many is in a live lab
_LIVE_LABS = 2
_PER_CAMPAIGN = {"fast": 3, "live": 5}

KINDS = {LOST: "lost", DUPLICATED: "duplicated", WRONG: "wrong", ORPHAN: "orphans"}
Job = Callable[[], Tally]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, kill, say what came of it; return the exit code."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="random instants")
    parser.add_argument("--form", choices=("fast", "live", "both"), default="both")
    parser.add_argument("--journal", default="", help="database URL of the journal")
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
    tallies = work(options, folder, _sayer(clock))
    took_s = clock.monotonic_s() - began_s
    return _report(options, tallies, took_s, folder)


def work(
    options: argparse.Namespace, folder: Path, say: Callable[[str], None]
) -> dict[str, Tally]:
    """Do everything, scenes side by side; return the tally of each scene."""
    jobs: dict[str, Job] = {}
    live_count = options.count // _LIVE_SHARE if options.form == "both" else 0
    if options.form == "live":
        live_count = options.count
    if options.form != "live":
        jobs["fast"] = lambda: _in_scene(
            fast_scene(_made(folder / "fast"), FAST_SCENARIO, options.journal),
            options,
            (options.count - live_count, 0, 1),
            say,
        )
    for n in range(options.labs if options.form != "fast" else 0):
        jobs[f"live{n + 1}"] = lambda n=n: _in_scene(  # type: ignore[misc]
            live_scene(_made(folder / f"live{n + 1}"), options.journal),
            options,
            (live_count, n, options.labs),
            say,
        )
    with ThreadPoolExecutor(len(jobs)) as pool:
        running = {name: pool.submit(job) for name, job in jobs.items()}
        return {name: one.result() for name, one in running.items()}


def _in_scene(
    opening: AbstractContextManager[Scene],
    options: argparse.Namespace,
    share: tuple[int, int, int],
    say: Callable[[str], None],
) -> Tally:
    """Do one scene's share: random kills, which part of how many parts."""
    count, part, parts = share
    with opening as scene:
        scene.sabotage = options.sabotage
        campaigns = Campaigns(
            scene,
            options.seed,
            say,
            per_campaign=_PER_CAMPAIGN[scene.form],
            keep=options.keep,
        )
        campaigns.random(_portion(count, part, parts))
        campaigns.rivals(_portion(options.rivals, part, parts))
        campaigns.full_disks(_portion(options.full, part, parts))
        targets = campaigns.targets() if options.steps else []
        if 0 < options.steps < len(targets):
            targets = targets[:: -(-len(targets) // options.steps)]
        campaigns.systematic(targets[part::parts])
        return campaigns.tally


def _portion(count: int, part: int, parts: int) -> int:
    return len(range(part, count, parts))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


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
