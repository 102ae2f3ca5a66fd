"""Publish campaigns, step by step; a publication that was killed goes on.

publish(request, watcher)
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import RequestError
from analysis.exporters.anonymise import Pseudonyms
from analysis.exporters.bundle import campaigns, captures, crate, sealing
from analysis.exporters.bundle.ledger import Ledger, digest_of_json
from analysis.exporters.bundle.model import Request, Watcher
from analysis.exporters.bundle.sources import checked, read_b, sources_of
from analysis.exporters.bundle.vocabulary import without_words, words_of
from analysis.exporters.bundle.work import Made, Source, Work, counted, write_text
from analysis.exporters.identifiers import Identifier, unique
from analysis.exporters.identifiers.harvest import harvest

_FINISH = "finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What came out: the dataset, and the parts of its archive, if any.

    kept  free texts that stayed, by the field that holds them
    """

    out: Path
    parts: tuple[Path, ...]
    n_files: int
    size_b: int
    kept: Mapping[str, Sequence[str]]


def publish(request: Request, watcher: Watcher) -> Published:
    """Make a dataset of campaigns in `request.out`, which appears whole or not at all.

    Raises DatasetError for a campaign that is not closed or damaged, RequestError when
    `out` is there or title or authors say a secret that was told, RefusedError when
    identifiers are still found; the draft is kept then, as at an interruption, and the
    next call goes on with it.
    """
    crate.refuse_without_library()
    _refuse_told(request)
    sources = sources_of(request.campaigns)
    asked = {"request": _digest(request)}
    with _drafted(request, asked) as ledger:
        if not ledger.is_done(_FINISH, asked):
            _make(Work(request, ledger, watcher), sources)
            ledger.done(_FINISH, asked, ())
        _finish(request)
    return _published(request)


def _refuse_told(request: Request) -> None:
    """Refuse what says to everybody what is told as a secret. Raises RequestError."""
    said = " ".join((request.about.title, *request.about.authors)).casefold()
    kinds = sorted({e.kind for e in request.extra if e.value.casefold() in said})
    if kinds:
        raise RequestError(
            f"title or authors: say what is told as a secret ({', '.join(kinds)}); "
            "leave it out there or here"
        )


def _make(work: Work, sources: Sequence[Source]) -> None:
    """Make everything in the draft."""
    sources = _checked(work, sources)
    identifiers = _identifiers(work, sources)
    sources = tuple(campaigns.published_as(work, s, identifiers) for s in sources)
    captures.anonymise_captures(work, sources, identifiers)
    for source in sources:
        campaigns.write_texts(work, source, identifiers)
        campaigns.write_labels(work, source)
        campaigns.write_tables(work, source)
        campaigns.write_manifest(work, source)
    sealing.seal(work, sources, identifiers)


def _digest(request: Request) -> str:
    """Return a digest of what is asked for; the key is told by what it gives."""
    names = [str(folder.resolve()) for folder in request.campaigns]
    made = Pseudonyms(request.key).mac(bytes(6)[:5] + b"\x01").hex()
    what = [names, repr(request.policy), request.shift, repr(request.about), made]
    what.append(sorted(request.accept))
    return digest_of_json([*what, request.part_b, request.results is not None])


@contextmanager
def _drafted(request: Request, asked: Mapping[str, str]) -> Iterator[Ledger]:
    """Make the draft, or take the one that is there, for this process alone."""
    draft = request.draft
    known = draft.is_dir() and Ledger(draft).is_done(_FINISH, asked)
    for path in (request.out, request.parts):
        if path.exists() and not known:
            raise RequestError(f"{path}: is already there; name another folder")
    draft.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(place)
        raise RequestError(f"{draft}: another process is publishing here") from exc
    try:
        yield Ledger(draft)
    finally:
        os.close(place)


def _checked(work: Work, sources: Sequence[Source]) -> tuple[Source, ...]:
    work.watcher.begin("check", sum(read_b(each) for each in sources))
    found = tuple(checked(each, work.watcher.read) for each in sources)
    n = sum(len(each.captures) for each in found)
    work.watcher.end(
        "check", f"{counted(len(found), 'campaign')}, {counted(n, 'capture')}"
    )
    return found


def _identifiers(work: Work, sources: Sequence[Source]) -> tuple[Identifier, ...]:
    """Collect what must not leave the lab; it is kept in the draft meanwhile."""
    request = work.request
    path = work.private / "identifiers.json"
    inputs = {f"{s.recorded}/{k}": v for s in sources for k, v in s.digests.items()}
    inputs["extra"] = digest_of_json([[e.kind, e.value] for e in request.extra])

    def make() -> Made:
        found = [
            each
            for source in sources
            for each in harvest(source.folder, names=request.policy.names)
        ]
        words = [word for source in sources for word in words_of(source.folder)]
        all_of_them = unique((*found, *request.extra))
        real, left = without_words(all_of_them, words, request.extra)
        rows = [[each.kind, each.value, each.source] for each in real]
        work.private.mkdir(exist_ok=True, mode=0o700)
        write_text(path, json.dumps(rows, indent=0) + "\n")
        note = counted(len(rows), "identifier")
        if left:
            note += f"; words of the format, which stay: {', '.join(left)}"
        return Made(outputs=[path], note=note)

    work.step("identifiers", inputs, make)
    rows = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Identifier(kind=k, value=v, source=s) for k, v, s in rows)


def _finish(request: Request) -> None:
    """Put everything where it belongs; the dataset last."""
    draft = request.draft
    for made, place in ((draft / "parts", request.parts), (draft / "bag", request.out)):
        if made.exists():
            made.rename(place)
    # the ledger last: whoever is killed here can go on
    for path in draft.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    for path in draft.iterdir():
        path.unlink()
    draft.rmdir()


def _published(request: Request) -> Published:
    files = [path for path in request.out.rglob("*") if path.is_file()]
    told = json.loads((request.out / "data" / sealing.ANONYMISATION).read_text("utf-8"))
    parts = sorted(request.parts.glob("*.zip")) if request.parts.is_dir() else []
    return Published(
        out=request.out,
        parts=tuple(parts),
        n_files=len(files),
        size_b=sum(path.stat().st_size for path in files),
        kept=told["kept"],
    )
