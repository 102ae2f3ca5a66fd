"""One window, as it comes from a device: features and answer.

    python -m tests.bench.classify_one [--model MODEL] [--classifier NAME ...]
                                       [--rounds N] [--json]

Without a model, each classifier learns 50 windows of each of ten activities of drawn
packets. Measured are windows that it has not seen, of 10 to 1,000 packets, one after
the other in one process: statistics and sequence of the packets, then the answer. The
bar of the project is 5 ms; CPU time is for machines that others use as well.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.classifiers.model import inputs_of
from analysis.evaluate.campaign import all_classifiers, plan_of
from analysis.features.matrix import window_features
from analysis.features.sequence import window_sequence
from analysis.models import load
from analysis.models.asking import shares_of

S = 10**9
ACTIVITIES, REPEATS = 10, 50
SIZES = (66, 130, 590, 1024, 1474)
LENGTH_S = 20
Window = tuple[np.ndarray, ...]


def drawn(rng: np.random.Generator, activity: int) -> Window:
    """Return columns of the packets of one window; activities differ in sizes."""
    n = int(np.clip(rng.lognormal(np.log(60 + 20 * activity), 0.8), 10, 1000))
    shares = np.random.default_rng(activity).dirichlet(np.ones(len(SIZES)))
    size = rng.choice(SIZES, n, p=shares) + rng.integers(0, 40, n)
    return (
        np.sort(rng.integers(0, LENGTH_S * S, n)),
        size.astype(np.uint32),
        rng.random(n) < 0.45,
        rng.integers(0, 8, n).astype(np.uint8),
    )


def features(window: Window) -> tuple[np.ndarray, Any]:
    """Return statistics and sequence of one window, as a live one is computed."""
    x = window_features(*window[:3], 0, LENGTH_S * S, longest_s=float(LENGTH_S))
    return x[None, :], window_sequence(*window, 0, LENGTH_S * S)


def learnt(name: str, seed: int) -> Callable[[np.ndarray, Any], object]:
    """Return how a classifier answers that has learnt drawn windows."""
    from scipy.sparse import vstack

    (classifier,) = plan_of((name,)).classifiers
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(ACTIVITIES), REPEATS)
    rows = [features(drawn(rng, int(k))) for k in labels]
    x, sequence = np.vstack([a for a, _ in rows]), vstack([b for _, b in rows], "csr")
    estimator = classifier.make(seed)
    names = np.array([f"activity_{k}" for k in labels])
    estimator.fit(inputs_of(x, sequence, classifier.reads), names)
    return lambda x, s: shares_of(estimator, inputs_of(x, s, classifier.reads))


def figures(answer: Callable[[np.ndarray, Any], object], rounds: int) -> dict[str, Any]:
    """Return the times of windows that come one by one, in ms."""
    rng = np.random.default_rng(99)
    windows = [drawn(rng, k % ACTIVITIES) for k in range(rounds + 5)]
    taken = []
    for window in windows:
        begun = time.perf_counter(), time.process_time()
        x, sequence = features(window)
        halfway = time.process_time()
        answer(x, sequence)
        ended = time.perf_counter(), time.process_time()
        taken.append((ended[0] - begun[0], ended[1] - begun[1], halfway - begun[1]))
    # the first load kernels and libraries
    wall, cpu, of_features = np.percentile(
        np.array(taken[5:]) * 1e3, (50, 95), axis=0
    ).T
    return {
        "windows": rounds,
        "p50_ms": round(float(wall[0]), 3),
        "p95_ms": round(float(wall[1]), 3),
        "p50_cpu_ms": round(float(cpu[0]), 3),
        "p95_cpu_ms": round(float(cpu[1]), 3),
        "features_p50_cpu_ms": round(float(of_features[0]), 3),
    }


def measured(
    model: Path | None, names: Sequence[str], rounds: int, seed: int
) -> list[dict[str, Any]]:
    """Return the figures of each classifier, or of each device of a model."""
    if model is not None:
        return [
            {"device": name, "classifier": made.facts.classifier}
            | figures(made.decide, rounds)
            for name, made in load(model).devices.items()
        ]
    return [
        {"classifier": name} | figures(learnt(name, seed), rounds)
        for name in names or all_classifiers()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--classifier", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    found = measured(chosen.model, chosen.classifier, chosen.rounds, chosen.seed)
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    for each in found:
        print(*(f"{name} {value}" for name, value in each.items()), sep="  ")


if __name__ == "__main__":
    main()
