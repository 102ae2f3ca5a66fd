"""The page of the CADeSH-style detector: figures on simulated homes, then captured."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

_HEAD = """# CADeSH-style detector: results

Made by `python -m tests.bench.cadesh`; the method, and every choice that is ours, is on
[its page](cadesh.md). The paper reports, on its own 21 days of eight real devices,
macro-AUPRC 0.841, F1 0.929 and FPR 0.014. Figures here are of **simulated** homes
([how](homes.md)) and cannot be set against those; captured flows have a table of their
own at the end.

Unless said otherwise: {homes} homes with an `{device}`, {days} days, of which the first
three only fill the pool; learnt from seven homes until day 14, asked about the lab's
days 14 to 21; two attacks at low intensity. What the pool shares goes on all the while,
up to the hour before each flow: a model that was kept does not get that
([what it costs](cadesh.md#what-it-is-not)). Each figure is the median over as many of
the seeds {seeds} as a table says, with the least and the
largest in brackets. The generator of homes was frozen; nobody had looked at these seeds
([which others there were](cadesh.md#figures)).

AUPRC macro: mean over attacks, each against all benign flows. AUPRC classes: mean over
the two classes. P 1 %: precision where one flow in a hundred is an attack's. FPR of
step 1: of the autoencoder at its own threshold, which step 2 looks behind; FPR is at
the final limit, which a row without step 2 has, too.
"""
_MAIN = (
    ("macro_auprc", "AUPRC macro"),
    ("macro_auprc_classes", "AUPRC classes"),
    ("f1", "F1"),
    ("recall_all", "recall"),
    ("fpr", "FPR"),
    ("precision_1_percent", "P 1 %"),
    ("alarms_a_week", "false alarms a week"),
    ("step_one_fpr", "FPR of step 1"),
)
_CAPTION = "| | " + " | ".join(name for _, name in _MAIN) + " |"
_RULE = "|---|" + "--:|" * len(_MAIN)


def page(found: Mapping) -> str:
    """Return the page of what was found so far."""
    seeds = found["seeds"]
    head = _HEAD.format(
        device=found["device"], days=found["days"], homes=8, seeds=", ".join(seeds)
    )
    lines = [head, *_lead(seeds)]
    lines += _table("## Other ways to tell what is known\n", seeds, "ways", "{}")
    lines += _table("## Pools of fewer homes\n", seeds, "pool", "pool of {}")
    lines += _table(
        "## Homes of the pool that were taken over\n\nThe same two attacks, with the "
        "same commander and pool of miners, in one or two of the\nseven homes that are "
        "learnt from, from day 2 on.\n",
        seeds,
        "poison",
        "{}",
    )
    lines += _table(
        "## A home that was taken over before its habits formed\n\n"
        "Asked is a home with both attacks from day 2 on; the pool are the others, "
        "and\none of these with the same attacks, too. What such a home does since its "
        "first\nweek stands for one of the homes that make something known.\n",
        seeds,
        "old",
        "{}",
        beside=False,
    )
    lines += _table(
        "## Beside other detectors\n\nSame columns, same homes, limits set in the same "
        "way; the last one learns from the\nlab's own clean days, without a pool.\n",
        seeds,
        "others",
        "{}",
    )
    lines += _homes(seeds)
    lines += _cost(seeds)
    if found.get("real"):
        lines += _real(found["real"])
    return "\n".join(lines).rstrip() + "\n"


def _parts(seeds: Mapping, part: str) -> list[Mapping]:
    return [rows[part] for rows in seeds.values() if part in rows]


def _lead(seeds: Mapping) -> Iterator[str]:
    parts = _parts(seeds, "lead")
    if not parts:
        return
    steps = _parts(seeds, "steps")
    yield "## Steps\n"
    yield f"n = {len(parts)} seeds; of the rows below the first, {len(steps)}.\n"
    yield _CAPTION
    yield _RULE
    whole = [p["whole"] for p in parts]
    yield _row("whole", whole)
    for name in steps[0] if steps else ():
        yield _row(name, [p[name] for p in steps])
    yield ""
    yield "Flows of the lab that are asked about: "
    yield f"{_span(p['asked_flows'] for p in whole)}, of which benign"
    yield f"{_span(p['benign'] for p in whole)}. Step 1 alone, at its own threshold,"
    yield f"flags {_span(p['step_one_fpr'] for p in whole)} of the benign ones.\n"
    yield from _attacks(seeds, parts)
    yield "False alarms by what they belong to, all seeds: " + _occasions(whole) + ".\n"


def _attacks(seeds: Mapping, parts: Sequence[Mapping]) -> Iterator[str]:
    yield "### By attack and intensity\n"
    yield "Those of `low` for botnet and coin mining are the ones above; others are of"
    yield "the same lab with an attack on a day of its own, asked alike.\n"
    yield "| attack | flows | AUPRC | recall |"
    yield "|---|--:|--:|--:|"
    cells: dict[str, list[tuple[float, float, int]]] = {}
    for part in parts:
        for name, auprc in part["whole"]["auprc"].items():
            of = part["whole"]
            cells.setdefault(f"{name}:low", []).append(
                (auprc, of["recall"][name], of["flows"][name])
            )
    for mixed in _parts(seeds, "mixed"):
        for name, of in mixed.items():
            if name in of["auprc"]:
                cells.setdefault(name, []).append(
                    (of["auprc"][name], of["recall"][name], of["flows"][name])
                )
    for name, rows in sorted(cells.items()):
        auprc, recall, flows = zip(*rows, strict=True)
        yield f"| `{name}` | {_span(flows)} | {_span(auprc)} | {_span(recall)} |"
    yield ""


def _table(
    head: str, seeds: Mapping, part: str, label: str, *, beside: bool = True
) -> Iterator[str]:
    parts = _parts(seeds, part)
    if not parts:
        return
    yield head
    yield f"n = {len(parts)} seeds.\n"
    yield _CAPTION
    yield _RULE
    for name in parts[0]:
        yield _row(label.format(name), [p[name] for p in parts])
    lead = [
        rows["lead"]["whole"]
        for rows in seeds.values()
        if part in rows and "lead" in rows
    ]
    if lead and beside:
        yield _row("whole: seven homes, none taken over", lead)
    yield ""


def _row(name: str, rows: Sequence[Mapping]) -> str:
    cells = " | ".join(_span(r[key] for r in rows) for key, _ in _MAIN)
    return f"| {name} | {cells} |"


def _span(values) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "–"
    middle = _number(statistics.median(known))
    low, high = _number(min(known)), _number(max(known))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _number(value: float) -> str:
    if value > 1.5:
        return f"{value:,.0f}"
    return f"{value:.4f}" if value < 0.02 else f"{value:.3f}"


def _occasions(rows: Sequence[Mapping]) -> str:
    total: dict[str, int] = {}
    for row in rows:
        for name, n in row["false_by_occasion"].items():
            total[name] = total.get(name, 0) + n
    ranked = sorted(total.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {n}" for name, n in ranked) or "none"


def _homes(seeds: Mapping) -> Iterator[str]:
    parts = _parts(seeds, "homes")
    if not parts:
        return
    yield "## Each home left out in turn\n"
    yield "Benign only: learnt from the seven others until day 14, asked about days 14"
    yield f"to 21. n = {len(parts)} seeds.\n"
    yield "| home | flows | FPR | FPR of step 1 | false alarms a week |"
    yield "|---|--:|--:|--:|--:|"
    for name in parts[0]:
        cells = " | ".join(
            _span(p[name][key] for p in parts)
            for key in ("flows", "fpr", "step_one_fpr", "alarms_a_week")
        )
        yield f"| {name} | {cells} |"
    yield ""


def _cost(seeds: Mapping) -> Iterator[str]:
    parts = _parts(seeds, "lead")
    if not parts:
        return
    costs = [p["cost"] for p in parts]
    whole = [p["whole"] for p in parts]
    yield "## Cost, and what leaves a home\n"
    yield "Seconds of the processor, one core, of a machine busy with other work."
    yield "Flows a second: a home's three weeks at once, and flows that come by"
    yield "hundreds after two weeks (`flows detect -`).\n"
    yield "| what | |"
    yield "|---|--:|"
    yield f"| flow records of all homes | {_span(c['flows'] for c in costs)} |"
    yield f"| reading, keys, tables of all homes | {_s(costs, 'read_and_keys_s')} |"
    yield f"| features of all homes | {_s(costs, 'features_s')} |"
    yield f"| learning, once for all homes | {_s(whole, 'fit_s')} |"
    yield f"| asking about a home's week | {_s(whole, 'score_s')} |"
    yield f"| flows a second, weeks at once | {_s(costs, 'ask_flows_per_s')} |"
    yield f"| flows a second, by hundreds | {_s(costs, 'watch_flows_per_s')} |"
    yield f"| past of these, flows | {_s(costs, 'past_flows')} |"
    yield f"| of which are remembered | {_s(costs, 'watch_remembers')} |"
    yield f"| most memory of the whole bench, MiB | {_s(costs, 'peak_mib')} |"
    own = [
        rows["others"]["a model of the home's own"]
        for rows in seeds.values()
        if "others" in rows
    ]
    if own:
        yield f"| learning one home's own model, for each home | {_s(own, 'fit_s')} |"
    for kind in costs[0]["rows_leaving_a_home_a_day"]:
        per_day = _span(c["rows_leaving_a_home_a_day"][kind] for c in costs)
        alone = _span(c["share_of_keys_of_one_home"][kind] for c in costs)
        yield f"| rows of `{kind}` that leave a home a day, 48 bytes each | {per_day} |"
        yield f"| share of keys of `{kind}` that one home alone has | {alone} |"
    yield ""


def _s(rows: Sequence[Mapping], key: str) -> str:
    return _span(row[key] for row in rows)


def _real(rows: Sequence[Mapping]) -> Iterator[str]:
    ways = list(rows[0]["ways"])
    yield "## Captured flows\n"
    yield "Public benign flows, not shipped. There is no pool: own features, learnt"
    yield "from the earlier half, asked about the later half. Flows are those of the"
    yield "device's own address; of the FIT week, of its MAC, from packets. Hours are"
    yield "from the first flow to the last; CESNET's hold up to months between"
    yield "recordings of minutes. What is counted are false alarms; limits are those"
    yield "that let 0.2 % of what was learnt pass as alarms. Minutes to hours of"
    yield "traffic are far too little for such a detector. That nothing malicious"
    yield "happened in the FIT week is taken for granted, not known.\n"
    yield "| set | flows | hours | asked | " + " | ".join(ways) + " |"
    yield "|---|--:|--:|--:|" + "--:|" * len(ways)
    for row in rows:
        cells = " | ".join(
            f"{row['ways'][w]['fpr']:.3f} ({row['ways'][w]['false_alarms']})"
            for w in ways
        )
        yield (
            f"| {row['set']}: {row['of']} | {row['flows']:,} | {row['hours']} | "
            f"{row['asked']:,} | {cells} |"
        )
    yield ""
