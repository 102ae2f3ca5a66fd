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
        for name in facts["classifiers"]:
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
    for each in facts["results"]:
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
        return "refused"
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
