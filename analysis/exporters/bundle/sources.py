"""The campaigns to publish: closed, whole, and each called by a name of its own."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.dataset import load_campaign
from analysis.errors import DatasetError
from analysis.exporters.bundle.work import Source, sha256_of
from analysis.packets import find_raw

MANIFEST = "MANIFEST.sha256"
LABELS = "labelled/labels.json"
_READ = ("campaign.yaml", "activities.csv", "journal.jsonl", "raw/receipt.json")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def sources_of(folders: Sequence[Path]) -> tuple[Source, ...]:
    """Return the campaigns in their folders, not looked at yet. Raises DatasetError."""
    sources: dict[str, Source] = {}
    for folder in folders:
        name = load_campaign(folder).name
        _refuse_open(folder)
        if not _NAME.fullmatch(name):
            raise DatasetError(f"{folder}: {name!r} cannot be the name of a folder")
        if name in sources:
            both = f"{sources[name].folder} and {folder}"
            raise DatasetError(f"{both} are both campaign {name}; leave one out")
        captures = find_raw(folder)
        sources[name] = Source(
            folder=folder, recorded=name, name=name, digests={}, captures=captures
        )
    return tuple(sources.values())


def named(name: str, called: Mapping[str, str]) -> str:
    """Return the name of a campaign; raises DatasetError where names cannot be used.

    called  name of a raw capture -> what it is to be called
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(f"{name!r} cannot be the name of a folder; take another key")
    known: dict[str, str] = {}
    for old, new in called.items():
        if new in known:
            both = f"{known[new]} and {old}"
            raise DatasetError(f"raw/{both} would have one name; rename one of them")
        known[new] = old
    return name


def read_b(source: Source) -> int:
    """Return the bytes that `checked` reads."""
    return sum(path.stat().st_size for path in _files(source))


def checked(source: Source, told: Callable[[int], None]) -> Source:
    """Return a campaign with the digests of what is read of it.

    Raises DatasetError when it is not closed, or a file is not what its manifest says.
    """
    folder = source.folder
    _refuse_open(folder)
    manifest = _manifest(folder)
    digests = {}
    for path in _files(source):
        name = path.relative_to(folder).as_posix()
        digests[name] = sha256_of(path, told)
        if manifest.get(name, digests[name]) != digests[name]:
            reason = f"differs from {MANIFEST}; it is damaged, or was changed since"
            raise DatasetError(f"{path}: {reason}")
    return replace(source, digests=digests)


def _files(source: Source) -> list[Path]:
    named = [source.folder / name for name in (*_READ, LABELS)]
    return [path for path in named if path.is_file()] + list(source.captures)


def _manifest(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        reason = f"{MANIFEST} cannot be read: {exc.strerror}"
        raise DatasetError(f"{folder}: {reason}; import it again") from exc
    pairs = (line.partition("  ") for line in lines)
    return {name: digest for digest, _, name in pairs}


def _refuse_open(folder: Path) -> None:
    """Raise DatasetError when a campaign goes on, was killed or was interrupted."""
    path = folder / "journal.jsonl"
    if path.is_file():
        closed = _last_event(path) in ("campaign_closed", "campaign_imported")
    else:  # imported, where nobody of ours ran it; else it is written at the end
        closed = (folder / MANIFEST).is_file()
    if not closed:
        reason = "is not closed: it runs, or was interrupted or killed"
        remedy = f"end it with `testbed resume {folder}`, or import it again"
        raise DatasetError(f"{folder}: {reason}; {remedy}")


def _last_event(journal: Path) -> str:
    last = journal.read_bytes().splitlines()[-1:]
    try:
        return str(json.loads(last[0])["event"]) if last else ""
    except (ValueError, KeyError, TypeError):
        return ""
