"""What is done of a publication, so that a killed one goes on where it was.

A step is done when the ledger has it, with the inputs that it would have now, and all
files that it made lie there as it left them. The file is replaced in one step, after
the files that it names.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

NAME = "ledger.json"
PART = f".{NAME}.part"  # of one that is being written
FORMAT = 2
State = tuple[int, int]  # bytes and time of change


def is_ledger(path: Path) -> bool | None:
    """Say whether a file is a ledger, of any version; None where nobody can tell."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return None
    return isinstance(data, dict) and data.keys() == {"format", "steps"}


class Ledger:
    """The ledger of a draft, and the names of everything that it made."""

    def __init__(self, draft: Path) -> None:
        self._draft = draft
        self._steps: dict[str, dict[str, Any]] = {}
        self._current: set[str] = set()
        try:
            data = json.loads((draft / NAME).read_text(encoding="utf-8"))
            if data["format"] == FORMAT:
                self._steps = dict(data["steps"])
        except (OSError, ValueError, KeyError, TypeError):
            self._steps = {}  # everything is made again

    def is_done(self, step: str, inputs: Mapping[str, str]) -> bool:
        """Say whether a step was done with these inputs and its files still lie there.

        inputs  name -> digest
        """
        known = self._steps.get(step)
        if known is None or known["inputs"] != dict(inputs):
            return False
        same = all(
            state_of(self._draft / name) == tuple(state)
            for files in (known["outputs"], known.get("seen", {}))
            for name, state in files.items()
        )
        if same:
            self._current.add(step)
        return same

    def done(
        self,
        step: str,
        inputs: Mapping[str, str],
        outputs: Iterable[Path],
        facts: Mapping[str, Any] | None = None,
        *,
        seen: Iterable[Path] = (),
    ) -> None:
        """Enter a step that came to its end.

        facts  what later steps want to know of it, as values that JSON knows
        seen   files that others made, and that it read
        """
        self._steps[step] = {
            "inputs": dict(inputs),
            "outputs": self._states(outputs),
            "seen": self._states(seen),
            "facts": dict(facts or {}),
        }
        self._write()
        self._current.add(step)

    def forget(self, *steps: str) -> None:
        """Strike steps out that are entered: what they said is no longer so."""
        if [step for step in steps if self._steps.pop(step, None) is not None]:
            self._write()

    def begin(self) -> None:
        """Write a ledger without steps where there is none: the draft is ours now."""
        if not (self._draft / NAME).exists():
            self._write()

    def _write(self) -> None:
        # without indent, which takes five times as long: all is written at each step
        text = json.dumps({"format": FORMAT, "steps": self._steps})
        part = self._draft / PART
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(self._draft / NAME)

    def _states(self, files: Iterable[Path]) -> dict[str, State | None]:
        names = sorted(path.relative_to(self._draft).as_posix() for path in files)
        return {name: state_of(self._draft / name) for name in names}

    def made_before(self, step: str) -> frozenset[Path]:
        """Return the files that a step made when it was last done, by any inputs."""
        known = self._steps.get(step, {"outputs": {}})
        return frozenset(self._draft / name for name in known["outputs"])

    def facts(self, step: str) -> Mapping[str, Any]:
        """Return what a step that is done has told."""
        return dict(self._steps[step]["facts"])

    @property
    def outputs(self) -> frozenset[Path]:
        """Files of all steps that were done, or kept, since the ledger was opened."""
        return frozenset(
            self._draft / name
            for step in self._current
            for name in self._steps[step]["outputs"]
        )

    def digest(self, step: str) -> str:
        """Return a digest of a step that is done: of what it was made of."""
        return digest_of_json([step, self._steps[step]["inputs"]])


def digest_of_json(value: Any) -> str:
    """Return a hash of a value that JSON knows."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def state_of(path: Path) -> State | None:
    """Return bytes and time of change of a file, None when it is not there."""
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return state.st_size, state.st_mtime_ns
