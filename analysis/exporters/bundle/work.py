"""One publication under way: where things lie, and steps that are done once."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import analysis
from analysis.exporters.anonymise import Policy, Pseudonyms
from analysis.exporters.bundle import drafts
from analysis.exporters.bundle.ledger import Ledger
from analysis.exporters.bundle.model import Request, Watcher

STAMP_NS = 315_532_800 * 10**9  # 1980, the first that a zip archive can tell
_PIECE_B = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a step made: files, facts for later steps, and a note for people.

    seen  files that others made, without which as they are it was not done
    """

    outputs: Iterable[Path] = ()
    seen: Iterable[Path] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One campaign to be published.

    folder  as it was recorded;  recorded  what it is called there
    name    what the dataset calls it: its name may tell of a day that is moved
    digests  path within it -> SHA-256, of all that is read of it
    captures  raw captures;  called  name of each -> what the dataset calls it
    """

    folder: Path
    recorded: str
    name: str
    digests: Mapping[str, str]
    captures: tuple[Path, ...]
    called: Mapping[str, str] = field(default_factory=dict)


class Work:
    """What all steps of a publication share."""

    def __init__(self, request: Request, ledger: Ledger, watcher: Watcher) -> None:
        self.request = request
        self.ledger = ledger
        self.watcher = watcher
        self.pseudonyms = Pseudonyms(request.key)
        shift_ns = self.pseudonyms.shift_ns if request.shift else 0
        asked = request.policy
        self.policy = Policy(
            payload=asked.payload,
            names=asked.names,
            shift_ns=shift_ns,
            strip_beacons=asked.strip_beacons,
        )
        self._common = {
            "code": code_digest(),
            "key": hmac.digest(request.key, b"ledger", "sha256").hex()[:32],
            "policy": repr(self.policy),
        }

    @property
    def bag(self) -> Path:
        """The folder that will be the dataset."""
        return self.request.draft / drafts.BAG

    @property
    def data(self) -> Path:
        """The payload of the bag."""
        return self.bag / "data"

    @property
    def private(self) -> Path:
        """What is needed meanwhile, and must not leave."""
        return self.request.draft / drafts.PRIVATE

    def campaign(self, source: Source) -> Path:
        """Return the folder of a campaign in the dataset."""
        return self.data / "campaigns" / source.name

    def step(
        self,
        name: str,
        inputs: Mapping[str, str],
        make: Callable[[], Made],
        *,
        total_b: int = 0,
    ) -> None:
        """Do a step, unless it was done with these inputs."""
        inputs = {**self._common, **inputs}
        if self.ledger.is_done(name, inputs):
            self.watcher.end(name, "kept")
            return
        self.watcher.begin(name, total_b)
        # names of what it makes may be others now: nothing of the earlier run may stay
        for path in self.ledger.made_before(name) - self.ledger.outputs:
            path.unlink(missing_ok=True)
        made = make()
        self._enter(name, inputs, made)
        self.watcher.end(name, made.note)

    def tidy(self, folder: Path) -> None:
        """Remove from a folder of the bag what no step of this run made or kept."""
        made = self.ledger.outputs
        for path in files_in(folder):
            if path not in made:
                path.unlink()
        folders = [path for path in folder.rglob("*") if path.is_dir()]
        for path in sorted(folders, reverse=True):
            if not any(path.iterdir()):
                path.rmdir()

    def is_done(self, name: str, inputs: Mapping[str, str]) -> bool:
        """Say whether a step was done with these inputs."""
        return self.ledger.is_done(name, {**self._common, **inputs})

    def done(self, name: str, inputs: Mapping[str, str], made: Made) -> None:
        """Enter a step that was done beside others."""
        self._enter(name, {**self._common, **inputs}, made)

    def _enter(self, name: str, inputs: Mapping[str, str], made: Made) -> None:
        self.ledger.done(name, inputs, made.outputs, made.facts, seen=made.seen)

    def after(self, *steps: str) -> dict[str, str]:
        """Return steps that are done as inputs of another."""
        return {f"step {name}": self.ledger.digest(name) for name in steps}


def sha256_of(path: Path, told: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of a file; `told` is called with bytes read since its last."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_B):
            digest.update(piece)
            if told is not None:
                told(len(piece))
    return digest.hexdigest()


def files_in(folder: Path) -> list[Path]:
    """Return the files below a folder, in the order of their paths."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def write_text(path: Path, text: str) -> Path:
    """Write a file that appears whole or not at all; return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)
    return path


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as '1 campaign' or '2 activities'."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


@cache
def code_digest() -> str:
    """Return a hash of the analysis: what another version made is made again.

    It is that of the first call: what was loaded meanwhile may lie there no more.
    """
    root = Path(analysis.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
