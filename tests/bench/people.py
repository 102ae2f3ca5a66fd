"""How hard the population of households is: counted, without any detector.

    python -m tests.bench.people [--seeds N] [--page]

Writes `build/bench/people.json`; with --page also the tables of docs/people.md.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from testbed.model.acts import Act, draw_acts
from testbed.model.scenario import Scenario
from testbed.model.users import AttackKind
from testbed.virtual.people import DAYS, QUIET_DAYS, population
from tests.bench.behaviour_page import filled
from tests.bench.table1_page import markdown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "people.md"
N_USERS = 24
DAY_S = 86_400
HOUR_S = 3600
N_DRAWS = 2000


def household(scenario: Scenario) -> dict[str, float]:
    """Return figures of what a household does without an intruder."""
    acts = draw_acts(scenario)
    days = np.bincount([int(a.at_s // DAY_S) for a in acts], minlength=DAYS)
    hours = np.bincount([int(a.at_s // HOUR_S) for a in acts], minlength=DAYS * 24)
    early = [a for a in acts if a.at_s < QUIET_DAYS * DAY_S]
    late = [a for a in acts if a.at_s >= QUIET_DAYS * DAY_S]
    cells = {_cell(a) for a in early}
    return {
        "acts_per_day": float(days.mean()),
        "fano_days": float(days.var() / days.mean()),
        "fano_weekdays": float(np.mean([days[d::7].var() for d in range(7)]))
        / float(days.mean()),
        "busiest_hour": float(hours.max()),
        "empty_hours": float(np.mean(hours == 0)),
        "new_hours": float(np.mean([_cell(a) not in cells for a in late])),
        "new_actions": _unseen(early, late),
    }


def attack(scenario: Scenario) -> dict[str, float]:
    """Return figures of the attack on one household."""
    acts = draw_acts(scenario)
    early = [a for a in acts if a.at_s < QUIET_DAYS * DAY_S]
    bad = [a for a in acts if a.malicious]
    good = [a for a in acts if not a.malicious]
    used = {int(a.at_s // HOUR_S) for a in good}
    hours = {int(a.at_s // HOUR_S) for a in bad}
    at = {int(a.at_s % DAY_S // HOUR_S) for a in early}
    return {
        "episodes": float(len({a.episode for a in bad})),
        "acts": float(len(bad)),
        "unseen": _unseen(early, bad),
        "usual_hours": float(
            np.mean([int(a.at_s % DAY_S // HOUR_S) in at for a in bad])
        ),
        "shared_hours": float(np.mean([hour in used for hour in hours])),
        "prevalence": len(hours) / ((DAYS - QUIET_DAYS) * 24),
    }


def _cell(act: Act) -> tuple[str, str, bool, int]:
    day, second = divmod(act.at_s, DAY_S)
    return act.device, act.activity, day % 7 >= 5, int(second // HOUR_S)


def _unseen(early: Iterable[Act], acts: Sequence[Act]) -> float:
    """Return the share of acts that are of an activity not seen early."""
    known = {(a.device, a.activity) for a in early}
    return float(np.mean([(a.device, a.activity) not in known for a in acts]))


def over(rows: Sequence[dict[str, float]], seed: int) -> dict[str, list[float]]:
    """Return the mean of each figure, and its 95 % interval over households."""
    random = np.random.default_rng(seed)
    found = {}
    for key in rows[0]:
        values = np.array([row[key] for row in rows])
        drawn = values[random.integers(len(values), size=(N_DRAWS, len(values)))]
        low, high = np.quantile(drawn.mean(axis=1), [0.025, 0.975])
        found[key] = [round(float(v), 4) for v in (values.mean(), low, high)]
    return found


def measure(seeds: Sequence[int]) -> dict[str, object]:
    """Return all figures."""
    alone = [household(s) for seed in seeds for s in population(seed, N_USERS)]
    return {
        "simulated": True,
        "depth": "activities",
        "seeds": list(seeds),
        "n_households": len(alone),
        "days": DAYS,
        "quiet_days": QUIET_DAYS,
        "households": over(alone, 0),
        "attacks": {
            kind.value: over(
                [attack(s) for seed in seeds for s in population(seed, N_USERS, kind)],
                0,
            )
            for kind in AttackKind
        },
    }


def tables(facts: dict) -> str:
    """Return the tables of the page."""
    told = {
        "acts_per_day": "acts a day",
        "fano_days": "variance of acts a day over their mean (Poisson: 1)",
        "fano_weekdays": "the same among days of one weekday",
        "busiest_hour": "acts in the busiest hour",
        "empty_hours": "hours without an act",
        "new_hours": "benign acts, days 28 to 41, never seen in that hour before",
        "new_actions": "benign acts, days 28 to 41, of an activity never seen before",
    }
    lines = [
        f"Seeds {', '.join(map(str, facts['seeds']))}; n = {facts['n_households']} "
        "households of each row; mean and 95 % interval over households. Simulated.",
        "",
        *markdown(
            ["household without an intruder", "mean [95 %]"],
            [[text, _told(facts["households"][key])] for key, text in told.items()],
        ),
        "",
    ]
    heads = [
        "attack",
        "episodes",
        "acts",
        "acts of an unseen activity",
        "acts at usual hours of the day",
        "its hours with benign acts too",
        "malicious hours",
    ]
    rows = [
        [
            kind,
            f"{row['episodes'][0]:.1f}",
            f"{row['acts'][0]:.1f}",
            *(_told(row[k]) for k in ("unseen", "usual_hours", "shared_hours")),
            _told(row["prevalence"]),
        ]
        for kind, row in facts["attacks"].items()
    ]
    return "\n".join([*lines, *markdown(heads, rows)])


def _told(figure: Sequence[float]) -> str:
    mean, low, high = figure
    if high == low:
        return f"{mean:g}"
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def main() -> None:
    """Measure, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    facts = measure(range(1, options.seeds + 1))
    target = ROOT / "build" / "bench" / "people.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(tables(facts))
    if options.page:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(filled(page, tables(facts)), encoding="utf-8")


if __name__ == "__main__":
    main()
