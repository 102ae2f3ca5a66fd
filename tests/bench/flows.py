"""Flow records: exact beside tshark's conversations, fast beside NFStream.

    python -m tests.bench.flows [--data FOLDER] [--every 1] [--gb 0.3] [--runs 3]
        [--seed 1] [--json build/bench/flows.json]

Compares every capture of the public data (default: $TESTBED_PUBLIC_DATA; none without)
as `tests.bench.flows_exact` says, then measures whole processes by turns on a capture
of its own: `testbed flows extract`, and NFStream with the same timeouts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from analysis.pcap.errors import CaptureError
from tests.bench import environment, measure
from tests.bench.flows_exact import compare

ROOT = environment.ROOT
_SUFFIXES = (".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz")
_LIMIT_S = 1_800.0
_NFSTREAM = """
import json, sys
from nfstream import NFStreamer
flows = NFStreamer(source=sys.argv[1], statistical_analysis=True, n_dissections=0,
                   idle_timeout=15, active_timeout=60)
print(json.dumps({"flows": flows.to_csv(path=sys.argv[2])}))
"""


def captures_of(data: Path, every: int) -> Iterator[tuple[str, Path]]:
    """Yield each set's captures."""
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        found = sorted(p for p in folder.rglob("*") if p.name.endswith(_SUFFIXES))
        for path in found[::every]:
            yield folder.name, path


def exact(data: Path, every: int) -> dict[str, object]:
    """Compare captures; return per set what was compared and what differs."""
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    differ, unread = {}, {}
    for name, path in captures_of(data, every):
        of = totals[name]
        place = str(path.relative_to(data))
        try:
            found = compare(path)
        except CaptureError as exc:
            of["refused"] += 1
            unread[place] = exc.reason
            continue
        of["captures"] += 1
        of["packets"] += found.packets
        of["conversations"] += found.ours
        of["theirs"] += found.theirs
        if found.differ:
            of["differ"] += 1
            differ[place] = found.differ
    sets = {name: dict(of) for name, of in totals.items()}
    return {"sets": sets, "differ": differ, "refused": unread}


def speed(gb: float, runs: int, seed: int) -> dict[str, object]:
    """Measure whole processes by turns on one capture, after a run of each unseen."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        made = [sys.executable, "-m", "tests.bench.workload", str(folder / "made")]
        made += ["--gb", str(gb), "--seed", str(seed)]
        subprocess.run(made, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        text = (folder / "made" / "workload.json").read_text(encoding="utf-8")
        facts = json.loads(text)
        found: dict[str, list[measure.Run]] = defaultdict(list)
        words = _commands(facts["capture"], folder)
        for number in range(runs + 1):
            for name, command in words.items():
                measure.warm(Path(facts["capture"]))
                run = measure.run(command, cwd=ROOT, keep_output=True, limit_s=_LIMIT_S)
                if number:  # the first compiles kernels and fills caches
                    found[name].append(run)
        tools = {name: _figures(of, facts["packets"]) for name, of in found.items()}
    return {"packets": facts["packets"], "bytes": facts["bytes"], "tools": tools}


def _commands(capture: str, folder: Path) -> dict[str, list[str]]:
    ours = [sys.executable, "-m", "testbed", "flows", "extract", capture, "--json"]
    found = {
        "testbed flows extract": [*ours, "--out", str(folder / "ours.parquet")],
        "testbed flows extract, CSV": [*ours, "--out", str(folder / "ours.csv")],
        "testbed flows extract --no-timeouts": [
            *ours,
            "--no-timeouts",
            "--out",
            str(folder / "whole.parquet"),
        ],
    }
    if "nfstream" not in environment.faults():
        program = folder / "nfstream_flows.py"
        program.write_text(_NFSTREAM, encoding="utf-8")
        python, out = str(environment.PYTHON), str(folder / "theirs.csv")
        found["NFStream, CSV"] = [python, "-P", str(program), capture, out]
    return found


def _figures(runs: Sequence[measure.Run], packets: int) -> Mapping[str, object]:
    faults = [run.fault for run in runs if run.fault]
    if faults:
        return {"fault": faults[0]}
    flows = json.loads(runs[-1].printed.splitlines()[-1])["flows"]
    wall_s = sorted(run.wall_s for run in runs)
    cpu_s = sorted(run.cpu_s for run in runs)
    middle, cpu = wall_s[len(runs) // 2], cpu_s[len(runs) // 2]
    return {
        "n_runs": len(runs),
        "flows": flows,
        "wall_s": [round(s, 3) for s in wall_s],
        "cpu_s": [round(s, 3) for s in cpu_s],
        "flows_per_s": round(flows / middle, 1),
        "packets_per_s": round(packets / middle, 1),
        "packets_per_cpu_s": round(packets / cpu, 1),
        "peak_mib": round(max(run.peak_b for run in runs) / 2**20, 1),
    }


def main() -> int:
    """Compare and measure; write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = os.environ.get("TESTBED_PUBLIC_DATA")
    parser.add_argument("--data", type=Path, default=Path(known) if known else None)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--gb", type=float, default=0.3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    out = ROOT / "build" / "bench" / "flows.json"
    parser.add_argument("--json", type=Path, default=out)
    asked = parser.parse_args()
    found: dict[str, object] = {"seed": asked.seed, "load": os.getloadavg()[0]}
    if asked.runs:
        found["speed"] = speed(asked.gb, asked.runs, asked.seed)
    if asked.data is not None:
        found["exact"] = exact(asked.data, asked.every)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
