"""Figures of the bench of behaviour detectors, and their tables."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.evaluate.behaviour.curves import (
    WEEK_HOURS,
    Episodes,
    average_precision,
    carried,
    each_households,
    false_alarms_per_week,
    interval,
    threshold_at,
)
from testbed.model.users import AttackKind
from tests.bench.table1_page import markdown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "behaviour-results.md"
KINDS = tuple(kind.value for kind in AttackKind)
BARRED = ("off_hours", "burst", "new_action", "order_swap", "voice_injection")
SEEN = ("off_hours", "burst", "low_and_slow", "mimicry", "replay", "order_swap")
OURS, PAPER = "ensemble", "kmeans_paper"
HOUR_NS = 3600 * 10**9
_N_DRAWS = 2000
_SHARES = ("none", "above_1", "above_2")
_OF_OURS = (
    "attack",
    "episodes",
    "AUPRC",
    "noticed, one false alarm a week",
    "delay, h: p50, p95",
    "noticed, own threshold",
    "noticed, threshold of the other seeds",
    "noticed, discovery rate 0.1",
)

Raw = Mapping[int, Mapping[str, np.ndarray]]


def figures(raw: Raw) -> dict:
    """Return all figures; intervals are bootstraps over households."""
    names = [
        key.removeprefix("scores_")
        for key in next(iter(raw.values()))
        if key.startswith("scores_") and all(key in each for each in raw.values())
    ]
    truth = _flat(raw, "malicious")
    n_kinds, n_hours = len(KINDS), truth.shape[-1]
    user = np.repeat(np.arange(truth.shape[0] // n_kinds), n_kinds)
    kind = np.tile(np.arange(n_kinds), truth.shape[0] // n_kinds)
    episodes = _episodes(raw, n_kinds)
    found = {
        name: _detector(raw, name, truth, episodes, (user, kind)) for name in names
    }
    fdr = _flat(raw, "fdr")
    precisions = {name: found[name].pop("precisions") for name in names}
    return {
        "simulated": True,
        "depth": "activities",
        "seeds": [int(s) for s in raw],
        "n_households": int(truth.shape[0] // n_kinds),
        "n_episodes": int(episodes.found(fdr)[0].size),
        "hours_scored": int(truth.size),
        "prevalence": {k: float(truth[kind == i].mean()) for i, k in enumerate(KINDS)},
        "cpu_s": float(sum(each["cpu_s"] for each in raw.values())),
        "detectors": found,
        "ratios": {
            other: _ratio(precisions[OURS], precisions[other], user)
            for other in (PAPER, "kmeans_paper_or_unseen")
        },
        "ratios_seen": {
            other: _ratio(
                precisions[OURS][_seen(kind)],
                precisions[other][_seen(kind)],
                user[_seen(kind)],
            )
            for other in (PAPER,)
        },
        "fdr": {
            "asked": 0.1,
            "false_share": _ratio((fdr & ~truth).sum(axis=1), fdr.sum(axis=1), user),
            "false_share_of_weeks": _mean(share_by_week(fdr & ~truth, fdr), user),
            "false_per_week": false_alarms_per_week(truth, fdr),
            "by_attack": _by_kind(episodes, fdr, kind, user),
        },
        "n_hours": n_hours,
    }


def share_by_week(false: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Return (trials,) share of false alarms, as the mean of their weeks; 0 of none."""
    by_week = (len(alarms), -1, WEEK_HOURS)
    n_false, n = (each.reshape(by_week).sum(axis=2) for each in (false, alarms))
    share: np.ndarray = (n_false / np.maximum(n, 1)).mean(axis=1)
    return share


def _seen(kind: np.ndarray) -> np.ndarray:
    return np.isin(kind, [KINDS.index(k) for k in SEEN])


def _flat(raw: Raw, key: str) -> np.ndarray:
    joined = np.concatenate([each[key] for each in raw.values()])
    return joined.reshape(-1, joined.shape[-1])


def _episodes(raw: Raw, n_kinds: int) -> Episodes:
    rows, before = [], 0
    for each in raw.values():
        user, kind, episode, row, at_ns = each["acts"].T
        rows.append(((user + before) * n_kinds + kind, episode, row, at_ns))
        before += each["malicious"].shape[0]
    trial, episode, row, at_ns = (np.concatenate(c) for c in zip(*rows, strict=True))
    key = trial * 1000 + episode
    names, of_key = np.unique(key, return_inverse=True)
    first = np.full(names.size, np.iinfo(np.int64).max)
    np.minimum.at(first, of_key, at_ns)
    late_s = ((row + 1) * HOUR_NS - first[of_key]) / 1e9
    return Episodes(trial=trial, episode=episode, row=row, late_s=late_s)


def _detector(
    raw: Raw,
    name: str,
    truth: np.ndarray,
    episodes: Episodes,
    groups: tuple[np.ndarray, np.ndarray],
) -> dict:
    user, kind = groups
    scores = _flat(raw, f"scores_{name}").astype(np.float64)
    pairs = zip(truth, scores, strict=True)
    ap = np.array([average_precision(t, s) for t, s in pairs])
    own = np.concatenate([each[f"threshold_{name}"] for each in raw.values()])
    at_one = scores > threshold_at(truth, scores)
    at_own = scores > own[user][:, None].astype(np.float32)
    half = np.repeat(np.arange(len(raw)) < len(raw) // 2, len(truth) // len(raw))
    at_carried, limits = carried(truth, scores, half)
    return {
        "precisions": ap,
        "auprc": _mean(ap, user),
        "auprc_seen": _mean(ap[_seen(kind)], user[_seen(kind)]),
        "auprc_by_attack": {
            k: _mean(ap[kind == i], user[kind == i]) for i, k in enumerate(KINDS)
        },
        "auprc_pooled": {
            k: average_precision(truth[kind == i].ravel(), scores[kind == i].ravel())
            for i, k in enumerate(KINDS)
        },
        "at_one_false_alarm": {
            "false_per_week": false_alarms_per_week(truth, at_one),
            "spread": _spread(truth, at_one, user),
            "by_attack": _by_kind(episodes, at_one, kind, user),
        },
        "at_own_threshold": {
            "false_per_week": false_alarms_per_week(truth, at_own),
            "spread": _spread(truth, at_own, user),
            "by_attack": _by_kind(episodes, at_own, kind, user),
        },
        "at_carried_threshold": {
            "false_per_week": [
                false_alarms_per_week(truth[part], at_carried[part])
                for part in (half, ~half)
            ],
            "thresholds": [float(limit) for limit in limits],
            "spread": _spread(truth, at_carried, user),
            "by_attack": _by_kind(episodes, at_carried, kind, user),
        },
    }


def _spread(truth: np.ndarray, alarms: np.ndarray, user: np.ndarray) -> dict:
    """Return how false alarms a week differ from household to household."""
    each = each_households(truth, alarms, user)
    return {
        "none": float((each == 0).mean()),
        "above_1": float((each > 1).mean()),
        "above_2": float((each > 2).mean()),
        "most": float(each.max()),
    }


def _mean(values: np.ndarray, user: np.ndarray) -> list[float]:
    return [float(np.nanmean(values)), *interval(values, user)]


def _by_kind(
    episodes: Episodes, alarms: np.ndarray, kind: np.ndarray, user: np.ndarray
) -> dict:
    trial, noticed, delay = episodes.found(alarms)
    found = {}
    for i, name in enumerate(KINDS):
        mine = kind[trial] == i
        got = delay[mine & noticed]
        found[name] = {
            "n": int(mine.sum()),
            "recall": _mean(noticed[mine].astype(float), user[trial[mine]]),
            "delay_h": [float(v) / 3600 for v in np.quantile(got, [0.5, 0.95])]
            if got.size
            else None,
        }
    got = delay[noticed & np.isin(kind[trial], [KINDS.index(k) for k in BARRED])]
    found["barred"] = {
        "delay_h": [float(v) / 3600 for v in np.quantile(got, [0.5, 0.95])]
        if got.size
        else None
    }
    return found


def _ratio(ours: np.ndarray, other: np.ndarray, user: np.ndarray) -> list[float]:
    """Return the ratio of mean precisions, with an interval over households."""
    kept = np.isfinite(ours) & np.isfinite(other)
    ours, other, user = ours[kept], other[kept], user[kept]
    sums = [np.bincount(user, values) for values in (ours, other)]
    random = np.random.default_rng(0)
    drawn = random.integers(sums[0].size, size=(_N_DRAWS, sums[0].size))
    ratios = sums[0][drawn].sum(axis=1) / sums[1][drawn].sum(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return [float(ours.mean() / other.mean()), float(low), float(high)]


def tables(facts: dict) -> str:
    """Return the tables of the page."""
    told = facts["detectors"]
    order = sorted(told, key=lambda name: -told[name]["auprc"][0])
    noticed = [
        [name, *(_recall(told[name]["at_one_false_alarm"], k) for k in KINDS)]
        for name in order
    ]
    lines = [
        *_gist(facts),
        "",
        *_asked(facts),
        "",
        "### Hour-level AUPRC",
        "",
        *_precisions(facts, order),
        "",
        "### Attacks noticed at one false alarm per user-week",
        "",
        *markdown(["detector", *KINDS], noticed),
        "",
        f"### `{OURS}`, attack by attack",
        "",
        *_ours(facts),
    ]
    return "\n".join(lines)


def _gist(facts: dict) -> list[str]:
    """Return what was measured, and the ratios that count."""
    ratio, generous = facts["ratios"][PAPER], facts["ratios"]["kmeans_paper_or_unseen"]
    seeds = ", ".join(map(str, facts["seeds"]))
    return [
        f"Seeds {seeds}; n = {facts['n_households']} households, each with each of "
        f"{len(KINDS)} attacks ({facts['n_episodes']} episodes, "
        f"{facts['hours_scored']:,} hours scored); mean [95 % interval over "
        f"households]. Simulated. {facts['cpu_s']:.0f} s of one core in all.",
        "",
        f"Hour-level AUPRC of `{OURS}` over that of `{PAPER}`: **{_three(ratio)}**; "
        f"over six attacks without an unseen activity: "
        f"{_three(facts['ratios_seen'][PAPER])}; over `{PAPER}` to which every unseen "
        f"activity is an alarm: {_three(generous)}.",
    ]


def _precisions(facts: dict, order: Sequence[str]) -> list[str]:
    """Return AUPRC of each detector by attack, and what chance would give."""
    told = facts["detectors"]
    rows = [
        [
            name,
            _three(told[name]["auprc"]),
            f"{told[name]['auprc_seen'][0]:.3f}",
            *(f"{told[name]['auprc_by_attack'][k][0]:.3f}" for k in KINDS),
        ]
        for name in order
    ]
    prevalence = (f"{facts['prevalence'][k]:.4f}" for k in KINDS)
    chance = ["malicious hours (chance)", "", "", *prevalence]
    return [
        *markdown(["detector", "all attacks", "six without unseen", *KINDS], rows),
        "",
        *markdown(["", "", "", *KINDS], [chance]),
    ]


def _asked(facts: dict) -> list[str]:
    """Return what was asked of our detector before it was made, and what it does."""
    one = facts["detectors"][OURS]["at_one_false_alarm"]["by_attack"]
    ratio, share = facts["ratios"][PAPER], facts["fdr"]["false_share"]
    late_h = one["barred"]["delay_h"][0]
    rows = [[f"AUPRC over that of `{PAPER}`", "1.75 or more", _three(ratio)]]
    rows[0].append(_met(ratio[0] >= 1.75))
    for kind in BARRED:
        recall = one[kind]["recall"]
        rows.append(
            [
                f"noticed, {kind}",
                "0.95 or more",
                _three(recall),
                _met(recall[0] >= 0.95),
            ]
        )
    rows += [
        ["delay of these, h: p50", "1 or less", f"{late_h:.2f}", _met(late_h <= 1)],
        [
            f"false alarms of all, at a discovery rate of {facts['fdr']['asked']}",
            f"{facts['fdr']['asked']} or less",
            _three(share),
            _met(share[0] <= facts["fdr"]["asked"]),
        ],
    ]
    return [
        *markdown([f"`{OURS}`", "asked", "got [95 % interval]", ""], rows),
        "",
        "(noticed at one false alarm per user-week)",
    ]


def _met(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def _own(facts: dict) -> str:
    """Return how many false alarms each detector's own threshold raises."""
    told = {n: d["at_own_threshold"] for n, d in facts["detectors"].items()}
    words = (f"`{n}` {each['false_per_week']:.1f}" for n, each in sorted(told.items()))
    return f"False alarms per user-week at the own threshold: {', '.join(words)}."


def _ours(facts: dict) -> list[str]:
    """Return what our detector does, attack by attack and household by household."""
    fdr = facts["fdr"]
    return [
        *markdown([*_OF_OURS], [*_by_attack(facts), *_over_all(facts)]),
        "",
        f"At a stated false-discovery rate of {fdr['asked']}, "
        f"{_three(fdr['false_share'])} of all alarms were false; as the mean over "
        "weeks of the share of a week (0 without an alarm), "
        f"{_three(fdr['false_share_of_weeks'])}.",
        "",
        "False alarms differ from household to household:",
        "",
        *_households(facts),
        "",
        "(share of households)",
        "",
        _own(facts),
    ]


def _by_attack(facts: dict) -> list[list[str]]:
    mine = facts["detectors"][OURS]
    one, own = mine["at_one_false_alarm"], mine["at_own_threshold"]
    moved, fdr = mine["at_carried_threshold"], facts["fdr"]
    return [
        [
            k,
            str(one["by_attack"][k]["n"]),
            _three(mine["auprc_by_attack"][k]),
            _three(one["by_attack"][k]["recall"]),
            _delay(one["by_attack"][k]["delay_h"]),
            *(_three(at["by_attack"][k]["recall"]) for at in (own, moved, fdr)),
        ]
        for k in KINDS
    ]


def _over_all(facts: dict) -> list[list[str]]:
    """Return the rows below those of the attacks: false alarms, and delays."""
    mine = facts["detectors"][OURS]
    one, own = mine["at_one_false_alarm"], mine["at_own_threshold"]
    moved = mine["at_carried_threshold"]["false_per_week"]
    false = [
        f"{one['false_per_week']:.2f}",
        "",
        f"{own['false_per_week']:.2f}",
        ", ".join(f"{each:.2f}" for each in moved),
        f"{facts['fdr']['false_per_week']:.2f}",
    ]
    delay = _delay(one["by_attack"]["barred"]["delay_h"])
    return [
        ["*false alarms per user-week*", "", "", *false],
        ["*delay of the five with a bar*", "", "", "", delay, "", "", ""],
    ]


def _households(facts: dict) -> list[str]:
    """Return how false alarms are spread over households, by threshold."""
    mine = facts["detectors"][OURS]
    named = {
        "one for all, 1 a week in the mean": mine["at_one_false_alarm"],
        "that of the other half of the seeds": mine["at_carried_threshold"],
        "own": mine["at_own_threshold"],
    }
    rows = [
        [
            name,
            *(f"{at['spread'][share]:.3f}" for share in _SHARES),
            f"{at['spread']['most']:.1f}",
        ]
        for name, at in named.items()
    ]
    return markdown(
        ["threshold", "none", "above 1 a week", "above 2", "most, a week"], rows
    )


def _recall(at: dict, kind: str) -> str:
    return f"{at['by_attack'][kind]['recall'][0]:.2f}"


def _delay(hours: list[float] | None) -> str:
    return "–" if hours is None else f"{hours[0]:.2f}, {hours[1]:.2f}"


def _three(figure: list[float]) -> str:
    mean, low, high = figure
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def write(facts: dict) -> None:
    """Put the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, sealed(tables(facts))), encoding="utf-8")


def sealed(text: str) -> str:
    """Return the text with its digest below it: figures are not written by hand."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text}\n\n<!-- sha256 {digest} -->"


def filled(page: str, text: str) -> str:
    """Return the page with the text between its marks, which may be empty before.

    Raises ValueError for a page without the marks: figures must not get lost.
    """
    between = r"(<!-- figures -->\n).*?(<!-- /figures -->)"
    made, n = re.subn(between, lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.DOTALL)
    if n != 1:
        raise ValueError(f"a page has one place for figures, not {n}")
    return made
