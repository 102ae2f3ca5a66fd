"""Publish campaigns, step by step; a publication that was killed goes on.

publish(request, watcher)
"""

import fcntl
import hmac
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.errors import DatasetError, RequestError
from analysis.exporters.audit.second import refuse_without_tshark
from analysis.exporters.bundle import campaigns, captures, crate, sealing
from analysis.exporters.bundle.drafts import (
    BAG,
    IDENTIFIERS,
    PARTS,
    begin_draft,
    finish_draft,
    refuse_foreign,
)
from analysis.exporters.bundle.ledger import Ledger, digest_of_json
from analysis.exporters.bundle.model import RefusedError, Request, Watcher
from analysis.exporters.bundle.said import FOUND, TOLD, refuse_said
from analysis.exporters.bundle.sources import checked, packed_in, read_b, sources_of
from analysis.exporters.bundle.unmet import unmet_of
from analysis.exporters.bundle.vocabulary import parted
from analysis.exporters.bundle.work import (
    Made,
    Source,
    Work,
    code_digest,
    counted,
    write_text,
)
from analysis.exporters.identifiers import Identifier, unique
from analysis.exporters.identifiers.harvest import harvest

_FINISH = "finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What came out: the dataset, and the parts of its archive, if any.

    kept  free texts that stayed, by the field that holds them
    unneeded  acceptances that nothing of the audit needed
    unmet  of `Request.extra`, what nothing recorded says
    """

    out: Path
    parts: tuple[Path, ...]
    n_files: int
    size_b: int
    kept: Mapping[str, Sequence[str]]
    unneeded: tuple[str, ...] = ()
    unmet: tuple[Identifier, ...] = ()


def publish(
    request: Request, watcher: Watcher, begin: Callable[[], None] = lambda: None
) -> Published:
    """Make a dataset of campaigns in `request.out`, which appears whole or not at all.

    begin  is called when nothing speaks against it, before anything is written

    Raises DatasetError for a campaign that is not closed or damaged, RequestError when
    `out` is there or title, authors or answers say what must not leave, RefusedError
    when identifiers are still found; the draft is kept then, as at an interruption, and
    the next call goes on with it.
    """
    crate.refuse_without_library()
    refuse_said(request, request.extra, TOLD)
    sources = sources_of(request.campaigns)
    if any(source.captures for source in sources):
        refuse_without_tshark(request.accept)
    refuse_foreign(request.draft)
    _refuse_taken(request, known=request.draft.is_dir())
    sources = _checked(watcher, sources)
    asked = _asked(request, sources)
    begin()
    with _drafted(request, asked) as ledger:
        if not ledger.is_done(_FINISH, asked):
            ledger.forget(_FINISH)  # of another call; from here on it is no more whole
            unmet = _make(Work(request, ledger, watcher), sources)
            rows = [row for row, each in enumerate(_told(request)) if each in unmet]
            ledger.done(_FINISH, asked, (), {"unmet": rows})
        told, rows = _told(request), ledger.facts(_FINISH)["unmet"]
        _finish(request)
    return replace(_published(request), unmet=tuple(told[row] for row in rows))


def _told(request: Request) -> list[Identifier]:
    """Return what people told, in an order that no call changes."""
    return sorted(request.extra)


def _make(work: Work, sources: Sequence[Source]) -> tuple[Identifier, ...]:
    """Make everything in the draft; return what was told and stands nowhere."""
    identifiers, held = _identifiers(work, sources)
    refuse_said(work.request, identifiers, FOUND)
    every = (*identifiers, *held)
    sources = tuple(campaigns.published_as(work, s, every) for s in sources)
    captures.anonymise_captures(work, sources, every)
    for source in sources:
        campaigns.write_texts(work, source, every)
        campaigns.write_labels(work, source)
        campaigns.write_tables(work, source)
        campaigns.write_manifest(work, source)
    unmet = _unmet(work, sources, every)
    try:
        sealing.seal(work, sources, identifiers)
    except RefusedError as exc:
        exc.unmet = unmet
        raise
    return unmet


def _unmet(
    work: Work, sources: Sequence[Source], every: Sequence[Identifier]
) -> tuple[Identifier, ...]:
    if work.policy.most_payload_b == 0:
        return ()  # nothing was looked for in what was cut away
    met = campaigns.met_of(work, sources)
    return unmet_of(work.request.extra, every, met, work.pseudonyms)


def _asked(request: Request, sources: Sequence[Source]) -> dict[str, str]:
    """Return digests of all that decides what comes out, as inputs of the last step."""
    results = request.results.recipe if request.results is not None else None
    about = [repr(request.policy), request.shift, repr(request.about), request.part_b]
    told = sorted([each.kind, each.value] for each in request.extra)
    accepted = [sorted(request.accept), sorted(request.words.pairs)]
    return {
        "campaigns": digest_of_json([[s.recorded, dict(s.digests)] for s in sources]),
        "code": code_digest(),
        "key": hmac.digest(request.key, b"request", "sha256").hex()[:32],
        "about": digest_of_json([*about, *accepted, results]),
        "extra": digest_of_json(told),
    }


def _refuse_taken(request: Request, *, known: bool) -> None:
    """Refuse to write over something. Raises RequestError."""
    for path in (request.out, request.parts):
        if path.exists() and not known:
            raise RequestError(f"{path}: is already there; name another folder")


@contextmanager
def _drafted(request: Request, asked: Mapping[str, str]) -> Iterator[Ledger]:
    """Make the draft, or take the one that is there, for this process alone."""
    draft = request.draft
    known = draft.is_dir() and Ledger(draft).is_done(_FINISH, asked)
    _refuse_taken(request, known=known)
    refuse_foreign(draft)
    begin_draft(draft)
    place = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(place)
        reason = "another process is publishing here"
        how = "wait until it has ended and call this again, or name another OUT"
        raise RequestError(f"{draft}: {reason}; {how}") from exc
    try:
        ledger = Ledger(draft)
        ledger.begin()
        yield ledger
    finally:
        os.close(place)


def _checked(watcher: Watcher, sources: Sequence[Source]) -> tuple[Source, ...]:
    """Return campaigns with their digests. Raises DatasetError with all faults."""
    watcher.begin("check", sum(read_b(each) for each in sources))
    found, faults = [], []
    for each in sources:
        try:
            found.append(checked(each, watcher.read))
        except DatasetError as exc:
            faults.append(str(exc))
    if faults:
        raise DatasetError("\n".join(faults))
    n, packed = (sum(map(of, found)) for of in (_n_captures, packed_in))
    note = f"{counted(len(found), 'campaign')}, {counted(n, 'capture')}"
    note += f", {packed} of them packed and published unpacked" if packed else ""
    watcher.end("check", note)
    return tuple(found)


def _n_captures(source: Source) -> int:
    return len(source.captures)


def _identifiers(work: Work, sources: Sequence[Source]) -> list[tuple[Identifier, ...]]:
    """Collect what must not leave the lab; it is kept in the draft meanwhile.

    Return what the audit looks for, and what every dataset holds as its own words.
    """
    request = work.request
    path = work.private / IDENTIFIERS
    inputs = {f"{s.recorded}/{k}": v for s in sources for k, v in s.digests.items()}
    inputs["extra"] = digest_of_json([[e.kind, e.value] for e in request.extra])

    def make() -> Made:
        found = [
            each
            for source in sources
            for each in harvest(
                source.folder,
                extra=request.extra,
                names=request.policy.names,
                progress=work.watcher.read,
            )
        ]
        both = parted(unique((*found, *request.extra)), request.extra)
        rows = [[[e.kind, e.value, e.source] for e in each] for each in both]
        work.private.mkdir(exist_ok=True, mode=0o700)
        write_text(path, json.dumps(rows, indent=0) + "\n")
        note = f"{sum(map(len, both))} found or told, each once"
        if left := ", ".join(sorted({each.value for each in both[1]})):
            note += f"; not looked for where they are words of the format: {left}"
        return Made(outputs=[path], note=note)

    total_b = sum(p.stat().st_size for s in sources for p in s.captures)
    work.step("identifiers", inputs, make, total_b=total_b)
    return [
        tuple(Identifier(kind=k, value=v, source=s) for k, v, s in rows)
        for rows in json.loads(path.read_text(encoding="utf-8"))
    ]


def _finish(request: Request) -> None:
    """Put everything where it belongs; the dataset last. Raises RequestError."""
    draft = request.draft
    moves = ((draft / PARTS, request.parts), (draft / BAG, request.out))
    for made, place in moves:
        if made.exists() and place.exists():  # since it was looked for at the beginning
            remedy = f"move it away and call this again: all is kept in {draft}"
            raise RequestError(f"{place}: has come to be there meanwhile; {remedy}")
    for made, place in moves:
        if made.exists():
            made.rename(place)
    finish_draft(draft)


def _published(request: Request) -> Published:
    files = [path for path in request.out.rglob("*") if path.is_file()]
    told = json.loads((request.out / "data" / sealing.ANONYMISATION).read_text("utf-8"))
    parts = sorted(request.parts.glob("*.zip")) if request.parts.is_dir() else []
    passed = {n for each in told["audit"]["accepted"] for n in each["names"]}
    return Published(
        out=request.out,
        parts=tuple(parts),
        n_files=len(files),
        size_b=sum(path.stat().st_size for path in files),
        kept=told["kept"],
        unneeded=tuple(name for name in request.accept if name not in passed),
    )
