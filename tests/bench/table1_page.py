"""Table 1 as text: a row per device and classifier, the splits side by side."""

from collections.abc import Iterator, Sequence

from tests.bench.table1_cells import (
    TITLES,
    Record,
    accuracy_of,
    devices_of,
    markdown,
    number_of,
    open_set_of,
    result,
    scored_of,
    with_interval,
)
from tests.bench.table1_windows import equally_long, without_delay

# five-fold cross validation, accuracy, as printed in the paper
PAPER = {
    "arlo_q": {"random_forest": 0.972, "nearest": 0.974, "naive_bayes": 0.934},
    "echo_dot": {"random_forest": 0.982, "nearest": 0.972, "naive_bayes": 0.984},
    "home_mini": {"random_forest": 0.946, "nearest": 0.916, "naive_bayes": 0.944},
    "omna_180": {"random_forest": 0.858, "nearest": 0.876, "naive_bayes": 0.872},
    "samsung_tv": {"random_forest": 0.958, "nearest": 0.968, "naive_bayes": 0.932},
}
_HEADS = {
    "s0_folds": "S0 5-fold (leaky)",
    "s0_holdout": "S0 75/25 (leaky)",
    "s1": "S1 by session",
    "s2": "S2 chronological",
}


def accuracy_table(facts: Record) -> list[str]:
    """Return the lines of a Markdown table: accuracy by device, classifier, split."""
    heads = ["device", "classifier", "paper", *_HEADS.values(), "S0 − S2", "null S2"]
    rows = []
    for device in devices_of(facts):
        for name in scored_of(facts):
            found = {s: result(facts, device, name, s) for s in _HEADS}
            cells = [accuracy_of(found[split]) for split in _HEADS]
            paper = PAPER.get(device, {}).get(name)
            rows.append(
                [
                    device,
                    TITLES.get(name, name),
                    "–" if paper is None else f"{paper:.3f}",
                    *cells,
                    _gap(found["s0_folds"], found["s2"]),
                    number_of(found["s2"], "null_accuracy", 2),
                ]
            )
    return list(markdown(heads, rows))


def _gap(one: Record | None, other: Record | None) -> str:
    if one is None or other is None:
        return "–"
    return f"{one['accuracy'] - other['accuracy']:+.3f}"


# what the project set itself, under S2 and by identifiable groups
_ALIKE = "; windows of 31 s"
_BLIND = "; windows of 31 s, without the time to the first packet"
_F1, _WORST, _AUROC, _ECE = 0.95, 0.90, 0.95, 0.03


_HEAD = """# Table 1, on simulated data

Everything on this page is **simulated**: a campaign of the virtual lab in \
its fast form, no captured packet among it. Written by \
`{command} --seed {seed} --page docs/table-1.md`; do not \
edit it.
"""
_ACCURACY = """The paper's column is its Table 1, five-fold cross validation on real \
devices; it is there to see the shape, not to be compared with. In brackets, \
the 95 % \
interval over sessions. S0 has trials of one session on both sides; S1 keeps \
sessions whole; S2 learns from the first sessions and is tested on the last. \
Null: the same classifier on labels that were shuffled within sessions. A \
dash: not scored.

Each activity has its own δ here, as in the paper, and where δ differs **the \
length of a window tells something of its label**. The next section has the \
same without that.
"""
_TRUST = """Groups merge activities that a random forest cannot tell apart on training \
rows (pairwise AUROC not surely above 0.6). Unknown: AUROC of how \
strange a window is by the features that tell the known activities apart \
([0016](decisions/0016-what-unknown-rests-on.md)), whole sessions tested, other \
activities left out of training (S6); accepted: share of unknown windows that \
pass where 95 % of the known ones do.
"""


def page(facts: Record) -> str:
    """Return the page of the documentation."""
    lines = [
        _HEAD.format(command=facts["command"], seed=facts["seed"]),
        *_about(facts),
        "",
        "## What was looked at before",
        "",
        *_looked_at(),
        "",
        "## Accuracy, split by split",
        "",
        _ACCURACY,
        *accuracy_table(facts),
        "",
        "## All windows of a device equally long",
        "",
        *equally_long(facts),
        "",
        "## Without the time to the first packet",
        "",
        *without_delay(facts),
        "",
        "## S2 by command and by identifiable group, and trust in the answers",
        "",
        _TRUST,
        *trust_table(facts),
        "",
        *_groups(facts),
        "## What is mistaken for what",
        "",
        "The commonest mistakes under S2, by the classifier that makes fewest.",
        "",
        *_mistakes(facts),
        "",
        "## What was aimed at",
        "",
        *_bars(facts),
        "",
        "## Canaries",
        "",
        *_canaries(facts),
    ]
    return "\n".join(lines) + "\n"


def _about(facts: Record) -> list[str]:
    machine = facts["machine"]
    devices = {d["device"]: d["windows"] for d in facts["devices"]}
    windows = ", ".join(f"{name} {n}" for name, n in devices.items())
    took_s = facts["took_s"] + sum(
        facts[w]["took_s"] for w in ("alike", "blind", "delay")
    )
    commit = f" at commit {facts['commit']}" if facts["commit"] else ""
    return [
        f"Scenario `{facts['scenario']}` (`scenarios/{facts['scenario']}.yaml`) under "
        f"seed {facts['seed']}, of the campaign and of all scores: "
        f"{facts['n_trials']:,} trials in eight sessions on eight days, 56 repeats of "
        "each activity. The traffic generator is that of commit 9121b10, frozen while "
        "scores were worked on. "
        f"Windows, {facts['n_idle']} idle ones per device among them: {windows}. "
        f"Scored by the code{commit}, all rows by the same (digest "
        f"{facts['digest']}). {machine['cores']} cores, {machine['cpu']}; scoring took "
        f"{took_s / 60:.0f} minutes beside other work.",
        "",
        "Settings: "
        + "; ".join(
            f"{TITLES.get(k, k)} {v}" for k, v in facts["settings"].items() if v
        )
        + ".",
    ]


def _looked_at() -> list[str]:
    return [
        "Earlier campaigns of this scenario were looked at: those of seeds 51 and "
        "8802, on which the settings of classifiers, the length of equally long "
        "windows and the score of what is unknown were chosen, and those of seeds "
        "4711 and 60221, whose tables this one replaces. None is on this page. "
        "The one that is was recorded afterwards, and nothing was changed "
        "after its scores were seen. It is still the same house, the same devices and "
        "the same generator, in which how long the n-th day's answers of a speaker are "
        "does not even depend on the seed: another draw, not another world.",
        "",
        "Two things that those campaigns taught are different from the tables before. "
        "Idle windows are cut only where the log says that the device has power: up "
        "to then every tenth of the camera and of the TV was of a device without, "
        "and could not but be taken for `power_off` "
        "([0015](decisions/0015-idle-means-powered.md)). And the time to the first "
        "packet, which the paper names among its features, is looked at apart.",
    ]


def trust_table(facts: Record) -> list[str]:
    """Return the lines of a Markdown table: F1, ECE and AUROC by device, classifier."""
    heads = ["device", "classifier", "macro-F1 command", "macro-F1 group", "ECE"]
    heads += ["log-loss", "unknown AUROC", "accepted", "trials", "sessions"]
    rows = []
    for device in devices_of(facts):
        for name in scored_of(facts):
            s2 = result(facts, device, name, "s2")
            if s2 is None:
                continue
            rows.append(
                [
                    device,
                    TITLES.get(name, name),
                    with_interval(s2["f1"], s2["f1_interval"]),
                    _group_f1(facts, device, name),
                    number_of(s2["calibration"], "ece", 3),
                    number_of(s2["calibration"], "log_loss", 2),
                    *open_set_of(facts, device, name),
                    str(s2["n_trials"]),
                    str(s2["n_sessions"]),
                ]
            )
    return list(markdown(heads, rows))


def _group(facts: Record, device: str, classifier: str) -> Record | None:
    for each in facts["groups"]:
        key = (each["device"], each["classifier"], each["split"])
        if key == (device, classifier, "s2"):
            return dict(each)
    return None


def _group_f1(facts: Record, device: str, classifier: str) -> str:
    found = _group(facts, device, classifier)
    return "–" if found is None else with_interval(found["f1"], found["f1_interval"])


def _groups(facts: Record) -> list[str]:
    lines = []
    for device in devices_of(facts):
        found = _group(facts, device, "random_forest")
        if found is None:
            continue
        merged = [" + ".join(g) for fold in found["groups"] for g in fold if len(g) > 1]
        told = "; ".join(f"`{each}`" for each in merged) or "none merged"
        lines.append(f"- {device}: {told}")
    return [*lines, ""] if lines else []


def _mistakes(facts: Record) -> list[str]:
    rows: list[list[str]] = []
    for device in devices_of(facts):
        found = [result(facts, device, name, "s2") for name in scored_of(facts)]
        best = max((r for r in found if r), key=lambda r: r["accuracy"])
        names, matrix = best["activities"], best["confusion"]
        wrong = [
            (matrix[i][j], names[i], names[j])
            for i in range(len(names))
            for j in range(len(names))
            if i != j and matrix[i][j]
        ]
        top = sorted(wrong, reverse=True)[:3]
        told = "; ".join(f"{n} × {true} as {said}" for n, true, said in top)
        title = TITLES.get(str(best["classifier"]), str(best["classifier"]))
        missed = f"{sum(n for n, _t, _s in wrong)} of {best['n_trials']}"
        rows.append([device, title, missed, told or "none"])
    heads = ["device", "classifier", "mistakes", "most of them"]
    return list(markdown(heads, rows))


def _bars(facts: Record) -> list[str]:
    heads = ["aim", "classifier", *devices_of(facts), "held"]
    rows = []
    for name in scored_of(facts):
        title = TITLES.get(name, name)
        rows += _f1_bars(facts, name)
        ece = [
            None if each is None else each["calibration"]["ece"]
            for each in (result(facts, d, name, "s2") for d in devices_of(facts))
        ]
        below = [None if each is None else -each for each in ece]
        rows.append([f"ECE S2 ≤ {_ECE}", title, *_shown(ece, 4), _held(below, -_ECE)])
        open_set = [result(facts, d, name, "s6") for d in devices_of(facts)]
        area = [None if r is None else r["open_set"]["auroc"] for r in open_set]
        if any(each is not None for each in area):
            aim = f"unknown AUROC ≥ {_AUROC}"
            rows.append([aim, title, *_shown(area), _held(area, _AUROC)])
    return list(markdown(heads, sorted(rows, key=lambda row: row[0])))


def _f1_bars(facts: Record, name: str) -> Iterator[list[str]]:
    """Yield what became of the aim for names, by what windows are."""
    devices, title = devices_of(facts), TITLES.get(name, name)
    of = "by group"
    found: list[Record | None] = [_group(facts, device, name) for device in devices]
    aim = f"≥ {_F1}, none below {_WORST:.2f}"
    for key, told in (("", ""), ("alike", _ALIKE), ("blind", _BLIND)):
        if key:
            of = "by command"
            found = [result(facts[key], device, name, "s2") for device in devices]
        if not any(found):
            continue
        values = [None if each is None else each["f1"] for each in found]
        held = _held(values, _F1)
        yield [f"macro-F1 S2 {of} {aim}{told}", title, *_shown(values), held]


def _shown(values: Sequence[float | None], digits: int = 3) -> list[str]:
    return ["–" if each is None else f"{each:.{digits}f}" for each in values]


def _held(values: Sequence[float | None], least: float) -> str:
    known = [each for each in values if each is not None]
    if len(known) < len(values):
        return "not all scored"
    return "yes" if min(known) >= least else f"no, {sum(v < least for v in known)} miss"


def _canaries(facts: Record) -> list[str]:
    bad = [c for c in facts["canaries"] if c["sound"] is False]
    if not bad:
        return ["None of them found a leak."]
    heads = ["device", "split", "canary", "value", "limit", "what it means"]
    rows = [
        [
            c["device"],
            c["split"],
            c["name"],
            f"{c['value']:.2f}",
            f"{c['limit']:.2f}",
            c["note"],
        ]
        for c in bad
    ]
    return [
        "These found something. `length_only`: where the profile's δ differs between "
        "activities, the length of a window alone says something of its label; how "
        "much of a score that makes is in [delta.md](delta.md).",
        "",
        *markdown(heads, rows),
    ]
