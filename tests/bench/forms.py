"""Are the live and the fast form of the virtual lab the same house?

    python -m tests.bench.forms LIVE_CAMPAIGN FAST_CAMPAIGN [--json]

For every device, activity and channel that both campaigns hold: two-sample
Kolmogorov-Smirnov tests on packets, bytes and span (first to last packet) of the label
windows, corrected by Holm over all of them. What differs at 5 % is listed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp

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
    rows = compare(given.live, given.fast)
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    different = [row for row in rows if row["p_corrected"] < LEVEL]
    for row in sorted(different, key=lambda r: r["p_corrected"]):
        print(
            f"{row['cell']}: {row['measure']}: live {row['median_live']:g} "
            f"(n {row['n_live']}), fast {row['median_fast']:g} (n {row['n_fast']}), "
            f"corrected p {row['p_corrected']:.2g}"
        )
    print(f"{len(different)} of {len(rows)} tests differ at {LEVEL:g} (Holm)")


if __name__ == "__main__":
    main()
