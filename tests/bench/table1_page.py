"""Table 1 as text: a row per device and classifier, the splits side by side."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

# five-fold cross validation, accuracy, as printed in the paper
PAPER = {
    "arlo_q": {"random_forest": 0.972, "nearest": 0.974, "naive_bayes": 0.934},
    "echo_dot": {"random_forest": 0.982, "nearest": 0.972, "naive_bayes": 0.984},
    "home_mini": {"random_forest": 0.946, "nearest": 0.916, "naive_bayes": 0.944},
    "omna_180": {"random_forest": 0.858, "nearest": 0.876, "naive_bayes": 0.872},
    "samsung_tv": {"random_forest": 0.958, "nearest": 0.968, "naive_bayes": 0.932},
}
TITLES = {
    "random_forest": "RF",
    "nearest": "kNN",
    "naive_bayes": "NB",
    "gradient_boosting": "HGB",
    "fusion": "fusion",
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
    for device in _devices(facts):
        for name in _scored(facts):
            found = {s: result(facts, device, name, s) for s in _HEADS}
            cells = [_accuracy(found[split]) for split in _HEADS]
            paper = PAPER.get(device, {}).get(name)
            rows.append(
                [
                    device,
                    TITLES.get(name, name),
                    "–" if paper is None else f"{paper:.3f}",
                    *cells,
                    _gap(found["s0_folds"], found["s2"]),
                    _number(found["s2"], "null_accuracy", 2),
                ]
            )
    return list(markdown(heads, rows))


def result(facts: Record, device: str, classifier: str, split: str) -> Record | None:
    """Return one result, None when it was refused."""
    key = (device, classifier, split)
    for each in facts.get("results", ()):
        if (each["device"], each["classifier"], each["split"]) == key:
            return dict(each)
    return None


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write a table as Markdown does, columns aligned for those who read it as text."""
    width = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    yield _line(heads, width)
    yield "|" + "|".join("-" * (w + 2) for w in width) + "|"
    for row in rows:
        yield _line(row, width)


def _line(cells: Sequence[str], width: Sequence[int]) -> str:
    padded = (f" {c.ljust(w)} " for c, w in zip(cells, width, strict=True))
    return f"|{'|'.join(padded)}|"


def _devices(facts: Record) -> list[str]:
    return list(dict.fromkeys(each["device"] for each in facts["results"]))


def _accuracy(found: Record | None) -> str:
    if found is None:
        return "–"
    low, high = found["interval"]
    return f"{found['accuracy']:.3f} ({low:.2f}–{high:.2f})"


def _gap(one: Record | None, other: Record | None) -> str:
    if one is None or other is None:
        return "–"
    return f"{one['accuracy'] - other['accuracy']:+.3f}"


def _number(found: Record | None, key: str, digits: int) -> str:
    if found is None or found.get(key) is None:
        return "–"
    return f"{found[key]:.{digits}f}"


# what the project set itself, under S2 and by identifiable groups
_ALIKE = "; windows of 31 s, by command"
_BLIND = "; the same without the time to the first packet"
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
rows (pairwise AUROC not surely above 0.6). Unknown: AUROC of the greatest \
probability, whole sessions tested, other activities left out of training \
(S6); accepted: share of unknown windows that pass where 95 % of the known \
ones do.
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
        *_equally_long(facts),
        "",
        "## Without the time to the first packet",
        "",
        *_without_delay(facts),
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
        "Two earlier campaigns of this scenario were looked at: that of seed 51, on "
        "which the settings of classifiers were chosen and the length of equally long "
        "windows, and that of seed 4711, whose table this one replaces. Neither is on "
        "this page. The one that is was recorded afterwards, and nothing was changed "
        "after its scores were seen. It is still the same house, the same devices and "
        "the same generator, in which what a speaker answers on the n-th day does not "
        "even depend on the seed: another draw, not another world.",
        "",
        "Two things that those campaigns taught are different from the tables before. "
        "Idle windows are cut only where the log says that the device has power: up "
        "to then every tenth of the camera and of the TV was of a device without, "
        "and could not but be taken for `power_off` "
        "([0015](decisions/0015-idle-means-powered.md)). And the time to the first "
        "packet, which the paper names among its features, is looked at apart.",
    ]


def _equally_long(facts: Record) -> list[str]:
    """Return what is left of scores where no window's length tells its label."""
    heads = ["device", "windows", "classifier", "S1 by session", "S2 chronological"]
    heads += ["S2, own δ", "macro-F1 S2", "ECE S2", "length only S2", "with own δ"]
    alike = {"classifiers": facts["classifiers"], "results": [], "groups": []}
    alike |= facts["alike"]
    rows: list[list[str]] = []
    for each in alike.get("devices", ()):
        device = each["device"]
        if device in {row[0] for row in rows}:
            continue
        for name in _scored(alike):
            s2 = result(alike, device, name, "s2")
            rows.append(
                [
                    device,
                    str(each["windows"]),
                    TITLES.get(name, name),
                    _accuracy(result(alike, device, name, "s1")),
                    _accuracy(s2),
                    _accuracy(result(facts, device, name, "s2")),
                    "–" if s2 is None else _with_interval(s2["f1"], s2["f1_interval"]),
                    "–" if s2 is None else _number(s2["calibration"], "ece", 3),
                    _by_length(alike, device),
                    _by_length(facts, device),
                ]
            )
    if not rows:
        return ["Not scored."]
    return [
        "One δ for all windows, idle ones among them (`--window 31 --overlap drop`). "
        "That is more than these devices are mostly silent for while they have power, "
        "so that silence means something; acts that follow each other sooner are left "
        "out, both of a pair. Length only: accuracy under S2 of knowing nothing but "
        "how long a window is, here and with each activity's own δ.",
        "",
        *markdown(heads, rows),
    ]


def _without_delay(facts: Record) -> list[str]:
    """Return what is left where nobody knows how long after the act it began."""
    heads = [
        "device",
        "classifier",
        "macro-F1 S2",
        "without the time",
        "the time alone",
    ]
    heads += ["chance", "trials"]
    rows = []
    whole, blind, delay = (
        {"classifiers": facts["classifiers"], "results": [], "groups": []} | facts[key]
        for key in ("alike", "blind", "delay")
    )
    for device in _devices(blind):
        for name in _scored(blind):
            s2, alone = (result(f, device, name, "s2") for f in (blind, delay))
            if s2 is None:
                continue
            rows.append(
                [
                    device,
                    TITLES.get(name, name),
                    _f1(result(whole, device, name, "s2")),
                    _f1(s2),
                    _f1(alone),
                    _number(s2, "null_accuracy", 2),
                    str(s2["n_trials"]),
                ]
            )
    if not rows:
        return ["Not scored."]
    return [
        "Windows of equal length as above. The time is that from the label instant to "
        "the first packet of either direction and of both. The lab plays the same "
        "recording of a sentence each time, and a simulated speaker begins to talk "
        "when it has heard the end of it: to the millisecond so long after the "
        "beginning as the sentence lasts, which names the sentence. **That is a "
        "property of the lab, not of the traffic**: people speak as they like, a real "
        "speaker sends while it is spoken to, and who only sees packets knows no label "
        "instant. The column without it is the one to believe of the speakers.",
        "",
        *markdown(heads, rows),
    ]


def _f1(found: Record | None) -> str:
    return "–" if found is None else _with_interval(found["f1"], found["f1_interval"])


def _by_length(facts: Record, device: str) -> str:
    for each in facts.get("canaries", ()):
        if (each["device"], each["split"], each["name"]) == (
            device,
            "s2",
            "length_only",
        ):
            return "–" if each["value"] is None else f"{each['value']:.2f}"
    return "–"


def trust_table(facts: Record) -> list[str]:
    """Return the lines of a Markdown table: F1, ECE and AUROC by device, classifier."""
    heads = ["device", "classifier", "macro-F1 command", "macro-F1 group", "ECE"]
    heads += ["log-loss", "unknown AUROC", "accepted", "trials", "sessions"]
    rows = []
    for device in _devices(facts):
        for name in _scored(facts):
            s2 = result(facts, device, name, "s2")
            if s2 is None:
                continue
            rows.append(
                [
                    device,
                    TITLES.get(name, name),
                    _with_interval(s2["f1"], s2["f1_interval"]),
                    _group_f1(facts, device, name),
                    _number(s2["calibration"], "ece", 3),
                    _number(s2["calibration"], "log_loss", 2),
                    *_open_set(facts, device, name),
                    str(s2["n_trials"]),
                    str(s2["n_sessions"]),
                ]
            )
    return list(markdown(heads, rows))


def _scored(facts: Record) -> list[str]:
    there = {each["classifier"] for each in facts["results"]}
    return [name for name in facts["classifiers"] if name in there]


def _group(facts: Record, device: str, classifier: str) -> Record | None:
    for each in facts["groups"]:
        key = (each["device"], each["classifier"], each["split"])
        if key == (device, classifier, "s2"):
            return dict(each)
    return None


def _group_f1(facts: Record, device: str, classifier: str) -> str:
    found = _group(facts, device, classifier)
    return "–" if found is None else _with_interval(found["f1"], found["f1_interval"])


def _with_interval(value: float, between: Sequence[float] | None) -> str:
    if between is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({between[0]:.2f}–{between[1]:.2f})"


def _open_set(facts: Record, device: str, classifier: str) -> tuple[str, str]:
    found = result(facts, device, classifier, "s6")
    if found is None or found["open_set"] is None:
        return "–", "–"
    known = found["open_set"]
    return _with_interval(known["auroc"], known["interval"]), f"{known['accepted']:.2f}"


def _groups(facts: Record) -> list[str]:
    lines = []
    for device in _devices(facts):
        found = _group(facts, device, "random_forest")
        if found is None:
            continue
        merged = [" + ".join(g) for fold in found["groups"] for g in fold if len(g) > 1]
        told = "; ".join(f"`{each}`" for each in merged) or "none merged"
        lines.append(f"- {device}: {told}")
    return [*lines, ""] if lines else []


def _mistakes(facts: Record) -> list[str]:
    rows: list[list[str]] = []
    for device in _devices(facts):
        found = [result(facts, device, name, "s2") for name in _scored(facts)]
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
    heads = ["aim", "classifier", *_devices(facts), "held"]
    rows = []
    for name in _scored(facts):
        title = TITLES.get(name, name)
        f1 = [_group(facts, device, name) for device in _devices(facts)]
        values = [None if each is None else each["f1"] for each in f1]
        aim = f"macro-F1 S2 by group ≥ {_F1}, none below {_WORST:.2f}"
        rows.append([aim, title, *_shown(values), _held(values, _F1)])
        for key, told in (("alike", _ALIKE), ("blind", _BLIND)):
            of_key = [result(facts[key], d, name, "s2") for d in _devices(facts)]
            if any(of_key):
                values = [None if each is None else each["f1"] for each in of_key]
                rows.append(
                    [f"{aim}{told}", title, *_shown(values), _held(values, _F1)]
                )
        ece = [
            None if each is None else each["calibration"]["ece"]
            for each in (result(facts, d, name, "s2") for d in _devices(facts))
        ]
        below = [None if each is None else -each for each in ece]
        rows.append([f"ECE S2 ≤ {_ECE}", title, *_shown(ece, 4), _held(below, -_ECE)])
        open_set = [result(facts, d, name, "s6") for d in _devices(facts)]
        area = [None if r is None else r["open_set"]["auroc"] for r in open_set]
        if any(each is not None for each in area):
            aim = f"unknown AUROC ≥ {_AUROC}"
            rows.append([aim, title, *_shown(area), _held(area, _AUROC)])
    return list(markdown(heads, sorted(rows, key=lambda row: row[0])))


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
