"""What lies in the folder of one published campaign, besides its captures."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from analysis.dataset import load_campaign
from analysis.errors import DatasetError
from analysis.exporters.anonymise import patterns_of
from analysis.exporters.anonymise.replace import Replacer
from analysis.exporters.bundle.captures import capture_step, published_name
from analysis.exporters.bundle.sources import LABELS, MANIFEST
from analysis.exporters.bundle.work import (
    Made,
    Source,
    Work,
    files_in,
    sha256_of,
    write_text,
)
from analysis.exporters.identifiers import Identifier
from analysis.labelling import label_campaign, labelled_as
from analysis.packets import find_raw, make_tables
from analysis.packets.make import run_here

TEXTS = ("campaign.yaml", "activities.csv", "journal.jsonl", "raw/receipt.json")


def write_texts(work: Work, source: Source, identifiers: Sequence[Identifier]) -> None:
    """Rewrite what a campaign says of itself."""
    names = [name for name in TEXTS if name in source.digests]
    captures = [capture_step(source, path) for path in source.captures]

    def make() -> Made:
        replacer = Replacer(patterns_of(identifiers, work.pseudonyms))
        made, folder = [], work.campaign(source)
        for name in names:
            text = replacer.bytes((source.folder / name).read_bytes()).decode()
            if name == "raw/receipt.json":
                text = _receipt(text, folder)
            elif name == "journal.jsonl":
                text = "".join(
                    _fetched(line, folder) for line in text.splitlines(keepends=True)
                )
            made.append(write_text(folder / name, text))
        return Made(outputs=made, facts={"replaced": dict(replacer.counts)})

    inputs = {name: source.digests[name] for name in names}
    inputs |= work.after("identifiers", *captures)
    work.step(f"texts {source.name}", inputs, make)


def write_labels(work: Work, source: Source) -> None:
    """Label the rewritten captures, by the policy of those that were recorded."""
    folder = work.campaign(source)
    overlap, widen = labelled_as(source.folder)
    captures = [capture_step(source, path) for path in source.captures]
    inputs = work.after(f"texts {source.name}", *captures)
    inputs |= {LABELS: source.digests.get(LABELS, ""), "as": f"{overlap} {widen}"}

    def make() -> Made:
        read = work.watcher.read
        report = label_campaign(folder, overlap=overlap, widen=widen, progress=read)
        return Made(
            outputs=files_in(folder / "labelled"),
            note=f"{report.n_windows} windows",
        )

    work.step(f"label {source.name}", inputs, make, total_b=_raw_b(folder))


def write_tables(work: Work, source: Source) -> None:
    """Make the packet and flow tables of the rewritten captures."""
    folder = work.campaign(source)
    captures = [capture_step(source, path) for path in source.captures]
    inputs = work.after(f"texts {source.name}", *captures)

    def make() -> Made:
        index = make_tables(
            folder,
            find_raw(folder),
            load_campaign(folder).devices,
            run=partial(run_here, workers=work.request.jobs),
            progress=work.watcher.read,
        )
        tables = [*files_in(folder / "packets"), *files_in(folder / "flows")]
        n_packets = sum(index.n_packets(device) for device in index.devices)
        return Made(
            outputs=[folder / "packets.json", *tables],
            note=f"{n_packets} packets",
        )

    work.step(f"packets {source.name}", inputs, make, total_b=_raw_b(folder))


def write_manifest(work: Work, source: Source) -> None:
    """Write the manifest of a campaign folder, as one that closes gets it."""
    folder = work.campaign(source)
    inputs = work.after(*(f"{each} {source.name}" for each in ("label", "packets")))

    def make() -> Made:
        files = [path for path in files_in(folder) if path.name != MANIFEST]
        sums = {path: sha256_of(path, work.watcher.read) for path in files}
        lines = (f"{sums[p]}  {p.relative_to(folder).as_posix()}\n" for p in files)
        return Made(outputs=[write_text(folder / MANIFEST, "".join(lines))])

    total_b = sum(path.stat().st_size for path in files_in(folder))
    work.step(f"manifest {source.name}", inputs, make, total_b=total_b)


def _raw_b(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "raw").glob("*.pcap*"))


def _receipt(text: str, folder: Path) -> str:
    """Return a receipt that tells of the captures as they are now."""
    try:
        receipt = json.loads(text)
        for capture in receipt["captures"]:
            for each in capture["files"]:
                each |= _now(folder, each["name"])
    except (ValueError, KeyError, TypeError) as exc:
        raise DatasetError(f"raw/receipt.json cannot be read: {exc!r}") from exc
    return json.dumps(receipt, indent=2) + "\n"


def _fetched(line: str, folder: Path) -> str:
    """Return a line of the journal; that of a capture tells of it as it is now."""
    if '"capture_file_fetched"' not in line:
        return line
    fact = json.loads(line)
    fact["facts"] |= _now(folder, fact["facts"]["name"])
    return json.dumps(fact, ensure_ascii=False, separators=(",", ":")) + "\n"


def _now(folder: Path, name: str) -> dict[str, Any]:
    """Return name, bytes and digest of a capture that was rewritten."""
    path = folder / "raw" / published_name(Path(name))
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "size_b": path.stat().st_size, "sha256": digest}
