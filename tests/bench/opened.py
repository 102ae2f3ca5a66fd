"""How long, and in how much memory, a large dataset is verified and made again.

    python -m tests.bench.opened OUT.json [--gb 2] [--captures 10] [--jobs 2]
    python -m tests.bench.opened OUT.json --dataset DATASET [--jobs 2]

A made campaign is published, or a dataset that is there is taken; then it is verified
and reproduced, each by a process of its own. The reproduction is killed once in the
middle (SIGKILL) and called again.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.measure import machine, run
from tests.bench.publish import close_campaign
from tests.bench.workload import write_campaign

_ROOT = Path(__file__).parents[2]
_LIMIT_S = 3 * 3600.0
_MOST_B = 2**30


class Timed:
    """Takes the time of each step, and the largest memory until its end."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, Any]] = {}
        self._name = ""
        self._begun = time.perf_counter()

    def begin(self, step: str, total_b: int) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()
        self.steps[step] = {"total_b": total_b, "read_b": 0}
        self._name = step

    def read(self, size_b: int) -> None:
        """Count what was read, which a bar would show."""
        self.steps[self._name]["read_b"] += size_b

    def end(self, step: str, note: str) -> None:
        """Stop the clock."""
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.steps[step] |= {
            "s": round(time.perf_counter() - self._begun, 2),
            "peak_mib": kib // 1024,
            "note": note,
        }
        print(f"{step}: {self.steps[step]}", file=sys.stderr, flush=True)

    def tell(self, sentence: str) -> None:
        """Pass it on."""
        print(sentence, file=sys.stderr, flush=True)


def verify_here(dataset: Path) -> None:
    """Verify in this process; print steps and faults as JSON."""
    _start()
    from analysis.verify import verify

    timed = Timed()
    found = verify(dataset, timed)
    faults = [str(each) for each in found.faults]
    others = {"remarks": list(found.remarks), "unchecked": list(found.unchecked)}
    print(json.dumps({"steps": timed.steps, "faults": faults, **others}))


def reproduce_here(dataset: Path, out: Path, jobs: int) -> None:
    """Reproduce in this process; print steps and differences as JSON."""
    _start()
    from analysis.reproduce import Request, reproduce
    from testbed.cli.results import Remaker

    timed = Timed()
    request = Request(dataset=dataset, out=out, makers=Remaker(jobs), jobs=jobs)
    found = reproduce(request, timed)
    told = {
        "differences": [str(each) for each in found.differences[:100]],
        "n_differences": found.n_differences,
        "files": sum(each.equal + each.differs for each in found.counts),
    }
    print(json.dumps({"steps": timed.steps, **told}))


def _start() -> None:
    from testbed.cli.starting import keep_little, load_kernels

    load_kernels()
    keep_little()


def _command(what: str, dataset: Path, *more: str) -> list[str]:
    me = [sys.executable, "-m", "tests.bench.opened"]
    return [*me, str(dataset), *more, "--here", what]


def _figures(command: list[str]) -> dict[str, Any]:
    """Run a process of ours; return what it took, with the share of each step."""
    done = run(command, cwd=_ROOT, keep_output=True, limit_s=_LIMIT_S)
    if done.fault:
        return {"fault": done.fault, "wall_s": round(done.wall_s, 1)}
    told = json.loads(done.printed.splitlines()[-1])
    total_s = sum(step["s"] for step in told["steps"].values()) or 1.0
    for step in told["steps"].values():
        step["share"] = round(step["s"] / total_s, 3)
    return {
        "wall_s": round(done.wall_s, 1),
        "cpu_s": round(done.cpu_s, 1),
        "peak_mib": round(done.peak_b / 2**20),
        "within_1_gib": done.peak_b <= _MOST_B,
        **told,
    }


def _killed(dataset: Path, out: Path, jobs: int, after_s: float) -> dict[str, Any]:
    """Kill a reproduction after some time, and call it again."""
    command = _command("reproduce", dataset, str(out), "--jobs", str(jobs))
    with subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    again = _figures(command)
    kept = [n for n, s in again.get("steps", {}).items() if s["note"] == "kept"]
    told = {key: again.get(key) for key in ("wall_s", "n_differences", "fault")}
    return {"killed_after_s": round(after_s, 1), **told, "kept": kept}


def measure(dataset: Path, place: Path, jobs: int) -> dict[str, Any]:
    """Verify and reproduce a dataset; return the figures."""
    files = [p for p in dataset.rglob("*") if p.is_file()]
    verified = _figures(_command("verify", dataset))
    out = str(place / "again")
    reproduced = _figures(_command("reproduce", dataset, out, "--jobs", str(jobs)))
    killed = {}
    if "fault" not in reproduced:
        half_s = reproduced["wall_s"] / 2
        killed = _killed(dataset, place / "killed", jobs, half_s)
    return {
        "machine": machine(),
        "files": len(files),
        "published_b": sum(p.stat().st_size for p in files),
        "jobs": jobs,
        "verify": verified,
        "reproduce": reproduced,
        "killed": killed,
    }


def _publish(place: Path, given: argparse.Namespace) -> Path:
    """Make a campaign and publish it, by a process of its own."""
    folder, out = place / "made", place / "set"
    write_campaign(folder, int(given.gb * 1e9), seed=given.seed)
    close_campaign(folder, given.captures)
    command = [sys.executable, "-m", "tests.bench.publish", "--here"]
    command += [str(folder), str(out), "--jobs", str(given.jobs)]
    subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["rm", "-r", folder], check=True)  # room on the disk
    return out


def main() -> None:
    """Measure, or do the work for whoever measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="+")
    parser.add_argument("--here", choices=("verify", "reproduce"))
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--captures", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.here == "verify":
        verify_here(given.out[0])
        return
    if given.here == "reproduce":
        dataset, out = given.out
        reproduce_here(dataset, out, given.jobs)
        return
    with tempfile.TemporaryDirectory(prefix="bench-opened-") as place:
        dataset = given.dataset or _publish(Path(place), given)
        figures = measure(dataset.resolve(), Path(place), given.jobs)
    text = json.dumps(figures, indent=2) + "\n"
    given.out[0].write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
