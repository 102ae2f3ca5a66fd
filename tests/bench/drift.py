"""How often `compare` reports drift: where there is none, and after a new firmware.

    python -m tests.bench.drift [--pairs 100] [--halves 40] [--firmware 36] [--page]

Runs campaigns in the fast virtual lab, a lab of its own (other copies of the devices,
other days) for each pair, and deletes them again; and draws tables of trials with day
effects of stated size. Writes build/bench/drift.json after each, and goes on with what
is missing; with --page, the tables of docs/comparing.md.
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

from analysis.compare.compare import answered, matches_of, read_pairs
from analysis.compare.model import MEASURES, Asked, Tested, Trials, Verdict
from analysis.compare.questions import Pair, chosen, pair_of
from analysis.compare.trials import same_windows
from analysis.evaluate.samples import open_recorded
from testbed.cli import build
from testbed.virtual.house.unit import draw_unit
from tests.bench.drift_page import FEW, MANY, filled, rate_of, summary, tables

ROOT = Path(__file__).parents[2]
OUT = Path("build/bench/drift.json")
PAGE = ROOT / "docs" / "comparing.md"
ASKED = Asked(permutations=1999, classifiers=(), intervals=False)
ACTS: dict[str, tuple[tuple[str, ...], str]] = {
    "echo_dot": (("ask_time", "tell_joke"), "voice"),
    "koogeek_plug": (("turn_on", "turn_off"), "phone"),
    "samsung_tv": (("turn_on", "turn_off"), "phone"),
    "home_mini": (("ask_time", "tell_joke"), "voice"),
    "wemo_insight": (("turn_on", "turn_off"), "phone"),
    "arlo_q": (("take_snapshot", "open_settings"), "phone"),
    "tplink_hs110": (("turn_on", "turn_off"), "phone"),
    "omna_180": (("take_snapshot",), "phone"),
    "iview_bulb": (("turn_on", "turn_off"), "phone"),
}
DEVICES = tuple(ACTS)
SCENARIO: dict[str, Any] = {
    "scenario": "drift",
    "rest": {"uniform": ["5 s", "15 s"]},
    "idle": "10 min",
}
A_DAY = 3  # trials of each activity


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

    def record(self, name: str, seed: int, devices: Sequence[str], days: int) -> Path:
        """Run the scenario and return the campaign."""
        scenario = {
            **SCENARIO,
            "select": [_selection(device) for device in devices],
            "repeats": str(days * A_DAY),
            "sessions": str(days),
        }
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


def _selection(device: str) -> dict[str, Any]:
    acts, channel = ACTS[device]
    made: dict[str, Any] = {"device": device, "activities": list(acts)}
    made["channels"] = [channel]
    return made if channel == "voice" else made | {"networks": ["lan"]}


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
    both = open_recorded(a), open_recorded(b)
    matches = matches_of(both, ())
    return read_pairs(same_windows(both, matches), matches).pairs


def judged(pairs: Sequence[Pair]) -> tuple[Tested, ...]:
    """Return all tests of some trials, as `compare` makes them."""
    return answered(pairs, ASKED).tests


def drifted(tests: Sequence[Tested]) -> list[str]:
    """Return the devices with drift, each once."""
    return sorted({t.device for t in tests if t.verdict is Verdict.DRIFT})


def apart(pairs: Sequence[Pair], days: int) -> list[Pair]:
    """Return the first days of A, and as many last ones of B."""
    found = []
    for pair in pairs:
        a, b = (sorted(set(side.unit.tolist())) for side in pair.sides)
        held = pair_of(_of_days(pair.a, a[:days]), _of_days(pair.b, b[-days:]))
        if held is not None:
            found.append(held)
    return found


def _of_days(side: Trials, days: Sequence[str]) -> Trials:
    events = {}
    for name, each in side.events.items():
        rows = np.isin(each.unit, days)
        events[name] = replace(
            each, unit=each.unit[rows], value=each.value[rows], n=each.n[rows]
        )
    return replace(chosen(side, np.isin(side.unit, days)), events=events)


def _two(number: int) -> tuple[str, str]:
    """Return two devices, another two for each of nine numbers."""
    return DEVICES[number % len(DEVICES)], DEVICES[(number + 1) % len(DEVICES)]


def other_days(number: int, folder: Path) -> dict[str, Any]:
    """Compare two campaigns of one lab on other days; then one with its rerun."""
    place, devices = Place(folder, 1000 + number), _two(number)
    a = place.record("a", 2 * number, devices, FEW)
    b = place.record("b", 2 * number + 1, devices, 2 * FEW)
    whole = pairs_of(a, b)
    tests = judged(apart(whole, FEW))
    result: dict[str, Any] = {
        "tests": len(tests),
        "drifted": drifted(tests),
        "fewer": {n: drifted(judged(apart(whole, n))) for n in (1, 2, 3)},
    }
    if number < 10:
        again = judged(pairs_of(a, place.again(a, "c")))
        result["rerun_drifted"] = drifted(again)
    return result


def halves(number: int, folder: Path) -> dict[str, Any]:
    """Compare the first days of a campaign with as many later ones."""
    place, devices = Place(folder, 2000 + number), _two(number)
    a = place.record("a", number, devices, 2 * MANY)
    tests = judged(apart(pairs_of(a, a), MANY))
    return {"tests": len(tests), "drifted": drifted(tests)}


def new_firmware(number: int, folder: Path) -> dict[str, Any]:
    """Compare a lab before and after one device got a new firmware."""
    place, devices = Place(folder, 3000 + number), _two(number)
    version = 1 + number // len(DEVICES)
    a = place.record("a", 2 * number, devices, MANY)
    before = profile_of(folder, devices[0])
    place.update(devices[0], version)
    after = profile_of(folder, devices[0])
    b = place.record("b", 2 * number + 1, devices, 2 * MANY)
    whole = pairs_of(a, b)
    found, by = {}, {}
    for days in (FEW, MANY):
        tests = judged(apart(whole, days))
        found[str(days)] = drifted(tests)
        by[str(days)] = sorted({t.measure for t in tests if t.verdict is Verdict.DRIFT})
    return {
        "device": devices[0],
        "version": version,
        "changed": changes(devices[0], before, after, 3000 + number),
        "drifted": found,
        "by": by,
    }


def profile_of(folder: Path, device: str) -> dict[str, str]:
    """Return a device profile as it stands."""
    text = (folder / "devices" / f"{device}.yaml").read_text(encoding="utf-8")
    made: dict[str, str] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    return made


def changes(
    device: str, before: dict[str, str], after: dict[str, str], seed: int
) -> dict[str, Any]:
    """Return what a firmware changed in the virtual house, as nobody outside knows.

    keep_alive_b  bytes by which keep-alives are longer
    """
    one, two = (
        draw_unit(
            device,
            unit=profile.get("unit", "1"),
            firmware=profile["firmware"],
            session=0,
            seed=seed,
        )
        for profile in (before, after)
    )
    return {
        "keep_alive_b": max(0, two.header_b) - max(0, one.header_b),
        "header_b": two.header_b - one.header_b,
        "size": two.size / one.size,
        "pace": two.pace / one.pace,
    }


# (days, trials a day) of A, those of B, and by how much of trials' scatter days differ
TABLES = (
    *(((4, 10), (4, 10), spread) for spread in (0.0, 0.5, 1.0)),
    *(((6, 10), (6, 10), spread) for spread in (0.5, 1.0)),
    *(((4, 2), (12, 20), spread) for spread in (0.0, 0.5)),
    *(((days, 10), (days, 10), 1.0) for days in (2, 3)),
)


def tables_of(reps: int) -> list[dict[str, Any]]:
    """Compare drawn tables: days that differ, trials that scatter by 1, no drift."""
    made = []
    for number, (one, two, spread) in enumerate(TABLES):
        rng = np.random.default_rng(number)
        hits = sum(
            bool(drifted(judged([_drawn(rng, one, two, spread)]))) for _ in range(reps)
        )
        what = {"a": one, "b": two, "day_sd": spread}
        made.append({**what, **rate_of(hits, reps)})
        say(f"{one} and {two} days and trials, days differ by {spread}: {hits}")
    return made


def _drawn(
    rng: np.random.Generator, one: tuple[int, int], two: tuple[int, int], spread: float
) -> Pair:
    sides = []
    for name, (days, trials) in (("a", one), ("b", two)):
        unit = np.repeat([f"{name}{n}" for n in range(days)], trials)
        means = rng.normal(0, spread, (days, len(MEASURES)))
        day = np.repeat(means, trials, axis=0)
        k = unit.size
        sides.append(
            Trials(
                device="d",
                stratum=np.full(k, "turn_on"),
                unit=unit,
                values=20 + day + rng.normal(size=day.shape),
                hosts={},
                lengths=np.zeros((2, k, 2), np.int32),
                first=np.full((k, 1), np.nan),
            )
        )
    pair = pair_of(sides[0], sides[1])
    assert pair is not None
    return pair


PARTS: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "pairs": other_days,
    "halves": halves,
    "firmware": new_firmware,
}


def _in_turn(done: dict[str, int], wanted: dict[str, int]) -> list[tuple[str, int]]:
    """Return what is missing, all parts growing alike: some of each is there early."""
    left = [
        (number / wanted[name], name, number)
        for name in wanted
        for number in range(done[name], wanted[name])
    ]
    return [(name, number) for _share, name, number in sorted(left)]


def _write(
    out: Path,
    cpu_s: float,
    parts: dict[str, list[dict[str, Any]]],
    drawn: dict[str, Any],
    rows: list[dict[str, Any]],
) -> None:
    made = {"cpu_s": cpu_s, "summary": summary(parts, rows, ASKED), "parts": parts}
    made["drawn"] = drawn
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is missing, and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--halves", type=int, default=40)
    parser.add_argument("--firmware", type=int, default=36)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args(words)
    held = json.loads(given.out.read_text()) if given.out.exists() else {}
    parts = {name: held.get("parts", {}).get(name, []) for name in PARTS}
    cpu_s = held.get("cpu_s", 0.0)
    drawn = held.get("drawn", {})
    if str(given.tables) not in drawn:
        drawn = {str(given.tables): tables_of(given.tables)}
    rows = drawn[str(given.tables)]
    wanted = {name: getattr(given, name) for name in PARTS}
    for name, number in _in_turn({n: len(parts[n]) for n in PARTS}, wanted):
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            parts[name].append(PARTS[name](number, Path(folder)))
        cpu_s += time.process_time() - begun
        say(f"{name} {number + 1}: {parts[name][-1]['drifted'] or 'no drift'}")
        _write(given.out, cpu_s, parts, drawn, rows)
    _write(given.out, cpu_s, parts, drawn, rows)
    if given.page:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(
            filled(page, tables(summary(parts, rows, ASKED))), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
