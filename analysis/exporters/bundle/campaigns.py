"""What lies in the folder of one published campaign, besides its captures."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from analysis.dataset import load_campaign
from analysis.exporters.anonymise import Kept, Rewritten, Words, anonymise_texts
from analysis.exporters.bundle import drafts
from analysis.exporters.bundle.captures import capture_step, counts_of
from analysis.exporters.bundle.sources import LABELS, MANIFEST, named
from analysis.exporters.bundle.work import (
    Made,
    Source,
    Work,
    counted,
    files_in,
    sha256_of,
    write_text,
)
from analysis.exporters.identifiers import Identifier
from analysis.labelling import label_campaign, labelled_as
from analysis.packets import find_raw, make_tables
from analysis.packets.make import run_here

TEXTS = ("campaign.yaml", "activities.csv", "journal.jsonl", "raw/receipt.json")


def published_as(
    work: Work, source: Source, identifiers: Sequence[Identifier]
) -> Source:
    """Return a campaign with the names that it and its captures are published by.

    Raises DatasetError when one of them is no name of a folder, or two are alike.
    """
    place = work.private / drafts.NAMES
    inputs = _digests_of_texts(source) | work.after("identifiers")
    step = f"name {source.recorded}"

    def make() -> Made:
        shutil.rmtree(place, ignore_errors=True)
        name = _rewritten(work, source, identifiers, place).campaign
        shutil.rmtree(place)
        words = Words(work.pseudonyms, identifiers, work.policy)
        called = {path.name: words.capture(path.name) for path in source.captures}
        note = "stays" if name == source.recorded else f"is now {name}"
        return Made(facts={"name": named(name, called), "called": called}, note=note)

    inputs["captures"] = " ".join(path.name for path in source.captures)
    work.step(step, inputs, make)
    facts = work.ledger.facts(step)
    return replace(source, name=str(facts["name"]), called=dict(facts["called"]))


def write_texts(work: Work, source: Source, identifiers: Sequence[Identifier]) -> None:
    """Rewrite what a campaign says of itself, and of its captures as they are now."""
    folder = work.campaign(source)
    captures = [capture_step(source, path) for path in source.captures]
    inputs = _digests_of_texts(source) | work.after("identifiers", *captures)

    def make() -> Made:
        said, files = _rewritten(work, source, identifiers, folder), Kept()
        for recorded, published in source.called.items():
            files.file(recorded, published)
        made = [p for name in TEXTS if (p := folder / name).is_file()]
        facts = {"kept": {**said.kept, **files.found()}, "met": sorted(said.met)}
        return Made(outputs=made, facts=facts)

    work.step(f"texts {source.name}", inputs, make)


def met_of(work: Work, sources: Sequence[Source]) -> frozenset[int]:
    """Return rows of the identifiers that captures and texts of campaigns had."""
    found: set[int] = set()
    for source in sources:
        found.update(counts_of(work, source).met)
        found.update(work.ledger.facts(f"texts {source.name}")["met"])
    return frozenset(found)


def kept_of(work: Work, sources: Sequence[Source]) -> dict[str, list[str]]:
    """Return the free texts that stayed in campaigns, by the field that holds them."""
    found: dict[str, set[str]] = {}
    for source in sources:
        for field, texts in work.ledger.facts(f"texts {source.name}")["kept"].items():
            found.setdefault(field, set()).update(texts)
    return {field: sorted(found[field]) for field in sorted(found)}


def _digests_of_texts(source: Source) -> dict[str, str]:
    return {name: source.digests[name] for name in TEXTS if name in source.digests}


def _rewritten(
    work: Work, source: Source, identifiers: Sequence[Identifier], target: Path
) -> Rewritten:
    (target / "raw").mkdir(parents=True, exist_ok=True)
    return anonymise_texts(
        source.folder,
        target,
        pseudonyms=work.pseudonyms,
        identifiers=identifiers,
        policy=work.policy,
    )


def write_labels(work: Work, source: Source) -> None:
    """Label the rewritten captures, by the policy of those that were recorded."""
    folder = work.campaign(source)
    overlap, widen = labelled_as(source.folder)
    captures = [capture_step(source, path) for path in source.captures]
    inputs = work.after(f"texts {source.name}", *captures)
    inputs |= {LABELS: source.digests.get(LABELS, ""), "as": f"{overlap} {widen}"}

    def make() -> Made:
        # a device may have had another name: what was killed there is in no ledger
        shutil.rmtree(folder / "labelled", ignore_errors=True)
        read = work.watcher.read
        report = label_campaign(folder, overlap=overlap, widen=widen, progress=read)
        return Made(
            outputs=files_in(folder / "labelled"),
            note=counted(report.n_windows, "window"),
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
            note=counted(n_packets, "packet"),
        )

    work.step(f"packets {source.name}", inputs, make, total_b=_raw_b(folder))


def write_manifest(work: Work, source: Source) -> None:
    """Write the manifest of a campaign folder, as one that closes gets it."""
    folder = work.campaign(source)
    inputs = work.after(*(f"{each} {source.name}" for each in ("label", "packets")))

    def make() -> Made:
        work.tidy(folder)
        files = [path for path in files_in(folder) if path.name != MANIFEST]
        sums = {path: sha256_of(path, work.watcher.read) for path in files}
        lines = (f"{sums[p]}  {p.relative_to(folder).as_posix()}\n" for p in files)
        return Made(outputs=[write_text(folder / MANIFEST, "".join(lines))])

    total_b = sum(path.stat().st_size for path in files_in(folder))
    work.step(f"manifest {source.name}", inputs, make, total_b=total_b)


def _raw_b(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "raw").glob("*.pcap*"))
