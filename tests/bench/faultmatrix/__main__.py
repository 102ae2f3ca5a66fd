"""The fault matrix: scripted faults of the virtual lab, held against its ground truth.

    python -m tests.bench.faultmatrix [--only NAME]... [--form live|fast] [--jobs N]

Each case runs a campaign that a fault strikes. It must end as expected (exit code,
outcomes, what the journal shows), no label may be wrong by the ground truth, and
nothing may be left on the router. Exit code 1 on any miss.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from testbed.clock import SystemClock
from tests.bench.faultmatrix import page
from tests.bench.faultmatrix.case import Case
from tests.bench.faultmatrix.cases import CASES

_MODULE = "tests.bench.faultmatrix"


def main() -> None:
    """Run the cases; print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--form", choices=["live", "fast"])
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("build/bench/faults.json"))
    parser.add_argument("--keep", type=Path, help="where the campaigns stay")
    parser.add_argument("--page", action="store_true", help="write docs/faults.md")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        _one(given.one, given.keep)
        return
    chosen = [
        (number, case)
        for number, case in enumerate(CASES)
        if (not given.only or case.name in given.only)
        and given.form in (None, case.form)
    ]
    if not chosen:
        names = ", ".join(case.name for case in CASES)
        parser.error(f"there is no such case; there are: {names}")
    with tempfile.TemporaryDirectory() as scratch:
        rows = _all(chosen, given.keep or Path(scratch), given.jobs)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if given.page:
        measured = {
            (str(row["name"]), str(row["form"])): str(row["measured"])
            for row in rows
            if not row["complaints"]
        }
        page.write(CASES, measured)
    n_missed = sum(bool(row["complaints"]) for row in rows)
    n_wrong = sum("WRONG LABEL" in one for row in rows for one in row["complaints"])
    print(f"{len(rows)} faults, {n_missed} missed, {n_wrong} wrong labels")
    sys.exit(1 if n_missed else 0)


def _all(
    chosen: list[tuple[int, Case]], keep: Path, jobs: int
) -> list[dict[str, object]]:
    with ThreadPoolExecutor(jobs) as pool:
        # in processes of their own: a lab ends with the one that made it
        futures = [pool.submit(_beside, n, case, keep) for n, case in chosen]
        return [_shown(future.result()) for future in futures]


def _beside(number: int, case: Case, keep: Path) -> dict[str, object]:
    runtime = keep / "run" / str(number)
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", _MODULE, "--one", str(number), "--keep", str(keep)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        row: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        row = {
            **_facts(case),
            "measured": "",
            "complaints": [f"the harness failed: {said}"],
        }
    return row


def _facts(case: Case) -> dict[str, object]:
    return {
        "name": case.name,
        "form": case.form.value,
        "fault": case.fault,
        "when": case.when,
        "expected": case.expected,
    }


def _one(number: int, keep: Path) -> None:
    from tests.bench.faultmatrix.running import run_case

    case = CASES[number]
    stamp = SystemClock().now_ns()
    folder = keep / f"{case.name.replace(' ', '_')}-{case.form}-{stamp}"
    verdict = run_case(case, folder, number)
    row = {
        **_facts(case),
        "measured": verdict.measured,
        "complaints": verdict.complaints,
        "took_s": round(verdict.took_s, 1),
    }
    print(json.dumps(row))


def _shown(row: dict[str, object]) -> dict[str, object]:
    sign = "MISS" if row["complaints"] else "ok"
    print(
        f"{sign:4} {row['name']} ({row['form']}, {row['when']}): {row['measured']}"
        f"  [{row.get('took_s', '?')} s]",
        flush=True,
    )
    complaints = row["complaints"]
    for one in complaints if isinstance(complaints, list) else ():
        print(f"       {one}", flush=True)
    return row


if __name__ == "__main__":
    main()
