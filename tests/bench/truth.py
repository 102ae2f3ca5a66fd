"""How good are the labels of a live campaign of the virtual lab?

    python -m tests.bench.truth CAMPAIGN TRUTH [--json]

TRUTH is the truth folder of the lab that was used. Per device:

error_*_ms                 label instant minus true start, on the capture's clock
n_inside                   trials whose true start lies between the stamps, widened by
                           the uncertainty
assigned_right             share of the device's packets that are in the same window, or
                           in none, by the label and by the truth
assigned_right_in_windows  the same among packets that are in a window by one of the two
not_caused_share           share of labelled packets that the activity did not cause
"""

import argparse
import json
from pathlib import Path

import numpy as np

from analysis.dataset import load_activities, load_campaign
from analysis.packets import find_raw, load_packets
from testbed.virtual.live.truth import (
    TrueActivity,
    packet_causes,
    true_activities,
    true_capture_ns,
)

_NEAR_NS = 3_000_000_000  # a trial's true activity begins this close to its label


def score(campaign: Path, truth: Path) -> list[dict[str, object]]:
    """Return one row of figures per device, and one for all."""
    numbers, kinds, first = _causes(campaign, truth)
    begun = true_activities(truth)
    rows = [
        _device(campaign, truth, device.name, begun, (numbers, first))
        for device in load_campaign(campaign).devices
    ]
    errors = [e for row in rows for e in row.pop("errors_ms")]
    inside = sum(row["n_inside"] for row in rows)
    trials = sum(row["n_trials"] for row in rows)
    rows.append(
        {
            "device": "all",
            "n_trials": trials,
            "n_inside": inside,
            "error_p50_ms": float(np.percentile(errors, 50)),
            "error_p95_ms": float(np.percentile(errors, 95)),
            "error_max_ms": float(np.max(errors)),
            "unknown_cause": int((kinds == "foreign").sum()),
        }
    )
    return rows


def _causes(campaign: Path, truth: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return cause numbers and kinds of all frames, and the first of each raw file."""
    found = [packet_causes(path, truth) for path in find_raw(campaign)]
    kinds = np.array([kind for one in found for kind in one.kind])
    first = np.cumsum([0] + [len(one.kind) for one in found])
    return np.concatenate([one.activity for one in found]), kinds, first


def _device(
    campaign: Path,
    truth: Path,
    name: str,
    begun: list[TrueActivity],
    causes: tuple[np.ndarray, np.ndarray],
) -> dict[str, object]:
    rows = load_activities(campaign).labelled().of_device(name).frame
    table = load_packets(campaign, name)
    by_label = np.full(len(table), -1)
    by_truth = np.full(len(table), -1)
    errors, inside, foreign, labelled = [], 0, 0, 0
    for k, row in enumerate(rows.iter_rows(named=True)):
        true = _nearest(begun, row, truth)
        start_ns = true_capture_ns(true.true_ns, truth)
        errors.append(abs(row["t_ns"] - start_ns) / 1e6)
        wide_ns = row["t_uncertainty_ns"]
        inside += (
            row["t_issue_ns"] - wide_ns <= start_ns <= row["t_return_ns"] + wide_ns
        )
        own = _within(table.time_ns, row["t_ns"], row["delta_ns"])
        by_label[own] = k
        by_truth[_within(table.time_ns, start_ns, row["delta_ns"])] = k
        labelled += int(own.sum())
        row = causes[1][table.capture[own]] + table.frame[own] - 1
        foreign += int((causes[0][row] != true.number).sum())
    either = (by_label >= 0) | (by_truth >= 0)
    same = by_label == by_truth
    return {
        "device": name,
        "n_trials": len(errors),
        "n_inside": int(inside),
        "error_p95_ms": float(np.percentile(errors, 95)) if errors else 0.0,
        "packets": len(table),
        "assigned_right": float(same.mean()) if len(table) else 1.0,
        "assigned_right_in_windows": float(same[either].mean()) if labelled else 1.0,
        "labelled": labelled,
        "not_caused_share": foreign / labelled if labelled else 0.0,
        "errors_ms": errors,
    }


def _nearest(
    begun: list[TrueActivity], row: dict[str, object], truth: Path
) -> TrueActivity:
    """Return the true activity of a trial: same device and name, nearest in time."""
    own = [
        b for b in begun if (b.device, b.activity) == (row["device"], row["activity"])
    ]
    apart = {
        b.number: abs(true_capture_ns(b.true_ns, truth) - row["t_ns"]) for b in own
    }
    best = min(own, key=lambda b: apart[b.number], default=None)
    if best is None or apart[best.number] > _NEAR_NS:
        raise SystemExit(f"trial {row['trial']}: labelled, but it never happened")
    return best


def _within(time_ns: np.ndarray, start_ns: int, delta_ns: int) -> np.ndarray:
    return (time_ns >= start_ns) & (time_ns < start_ns + delta_ns)


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("campaign", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = score(given.campaign, given.truth)
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        print("  ".join(f"{k}={v}" for k, v in shown.items()))


if __name__ == "__main__":
    main()
