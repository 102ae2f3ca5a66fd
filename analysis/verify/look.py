"""Look at a dataset or a campaign, check by check."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.dataset import instead_of_campaign
from analysis.errors import RequestError
from analysis.verify import bag
from analysis.verify.agreement import check_agreement
from analysis.verify.campaign import MANIFEST as CAMPAIGN_MANIFEST
from analysis.verify.campaign import (
    Looked,
    check_captures,
    check_manifest,
    check_papers,
)
from analysis.verify.hosts import hosts_again
from analysis.verify.metadata import check_metadata
from analysis.verify.model import Findings, Verified, Watcher
from analysis.verify.papers import check_papers_of
from analysis.verify.parts import check_parts, parts_of
from analysis.verify.readers import check_captures_with_others, check_with_others
from analysis.verify.splits import NAME as SPLITS
from analysis.verify.splits import check_splits, splits_again
from analysis.verify.sums import Digests
from analysis.verify.tables import check_table_files
from analysis.workspace import refuse_without_room, working_folder

_OF_A_BAG = (bag.DECLARATION, bag.INFO, bag.MANIFEST, bag.TAG_MANIFEST)
_OF_A_CAMPAIGN = ("campaign.yaml", "MANIFEST.sha256", "activities.csv", "journal.jsonl")
_READ_TIMES = 3  # to walk through them, to label them, to make tables
HOSTS = "tables/hosts.parquet"
_NO_CAPTURES = "captures: left out, as asked"
_NO_READERS = "readers of others: left out, as asked"
_REMADE = ("labelled", "packets", "flows")
# what holds the digests of all else
_TOPS = {"dataset": bag.TAG_MANIFEST, "campaign": CAMPAIGN_MANIFEST}


def verify(
    path: Path,
    watcher: Watcher,
    *,
    quick: bool = False,
    readers: bool = True,
    digest: str = "",
) -> Verified:
    """Look at a published dataset, or at a closed campaign, and tell every fault.

    quick    leave out what decodes captures; their bytes are still looked at
    readers  let readers of others open it as well
    digest   that it must have, as told where nobody who holds a copy can change it

    Nothing is written there. Raises RequestError when it is neither, WorkspaceError
    where there is no room to make labels and tables again.
    """
    kind = kind_of(path)
    found = Findings(path)
    checks = _Checks(found, watcher, readers=readers)
    digests = Digests(path, found)
    if not quick:
        _refuse_without_room(path, kind, digests)
    with checks.told("reading", digests.size_b):
        digests.read_all(watcher.read)
    _check_digest(path / _TOPS[kind], found, digests, digest)
    if kind == "dataset":
        _dataset(path, found, digests, checks, quick=quick)
    else:
        _campaign(path, found, digests, checks, quick=quick)
    if not readers:
        found.skip(_NO_READERS)
    return Verified(
        path=path,
        kind=kind,
        digest=digests.sum(path / _TOPS[kind]) or "",
        files=len(digests.files),
        size_b=digests.size_b,
        checks=tuple(found.checks),
        faults=found.faults,
        unchecked=tuple(found.unchecked),
        remarks=tuple(found.remarks),
    )


def _check_digest(path: Path, found: Findings, digests: Digests, wanted: str) -> None:
    """Hold the manifest over all others against what was told of it."""
    is_ = digests.sum(path) or "none"
    if wanted and is_ != wanted.lower():
        what = "all manifests may have been made again"
        found.fault(path, f"has the SHA-256 {is_}, not {wanted.lower()}: {what}")


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
    elif instead := instead_of_campaign(path):
        raise RequestError(f"{path}: {instead}")
    raise RequestError(f"{path}: is neither a dataset nor a campaign{hint}")


def _refuse_without_room(path: Path, kind: str, digests: Digests) -> None:
    """Raise WorkspaceError where tables of the largest campaign have no room."""
    needed = {
        folder: sum(
            digests.files[each]
            for name in _REMADE
            for each in digests.below(folder / name)
        )
        for folder in ([path] if kind == "campaign" else _folders(path / bag.PAYLOAD))
    }
    with working_folder("verify-") as place:
        refuse_without_room(place, max(needed.values(), default=0))


class _Checks:
    """Tells of each check, and how many faults it found.

    readers  whether readers of others are asked
    """

    def __init__(self, found: Findings, watcher: Watcher, *, readers: bool) -> None:
        self._found = found
        self.watcher = watcher
        self.readers = readers

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
    with checks.told("bytes and names"):
        check_manifest(folder, found, digests)
    with checks.told("log, receipt and journal"):
        looked = check_papers(folder, found, digests)
    if quick:
        found.skip(_NO_CAPTURES)
        return
    with checks.told("captures, labels and tables", _READ_TIMES * looked.raw_b):
        check_captures(looked, found, digests, checks.watcher.read, published=False)
    if not checks.readers:
        return
    with checks.told("readers of others", 2 * looked.raw_b):
        check_captures_with_others(folder, found, checks.watcher.read)


def _dataset(
    path: Path, found: Findings, digests: Digests, checks: _Checks, *, quick: bool
) -> None:
    data = path / bag.PAYLOAD
    with checks.told("bytes and names"):
        bag.check_bag(path, found, digests)
    looked: list[Looked] = []
    for folder in _campaigns(data, found):
        with checks.told(f"campaign {folder.name}"):
            check_manifest(folder, found, digests)
            looked.append(check_papers(folder, found, digests))
            _check_name(looked[-1], found)
    with checks.told("tables"):
        hosts = check_table_files(data, found, looked)
    with checks.told("metadata"):
        check_metadata(data, found, digests)
    with checks.told("papers"):
        check_papers_of(data, found, looked)
        check_agreement(data, found, digests, looked)
        splits = check_splits(data / SPLITS, found, looked)
    _archive(path, found, digests, checks, quick=quick)
    if quick:
        found.skip(_NO_CAPTURES)
        return
    for each in looked:
        again = (
            splits_again(data / SPLITS, found, splits, each),
            hosts_again(data / HOSTS, found, hosts, each),
        )
        name, size_b = each.folder.name, _READ_TIMES * each.raw_b
        with checks.told(f"captures of {name}", size_b):
            read = checks.watcher.read
            check_captures(each, found, digests, read, published=True, then=again)
    if not checks.readers:
        return
    with checks.told("readers of others", 2 * sum(each.raw_b for each in looked)):
        check_with_others(path, found)
        for each in looked:
            check_captures_with_others(each.folder, found, checks.watcher.read)


def _campaigns(data: Path, found: Findings) -> list[Path]:
    folders = _folders(data)
    if not folders:
        found.fault(data / "campaigns", "holds no campaign")
    return folders


def _folders(data: Path) -> list[Path]:
    return sorted(each for each in (data / "campaigns").glob("*") if each.is_dir())


def _check_name(looked: Looked, found: Findings) -> None:
    if looked.campaign is not None and looked.campaign.name != looked.folder.name:
        what = f"campaign: is {looked.campaign.name!r}, unlike its folder"
        found.fault(looked.folder / "campaign.yaml", what)


def _archive(
    path: Path, found: Findings, digests: Digests, checks: _Checks, *, quick: bool
) -> None:
    folder = parts_of(path)
    if not folder.is_dir():
        found.remark(f"no archive lies beside it, as {folder.name}")
        return
    parts = Digests(folder, found)
    times = 1 if quick else 2
    with checks.told("archive", times * parts.size_b):
        read = checks.watcher.read
        parts.read_all(read)
        check_parts(path, found, digests, parts, read, quick=quick)
