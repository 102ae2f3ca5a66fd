"""How long evaluation takes: windows of many classes, every classifier, every split.

    python -m tests.bench.evaluate [--windows N] [--classes C] [--sessions S]
        [--classifier NAME]... [--split NAME]... [--groups] [--jobs J] [--json]

Traffic is drawn, and says nothing of accuracy. The times are wall-clock seconds of one
run in this process and `--jobs` others (default: one per core), after the kernels have
been loaded.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from analysis.evaluate.campaign import plan_of
from analysis.evaluate.device_study import Packets, study_device
from analysis.evaluate.samples import Samples
from analysis.evaluate.study import parted
from analysis.features.matrix import features_of
from analysis.features.sequence import sequence_of

PACKETS = 60  # of a window, on average
LENGTHS = 40  # that an activity prefers
SPLITS = ("s0_folds", "s1", "s2")


def drawn(n_windows: int, n_classes: int, n_sessions: int) -> Samples:
    """Return samples whose activities prefer other lengths of packets."""
    rng = np.random.default_rng(1)
    kind = rng.permutation(np.arange(n_windows) % n_classes)
    preferred = rng.integers(60, 1500, (n_classes, LENGTHS))
    held = rng.poisson(PACKETS, n_windows) + 1
    owner = np.repeat(np.arange(n_windows), held)
    own = preferred[kind[owner], rng.integers(0, LENGTHS, owner.size)]
    length = np.where(
        rng.random(owner.size) < 0.5, own, rng.integers(60, 1500, own.size)
    )
    start_ns = np.arange(n_windows, dtype=np.int64) * 60 * 10**9
    offset_ns = np.sort(rng.random(owner.size)) * 10**9
    order = np.lexsort((offset_ns, owner))
    table = SimpleNamespace(
        time_ns=start_ns[owner] + (rng.random(owner.size) * 1e9).astype(np.int64),
        length_b=length.astype(np.uint32),
        outbound=rng.random(owner.size) < 0.5,
        destination=rng.integers(1, 8, owner.size).astype(np.uint8),
    )
    table.time_ns = np.sort(table.time_ns[order])
    last = np.cumsum(held)
    windows = SimpleNamespace(
        first=last - held, last=last, start_ns=start_ns, end_ns=start_ns + 10**10
    )
    names, x = features_of(table, windows)
    return Samples(
        device="drawn",
        names=names,
        x=x,
        activity=np.array([f"activity_{k}" for k in kind]),
        session=np.array([f"s{i * n_sessions // n_windows}" for i in range(n_windows)]),
        trial=np.array([f"{i:05d}" for i in range(n_windows)]),
        start_ns=start_ns,
        n_packets=held,
        channel=np.full(n_windows, "phone"),
        sequence=sequence_of(table, windows),
        length_ns=np.full(n_windows, 10**10),
    )


def measured(samples: Samples, options: argparse.Namespace) -> dict[str, object]:
    """Score everything, and return what it took."""
    plan = plan_of(
        options.classifier or (),
        options.split or SPLITS,
        jobs=options.jobs,
        groups=options.groups,
    )
    begun = time.perf_counter()
    cpu = sum(os.times()[:4])
    found = study_device(
        samples,
        parted(samples, plan.splits, 0),
        plan,
        Packets(n=int(samples.n_packets.sum()), removed={}),
        told=lambda what, done, total: print(
            f"\r{what} {done}/{total} ", end="", file=sys.stderr, flush=True
        ),
    )
    print(file=sys.stderr)
    return {
        "windows": len(samples),
        "classes": np.unique(samples.activity).size,
        "sessions": len(samples.sessions()),
        "jobs": options.jobs,
        "classifiers": [c.name for c in plan.classifiers],
        "splits": list(plan.splits),
        "wall_s": round(time.perf_counter() - begun, 1),
        "cpu_s": round(sum(os.times()[:4]) - cpu, 1),
        "accuracy": {
            f"{r.classifier} {r.split.name}": round(r.accuracy, 3)
            for r in found.results
        },
        "null_by_chance": all(r.null.by_chance for r in found.results),
        "canaries_loud": sorted(
            {
                canary.name
                for canaries in found.canaries.values()
                for canary in canaries
                if canary.sound is False
            }
        ),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--classifier", action="append")
    parser.add_argument("--split", action="append")
    parser.add_argument("--groups", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    samples = drawn(options.windows, options.classes, options.sessions)
    found = measured(samples, options)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
