"""`make bench`: whole processes, measured side by side in one run.

    python -m tests.bench [--size-gb 1.2] [--runs 3] [--only a,b] [--big-gb 8] [--cold]

Makes its own capture, runs every tool on it by turns, writes `bench.json` and
`bench.png`. See docs/performance.md for what each figure means.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import environment, measure, results, tools
from tests.bench.measure import Run
from tests.bench.tools import NAMES, TOOLS, Tool

ROOT = environment.ROOT
BIG = ("dd", "walk", "packets", "features")
COLD = ("dd", "features")
_LIMIT_S = 3_600.0


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def make(folder: Path, size_gb: float, seed: int, slices: Sequence[int]) -> dict:
    """Make the campaign in a process of its own; return its facts."""
    words = [sys.executable, "-m", "tests.bench.workload", str(folder)]
    words += ["--gb", str(size_gb), "--seed", str(seed)]
    for packets in slices:
        words += ["--slice", str(packets)]
    begun = time.perf_counter()
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    facts = json.loads((folder / "workload.json").read_text(encoding="utf-8"))
    took_s = time.perf_counter() - begun
    size = f"{facts['packets']:,} packets, {facts['bytes'] / 1e9:.2f} GB"
    say(f"{size}, made in {took_s:.0f} s")
    return facts


def run_on_little(tool: Tool, facts: dict) -> None:
    """Let a tool run on a small campaign: its kernels compiled, its files read."""
    capture = Path(facts["capture"])
    tools.prepare(tool, capture.parents[1])
    words = tools.command(tool, capture)
    found = measure.run(words, cwd=ROOT, limit_s=_LIMIT_S)
    if found.fault:
        say(f"{tool.name}: {found.fault}")


def one_run(tool: Tool, facts: dict, little: dict | None) -> tuple[Run, str]:
    """Bring everything into the same state, then run one tool once.

    With `little`, a small campaign, the capture is cold, but not the tool itself.
    """
    capture = Path(facts["capture"])
    if before := tools.prepare(tool, capture.parents[1]):
        made = measure.run(before, cwd=ROOT, limit_s=_LIMIT_S)
        if made.fault:
            return made, ""
    if tool.packets is not None and str(tool.packets) in facts["slices"]:
        capture = Path(facts["slices"][str(tool.packets)])
    how = "in the page cache as far as it fits"
    os.sync()
    if little:
        how = measure.make_cold(capture)
        run_on_little(tool, little)
    else:
        measure.warm(capture)
    words = tools.command(tool, capture)
    found = measure.run(words, cwd=ROOT, keep_output=tool.own, limit_s=_LIMIT_S)
    return found._replace(written_b=tools.written_b(tool, capture.parents[1])), how


def measure_series(
    chosen: Sequence[Tool], facts: dict, *, runs: int, little: dict | None = None
) -> dict[str, object]:
    """Run all `chosen` by turns; a tool that fails is left out and named.

    With `little`, a small campaign, each run starts with the capture on disk only.
    """
    missing = tools.missing(chosen)
    kept: dict[str, list[Run]] = {}
    how = ""
    for number in range(runs):
        for tool in chosen:
            if tool.name in missing:
                continue
            found, how = one_run(tool, facts, little)
            if found.fault:
                missing[tool.name] = found.fault
                kept.pop(tool.name, None)
                continue
            kept.setdefault(tool.name, []).append(found)
            say(f"{number + 1}/{runs} {tool.name}: {found.wall_s:.2f} s")
    rows = [
        results.summary(tool, kept[tool.name], *_size(tool, facts))
        for tool in chosen
        if tool.name in kept
    ]
    return {
        "cache": ("cold: " if little else "warm: ") + how,
        "workload": {k: v for k, v in facts.items() if k not in ("capture", "slices")},
        "tools": rows,
        "ratios": results.ratios(rows),
        "missing": missing,
    }


def _size(tool: Tool, facts: dict) -> tuple[int, int]:
    if tool.packets is not None and str(tool.packets) in facts["slices"]:
        return tool.packets, Path(facts["slices"][str(tool.packets)]).stat().st_size
    return facts["packets"], facts["bytes"]


def all_series(given: argparse.Namespace, folder: Path) -> dict[str, dict]:
    """Measure what was asked for."""
    chosen = [tool for tool in TOOLS if tool.name in given.only]
    little = make(folder / "little", 0.005, given.seed, ())
    for tool in TOOLS:
        if tool.group == "ours" or tool.name == "walk":
            run_on_little(tool, little)
    slices = sorted({tool.packets for tool in chosen if tool.packets})
    facts = make(folder / "campaign", given.size_gb, given.seed, slices)
    series = {
        "warm": measure_series(chosen, facts, runs=given.runs),
    }
    if given.big_gb:
        shutil.rmtree(folder / "campaign")
        facts = make(folder / "big", given.big_gb, given.seed, ())
        big = [tool for tool in chosen if tool.name in BIG]
        series["big"] = measure_series(big, facts, runs=given.runs)
    if given.cold:
        cold = [tool for tool in chosen if tool.name in COLD]
        series["cold"] = measure_series(cold, facts, runs=given.runs, little=little)
    return series


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in NAMES:
            known = ", ".join(NAMES)
            raise argparse.ArgumentTypeError(f"{name!r} is none of {known}")
    return names


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size-gb", type=float, default=1.2, help="of the capture")
    parser.add_argument("--runs", type=int, default=3, help="of every tool, by turns")
    parser.add_argument("--only", type=_names, default=NAMES, help="some tools, a,b")
    parser.add_argument(
        "--big-gb", type=float, default=0.0, help="ours and dd on this size, too"
    )
    parser.add_argument(
        "--cold", action="store_true", help="ours and dd with empty caches, too"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the capture")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args()


def main() -> None:
    """Measure, write, draw."""
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    chosen = [tool for tool in TOOLS if tool.name in given.only]
    found: dict[str, object] = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": measure.machine(),
        "versions": tools.versions(chosen),
        "options": {"size_gb": given.size_gb, "runs": given.runs, "seed": given.seed}
        | {"big_gb": given.big_gb, "cold": given.cold, "only": given.only},
    }
    with tempfile.TemporaryDirectory(dir=given.out, prefix="work-") as name:
        found["series"] = all_series(given, Path(name))
    found["targets"] = results.targets(found["series"])
    target = given.out / "bench.json"
    target.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    picture = given.out / "bench.png"
    words = [sys.executable, "-m", "tests.bench.picture", str(target), str(picture)]
    subprocess.run(words, cwd=ROOT, check=True)
    print("\n".join(results.lines(found["series"])))
    for row in found["targets"]:
        held = "held" if row["held"] else "NOT held"
        print(f"{row['what']}: {row['measured']:g}, wanted {row['wanted']:g}: {held}")
    print(f"bench: {target}\nbench: {picture}")


if __name__ == "__main__":
    main()
