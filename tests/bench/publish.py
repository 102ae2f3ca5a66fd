"""How fast, and in how much memory, a large campaign is published; and after a kill.

    python -m tests.bench.publish OUT.json [--gb 2] [--captures 10] [--jobs 2]
                                   [--no-kill]

A made campaign of several captures is published by a process of its own, once in one
go, and once killed in the middle (SIGKILL) and called again: the bytes must be alike.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.measure import run
from tests.bench.workload import write_campaign

_ROOT = Path(__file__).parents[2]
_LIMIT_S = 3600.0
_KEY = bytes(range(32))


class Timed:
    """Takes the time of each step."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}
        self._begun = time.perf_counter()

    def begin(self, step: str, total_b: int) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()
        self.steps[step] = {"read_b": total_b}

    def read(self, size_b: int) -> None:
        """Nothing: bytes are known at the beginning."""

    def end(self, step: str, note: str) -> None:
        """Stop the clock."""
        kept = step not in self.steps
        passed_s = 0.0 if kept else time.perf_counter() - self._begun
        self.steps.setdefault(step, {"read_b": 0})["s"] = round(passed_s, 2)


def publish_here(campaign: Path, out: Path, jobs: int) -> None:
    """Publish in this process, and print the time of each step as JSON."""
    from testbed.cli.starting import keep_little, load_kernels

    load_kernels()
    keep_little()
    from analysis.exporters.bundle import RefusedError, Request, publish

    timed = Timed()
    request = Request(
        campaigns=(campaign,),
        out=out,
        key=_KEY,
        part_b=10**9,
        jobs=jobs,
        accept=("plain",),  # words of a made house, which nobody lives in
    )
    try:
        publish(request, timed)
    except RefusedError as exc:
        told = [asdict(each) for each in exc.findings]
        print(json.dumps(told, indent=1), file=sys.stderr)
        raise
    print(json.dumps(timed.steps))


def close_campaign(folder: Path, captures: int) -> dict[str, Any]:
    """Cut the capture of a made campaign as a router would, and close it."""
    (whole,) = folder.glob("raw/*.pcapng")
    packets = json.loads((folder / "workload.json").read_text())["packets"]
    each = -(-packets // captures)
    cut = folder / "cut.pcapng"
    subprocess.run(["editcap", "-c", str(each), whole, cut], check=True)
    whole.unlink()
    for number, part in enumerate(sorted(folder.glob("cut_*.pcapng")), start=1):
        part.rename(folder / "raw" / f"lan-{number:05}.pcapng")
    (folder / "workload.json").unlink()
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    lines = []
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / "MANIFEST.sha256").write_text("".join(lines))
    size_b = sum(path.stat().st_size for path in folder.glob("raw/*"))
    return {"packets": packets, "captures": captures, "raw_b": size_b}


def _command(campaign: Path, out: Path, jobs: int) -> list[str]:
    me = [sys.executable, "-m", "tests.bench.publish", "--here", str(campaign)]
    return [*me, str(out), "--jobs", str(jobs)]


def _killed(command: list[str], draft: Path, captures: int) -> dict[str, Any]:
    """Kill a publication when half of its captures are done, and go on."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )
    ledger = draft / "ledger.json"
    while process.poll() is None:
        done = ledger.read_text().count('"capture ') if ledger.exists() else 0
        if done >= captures // 2:
            break
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed_s = time.perf_counter() - begun
    again = run(command, cwd=_ROOT, keep_output=True, limit_s=_LIMIT_S)
    return {
        "killed_after_s": round(killed_s, 1),
        "captures_done": done,
        "went_on_s": round(again.wall_s, 1),
        "fault": again.fault,
    }


def _sum(out: Path) -> str:
    return hashlib.sha256((out / "manifest-sha256.txt").read_bytes()).hexdigest()


def measure(
    gb: float, captures: int, jobs: int, seed: int, *, kill: bool = True
) -> dict[str, Any]:
    """Return the figures; `kill` also those of a publication that was killed."""
    with tempfile.TemporaryDirectory(prefix="bench-publish-") as place:
        folder = Path(place) / "made"
        write_campaign(folder, int(gb * 1e9), seed=seed)
        about = close_campaign(folder, captures)
        out = Path(place) / "one" / "set"
        out.parent.mkdir()
        command = _command(folder, out, jobs)
        whole = run(command, cwd=_ROOT, keep_output=True, limit_s=_LIMIT_S)
        if whole.fault:
            subprocess.run(command, cwd=_ROOT, check=False)  # says what it is
            return {**about, "fault": whole.fault}
        steps = json.loads(whole.printed.splitlines()[-1])
        size_b = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
        first = _sum(out)
        other = Path(place) / "two" / "set"
        other.parent.mkdir()
        for path in (out, out.with_name("set.parts")):
            subprocess.run(["rm", "-r", path], check=True)  # room on the disk
        killed: dict[str, Any] = {}
        if kill:
            draft = other.with_name("set.draft")
            killed = _killed(_command(folder, other, jobs), draft, captures)
            killed["same_bytes"] = not killed["fault"] and _sum(other) == first
    total_s = sum(step["s"] for step in steps.values())
    for step in steps.values():
        step["share"] = round(step["s"] / total_s, 3)
    return {
        **about,
        "seed": seed,
        "jobs": jobs,
        "wall_s": round(whole.wall_s, 1),
        "cpu_s": round(whole.cpu_s, 1),
        "mb_per_s": round(about["raw_b"] / 1e6 / whole.wall_s, 2),
        "peak_mib": round(whole.peak_b / 2**20),
        "within_1_gib": whole.peak_b <= 2**30,
        "published_b": size_b,
        "steps": steps,
        "load": os.getloadavg()[0],
        "killed": killed,
    }


def main() -> None:
    """Measure, or publish for whoever measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="+")
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--captures", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-kill", action="store_true", help="publish once only")
    given = parser.parse_args()
    if given.here:
        publish_here(*given.out, given.jobs)
        return
    figures = measure(
        given.gb, given.captures, given.jobs, given.seed, kill=not given.no_kill
    )
    text = json.dumps(figures, indent=2) + "\n"
    given.out[0].write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
