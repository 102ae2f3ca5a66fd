"""The tables of docs/twins.md."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_BAR = 5.0
_TITLES = {
    "vcfp": "vcfp-alexa: a real Amazon Echo",
    "lab": "The virtual lab: simulated devices",
}


def tables(facts: Mapping[str, Any]) -> list[str]:
    """Return the tables of one source as lines of Markdown."""
    lines = [f"### {_TITLES[facts['source']]}", "", f"`{facts['command']}`"]
    for device in facts["devices"]:
        kind = "simulated" if device["simulated"] else "real"
        few, many = device["trials_each"]
        each = f"{few}" if few == many else f"{few} to {many}"
        lines += [
            "",
            f"**{device['device']}** ({kind}; {device['about']}: "
            f"{device['n_trials']} trials of {device['n_activities']} activities, "
            f"{each} each; chance {device['chance']:.3f})",
            "",
            *_transfers(device["splits"]),
            "",
            *_copies(device["splits"]),
        ]
    return lines


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """Return the page with the text of each source between its marks."""
    for name, text in blocks.items():
        between = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        page, n = re.subn(
            between, lambda m, t=text: f"{m[1]}{t}\n{m[2]}", page, flags=re.DOTALL
        )
        if n != 1:
            raise ValueError(f"a page has one place for {name}, not {n}")
    return page


def _transfers(splits: Sequence[Mapping[str, Any]]) -> list[str]:
    head = ("split", "classifier", "within", "source → twin", "lost", "")
    head += ("twin → source", "lost", "")
    rows = [
        [
            split["split"],
            each["classifier"],
            _figure(each["within"]),
            _figure(each["onto"]),
            _points(each["lost_onto"]),
            _verdict(each["lost_onto"]),
            _figure(each["from"]),
            _points(each["lost_from"]),
            _verdict(each["lost_from"]),
        ]
        for split in splits
        for each in split["transfers"]
    ]
    return _markdown(head, rows)


def _copies(splits: Sequence[Mapping[str, Any]]) -> list[str]:
    head = ("split", "nearest: held-out [5, 50, 95 %]", "nearest: twin", "p (nearer)")
    head += ("AUC", "by activity", "nearer than any", "discriminator", "without delays")
    rows = []
    for split in splits:
        near = split["copies"]
        rows.append(
            [
                split["split"],
                _quantiles(near["held_out"], near["n_held_out"]),
                _quantiles(near["twin"], near["n_twin"]),
                f"{near['p_twin_nearer']:.2g}",
                f"{near['auc']:.2f}",
                f"{near['auc_by_activity']:.2f} (p {near['p_by_activity']:.2g})",
                f"{100 * near['nearer_than_any_held_out']:.1f} %",
                f"{split['discriminator']['auroc']:.2f}",
                f"{split['discriminator_without_delays']['auroc']:.2f}",
            ]
        )
    return _markdown(head, rows)


def _figure(told: Mapping[str, Any]) -> str:
    low, high = told["interval"]
    return f"{told['accuracy']:.3f} [{low:.3f}, {high:.3f}] of {told['n']}"


def _points(told: Mapping[str, Any]) -> str:
    low, high = told["interval"]
    return f"{told['points']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _verdict(told: Mapping[str, Any]) -> str:
    """Say whether the bar is met, and whether the interval leaves no doubt."""
    if told["interval"][1] <= _BAR:
        return "met"
    if told["points"] <= _BAR:
        return "met, not certain"
    return "missed" if told["interval"][0] > _BAR else "missed, not certain"


def _quantiles(values: Sequence[float], n: int) -> str:
    return f"{', '.join(f'{v:.1f}' for v in values)} of {n}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * w for w in widths], *rows]
    return [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
