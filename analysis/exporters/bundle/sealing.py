"""What is made over all campaigns: tables, papers, audit, metadata, bag, archive."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.exporters.anonymise import Counts
from analysis.exporters.audit import AuditResult, audit, compared_b, listed
from analysis.exporters.bundle import bag, crate, croissant, drafts, parts
from analysis.exporters.bundle.audited import Audited
from analysis.exporters.bundle.campaigns import kept_of
from analysis.exporters.bundle.captures import counts_of
from analysis.exporters.bundle.datasheet import write_datasheet
from analysis.exporters.bundle.done import Done, Splits
from analysis.exporters.bundle.facts import Facts, facts_of
from analysis.exporters.bundle.ledger import digest_of_json
from analysis.exporters.bundle.model import RefusedError
from analysis.exporters.bundle.moments import check_moments
from analysis.exporters.bundle.papers import write_papers
from analysis.exporters.bundle.splits import write_splits
from analysis.exporters.bundle.tables import write_tables
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

ANONYMISATION = "anonymisation.json"
_LATE = (ANONYMISATION, croissant.NAME, crate.NAME)  # they tell of all other files


def seal(
    work: Work, sources: Sequence[Source], identifiers: Sequence[Identifier]
) -> None:
    """Make of rewritten campaigns a dataset. Raises RefusedError."""
    write_tables(work, sources, identifiers)
    write_splits(work, sources)
    _results(work, sources)
    _papers(work, sources)
    _audit(work, sources, identifiers)
    check_moments(work, sources)
    _digests(work)
    _metadata(work, sources, identifiers)
    _parts(work)


def _results(work: Work, sources: Sequence[Source]) -> None:
    results = work.request.results
    if results is None:
        return
    recipe = {
        "format": 1,
        **results.recipe,
        "campaigns": [
            {
                "campaign": each.name,
                "from": f"campaigns/{each.name}",
                "out": f"results/{each.name}",
            }
            for each in sources
        ],
    }
    text = json.dumps(recipe, indent=1) + "\n"
    inputs = work.after(*(f"packets {s.name}" for s in sources))
    inputs |= work.after(*(f"label {s.name}" for s in sources))
    target = work.data / "results"

    def make() -> Made:
        shutil.rmtree(target, ignore_errors=True)
        for source in sources:
            results.write(work.campaign(source), target / source.name)
        write_text(target / "recipe.json", text)
        made = files_in(target)
        return Made(outputs=made, note=counted(len(made), "file"))

    work.step("results", inputs | {"recipe": text}, make)


def _papers(work: Work, sources: Sequence[Source]) -> None:
    about = work.request.about
    accept, words = work.request.accept, work.request.words
    inputs = work.after("tables", "splits") | {
        "about": repr(about),
        "accept": "\n".join((*sorted(accept), str(len(words.pairs)))),
        "name": work.request.out.name,
        "results": str(work.request.results is not None),
    }

    def make() -> Made:
        facts = facts_of(work, sources)
        done = Done(
            policy=work.policy,
            counts=_counts(work, sources),
            kept=kept_of(work, sources),
            splits=Splits.read(work.data / "splits.json"),
            accept=tuple(sorted(accept)),
            n_words=len(words.pairs),
            answers=dict(about.answers),
        )
        made = write_papers(work.data, facts, done)
        made.append(write_datasheet(work.data, facts, done))
        renamed = [f"{c.name}: {what}" for c in facts.campaigns for what in c.renamed]
        return Made(outputs=made, facts={"renamed": renamed})

    work.step("papers", inputs, make)


def _counts(work: Work, sources: Sequence[Source]) -> Counts:
    total = Counts()
    for source in sources:
        total += counts_of(work, source)
    return total


def _audit(
    work: Work, sources: Sequence[Source], identifiers: Sequence[Identifier]
) -> None:
    """Look for what is left of identifiers. Raises RefusedError."""
    accept = work.request.accept
    inputs = _everything(work, sources) | {
        "accept": "\n".join(sorted(accept)),
        "words": digest_of_json(sorted(work.request.words.pairs)),
    }
    size_b = sum(path.stat().st_size for path in files_in(work.data))
    originals = _originals(work, sources)

    def make() -> Made:
        work.tidy(work.bag)
        result = audit(
            work.data,
            identifiers,
            originals=originals,
            accepted=accept,
            words=work.request.words,
            progress=_told(work),
            jobs=work.request.jobs,
            # of papers, which tell what was accepted, stamps tell enough
            kept=Audited(work, _everything(work, sources, but=("papers",))),
        )
        _write_words(work, result)
        passed_by = {name for each in result.accepted for name in each.accept}
        _refuse(work, result, tuple(name for name in accept if name not in passed_by))
        passed = len(result.accepted)
        told = [f"clean, {counted(result.looked_at.files, 'file')}", *result.notes]
        told += [f"{passed} accepted"] if passed else []
        n_words = sum(each.words for each in result.words)
        told += [f"{counted(n_words, 'word')} accepted"] if n_words else []
        return Made(facts=_facts(result), note="; ".join(told))

    size_b += compared_b(work.data, originals)
    work.step("audit", inputs, make, total_b=size_b)


def _originals(work: Work, sources: Sequence[Source]) -> dict[str, Path]:
    """Return the recorded capture of each published one."""
    return {
        (work.campaign(s) / "raw" / s.called[path.name])
        .relative_to(work.data)
        .as_posix(): path
        for s in sources
        for path in s.captures
    }


def _write_words(work: Work, result: AuditResult) -> None:
    """Write for who publishes, and nobody else, what is said in plain."""
    lines = listed((*result.findings, *result.accepted))
    write_text(work.private / drafts.WORDS, "".join(lines))


def _everything(
    work: Work, sources: Sequence[Source], but: Sequence[str] = ()
) -> dict[str, str]:
    steps = [f"manifest {s.name}" for s in sources] + ["tables", "splits", "papers"]
    if work.request.results is not None:
        steps.append("results")
    return work.after(*(step for step in steps if step not in but))


def _told(work: Work) -> Callable[[int, int], None]:
    seen = 0

    def told(done_b: int, _total_b: int) -> None:
        nonlocal seen
        work.watcher.read(done_b - seen)
        seen = done_b

    return told


def _refuse(work: Work, result: AuditResult, unneeded: tuple[str, ...] = ()) -> None:
    if not result.clean:
        raise RefusedError(result.findings, work.request.draft, unneeded)


def _facts(result: AuditResult) -> dict[str, Any]:
    return {
        "looked_at": asdict(result.looked_at),
        "by_kind": dict(result.by_kind),
        "too_short": len(result.too_short),
        "findings": len(result.findings),
        "accepted": [
            {"kind": each.kind, "file": each.file, "place": each.place, "n": each.n}
            | {"what": each.shown, "as": each.encoding, "names": list(each.accept)}
            for each in result.accepted
        ],
        "accepted_words": [asdict(each) for each in result.words],
        "notes": list(result.notes),
    }


def _digests(work: Work) -> None:
    """Take the digest of every file of the payload."""
    made = work.ledger.outputs
    files = [p for p in files_in(work.data) if p in made and p.name not in _LATE]
    size_b = sum(path.stat().st_size for path in files)

    def make() -> Made:
        rows = {
            path.relative_to(work.data).as_posix(): (
                sha256_of(path, work.watcher.read),
                path.stat().st_size,
            )
            for path in files
        }
        return Made(seen=files, facts=rows, note=counted(len(rows), "file"))

    work.step("digests", work.after("audit"), make, total_b=size_b)


def _metadata(
    work: Work, sources: Sequence[Source], identifiers: Sequence[Identifier]
) -> None:
    """Write what tells of all files, and the bag around them."""

    def make() -> Made:
        digests = {k: (v[0], v[1]) for k, v in work.ledger.facts("digests").items()}
        facts = facts_of(work, sources)
        late = [_anonymisation(work, sources)]
        digests |= {path.name: _digest(path) for path in late}
        late.append(croissant.write_croissant(work.data, facts, digests))
        digests |= {path.name: _digest(path) for path in late}
        late.append(crate.write_crate(work.data, facts, digests))
        digests |= {path.name: _digest(path) for path in late}
        sums = {name: digests[name][0] for name in sorted(digests)}
        bag.write_bag(work.bag, sums, _info(facts, digests))
        around = [path for path in work.bag.iterdir() if path.is_file()]
        _audit_late(work, [*late, *around], identifiers)
        return Made(outputs=[*late, *around])

    work.step("metadata", work.after("digests", "papers"), make)
    # where the audit was kept: what came in since, nobody looked at
    work.tidy(work.bag)


def _digest(path: Path) -> tuple[str, int]:
    return sha256_of(path), path.stat().st_size


def _audit_late(
    work: Work, files: Sequence[Path], identifiers: Sequence[Identifier]
) -> None:
    """Look at files that were made after the audit, apart from all others."""
    place = work.request.draft / drafts.LATE
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for path in files:
        os.link(path, place / path.name)
    _refuse(work, audit(place, identifiers))
    shutil.rmtree(place)


def _anonymisation(work: Work, sources: Sequence[Source]) -> Path:
    """Write what was replaced and what was looked at; never an original."""
    policy, counts = work.policy, asdict(_counts(work, sources))
    del counts["met"]  # rows of a list that nobody gets
    about = {
        "format": 1,
        "policy": {
            "payload": policy.payload,
            "names": policy.names,
            "times": "moved by whole weeks" if policy.shift_ns else "as recorded",
            "beacons": "left out" if policy.strip_beacons else "kept",
            "addresses": "prefix-preserving for IP (Crypto-PAn); MAC keeps its vendor",
        },
        "captures": counts,
        "kept": kept_of(work, sources),
        "renamed": list(work.ledger.facts("papers")["renamed"]),
        "audit": dict(work.ledger.facts("audit")),
    }
    text = json.dumps(about, indent=1) + "\n"
    return write_text(work.data / ANONYMISATION, text)


def _info(facts: Facts, digests: crate.Digests) -> dict[str, str]:
    size_b = sum(size for _, size in digests.values())
    return {
        "Bagging-Date": facts.day,
        "Bag-Software-Agent": f"smarthome-testbed {facts.software}".strip(),
        "Contact-Name": "; ".join(facts.authors),
        "External-Description": facts.gist,
        "External-Identifier": facts.name,
        "Payload-Oxum": f"{size_b}.{len(digests)}",
    }


def _parts(work: Work) -> None:
    request = work.request
    if not request.part_b:
        # of an earlier call, with other secrets maybe: they would be put beside `out`
        shutil.rmtree(request.draft / drafts.PARTS, ignore_errors=True)
        return
    size_b = sum(path.stat().st_size for path in files_in(work.bag))

    def make() -> Made:
        made = parts.write_parts(
            work.bag,
            request.out.name,
            request.draft / drafts.PARTS,
            request.part_b,
            work.watcher.read,
        )
        return Made(outputs=made, note=counted(len(made) - 2, "part"))

    inputs = work.after("metadata") | {"part": str(request.part_b)}
    work.step("parts", inputs, make, total_b=2 * size_b)
