"""Is the virtual Echo as hard to read as a real one?"""

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score

from testbed.virtual.fast.sample import sample_commands
from testbed.virtual.house.unit import draw_unit
from testbed.virtual.house.utterances import NAMED, draw_commands

COMMANDS, REPEATS, DRAWS, POPULATION = 8, 5, 14, 100
ETHERNET_B = 14


def _statistics(size_b, out):
    row = []
    for side in (size_b[~out], size_b[out]):
        row += [len(side), side.sum(), side.mean(), side.var()]
        row += list(np.percentile(side, range(10, 100, 10)))
    return row


def _accuracy(x, y, seed):
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    forest = RandomForestClassifier(100, random_state=seed, n_jobs=1)
    return cross_val_score(forest, x, y, cv=folds).mean()


def _simulated(seed):
    rng = np.random.default_rng(seed)
    population = (*NAMED.values(), *draw_commands(POPULATION - len(NAMED), 11))
    chosen = [population[i] for i in rng.choice(POPULATION, COMMANDS, replace=False)]
    unit = draw_unit("echo_dot", unit="1", firmware="", session=seed, seed=seed)
    traces = sample_commands(unit, chosen, REPEATS, seed=seed)
    x = np.array([_statistics(t.frame_b - ETHERNET_B, t.out) for t in traces])
    return _accuracy(x, np.array([t.label for t in traces]), seed)


def _real(folder):
    traces = defaultdict(list)
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        labels = [r for r in csv.DictReader(file) if r["set"] == "L"]
    for row in labels:
        with (folder / "trace_csv" / row["file"]).open(encoding="utf-8") as file:
            packets = [
                (float(p["size"]), float(p["direction"])) for p in csv.DictReader(file)
            ]
        size_b, direction = np.array(packets).T
        traces[row["command"]].append(_statistics(size_b, direction > 0))
    return dict(traces)


@pytest.fixture(scope="module")
def simulated():
    """Return the accuracy of each draw of commands."""
    return np.array([_simulated(seed) for seed in range(DRAWS)])


def test_eight_simulated_commands_are_as_hard_as_real_ones(anchors, simulated):
    low, high = anchors["hardness"]["accuracy"]
    assert low <= simulated.mean() <= high, simulated.round(2)


@pytest.mark.skipif(
    "TESTBED_PUBLIC_DATA" not in os.environ, reason="needs the public data"
)
def test_simulated_and_real_commands_side_by_side(simulated):
    real = _real(Path(os.environ["TESTBED_PUBLIC_DATA"]) / "vcfp-alexa")
    names = sorted(real)
    measured = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        chosen = rng.choice(names, COMMANDS, replace=False)
        x = np.array([row for name in chosen for row in real[name]])
        y = np.repeat(chosen, [len(real[name]) for name in chosen])
        measured.append(_accuracy(x, y, seed))
    measured = np.array(measured)
    assert abs(measured.mean() - simulated.mean()) < 0.1, (
        f"real {measured.round(2)}, simulated {simulated.round(2)}"
    )
