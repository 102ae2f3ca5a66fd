"""What is done of a reproduction, so that an interrupted one goes on.

A folder belongs to one dataset, one state of its inputs and one version of the code:
when any of it is other, what was made is removed and everything begins anew. Only what
the ledger made is ever removed.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analysis.errors import RequestError

NAME = "reproduce.json"
MADE = "data"
FORMAT = 1


class Ledger:
    """Steps that are done in a folder; see the module."""

    def __init__(self, out: Path, inputs: str) -> None:
        self._path = out / NAME
        self._made = out / MADE
        self._inputs = inputs
        self._steps: dict[str, dict[str, list[int]]] = {}
        known = self._read()
        if known.get("format") == FORMAT and known.get("inputs") == inputs:
            self._steps = dict(known["steps"])
        elif self._made.exists():
            shutil.rmtree(self._made)
        self._write()

    def is_done(self, step: str) -> bool:
        """Say whether a step was done, and all that it made lies there as it was."""
        known = self._steps.get(step)
        if known is None:
            return False
        return all(_state(self._made / n) == state for n, state in known.items())

    def step(self, step: str, places: Sequence[Path], make: Callable[[], None]) -> str:
        """Do a step that writes below `places`, unless it is done; say which it was.

        Nothing is left of one that fails; of one that is killed, the next call removes
        what is left.
        """
        if self.is_done(step):
            return "kept"
        self._steps.pop(step, None)
        _remove(places)
        whole = False
        try:
            make()
            whole = True
        finally:
            if not whole:
                _remove(places)
        files = [path for place in places for path in files_below(place)]
        self._steps[step] = {
            path.relative_to(self._made).as_posix(): _state(path) for path in files
        }
        self._write()
        return "made"

    def _read(self) -> Mapping[str, Any]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self) -> None:
        known = {"format": FORMAT, "inputs": self._inputs, "steps": self._steps}
        part = self._path.with_name(f".{NAME}.part")
        part.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        part.replace(self._path)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Make a folder, or take one that is ours, for this process alone.

    Raises RequestError for a folder that holds anything else.
    """
    foreign = out.exists() and not (out / NAME).is_file()
    if foreign and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(f"{out}: holds something else; name a folder that is empty")
    out.mkdir(parents=True, exist_ok=True)
    place = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(place)
        raise RequestError(f"{out}: another process is reproducing here") from exc
    try:
        yield
    finally:
        os.close(place)


def files_below(place: Path) -> list[Path]:
    """Return the files below a folder in the order of their paths; a file is itself."""
    if place.is_file():
        return [place]
    found = [path for path in place.rglob("*") if path.is_file()]
    return sorted(found, key=lambda path: path.relative_to(place).as_posix())


def digest_of(paths: Mapping[str, Path], code: str) -> str:
    """Return a digest of the state of files, by name, and of the code that reads them.

    Small files are read; of others, size and time of change stand for what they hold.
    Where they lie does not count: a dataset may be moved.
    """
    digest = hashlib.sha256(code.encode() + b"\0")
    for name, path in sorted(paths.items()):
        state = path.stat()
        told = f"{name}\0{state.st_size}\0"
        if path.suffix in (".json", ".yaml", ".csv", ".jsonl"):
            told += hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            told += str(state.st_mtime_ns)
        digest.update(told.encode() + b"\0")
    return digest.hexdigest()


def _remove(places: Sequence[Path]) -> None:
    for place in places:
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _state(path: Path) -> list[int]:
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]
