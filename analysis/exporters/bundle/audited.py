"""What units of an audit saw, in the ledger: a killed audit goes on where it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.exporters.bundle.ledger import digest_of_json, state_of
from analysis.exporters.bundle.work import Made, Work


class Audited:
    """Keeps and finds again what was seen.

    inputs  digests of all that the dataset was made of; with others, nothing is known
    """

    def __init__(self, work: Work, inputs: Mapping[str, str]) -> None:
        self._work = work
        self._inputs = dict(inputs)

    def load(self, unit: str, files: Sequence[Path]) -> Mapping[str, Any] | None:
        """Return what was saved of a unit, if its files are as they were."""
        step = _step(unit)
        known = self._work.is_done(step, self._asked(files))
        return self._work.ledger.facts(step) if known else None

    def save(self, unit: str, files: Sequence[Path], seen: Mapping[str, Any]) -> None:
        """Keep what a unit saw."""
        self._work.done(_step(unit), self._asked(files), Made(facts=seen))

    def _asked(self, files: Sequence[Path]) -> dict[str, str]:
        states = [[path.name, *(state_of(path) or ())] for path in files]
        return {**self._inputs, "files": digest_of_json(states)}


def _step(unit: str) -> str:
    return f"audit of {unit}"
