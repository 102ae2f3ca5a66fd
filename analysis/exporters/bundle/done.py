"""What was done to make a dataset, for papers that tell of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.exporters.anonymise import Counts, Policy

RECOMMENDED, IMPOSSIBLE = "recommended", "impossible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """What `splits.json` holds.

    n  recommended splits that are there;  devices  those that have one, of `of`
    why_not  reasons, where none is possible
    """

    n: int
    devices: int
    of: int
    why_not: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "Splits":
        """Read the file."""
        rows = json.loads(path.read_text(encoding="utf-8"))["splits"]
        good = [row for row in rows if row["use"] == RECOMMENDED and row.get("folds")]
        bad = [row for row in rows if row["use"] == IMPOSSIBLE]
        return cls(
            n=len(good),
            devices=len({_of(row) for row in good}),
            of=len({_of(row) for row in rows}),
            why_not=tuple(sorted({str(row["why"]) for row in bad})),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done.

    kept     free texts that stayed, by field
    accept   what the audit was told to let pass;  n_words  the same, single words
    answers  of people, by the question of the datasheet
    """

    policy: Policy
    counts: Counts
    kept: Mapping[str, Sequence[str]]
    splits: Splits
    accept: tuple[str, ...] = ()
    n_words: int = 0
    answers: Mapping[str, str]

    @property
    def accepted(self) -> str:
        """Return what the audit would have refused, in sentences; '' for nothing."""
        what = [f"`{name}`" for name in self.accept]
        what += [f"{self.n_words} words, one by one"] if self.n_words else []
        if not what:
            return ""
        return (
            "Not all that the audit found was mended: its publisher knew it to tell "
            f"nothing, and accepted {', '.join(what)}. Where that let something pass "
            "stands in anonymisation.json (`audit`)."
        )


def _of(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["campaign"]), str(row["device"])
