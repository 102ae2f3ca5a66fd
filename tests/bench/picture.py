"""The picture of a benchmark: packets per second on a logarithmic axis.

python -m tests.bench.picture RESULT.json PICTURE.png
"""

import json
import sys
from pathlib import Path

COLOURS = {"ours": "#0b6e4f", "other": "#8d99a6"}


def draw(result: dict, path: Path) -> None:
    """Draw the first series; bars reach to the median, whiskers from min to max."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    series = next(iter(result["series"].values()))
    rows = [r for r in series["tools"] if r["group"] != "bound"]
    rows.sort(key=lambda r: r["packets_per_s"]["median"])
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.42 * len(rows)))
    for place, row in enumerate(rows):
        rate = row["packets_per_s"]
        middle = rate["median"]
        whisker = [[middle - rate["min"]], [rate["max"] - middle]]
        colour = COLOURS[row["group"]]
        axes.barh(place, middle, xerr=whisker, color=colour, height=0.66)
        text = f" {middle:,.0f}"
        axes.text(rate["max"], place, text, va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows], fontsize=8)
    for row, style in zip(_bounds(series), ("--", ":"), strict=False):
        rate = row["packets_per_s"]["median"]
        axes.axvline(rate, color="#b23a48", linestyle=style, label=row["what"])
    axes.set_xscale("log")
    axes.set_xlabel("packets per second, whole process (median; whiskers min to max)")
    work = series["workload"]
    n_runs = {row["n_runs"] for row in rows}
    axes.set_title(
        f"{work['bytes'] / 1e9:.2f} GB, {work['packets']:,} packets, "
        f"mean {work['packet_b_mean']:.0f} B; n = {min(n_runs, default=0)}",
        fontsize=10,
    )
    left, right = axes.get_xlim()
    axes.set_xlim(left, right * 4)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _bounds(series: dict) -> list[dict]:
    return [row for row in series["tools"] if row["group"] == "bound"]


def _name(row: dict) -> str:
    part = "" if row["whole_capture"] else f" ({row['packets']:,} packets)"
    return row["what"] + part


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    draw(json.loads(source.read_text(encoding="utf-8")), target)
