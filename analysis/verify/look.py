"""Look at a dataset or a campaign, check by check."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.errors import RequestError
from analysis.verify import bag
from analysis.verify.campaign import (
    Looked,
    check_captures,
    check_manifest,
    check_papers,
)
from analysis.verify.model import Findings, Verified, Watcher
from analysis.verify.sums import Digests

_OF_A_BAG = (bag.DECLARATION, bag.INFO, bag.MANIFEST, bag.TAG_MANIFEST)
_OF_A_CAMPAIGN = ("campaign.yaml", "MANIFEST.sha256", "activities.csv", "journal.jsonl")
_NO_CAPTURES = "captures: left out, as asked"


def verify(path: Path, watcher: Watcher, *, quick: bool = False) -> Verified:
    """Look at a published dataset, or at a closed campaign, and tell every fault.

    quick  leave out what decodes captures; their bytes are still looked at

    Nothing is written there. Raises RequestError when it is neither.
    """
    kind = kind_of(path)
    found = Findings(path)
    checks = _Checks(found, watcher)
    digests = Digests(path, found)
    with checks.told("bytes", digests.size_b):
        digests.read_all(watcher.read)
    if kind == "dataset":
        _dataset(path, found, digests, checks, quick=quick)
    else:
        _campaign(path, found, digests, checks, quick=quick)
    return Verified(
        path=path,
        kind=kind,
        files=len(digests.files),
        size_b=digests.size_b,
        checks=tuple(found.checks),
        faults=tuple(found.faults),
        unchecked=tuple(found.unchecked),
        remarks=tuple(found.remarks),
    )


def kind_of(path: Path) -> str:
    """Return 'dataset' or 'campaign'. Raises RequestError for anything else."""
    if not path.is_dir():
        raise RequestError(f"{path}: is no folder; name a dataset or a campaign")
    if any((path / name).exists() for name in _OF_A_BAG) or (path / "data").is_dir():
        return "dataset"
    if any((path / name).exists() for name in _OF_A_CAMPAIGN):
        return "campaign"
    hint = ""
    if (path.parent / bag.DECLARATION).exists():
        hint = f"; did you mean {path.parent}?"
    raise RequestError(f"{path}: is neither a dataset nor a campaign{hint}")


class _Checks:
    """Tells of each check, and how many faults it found."""

    def __init__(self, found: Findings, watcher: Watcher) -> None:
        self._found = found
        self.watcher = watcher

    @contextmanager
    def told(self, name: str, total_b: int = 0) -> Iterator[None]:
        """Do a check."""
        before = len(self._found.faults)
        self.watcher.begin(name, total_b)
        yield
        self._found.checks.append(name)
        n = len(self._found.faults) - before
        note = "1 fault" if n == 1 else f"{n} faults" if n else "no fault"
        self.watcher.end(name, note)


def _campaign(
    folder: Path, found: Findings, digests: Digests, checks: _Checks, *, quick: bool
) -> None:
    with checks.told("manifest"):
        check_manifest(folder, found, digests)
    with checks.told("log, receipt and journal"):
        looked = check_papers(folder, found, digests)
    if quick:
        found.skip(_NO_CAPTURES)
        return
    with checks.told("captures, labels and tables", 3 * looked.raw_b):
        check_captures(looked, found, digests, checks.watcher.read, published=False)


def _dataset(
    path: Path, found: Findings, digests: Digests, checks: _Checks, *, quick: bool
) -> None:
    with checks.told("bag"):
        bag.check_bag(path, found, digests)
    folders = _campaigns(path, found)
    looked: list[Looked] = []
    for folder in folders:
        with checks.told(f"campaign {folder.name}"):
            check_manifest(folder, found, digests)
            looked.append(check_papers(folder, found, digests))
    if quick:
        found.skip(_NO_CAPTURES)
    for each in () if quick else looked:
        with checks.told(f"captures of {each.folder.name}", 3 * each.raw_b):
            check_captures(each, found, digests, checks.watcher.read, published=True)


def _campaigns(path: Path, found: Findings) -> list[Path]:
    place = path / bag.PAYLOAD / "campaigns"
    folders = sorted(each for each in place.glob("*") if each.is_dir())
    if not folders:
        found.fault(place, "holds no campaign")
    return folders


Told = Callable[[int], None]
