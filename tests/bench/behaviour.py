"""How well detectors of behaviour notice eight kinds of intruders in made-up homes.

    python -m tests.bench.behaviour [--seeds 1 2 3] [--out FOLDER] [--page]
                                    [--without isolation_forest ...]

Each household teaches the detectors 28 quiet days; they score the 14 days after, once
for each kind of attack. Scores of a seed are kept in `FOLDER/seed_N.npz` (and read from
there if they are there); the figures, of detectors that have scored all seeds, go to
`FOLDER/behaviour.json`, with --page also into docs/behaviour-results.md.
"""

import argparse
import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.detectors.conformal import weekly_discoveries
from analysis.detectors.ensemble import Ensemble
from analysis.detectors.events import Events, make_events
from analysis.detectors.gaussian_mixture import GaussianMixtures
from analysis.detectors.hours import DAY_NS, HOUR_NS, Hours, count_hours
from analysis.detectors.isolation_forest import IsolationForests
from analysis.detectors.kmeans_circular import KMeansCircular
from analysis.detectors.kmeans_paper import KMeansPaper
from analysis.detectors.longterm import LongTerm
from analysis.detectors.model import Detection
from testbed.model import acts
from testbed.model.attacks import strikes
from testbed.model.habits import doings
from testbed.model.scenario import Scenario
from testbed.model.users import AttackKind
from testbed.virtual.people import DAYS, QUIET_DAYS, population
from tests.bench import behaviour_page

ROOT = Path(__file__).parents[2]
N_USERS = 24
KINDS = tuple(AttackKind)
MONDAY = 20_458 * DAY_NS  # day 0 of a scenario is a Monday; this one is 5 January 2026
QUIET_END = MONDAY + QUIET_DAYS * DAY_NS
END = MONDAY + DAYS * DAY_NS
N_HOURS = (DAYS - QUIET_DAYS) * 24
FDR = 0.1

BY_CELL = {
    "kmeans_paper": KMeansPaper,
    "kmeans_circular": KMeansCircular,
    "gaussian_mixture": GaussianMixtures,
    "isolation_forest": IsolationForests,
}
MEMBERS = ("rate", "sequence", "context", "replay")
BASELINES = ("unseen_activity", "events_per_hour", "kmeans_paper_or_unseen")
DETECTORS = (*BY_CELL, *MEMBERS, "longterm", "ensemble", *BASELINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacked:
    """The last days of a household with one kind of intruder.

    strikes  (s, 2) int64: episode, stamp of each malicious act
    """

    hours: Hours
    strikes: np.ndarray


def household(
    scenarios: Sequence[Scenario],
) -> tuple[Hours, tuple[Attacked, ...]]:
    """Return quiet days, and the days after with each kind of intruder.

    scenarios  the same household, one for each kind
    Each member's acts are drawn once; `tests/analysis/test_evaluate_behaviour.py`
    compares this with `draw_acts` of each scenario.
    """
    first = scenarios[0]
    own = [d for d in doings(first, first.seed) if not d.user.malicious]
    stamps = np.array([_stamp(d.at_s) for d in own], dtype=np.int64)
    what = [d.action.what for d in own]
    quiet = stamps < QUIET_END
    names = [n for n, early in zip(what, quiet, strict=True) if early]
    train = count_hours(make_events(stamps[quiet], names), MONDAY, QUIET_END)
    found = []
    known = {*what}
    struck = []
    for scenario in scenarios:
        user = next(u for u in scenario.users if u.attack is not None)
        case = acts.case_of(scenario, user, user.attack, (own, scenario.seed))
        struck.append([s for s in strikes(case) if acts.fits(scenario, s)])
        known |= {s.action.what for s in struck[-1]}
    for each in struck:
        gone = {id(s.instead_of) for s in each if s.instead_of is not None}
        kept = ~quiet & np.array([id(d) not in gone for d in own])
        bad = np.array([_stamp(round(s.at_s, 3)) for s in each], dtype=np.int64)
        late = [n for n, keep in zip(what, kept, strict=True) if keep]
        events = make_events(
            np.concatenate((stamps[kept], bad)),
            [*late, *(s.action.what for s in each)],
            known=known,
        )
        episode = np.array([s.episode for s in each], dtype=np.int64)
        found.append(
            Attacked(
                hours=count_hours(events, QUIET_END, END),
                strikes=np.column_stack((episode, bad)),
            )
        )
    return train, tuple(found)


def _stamp(at_s: float) -> int:
    return MONDAY + round(at_s * 1000) * 10**6


def score_all(
    train: Hours, attacked: Sequence[Attacked], without: Collection[str] = ()
) -> tuple[dict[str, np.ndarray], dict[str, float], np.ndarray]:
    """Return scores (attacks, hours), thresholds, and alarms at a discovery rate."""
    tests = [a.hours for a in attacked]
    scores, thresholds = {}, {}
    stack, back = _stack(tests)
    for name, make in BY_CELL.items():
        if name in without:
            continue
        detection = make(0).fit(train)
        thresholds[name] = -detection.offset_
        scores[name] = detection.hour_scores(stack)[back].reshape(len(tests), -1)
    ensemble = Ensemble(0).fit(train)
    fitted: dict[str, Detection] = dict(zip(MEMBERS, ensemble.members_, strict=True))
    fitted |= {"longterm": LongTerm(0).fit(train), "ensemble": ensemble}
    for name, detection in fitted.items():
        thresholds[name] = -detection.offset_
        scores[name] = np.array([detection.hour_scores(t) for t in tests])
    p = ensemble.p_values(scores["ensemble"])
    alarms = [
        weekly_discoveries(each, t.day, FDR) & (t.total > 0)
        for each, t in zip(p, tests, strict=True)
    ]
    seen = {n for n, c in zip(train.names, train.counts.sum(axis=0), strict=True) if c}
    new = np.array([n not in seen for n in tests[0].names])
    unseen = np.array([t.counts[:, new].sum(axis=1) for t in tests], dtype=float)
    scores["unseen_activity"] = unseen
    scores["events_per_hour"] = np.array([t.total for t in tests], dtype=float)
    scores["kmeans_paper_or_unseen"] = np.where(
        unseen > 0, 1e3 + unseen, scores["kmeans_paper"]
    )
    thresholds |= {
        "unseen_activity": 0.0,
        "events_per_hour": float(np.sort(train.total)[-4]),
        "kmeans_paper_or_unseen": thresholds["kmeans_paper"],
    }
    return scores, thresholds, np.array(alarms)


def _stack(tests: Sequence[Hours]) -> tuple[Hours, np.ndarray]:
    """Return each (hour of day, kind of day, counts) once, and where each hour is.

    For detectors that look at nothing but the hour and the counts.
    """
    rows = np.vstack([np.column_stack((t.hour, t.weekend, t.counts)) for t in tests])
    _, first, back = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    joined = [
        np.concatenate([getattr(t, name) for t in tests])[first]
        for name in ("start_ns", "end_ns", "hour", "day", "counts")
    ]
    nothing = np.zeros(0, dtype=np.int64)
    return Hours(
        start_ns=joined[0],
        end_ns=joined[1],
        hour=joined[2],
        day=joined[3],
        counts=joined[4],
        events=Events(time_ns=nothing, what=nothing, names=tests[0].names),
        row=nothing,
        local_ns=nothing,
    ), back.ravel()


def run(seed: int, without: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Return scores and truth of all households of a seed."""
    names = [name for name in DETECTORS if name not in without]
    by_kind = [population(seed, N_USERS, kind) for kind in KINDS]
    shape = (N_USERS, len(KINDS), N_HOURS)
    found = {f"scores_{name}": np.zeros(shape, dtype=np.float32) for name in names}
    found |= {f"threshold_{name}": np.zeros(N_USERS) for name in names}
    found["malicious"] = np.zeros(shape, dtype=bool)
    found["fdr"] = np.zeros(shape, dtype=bool)
    acts_of = []
    for user in range(N_USERS):
        train, attacked = household([each[user] for each in by_kind])
        scores, thresholds, alarms = score_all(train, attacked, without)
        for name in names:
            found[f"scores_{name}"][user] = scores[name]
            found[f"threshold_{name}"][user] = thresholds[name]
        found["fdr"][user] = alarms
        for kind, each in enumerate(attacked):
            row = (each.strikes[:, 1] - QUIET_END) // HOUR_NS
            found["malicious"][user, kind, row] = True
            acts_of += [
                (user, kind, int(e), int(r), int(t) - QUIET_END)
                for (e, t), r in zip(each.strikes, row, strict=True)
            ]
    found["acts"] = np.array(acts_of, dtype=np.int64)
    return found


def main() -> None:
    """Score what has not been scored yet, then write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(41, 51)))
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/behaviour")
    parser.add_argument("--page", action="store_true")
    slow = [name for name in BY_CELL if name != "kmeans_paper"]
    parser.add_argument("--without", nargs="+", choices=slow, default=[])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    raw = {}
    for seed in options.seeds:
        path = options.out / f"seed_{seed}.npz"
        if not path.exists():
            begun, cpu = time.perf_counter(), time.process_time()
            found = run(seed, options.without)
            found["cpu_s"] = np.array(time.process_time() - cpu)
            np.savez_compressed(path, **found)
            print(f"seed {seed}: {time.perf_counter() - begun:.0f} s", flush=True)
        with np.load(path) as kept:
            raw[seed] = {key: kept[key] for key in kept.files}
    facts = behaviour_page.figures(raw)
    text = json.dumps(facts, indent=1, allow_nan=True) + "\n"
    (options.out / "behaviour.json").write_text(text, encoding="utf-8")
    print(behaviour_page.tables(facts))
    if options.page:
        behaviour_page.write(facts)


if __name__ == "__main__":
    main()
