"""How often `compare` reports drift: where there is none, and after a new firmware.

    python -m tests.bench.drift [--pairs 60] [--halves 40] [--firmware 30] [--page]

Runs campaigns in the fast virtual lab, a lab of its own (other copies of the devices,
other days) for each pair, and deletes them again. Writes build/bench/drift.json after
each, and goes on with what is missing; with --page, the tables of docs/comparing.md.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from typer.testing import CliRunner

from analysis.compare.compare import answered, read_pairs
from analysis.compare.exchange import Answer, answer, number_sessions
from analysis.compare.model import Asked, Tested, Trials, Unit, Verdict
from analysis.compare.questions import Pair, pair_of, tests_of
from analysis.compare.trials import same_windows
from analysis.evaluate.samples import open_recorded
from analysis.evaluate.scores.intervals import wilson
from testbed.cli import build

ROOT = Path(__file__).parents[2]
OUT = Path("build/bench/drift.json")
PAGE = ROOT / "docs" / "comparing.md"
ASKED = Asked(permutations=999, classifiers=(), intervals=False)
DEVICES = ("echo_dot", "koogeek_plug")
SCENARIO: dict[str, Any] = {
    "scenario": "drift",
    "select": [
        {
            "device": "echo_dot",
            "activities": ["ask_time", "tell_joke"],
            "channels": ["voice"],
        },
        {"device": "koogeek_plug", "activities": ["turn_on", "turn_off"]},
    ],
    "rest": "1 s",
    "idle": "2 s",
}
COUNTS = (2, 4, 8)  # trials of each activity and campaign, for power


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"drift: {text}", file=sys.stderr, flush=True)


class Place:
    """A folder with a virtual lab of its own seed, and campaigns that go again."""

    def __init__(self, folder: Path, lab_seed: int) -> None:
        self._folder = folder
        self._app = build(["run", "rerun"])
        lab = yaml.safe_load((ROOT / "lab.yaml").read_text(encoding="utf-8"))
        lab["virtual"]["seed"] = str(lab_seed)
        (folder / "lab.yaml").write_text(_yaml(_texts(lab)), encoding="utf-8")
        shutil.copytree(ROOT / "devices", folder / "devices")

    def record(self, name: str, seed: int, *, repeats: int, sessions: int = 1) -> Path:
        """Run the scenario and return the campaign."""
        scenario = {**SCENARIO, "repeats": str(repeats), "sessions": str(sessions)}
        path = self._folder / "drift.yaml"
        path.write_text(_yaml(scenario), encoding="utf-8")
        return self._called(name, "run", path, "--seed", seed, "--campaign", name)

    def again(self, campaign: Path, name: str) -> Path:
        """Run a campaign again, as it was."""
        return self._called(name, "rerun", campaign, "--name", name)

    def update(self, device: str, version: int) -> None:
        """Give a device another firmware, as the roll-outs of `lab homes` do."""
        path = self._folder / "devices" / f"{device}.yaml"
        text = path.read_text(encoding="utf-8")
        found = re.search(r'^firmware: *"?([^"\n#]*?)"? *(#.*)?$', text, re.MULTILINE)
        if found is None:
            raise SystemExit(f"{device}: no firmware in its profile")
        new = f'firmware: "{found.group(1)}.{version}"'
        path.write_text(text.replace(found.group(0), new), encoding="utf-8")

    def _called(self, name: str, *words: object) -> Path:
        out = self._folder / "out"
        told = [*map(str, words), "--fast", "--evidence", "none", "--out", str(out)]
        told += ["--lab", str(self._folder / "lab.yaml")]
        told += ["--devices", str(self._folder / "devices")]
        done = CliRunner().invoke(self._app, told)
        if not (out / name / "MANIFEST.sha256").exists():
            raise SystemExit(f"{name}: {done.output} {done.exception!r}")
        return out / name


def _yaml(values: Any) -> str:
    return yaml.safe_dump(values, sort_keys=False)


def _texts(values: Any) -> Any:
    """Return values as the project's files hold them: texts, never numbers."""
    if isinstance(values, dict):
        return {key: _texts(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_texts(value) for value in values]
    return values if isinstance(values, bool) else str(values)


def pairs_of(a: Path, b: Path) -> tuple[Pair, ...]:
    """Return what `compare` compares of two campaigns."""
    return read_pairs(same_windows((open_recorded(a), open_recorded(b)))).pairs


def judged(pairs: Sequence[Pair]) -> tuple[Tested, ...]:
    """Return all tests of some trials, as `compare` makes them."""
    found, unit = answered(pairs, ASKED)
    return tuple(tests_of(pairs, found, unit, ASKED))


def drifted(tests: Sequence[Tested]) -> list[str]:
    """Return the devices with drift, each once."""
    return sorted({t.device for t in tests if t.verdict is Verdict.DRIFT})


def same_days(number: int, folder: Path) -> dict[str, Any]:
    """Compare two campaigns of one lab with other seeds; then one with its rerun."""
    place = Place(folder, 1000 + number)
    a, b = (place.record(n, 2 * number + k, repeats=6) for k, n in enumerate("ab"))
    tests = judged(pairs_of(a, b))
    result: dict[str, Any] = {"tests": len(tests), "drifted": drifted(tests)}
    if number < 5:
        result["rerun_drifted"] = drifted(judged(pairs_of(a, place.again(a, "c"))))
    return result


def other_days(number: int, folder: Path) -> dict[str, Any]:
    """Compare the first four days of a campaign with the next four."""
    place = Place(folder, 2000 + number)
    a = place.record("a", number, repeats=8, sessions=8)
    days = sorted(set(open_recorded(a).log.frame["session"].to_list()))
    whole = pairs_of(a, a)
    halves = [pair_of(_of_days(p.a, days[:4]), _of_days(p.a, days[4:])) for p in whole]
    pairs = [each for each in halves if each is not None]
    tests = judged(pairs)
    found = _by_trials(pairs)
    mistaken = found.p_adjusted <= ASKED.alpha
    return {
        "tests": len(tests),
        "drifted": drifted(tests),
        "exchanges": answered(pairs, ASKED)[0].n,
        "by_trials": bool(mistaken.any()),
    }


def _by_trials(pairs: Sequence[Pair]) -> Answer:
    """Answer as if trials of a day had nothing in common."""
    sides = [(t.session, in_b) for p in pairs for t, in_b in ((p.a, 0), (p.b, 1))]
    numbers, in_b = number_sessions([(s, bool(b)) for s, b in sides])
    return answer(
        [pair.block(numbers) for pair in pairs],
        in_b,
        Unit.TRIAL,
        alpha=ASKED.alpha,
        permutations=ASKED.permutations,
        seed=ASKED.seed,
    )


def _of_days(side: Trials, days: Sequence[str]) -> Trials:
    return _chosen(side, np.isin(side.session, days))


def _chosen(side: Trials, rows: Any) -> Trials:
    return replace(
        side,
        stratum=side.stratum[rows],
        session=side.session[rows],
        values=side.values[rows],
        hosts={host: marks[rows] for host, marks in side.hosts.items()},
    )


def _first(side: Trials, count: int) -> Trials:
    """Keep the first trials of each activity, and idle windows in proportion."""
    kept = np.zeros(len(side), dtype=np.bool_)
    for name in np.unique(side.stratum):
        rows = np.flatnonzero(side.stratum == name)
        most = len(rows) * count // COUNTS[-1] if name == "idle" else count
        kept[rows[:most]] = True
    return _chosen(side, kept)


def new_firmware(number: int, folder: Path) -> dict[str, Any]:
    """Compare a lab before and after one device got a new firmware."""
    place = Place(folder, 3000 + number)
    device, version = DEVICES[number % len(DEVICES)], 1 + number // len(DEVICES)
    a = place.record("a", 2 * number, repeats=COUNTS[-1])
    place.update(device, version)
    b = place.record("b", 2 * number + 1, repeats=COUNTS[-1])
    whole = pairs_of(a, b)
    found = {}
    for count in COUNTS:
        some = [pair_of(_first(p.a, count), _first(p.b, count)) for p in whole]
        found[str(count)] = drifted(judged([p for p in some if p is not None]))
    return {"device": device, "version": version, "drifted": found}


PARTS: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "pairs": same_days,
    "halves": other_days,
    "firmware": new_firmware,
}


def summary(parts: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return rates with their 95 % intervals."""
    made: dict[str, Any] = {"alpha": ASKED.alpha, "permutations": ASKED.permutations}
    pairs, halves, new = (parts.get(name, []) for name in PARTS)
    if pairs:
        made["same_days"] = _rate([bool(p["drifted"]) for p in pairs])
        again = [bool(p["rerun_drifted"]) for p in pairs if "rerun_drifted" in p]
        made["same_seed"] = _rate(again)
        made["tests"] = [min(p["tests"] for p in pairs), max(p["tests"] for p in pairs)]
    if halves:
        made["other_days"] = _rate([bool(p["drifted"]) for p in halves])
        made["other_days_by_trials"] = _rate([p["by_trials"] for p in halves])
        made["exchanges"] = halves[0]["exchanges"]
    made["firmware"] = [_power(new, str(count)) for count in COUNTS] if new else []
    return made


def _power(new: list[dict[str, Any]], count: str) -> dict[str, Any]:
    right = [p["device"] in p["drifted"][count] for p in new]
    wrong = [bool(set(p["drifted"][count]) - {p["device"]}) for p in new]
    by_device = {
        name: _rate([r for r, p in zip(right, new, strict=True) if p["device"] == name])
        for name in DEVICES
        if any(p["device"] == name for p in new)
    }
    return {
        "trials": int(count),
        "found": _rate(right),
        "others": _rate(wrong),
        "by_device": by_device,
    }


def _rate(hits: Sequence[bool]) -> dict[str, Any]:
    if not hits:
        return {"n": 0, "hits": 0, "low": 0.0, "high": 1.0}
    span = wilson(sum(hits) / len(hits), len(hits))
    return {"n": len(hits), "hits": sum(hits), "low": span.low, "high": span.high}


def tables(made: dict[str, Any]) -> str:
    """Return the tables of the page."""
    rows = [
        ("two campaigns, other seeds, same days", "trials", made["same_days"]),
        ("a campaign and its `rerun`", "trials", made["same_seed"]),
        ("four days and the next four", "sessions", made["other_days"]),
        ("the same, had trials been exchanged", "trials", made["other_days_by_trials"]),
    ]
    lines = [
        "| nothing changed | exchanged | drift reported | 95 % |",
        "|---|---|---|---|",
    ]
    lines += [f"| {what} | {unit} | {_told(rate)} |" for what, unit, rate in rows]
    names = list(made["firmware"][-1]["by_device"])
    head = " | ".join(("trials each", "found", "95 %", *names, "another device"))
    lines += ["", f"| {head} |", "|---" * (len(names) + 4) + "|"]
    for row in made["firmware"]:
        own = [f"{r['hits']}/{r['n']}" for r in row["by_device"].values()]
        others = f"{row['others']['hits']}/{row['others']['n']}"
        cells = " | ".join((str(row["trials"]), _told(row["found"]), *own, others))
        lines.append(f"| {cells} |")
    return "\n".join(lines)


def _told(rate: dict[str, Any]) -> str:
    return f"{rate['hits']} of {rate['n']} | {rate['low']:.1%} to {rate['high']:.1%}"


_MARKS = ("<!-- drift: begin -->", "<!-- drift: end -->")


def filled(page: str, text: str) -> str:
    """Return the page with other text between its marks."""
    begin, end = (page.index(mark) for mark in _MARKS)
    return f"{page[: begin + len(_MARKS[0])]}\n\n{text}\n\n{page[end:]}"


def _in_turn(done: dict[str, int], wanted: dict[str, int]) -> list[tuple[str, int]]:
    """Return what is missing, all parts growing alike: some of each is there early."""
    left = [
        (number / wanted[name], name, number)
        for name in wanted
        for number in range(done[name], wanted[name])
    ]
    return [(name, number) for _share, name, number in sorted(left)]


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is missing, and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--halves", type=int, default=40)
    parser.add_argument("--firmware", type=int, default=30)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args(words)
    held = json.loads(given.out.read_text()) if given.out.exists() else {}
    parts = {name: held.get("parts", {}).get(name, []) for name in PARTS}
    cpu_s = held.get("cpu_s", 0.0)
    wanted = {name: getattr(given, name) for name in PARTS}
    for name, number in _in_turn({n: len(parts[n]) for n in PARTS}, wanted):
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            parts[name].append(PARTS[name](number, Path(folder)))
        cpu_s += time.process_time() - begun
        say(f"{name} {number + 1}: {parts[name][-1]['drifted'] or 'no drift'}")
        given.out.parent.mkdir(parents=True, exist_ok=True)
        made = {"cpu_s": cpu_s, "summary": summary(parts), "parts": parts}
        given.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    if given.page:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(filled(page, tables(summary(parts))), encoding="utf-8")


if __name__ == "__main__":
    main()
