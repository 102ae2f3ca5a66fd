"""From single runs to the figures that are written down: spreads, rates, ratios."""

import json
import statistics
from collections.abc import Sequence

from tests.bench.measure import Run
from tests.bench.tools import Tool

MIB = 2**20
# ours, other, by which seconds; the ratio is of packets per second
COMPARED = (
    ("features", "tshark"),
    ("features", "nfstream"),
    ("features", "dpkt"),
    ("features", "scapy"),
    ("features", "pyshark"),
    ("packets", "tshark"),
)


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Return min, median and max."""
    middle = statistics.median(values)
    found = {"min": min(values), "median": middle, "max": max(values)}
    return {key: round(value, digits) for key, value in found.items()}


def summary(
    tool: Tool, runs: Sequence[Run], packets: int, size_b: int
) -> dict[str, object]:
    """Return what is written of one tool: all of `runs`, none of which failed."""
    wall_s = [r.wall_s for r in runs]
    if tool.own:  # without the start of Python
        wall_s = [float(json.loads(r.printed)["own_s"]) for r in runs]
    return {
        "tool": tool.name,
        "what": tool.what,
        "group": tool.group,
        "packets": packets,
        "bytes": size_b,
        "whole_capture": tool.packets is None,
        "without_start": tool.own,
        "n_runs": len(runs),
        "wall_s": spread(wall_s),
        "cpu_s": spread([r.cpu_s for r in runs]),
        "peak_mib": spread([r.peak_b / MIB for r in runs], 1),
        "packets_per_s": spread([packets / s for s in wall_s], 1),
        "packets_per_cpu_s": spread([packets / max(r.cpu_s, 0.001) for r in runs], 1),
        "mb_per_s": spread([size_b / s / 1e6 for s in wall_s], 2),
        "written_bytes": runs[-1].written_b,
        "written_mb_per_s": spread([r.written_b / r.wall_s / 1e6 for r in runs], 2),
        "runs": [
            {
                "wall_s": round(s, 4),
                "cpu_s": round(r.cpu_s, 4),
                "peak_mib": round(r.peak_b / MIB, 1),
            }
            for s, r in zip(wall_s, runs, strict=True)
        ],
    }


def ratios(rows: Sequence[dict]) -> list[dict[str, object]]:
    """Return how many times as fast ours is, run by run, in packets per second."""
    by_name = {row["tool"]: row for row in rows}
    found = []
    for ours, other in COMPARED:
        if ours in by_name and other in by_name:
            found.append(_ratio(by_name[ours], by_name[other]))
    for name in ("packets", "features"):  # the share of what reading alone gives
        if name in by_name and "dd" in by_name:
            found.append(_ratio(by_name[name], by_name["dd"]))
    return found


def targets(series: dict[str, dict]) -> list[dict[str, object]]:
    """Return what the project promises of its speed, and what was measured of it."""
    found: list[dict[str, object]] = []

    def add(what: str, wanted: float, measured: float, *, at_most: bool = False):
        held = measured <= wanted if at_most else measured >= wanted
        row = {"what": what, "wanted": wanted, "measured": measured, "held": held}
        found.append(row)

    for other, wanted in (("tshark", 20), ("nfstream", 4)):
        for row in _pairs(series, "warm", other):
            for key in ("cpu", "wall"):
                times = row[f"times_by_{key}"]["median"]
                add(f"features, times as fast as {other}, by {key}", wanted, times)
    for row in _pairs(series, "cold", "dd"):
        add("features, share of dd, cold", 0.85, row["times_by_wall"]["median"])
    for name, one in series.items():
        rows = {row["tool"]: row for row in one["tools"]}
        if name == "warm" and "features" in rows:
            rate = rows["features"]["mb_per_s"]["median"]
            add("features, MB/s with start-up, warm", 700, rate)
        if "label" in rows:
            rate = rows["label"]["written_mb_per_s"]["median"]
            add(f"label, MB/s written, {name}", 200, rate)
        if "features" in rows:
            peak = rows["features"]["peak_mib"]["max"]
            add(f"features, peak MiB, {name}", 500, peak, at_most=True)
    return found


def _pairs(series: dict[str, dict], name: str, other: str) -> list[dict]:
    rows = series[name]["ratios"] if name in series else []
    return [r for r in rows if (r["ours"], r["other"]) == ("features", other)]


def _ratio(ours: dict, other: dict) -> dict[str, object]:
    found: dict[str, object] = {"ours": ours["tool"], "other": other["tool"]}
    found["same_packets"] = ours["packets"] == other["packets"]
    pairs = list(zip(ours["runs"], other["runs"], strict=False))
    found["n_pairs"] = len(pairs)
    for key in ("wall_s", "cpu_s"):
        rates = [
            (ours["packets"] / max(a[key], 1e-3))
            / (other["packets"] / max(b[key], 1e-3))
            for a, b in pairs
        ]
        found[f"times_by_{key[:-2]}"] = spread(rates, 3)
    return found


def lines(series: dict[str, dict]) -> list[str]:
    """Return the figures as lines for people."""
    text = []
    for name, one in series.items():
        text.append(
            f"{name}: {one['workload']['packets']:,} packets, "
            f"{one['workload']['bytes'] / 1e9:.2f} GB; {one['cache']}"
        )
        for row in one["tools"]:
            text.append(
                f"  {row['tool']:<15}{row['wall_s']['median']:>9.2f} s wall"
                f"{row['cpu_s']['median']:>9.2f} s cpu"
                f"{row['peak_mib']['median']:>8.0f} MiB"
                f"{row['packets_per_s']['median'] / 1e3:>11,.1f} kpkt/s"
                f"{row['mb_per_s']['median']:>9,.1f} MB/s"
                f"  n={row['n_runs']}  {row['packets']:,} packets"
            )
        for row in one["ratios"]:
            text.append(
                f"  {row['ours']} / {row['other']}: "
                f"{row['times_by_wall']['median']:.2f} by wall, "
                f"{row['times_by_cpu']['median']:.2f} by CPU (n={row['n_pairs']})"
            )
        for tool, reason in one["missing"].items():
            text.append(f"  {tool}: not measured: {reason}")
    return text
