"""How well are stamps put on the capture's clock, and is it said how well?

    python -m tests.bench.clock [--drawn N] [--live REPEATS] [--out FOLDER]

--drawn N       N trials per cell with measurements drawn at random (clock_drawn.py)
--live REPEATS  a campaign per cell in the live virtual lab (clock_live.py), about 16
                trials per repeat; 0 for none

Writes FOLDER/clock.json (default build/bench) and prints a table. Of each cell:

n              trials, those that are too uncertain for a label included
n_labelled     trials whose stated uncertainty is within limits.clock_uncertainty
error_*_ms     mapped stamp minus true one, of those
stated_*_ms    what is stated as its bound
covered_share  share of all trials whose error is within what is stated
wrong_windows  trials within the limit whose window begins or ends further off than
               stated (its length drifts by 500 ppm at most)
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from tests.bench import clock_drawn, clock_live

COLUMNS = (
    "n",
    "n_labelled",
    "error_p50_ms",
    "error_p95_ms",
    "error_max_ms",
    "stated_p50_ms",
    "stated_p95_ms",
    "covered_share",
    "wrong_windows",
)
P95_MS, COVERED = 20.0, 0.99


def main() -> None:
    """Run the matrix, print it, write it; exit 1 when a cell misses the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drawn", type=int, default=5000)
    parser.add_argument("--live", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cells whose name holds this")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, object]] = {"drawn": {}, "live": {}}
    _head()
    for cell in clock_drawn.CELLS if given.drawn else ():
        if given.only in cell.name:
            found = clock_drawn.score(cell, given.drawn, given.seed).figures()
            results["drawn"][cell.name] = found
            _row("drawn", cell.name, found)
    for cell in clock_live.CELLS if given.live else ():
        if given.only in cell.name:
            found = _live(cell, given.live)
            results["live"][cell.name] = found
            _row("live", cell.name, found)
    (given.out / "clock.json").write_text(json.dumps(results, indent=1) + "\n")
    every = [f for cells in results.values() for f in cells.values()]
    wrong = [f for f in every if not _holds(f)]
    n = sum(f["n"] for f in every)
    print(f"{len(every)} cells, {n} trials, {len(wrong)} cells miss the target")
    raise SystemExit(1 if wrong else 0)


def _live(cell: clock_live.Cell, repeats: int) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp(prefix="bench-clock-"))
    try:
        return clock_live.run(cell, folder / "cell", repeats)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _holds(figures: dict[str, object]) -> bool:
    return (
        figures["error_p95_ms"] <= P95_MS
        and figures["covered_share"] >= COVERED
        and figures["wrong_windows"] == 0
        and figures.get("labelled_above_limit", 0) == 0
    )


def _head() -> None:
    print(f"{'form':6}{'cell':38}" + "".join(f"{name:>15}" for name in COLUMNS))


def _row(form: str, name: str, figures: dict[str, object]) -> None:
    shown = "".join(f"{figures[key]:>15.5g}" for key in COLUMNS)
    print(f"{form:6}{name:38}{shown}", flush=True)


if __name__ == "__main__":
    main()
