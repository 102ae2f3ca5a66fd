"""The campaigns to publish: closed, whole, and each called by a name of its own."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.dataset import load_campaign
from analysis.errors import DatasetError
from analysis.exporters.anonymise.foreign import foreign_in
from analysis.exporters.anonymise.words import unpacked
from analysis.exporters.bundle.work import Source, sha256_of
from analysis.packets import find_raw
from analysis.pcap.errors import CaptureError
from analysis.pcap.source import open_source

MANIFEST = "MANIFEST.sha256"
LABELS = "labelled/labels.json"
_READ = ("campaign.yaml", "activities.csv", "journal.jsonl", "raw/receipt.json")
_PARTIAL = ".part"  # ends the name of what somebody who was killed left
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

    Raises DatasetError when it is not closed, or when folder and manifest differ in
    what was recorded: a line for each file that is missing, was added or is another
    one; and when captures hold packets that nobody here reads. What is derived, such as
    `labelled` and `report`, may come and go.
    """
    folder = source.folder
    _refuse_open(folder)
    manifest = _manifest(folder)
    faults = _missing_or_added(source, manifest)
    digests = {}
    for path in _files(source):
        name = path.relative_to(folder).as_posix()
        digests[name] = sha256_of(path, told)
        if _differs(path, name, digests[name], manifest):
            reason = f"differs from {MANIFEST}; it is damaged, or was changed since"
            faults.append(f"{path}: {reason}")
    faults = faults or _foreign(source)
    if faults:
        raise DatasetError("\n".join(faults))
    return replace(source, digests=digests)


def _foreign(source: Source) -> list[str]:
    """Return a sentence for each capture with packets that nobody here reads."""
    try:
        return [told for path in source.captures if (told := foreign_in(path))]
    except CaptureError as exc:
        raise DatasetError(str(exc)) from exc


def packed_in(source: Source) -> int:
    """Return how many captures of a campaign are packed, and published unpacked."""
    return sum(unpacked(path.name) != path.name for path in source.captures)


def _missing_or_added(source: Source, manifest: Mapping[str, str]) -> list[str]:
    """Return what is in the folder or in the manifest, and not in the other one."""
    folder = source.folder
    there = {name for name in _READ if (folder / name).is_file()}
    there |= {
        path.relative_to(folder).as_posix()
        for path in (folder / "raw").rglob("*")
        if path.is_file() and path.suffix != _PARTIAL and path.name[0] != "."
    }
    held = {
        name
        for name in manifest
        if name in _READ or (name.startswith("raw/") and not name.endswith(_PARTIAL))
    }
    # who packs a capture later leaves the manifest with the name that it had
    packed = {name: _unpacked(name) for name in there - held}
    packed = {name: was for name, was in packed.items() if was in held - there}
    gone = f"is missing, {MANIFEST} names it; bring it back"
    added = f"was added later, {MANIFEST} does not name it; put it elsewhere"
    return [
        *(f"{folder / n}: {gone}" for n in sorted(held - there - set(packed.values()))),
        *(f"{folder / n}: {added}" for n in sorted(there - held - set(packed))),
    ]


def _differs(path: Path, name: str, digest: str, manifest: Mapping[str, str]) -> bool:
    """Say whether a file is not what its manifest says; one that it names not is."""
    if name in manifest or _unpacked(name) == name:
        return manifest.get(name, digest) != digest
    expected = manifest.get(_unpacked(name))
    return expected is not None and expected != _sha256_unpacked(path)


def _unpacked(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{unpacked(file)}"


def _sha256_unpacked(path: Path) -> str:
    """Return the SHA-256 of what is packed in a file, '' when it is damaged."""
    digest, rest = hashlib.sha256(), np.empty(0, dtype=np.uint8)
    try:
        with open_source(path) as source:
            while (chunk := source.next_chunk(rest)) is not None:
                digest.update(chunk.data)
            return "" if source.cut else digest.hexdigest()
    except CaptureError:
        return ""


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
