"""How strange hours without an intruder are in made-up homes, by detector.

    python -m tests.bench.behaviour_typical [--seeds 101 102 201 202 301]

Each household teaches the detectors 28 quiet days; the 14 days after are scored,
without an intruder as well. Writes what was counted into
`analysis/detectors/typical.py`, which turns scores into p-values. Nothing of an attack
is in it; the seeds are none of those whose figures are published.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.detectors.conformal import Typical, Usual
from analysis.detectors.ensemble import MEMBERS, Ensemble
from analysis.detectors.events import make_events
from analysis.detectors.gaussian_mixture import GaussianMixtures
from analysis.detectors.hours import Hours, count_hours
from analysis.detectors.isolation_forest import IsolationForests
from analysis.detectors.kmeans_circular import KMeansCircular
from analysis.detectors.kmeans_paper import KMeansPaper
from analysis.detectors.longterm import LongTerm
from testbed.model.acts import draw_acts
from testbed.model.scenario import Scenario
from testbed.virtual.people import population
from tests.bench.behaviour import END, MONDAY, N_USERS, QUIET_END

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "analysis" / "detectors" / "typical.py"
SHARES = (0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
ALONE = {
    "gaussian_mixture": GaussianMixtures,
    "isolation_forest": IsolationForests,
    "kmeans_circular": KMeansCircular,
    "kmeans_paper": KMeansPaper,
    "longterm": LongTerm,
}
NAMES = tuple(make.__name__.lower() for make, _ in MEMBERS)


def quiet(scenario: Scenario) -> tuple[Hours, Hours]:
    """Return the days to learn from, and those after."""
    acts = draw_acts(scenario)
    stamps = np.array(
        [MONDAY + round(a.at_s * 1000) * 10**6 for a in acts], dtype=np.int64
    )
    events = make_events(stamps, [(a.device, a.activity) for a in acts])
    return (
        count_hours(events, MONDAY, QUIET_END),
        count_hours(events, QUIET_END, END),
    )


def counted(scores: np.ndarray) -> Typical:
    """Return how many hours have which score or more.

    scores  (n,) hours of many households
    """
    at = np.unique(np.quantile(scores, [1 - share for share in SHARES]).round(3))
    at = at[at > 0]
    shares = [float((scores >= each - 5e-4).mean()) for each in at]
    return Typical(
        scores=tuple(float(each) for each in at),
        shares=tuple(float(f"{share:.3g}") for share in shares),
    )


def measure(seeds: Sequence[int]) -> dict[str, Typical]:
    """Return what was counted of each detector."""
    single: dict[str, list[np.ndarray]] = {name: [] for name in (*ALONE, *NAMES)}
    taught: list[tuple[Ensemble, list[np.ndarray]]] = []
    for seed in seeds:
        for scenario in population(seed, N_USERS):
            learn, later = quiet(scenario)
            for name, make in ALONE.items():
                detection = make(0)
                detection.learn(learn)
                single[name].append(detection.hour_scores(later))
            ensemble = Ensemble(0).fit(learn)
            scores = [member.hour_scores(later) for member in ensemble.members_]
            for name, each in zip(NAMES, scores, strict=True):
                single[name].append(each)
            taught.append((ensemble, scores))
        print(f"seed {seed}", flush=True)
    found = {name: counted(np.concatenate(each)) for name, each in single.items()}
    found["ensemble"] = counted(
        np.concatenate([_together(*each, found) for each in taught])
    )
    return found


def _together(
    ensemble: Ensemble, scores: list[np.ndarray], found: Mapping[str, Typical]
) -> np.ndarray:
    """Return the scores of an ensemble whose members know what is typical."""
    pairs = zip(ensemble.members_, NAMES, strict=True)
    ensemble.usuals_ = tuple(Usual.of(m.usual_, found[name]) for m, name in pairs)
    return ensemble.combined(scores)


def written(found: Mapping[str, Typical], seeds: Sequence[int]) -> str:
    """Return the module that says so."""
    lines = [
        '"""How strange hours without an intruder are in many households, by detector.',
        "",
        "Counted in the two weeks after 28 days to learn from, in "
        f"{N_USERS * len(seeds)} made-up",
        f"households (seeds {', '.join(map(str, seeds))}); written by",
        "`python -m tests.bench.behaviour_typical`.",
        '"""',
        "",
        "from collections.abc import Mapping",
        "",
        "from analysis.detectors.conformal import Typical",
        "",
        "TYPICAL: Mapping[str, Typical] = {",
    ]
    for name in sorted(found):
        lines += [
            f'    "{name}": Typical(',
            f"        scores={found[name].scores},",
            f"        shares={found[name].shares},",
            "    ),",
        ]
    return "\n".join([*lines, "}", ""])


def main() -> None:
    """Count, and write the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    seeds = [101, 102, 201, 202, 301]
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    options = parser.parse_args()
    text = written(measure(options.seeds), options.seeds)
    PLACE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
