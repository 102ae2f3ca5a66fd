"""Are the live and the fast form of the virtual lab the same house?

    python -m tests.bench.forms LIVE_CAMPAIGN FAST_CAMPAIGN [--json]

For every device, activity and channel that both campaigns hold: two-sample
Kolmogorov-Smirnov tests on packets, bytes and span (first to last packet) of the label
windows, corrected by Holm over all of them. With a few repeats per cell such a test
sees little, so each live value is also ranked among the fast values of its cell, and
the ranks of a device are held against the uniform distribution. What differs at 5 % is
listed. Both campaigns must be of the same session of the virtual house, since sessions
differ from each other on purpose (TESTBED_VIRTUAL_SESSION pins it, fast starts at 0).
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp, kstest

from analysis.dataset import load_activities, load_campaign
from analysis.packets import load_packets
from analysis.windows import cut

LEVEL = 0.05
MEASURES = ("packets", "bytes", "span_s")


def measures(folder: Path) -> dict[tuple[str, str, str], np.ndarray]:
    """Return (n, 3) packets, bytes and span per (device, activity, channel)."""
    log = load_activities(folder)
    found: dict[tuple[str, str, str], list[tuple[float, ...]]] = {}
    for device in load_campaign(folder).devices:
        table = load_packets(folder, device.name)
        windows = cut(table, log, device.name)
        for k, (first, last) in enumerate(
            zip(windows.first, windows.last, strict=True)
        ):
            own = slice(int(first), int(last))
            stamps = table.time_ns[own]
            span_s = float(np.ptp(stamps)) / 1e9 if stamps.size else 0.0
            key = (device.name, str(windows.activity[k]), str(windows.channel[k]))
            row = (float(stamps.size), float(table.length_b[own].sum()), span_s)
            found.setdefault(key, []).append(row)
    return {key: np.array(rows) for key, rows in found.items()}


def compare(live: Path, fast: Path) -> list[dict[str, object]]:
    """Return one row per cell and measure, with the corrected p."""
    ours, theirs = measures(live), measures(fast)
    rows = []
    for key in sorted(set(ours) & set(theirs)):
        for column, name in enumerate(MEASURES):
            a, b = ours[key][:, column], theirs[key][:, column]
            rows.append(
                {
                    "cell": "/".join(key),
                    "measure": name,
                    "n_live": len(a),
                    "n_fast": len(b),
                    "median_live": float(np.median(a)),
                    "median_fast": float(np.median(b)),
                    "p": float(ks_2samp(a, b).pvalue),
                }
            )
    _correct(rows)
    return rows


def pooled(live: Path, fast: Path, seed: int = 0) -> list[dict[str, object]]:
    """Return one row per device and measure: do live values rank evenly in fast ones?

    Ties are broken by chance (`seed`); `middle` is the mean rank, 0.5 when neither form
    is larger.
    """
    rng = np.random.default_rng(seed)
    ours, theirs = measures(live), measures(fast)
    ranks: dict[tuple[str, str], list[float]] = {}
    for key in sorted(set(ours) & set(theirs)):
        for column, name in enumerate(MEASURES):
            others = theirs[key][:, column]
            for value in ours[key][:, column]:
                below, same = (others < value).sum(), (others == value).sum()
                place = (below + rng.uniform() * (same + 1)) / (len(others) + 1)
                ranks.setdefault((key[0], name), []).append(float(place))
    rows: list[dict[str, object]] = [
        {
            "cell": device,
            "measure": name,
            "n_live": len(own),
            "middle": float(np.mean(own)),
            "p": float(kstest(own, "uniform").pvalue),
        }
        for (device, name), own in ranks.items()
    ]
    _correct(rows)
    return rows


def _correct(rows: list[dict[str, object]]) -> None:
    """Holm: the smallest p times the number of tests, the next times one less, ..."""
    highest = 0.0
    for rank, row in enumerate(sorted(rows, key=lambda r: r["p"])):
        highest = max(highest, min(1.0, row["p"] * (len(rows) - rank)))
        row["p_corrected"] = highest


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("live", type=Path)
    parser.add_argument("fast", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    cells = compare(given.live, given.fast)
    devices = pooled(given.live, given.fast)
    if given.json:
        print(json.dumps({"cells": cells, "devices": devices}, indent=1))
        return
    for row in (r for r in cells if r["p_corrected"] < LEVEL):
        print(
            f"{row['cell']}: {row['measure']}: live {row['median_live']:g} "
            f"(n {row['n_live']}), fast {row['median_fast']:g} (n {row['n_fast']}), "
            f"corrected p {row['p_corrected']:.2g}"
        )
    for row in (r for r in devices if r["p_corrected"] < LEVEL):
        print(
            f"{row['cell']}: {row['measure']}: mean rank of live among fast "
            f"{row['middle']:.2f} (n {row['n_live']}), "
            f"corrected p {row['p_corrected']:.2g}"
        )
    for rows, what in ((cells, "cells"), (devices, "devices, pooled")):
        n_different = sum(r["p_corrected"] < LEVEL for r in rows)
        print(f"{what}: {n_different} of {len(rows)} differ at {LEVEL:g} (Holm)")


if __name__ == "__main__":
    main()
