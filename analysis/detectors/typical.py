"""How strange hours without an intruder are in many households, by detector.

Counted in the two weeks after 28 days to learn from, in 120 made-up
households (seeds 101, 102, 201, 202, 301); written by
`python -m tests.bench.behaviour_typical`.
"""

from collections.abc import Mapping

from analysis.detectors.conformal import Typical

TYPICAL: Mapping[str, Typical] = {
    "context": Typical(
        scores=(0.641, 1.484, 2.036, 2.473, 2.77, 3.051, 3.232),
        shares=(0.1, 0.0301, 0.01, 0.00303, 0.00102, 0.000322, 0.000124),
    ),
    "ensemble": Typical(
        scores=(2.12, 3.35, 4.32, 5.213, 6.457, 7.61, 8.406),
        shares=(0.1, 0.03, 0.01, 0.003, 0.00102, 0.000322, 0.000124),
    ),
    "gaussian_mixture": Typical(
        scores=(2.203, 4.537, 8.721, 20.414, 33.689, 58.244, 80.687),
        shares=(0.1, 0.03, 0.01, 0.003, 0.00102, 0.000322, 0.000124),
    ),
    "isolation_forest": Typical(
        scores=(9.302, 10.498, 11.364, 12.099, 12.594, 13.01, 13.347),
        shares=(0.1, 0.03, 0.01, 0.00303, 0.00102, 0.000322, 0.000124),
    ),
    "kmeans_circular": Typical(
        scores=(1.0, 1.608, 2.222, 3.216, 4.801, 6.565, 9.423),
        shares=(0.111, 0.0301, 0.01, 0.003, 0.00102, 0.000372, 0.000124),
    ),
    "kmeans_paper": Typical(
        scores=(0.759, 1.113, 2.0, 5.0, 10.929, 18.904, 20.645),
        shares=(0.1, 0.0301, 0.0101, 0.00305, 0.00102, 0.000322, 0.000124),
    ),
    "longterm": Typical(
        scores=(3.341, 4.595, 6.25, 7.811, 9.144, 11.129, 13.034),
        shares=(0.1, 0.0302, 0.01, 0.00305, 0.00102, 0.000322, 0.000124),
    ),
    "rate": Typical(
        scores=(2.621, 4.109, 5.566, 7.189, 8.968, 11.223, 12.553),
        shares=(0.1, 0.0301, 0.01, 0.00303, 0.00102, 0.000322, 0.000124),
    ),
    "replay": Typical(
        scores=(1.0, 2.0, 3.0),
        shares=(0.143, 0.0165, 0.00057),
    ),
    "sequence": Typical(
        scores=(0.253, 0.824, 1.065, 2.801, 3.145),
        shares=(0.01, 0.00305, 0.00102, 0.000372, 0.000124),
    ),
}
