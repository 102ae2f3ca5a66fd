"""What `tests.bench.drift` has measured, as rates and as tables of the page."""

from collections.abc import Sequence
from typing import Any

from analysis.compare.model import Asked
from analysis.evaluate.scores.intervals import wilson

FEW, MANY = 4, 6  # days of each campaign


def summary(
    parts: dict[str, list[dict[str, Any]]], drawn: list[dict[str, Any]], asked: Asked
) -> dict[str, Any]:
    """Return rates with their 95 % intervals."""
    pairs, split, new = (
        parts.get(name, []) for name in ("pairs", "halves", "firmware")
    )
    again = [p["rerun_drifted"] for p in pairs if "rerun_drifted" in p]
    fewer = [bool(f) for p in pairs for f in p["fewer"].values()]
    return {
        "alpha": asked.alpha,
        "permutations": asked.permutations,
        "drawn": drawn,
        "pairs": _rate([bool(p["drifted"]) for p in pairs]),
        "rerun": _rate([bool(each) for each in again]),
        "fewer": _rate(fewer),
        "halves": _rate([bool(p["drifted"]) for p in split]),
        "tests": sorted({p["tests"] for p in pairs})[:: max(len(pairs) - 1, 1)],
        "firmware": [_power(new, days) for days in (FEW, MANY)],
    }


def _power(new: list[dict[str, Any]], days: int) -> dict[str, Any]:
    found = [p["device"] in p["drifted"][str(days)] for p in new]
    wrong = [bool(set(p["drifted"][str(days)]) - {p["device"]}) for p in new]
    longer = [bool(p["changed"]["keep_alive_b"]) for p in new]
    return {
        "days": days,
        "found": _rate(found),
        "keep_alive": _rate(
            [f for f, is_so in zip(found, longer, strict=True) if is_so]
        ),
        "else": _rate([f for f, is_so in zip(found, longer, strict=True) if not is_so]),
        "others": _rate(wrong),
        "missed": [
            {"device": p["device"], "version": p["version"], **p["changed"]}
            for f, p in zip(found, new, strict=True)
            if not f
        ],
    }


def _rate(hits: Sequence[bool]) -> dict[str, Any]:
    return rate_of(sum(hits), len(hits))


def rate_of(hits: int, n: int) -> dict[str, Any]:
    """Return a rate with its 95 % interval."""
    if not n:
        return {"n": 0, "hits": 0, "low": 0.0, "high": 1.0}
    span = wilson(hits / n, n)
    return {"n": n, "hits": hits, "low": span.low, "high": span.high}


def tables(made: dict[str, Any]) -> str:
    """Return the tables of the page."""
    lines = [
        "| nothing changed | days each | drift reported | 95 % |",
        "|---|---|---|---|",
    ]
    for row in made["drawn"]:
        what = f"drawn tables, days differ by {row['day_sd']:g} of what trials do"
        held, trials = zip(row["a"], row["b"], strict=True)
        if trials[0] != trials[1]:
            what += f", {trials[0]} and {trials[1]} trials a day"
        each = " and ".join(map(str, dict.fromkeys(held)))
        lines.append(f"| {what} | {each} | {_told(row)} |")
    for what, days, name in (
        ("two campaigns of one lab", FEW, "pairs"),
        ("the same, fewer days of them", "1, 2, 3", "fewer"),
        ("a campaign and its `rerun`", FEW, "rerun"),
        ("one campaign in halves", MANY, "halves"),
    ):
        lines.append(f"| {what} | {days} | {_told(made[name])} |")
    head = (
        "| days each | new firmware found | 95 % | keep-alives are longer or shorter |"
    )
    lines += [
        "",
        f"{head} they are not | another device |",
        "|---|---|---|---|---|---|",
    ]
    for row in made["firmware"]:
        cells = " | ".join(
            f"{row[name]['hits']} of {row[name]['n']}"
            for name in ("keep_alive", "else", "others")
        )
        lines.append(f"| {row['days']} | {_told(row['found'])} | {cells} |")
    lines += ["", "Not found, and what their firmware changed:", ""]
    lines += [
        "| device | update | days | headers | sizes | durations |",
        "|---|---|---|---|---|---|",
    ]
    for row in made["firmware"]:
        for each in row["missed"]:
            told = (
                f"{each['header_b']:+d} B | x{each['size']:.3f} | x{each['pace']:.3f}"
            )
            lines.append(
                f"| {each['device']} | {each['version']} | {row['days']} | {told} |"
            )
    return "\n".join(lines)


def _told(rate: dict[str, Any]) -> str:
    return f"{rate['hits']} of {rate['n']} | {rate['low']:.1%} to {rate['high']:.1%}"


_MARKS = ("<!-- drift: begin -->", "<!-- drift: end -->")


def filled(page: str, text: str) -> str:
    """Return the page with other text between its marks."""
    begin, end = (page.index(mark) for mark in _MARKS)
    return f"{page[: begin + len(_MARKS[0])]}\n\n{text}\n\n{page[end:]}"
