"""What the pages of Table 1 are made of: results, cells, tables in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

TITLES = {
    "random_forest": "RF",
    "nearest": "kNN",
    "naive_bayes": "NB",
    "gradient_boosting": "HGB",
    "fusion": "fusion",
}


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


def devices_of(facts: Record) -> list[str]:
    """Return the devices that have a result."""
    return list(dict.fromkeys(each["device"] for each in facts["results"]))


def scored_of(facts: Record) -> list[str]:
    """Return the classifiers that have a result, in the order of the page."""
    there = {each["classifier"] for each in facts["results"]}
    return [name for name in facts["classifiers"] if name in there]


def accuracy_of(found: Record | None) -> str:
    """Write accuracy and its interval; a dash without a result."""
    if found is None:
        return "–"
    low, high = found["interval"]
    return f"{found['accuracy']:.3f} ({low:.2f}–{high:.2f})"


def number_of(found: Record | None, key: str, digits: int) -> str:
    """Write one number of a record; a dash without it."""
    if found is None or found.get(key) is None:
        return "–"
    return f"{found[key]:.{digits}f}"


def with_interval(value: float, between: Sequence[float] | None) -> str:
    """Write a score, and from where to where it may lie."""
    if between is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({between[0]:.2f}–{between[1]:.2f})"


def f1_of(found: Record | None) -> str:
    """Write macro-F1 and its interval; a dash without a result."""
    return "–" if found is None else with_interval(found["f1"], found["f1_interval"])


def open_set_of(facts: Record, device: str, classifier: str) -> tuple[str, str]:
    """Return AUROC of unknown activities under S6, and the share that is accepted."""
    found = result(facts, device, classifier, "s6")
    if found is None or found["open_set"] is None:
        return "–", "–"
    known = found["open_set"]
    return with_interval(known["auroc"], known["interval"]), f"{known['accepted']:.2f}"
