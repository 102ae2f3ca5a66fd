"""Table 1 where less is told: no lengths of windows, no time of a first packet."""

from tests.bench.table1_cells import (
    TITLES,
    Record,
    accuracy_of,
    devices_of,
    f1_of,
    markdown,
    number_of,
    open_set_of,
    result,
    scored_of,
    with_interval,
)


def equally_long(facts: Record) -> list[str]:
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
        for name in scored_of(alike):
            s2 = result(alike, device, name, "s2")
            rows.append(
                [
                    device,
                    str(each["windows"]),
                    TITLES.get(name, name),
                    accuracy_of(result(alike, device, name, "s1")),
                    accuracy_of(s2),
                    accuracy_of(result(facts, device, name, "s2")),
                    "–" if s2 is None else with_interval(s2["f1"], s2["f1_interval"]),
                    "–" if s2 is None else number_of(s2["calibration"], "ece", 3),
                    _by_length(alike, device),
                    _by_length(facts, device),
                ]
            )
    if not rows:
        return ["Not scored."]
    return [
        'One δ for all windows, idle ones among them (`--window "31 s" --overlap '
        "drop`). "
        "That is more than these devices are mostly silent for while they have power, "
        "so that silence means something; acts that follow each other sooner are left "
        "out, both of a pair. Length only: accuracy under S2 of knowing nothing but "
        "how long a window is, here and with each activity's own δ.",
        "",
        *markdown(heads, rows),
    ]


def without_delay(facts: Record) -> list[str]:
    """Return what is left where nobody knows how long after the act it began."""
    heads = [
        "device",
        "classifier",
        "macro-F1 S2",
        "without the time",
        "the time alone",
    ]
    heads += ["null accuracy", "trials", "unknown AUROC S6", "without the time"]
    rows = []
    whole, blind, delay = (
        {"classifiers": facts["classifiers"], "results": [], "groups": []} | facts[key]
        for key in ("alike", "blind", "delay")
    )
    for device in devices_of(blind):
        for name in scored_of(blind):
            s2, alone = (result(f, device, name, "s2") for f in (blind, delay))
            if s2 is None:
                continue
            rows.append(
                [
                    device,
                    TITLES.get(name, name),
                    f1_of(result(whole, device, name, "s2")),
                    f1_of(s2),
                    f1_of(alone),
                    number_of(s2, "null_accuracy", 2),
                    str(s2["n_trials"]),
                    *(open_set_of(f, device, name)[0] for f in (whole, blind)),
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


def _by_length(facts: Record, device: str) -> str:
    for each in facts.get("canaries", ()):
        if (each["device"], each["split"], each["name"]) == (
            device,
            "s2",
            "length_only",
        ):
            return "–" if each["value"] is None else f"{each['value']:.2f}"
    return "–"
