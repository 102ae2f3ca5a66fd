"""The CADeSH-style detector on simulated homes, and its alarms on captured flows.

    python -m tests.bench.cadesh [--seeds 8201 8202 ...] [--work FOLDER]
        [--data FOLDER] [--json build/bench/cadesh.json] [--page docs/cadesh-results.md]
        [--parts lead mixed steps poison old pool others ways homes real]

Simulates two folders of homes for each seed (`main`: the pool, and the lab with two
attacks at low intensity; `side`: a lab with an attack a day, and two homes that were
taken over), learns from seven homes, and asks about the lab. Written part by part;
a run that is cut short has what was done, and the next one goes on from there.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from analysis.detectors.cadesh.alternatives import ALTERNATIVES, alternative
from analysis.detectors.cadesh.detector import Choices, FlowDetector
from analysis.detectors.cadesh.rows import ALL, NAMES, Home, Rows, home_of, rows_of
from analysis.evaluate.flows import Split, measure, training_rows
from analysis.flows import read_flows
from testbed.model.load import load_profile
from testbed.virtual.homes import Task, read_attack, simulate
from tests.bench.cadesh_cost import cost
from tests.bench.cadesh_page import page
from tests.bench.cadesh_real import real

ROOT = Path(__file__).parents[2]
LAB, DAYS, N_HOMES = "lab", 21, 8
MAIN = ("botnet:low", "coin_mining:low")
POISON = ("botnet:low@{}/2-20", "coin_mining:low@{}/2-20")
MIXED = (
    "botnet:high/14",
    "coin_mining:high/15",
    "exfiltration:low/16",
    "exfiltration:high/17",
    "ddos:low/18",
    "ddos:high/19",
)
SEEDS = (8201, 8202, 8203, 8204, 8205)
TAKEN = ("home_1", "home_2")
PARTS = (
    *("lead", "mixed", "steps", "poison", "old", "pool"),
    *("others", "ways", "homes", "real"),
)
DEVICE = "echo_dot"

Causes = Mapping[str, np.ndarray]


def simulated(folder: Path, seed: int, *, side: bool) -> Path:
    """Simulate the homes of a seed where that was not done before."""
    out = folder / f"seed={seed}" / ("side" if side else "main")
    if (out / "homes.json").exists():
        return out
    staged = list(MAIN)
    if side:
        staged = [*MIXED, *(text.format(n) for n in TAKEN for text in POISON)]
    task = Task(
        homes=1 + len(TAKEN) if side else N_HOMES,
        days=DAYS,
        seed=seed,
        attacks=tuple(read_attack(text) for text in staged),
    )
    simulate(task, load_profile(ROOT / "devices" / f"{DEVICE}.yaml"), out)
    return out


def homes_in(folder: Path) -> dict[str, Home]:
    """Return the homes of a folder."""
    return {
        path.parent.name.removeprefix("home="): home_of(read_flows(path))
        for path in sorted(folder.glob("home=*/flows.parquet"))
    }


def truth(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return cause and occasion of each flow of a home."""
    table = pq.read_table(folder / "truth" / f"home={name}.parquet")
    return tuple(
        np.array(table[column].to_pylist(), dtype=object)
        for column in ("cause", "occasion")
    )


class Seed:
    """The homes of one seed, and what was asked of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed, self.folder, self.lab, self.days = seed, folder, LAB, DAYS
        begin = time.process_time()
        self.main = simulated(folder, seed, side=False)
        self.simulated_s = time.process_time() - begin
        begin = time.process_time()
        self.homes = homes_in(self.main)
        self.prepared_s = time.process_time() - begin
        first_ns = min(int(h.flows.start_ns[0]) for h in self.homes.values())
        self.split = Split(start_ns=first_ns // 86_400_000_000_000 * 86_400_000_000_000)
        self.pool = [name for name in self.homes if name != LAB]
        begin = time.process_time()
        self.learnt = training_rows(self.homes, self.pool, self.split)
        self.asked = self.rows_of_lab(self.homes)
        self.features_s = time.process_time() - begin
        every = rows_of(self.homes[LAB], [])
        self.is_asked = self.split.is_asked(every)
        self.cause, self.occasion = (
            column[self.is_asked] for column in truth(self.main, LAB)
        )

    @cached_property
    def side(self) -> Path:
        """The folder with the homes that were taken over, simulated when asked for."""
        return simulated(self.folder, self.seed, side=True)

    @cached_property
    def whole(self) -> FlowDetector:
        """A detector that has learnt from all of the pool."""
        return FlowDetector(Choices(seed=self.seed)).fit(self.learnt)

    def rows_of_lab(
        self, homes: Mapping[str, Home], pool: Sequence[str] | None = None
    ) -> Rows:
        """Return what is asked about, beside the homes of a pool."""
        names = self.pool if pool is None else pool
        rows = rows_of(self.homes[LAB], [homes[n].tables for n in names])
        return self.split.asked(rows)

    def figures(
        self, detector, learnt: Mapping[str, Rows], asked: Rows, *, apart: int = 0
    ) -> dict:
        """Learn, ask about the lab, and return the figures with what it took.

        apart  homes that set the limits, and are not learnt from
        """
        names = list(learnt)
        begin = time.process_time()
        detector.fit({name: learnt[name] for name in names[: len(names) - apart]})
        if apart:
            detector.judged_by({name: learnt[name] for name in names[-apart:]})
        middle = time.process_time()
        scored = detector.score(asked)
        end = time.process_time()
        found = measure(
            scored.score, scored.alarm, self.cause, lasts_s=self.split.lasts_s
        ).record()
        benign = self.cause == "benign"
        false = self.occasion[benign & scored.alarm]
        found |= {
            "step_one_fpr": float(scored.infrequent[benign].mean()),
            "false_by_occasion": {
                str(k) or "routine": int(n)
                for k, n in zip(*np.unique(false, return_counts=True), strict=True)
            },
            "learnt_flows": sum(len(r) for r in learnt.values()),
            "fit_s": round(middle - begin, 2),
            "asked_flows": len(asked),
            "score_s": round(end - middle, 2),
        }
        return found

    def lead(self) -> dict:
        """Return the figures of the whole, and what it costs."""
        whole = self.whole = FlowDetector(Choices(seed=self.seed))
        found = {"whole": self.figures(whole, self.learnt, self.asked)}
        return found | {"cost": cost(self, whole)}

    def steps(self) -> dict:
        """Return the figures of parts of the whole left out."""
        choices = Choices(seed=self.seed)
        alone = replace(choices, step_two="none")
        own = {name: rows.own() for name, rows in self.learnt.items()}
        bare = {name: spared(rows, 0) for name, rows in self.learnt.items()}
        part = {name: spared(rows, ALL) for name, rows in self.learnt.items()}
        lab = self.asked
        found = {}
        for name, asked_of, learnt, asked in (
            ("autoencoder, own features", alone, own, lab.own()),
            ("+ clustering, own features", choices, own, lab.own()),
            ("autoencoder, pool features", alone, self.learnt, lab),
            ("without habits", choices, part, spared(lab, ALL)),
            ("without habits and witnesses", choices, bare, spared(lab, 0)),
        ):
            told(self.seed, name)
            found[name] = self.figures(FlowDetector(asked_of), learnt, asked)
        told(self.seed, "limits of other homes")
        found["limits of two homes apart"] = self.figures(
            FlowDetector(choices), self.learnt, lab, apart=2
        )
        return found

    def ways(self) -> dict:
        """Return figures of other ways to tell what is known."""
        choices = Choices(seed=self.seed)
        found = {}
        for name, asked_of in (
            ("one home makes known", replace(choices, least=1)),
            ("two homes make known", replace(choices, least=2)),
            ("DBSCAN", replace(choices, step_two="dbscan")),
            ("HDBSCAN", replace(choices, step_two="hdbscan")),
        ):
            told(self.seed, name)
            detector = FlowDetector(asked_of)
            found[name] = self.figures(detector, self.learnt, self.asked)
        return found

    def mixed(self) -> dict:
        """Ask about the lab with another attack each day."""
        lab = home_of(read_flows(self.side / f"home={LAB}" / "flows.parquet"))
        rows = rows_of(lab, [self.homes[n].tables for n in self.pool])
        is_asked = self.split.is_asked(rows)
        scored = self.whole.score(rows.take(is_asked))
        cause = truth(self.side, LAB)[0][is_asked]
        day = (rows.start_ns[is_asked] - self.split.start_ns) // 86_400_000_000_000
        found = {}
        for text in MIXED:
            attack, _, when = text.partition("/")
            # a spell that begins late goes on after midnight
            own = (cause == attack.partition(":")[0]) & (abs(day - int(when)) <= 1)
            other = "exfiltration" if "exf" in text else "ddos"
            if attack.startswith(other):
                own &= day == int(when) if attack.endswith("low") else day >= int(when)
            some = own | (cause == "benign")
            found[attack] = measure(
                scored.score[some],
                scored.alarm[some],
                np.where(own, attack, "benign")[some],
                lasts_s=self.split.lasts_s,
            ).record()
        return found

    def pools(self) -> dict:
        """Return figures of pools of fewer homes."""
        found = {}
        for n in (1, 2, 3, 4):
            told(self.seed, f"pool of {n}")
            names = self.pool[:n]
            learnt = training_rows(self.homes, names, self.split)
            asked = self.rows_of_lab(self.homes, names)
            found[str(n)] = self.figures(
                FlowDetector(Choices(seed=self.seed)), learnt, asked
            )
        return found

    def poison(self) -> dict:
        """Return figures where homes of the pool carry the same attacks."""
        found = {}
        for n in (1, 2):
            told(self.seed, f"{n} homes taken over")
            homes = dict(self.homes)
            for name in TAKEN[:n]:
                path = self.side / f"home={name}" / "flows.parquet"
                homes[name] = home_of(read_flows(path))
            learnt = training_rows(homes, self.pool, self.split)
            asked = self.rows_of_lab(homes)
            for least in (2, 3):
                choices = Choices(seed=self.seed, least=least)
                key = f"{n} taken over, {least} make known"
                found[key] = self.figures(FlowDetector(choices), learnt, asked)
        return found

    def old(self) -> dict:
        """Return figures of a home that was taken over before its habits formed.

        Asked is one of the homes that were taken over on day 2; the pool are those
        that were not, and then the other one, too.
        """
        found = {}
        asked, other = TAKEN
        for n in (0, 1):
            told(self.seed, f"taken over long ago, {n} of the pool")
            homes = dict(self.homes)
            for name in (asked, other)[: n + 1]:
                path = self.side / f"home={name}" / "flows.parquet"
                homes[name] = home_of(read_flows(path))
            names = [name for name in self.pool if name != asked]
            learnt = training_rows(homes, names, self.split)
            rows = rows_of(homes[asked], [homes[n].tables for n in names])
            detector = FlowDetector(Choices(seed=self.seed)).fit(learnt)
            is_asked = self.split.is_asked(rows)
            scored = detector.score(rows.take(is_asked))
            found[f"long ago, {n} of the pool"] = measure(
                scored.score,
                scored.alarm,
                truth(self.side, asked)[0][is_asked],
                lasts_s=self.split.lasts_s,
            ).record() | {"step_one_fpr": None}
        return found

    def others(self) -> dict:
        """Return figures of alternatives, and of a model of the lab's own."""
        found = {}
        for name in ALTERNATIVES:
            told(self.seed, name)
            detector = alternative(name, seed=self.seed)
            found[name] = self.figures(detector, self.learnt, self.asked)
        own = rows_of(self.homes[LAB], []).own()
        alone = {LAB: self.split.learnt(own)}
        told(self.seed, "one model per home")
        found["a model of the home's own"] = self.figures(
            FlowDetector(Choices(seed=self.seed, least=1)),
            alone,
            self.split.asked(own),
        )
        return found

    def each_home(self) -> dict:
        """Return false alarms of each home by a detector of all others."""
        found = {}
        for left_out in self.pool:
            told(self.seed, f"without {left_out}")
            names = [name for name in self.homes if name != left_out]
            learnt = training_rows(self.homes, names, self.split)
            detector = FlowDetector(Choices(seed=self.seed)).fit(learnt)
            rows = rows_of(self.homes[left_out], [self.homes[n].tables for n in names])
            scored = detector.score(self.split.asked(rows))
            found[left_out] = {
                "flows": len(scored.score),
                "fpr": round(float(scored.alarm.mean()), 6),
                "step_one_fpr": round(float(scored.infrequent.mean()), 6),
                "alarms_a_week": int(scored.alarm.sum()),
            }
        return found


def spared(rows: Rows, by: int) -> Rows:
    """Return rows that two witnesses alone spare; with 0, that nobody spares."""
    half = rows.x[:, NAMES.index("domain_week")] >= 0.5
    kept = np.where((rows.spared == ALL) & half, by, 0)
    return replace(rows, spared=kept)


def told(seed: int, what: str) -> None:
    """Say how far it is."""
    print(f"cadesh: seed {seed}: {what}", file=sys.stderr, flush=True)


DO: Mapping[str, Callable[[Seed], dict]] = {
    "lead": Seed.lead,
    "mixed": Seed.mixed,
    "steps": Seed.steps,
    "ways": Seed.ways,
    "pool": Seed.pools,
    "poison": Seed.poison,
    "old": Seed.old,
    "others": Seed.others,
    "homes": Seed.each_home,
}


def passes(parts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the parts of each pass over the seeds: what matters most comes first."""
    for each in (
        ("lead",),
        ("mixed", "poison", "old", "steps"),
        ("pool", "others", "ways"),
        ("homes",),
    ):
        yield tuple(part for part in each if part in parts)


def main(words: Sequence[str] | None = None) -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("TESTBED_PUBLIC_DATA", "")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "bench" / "cadesh.json"
    )
    parser.add_argument("--page", type=Path, default=None)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args(words)
    found: dict = {"device": DEVICE, "days": DAYS, "seeds": {}}
    if asked.json.exists():
        found = json.loads(asked.json.read_text(encoding="utf-8"))

    def keep() -> None:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        if asked.page:
            asked.page.write_text(page(found), encoding="utf-8")

    with tempfile.TemporaryDirectory() as made:
        folder = asked.work or Path(made)
        if "real" in asked.parts and asked.data.is_dir():
            found["real"] = real(asked.data)
            keep()
        for parts in passes(asked.parts):
            for seed in asked.seeds:
                rows = found["seeds"].setdefault(str(seed), {})
                missing = [part for part in parts if part not in rows]
                if not missing:
                    continue
                told(seed, "homes")
                homes = Seed(folder, seed)
                for part in missing:
                    rows[part] = DO[part](homes)
                    keep()
    keep()


if __name__ == "__main__":
    main()
