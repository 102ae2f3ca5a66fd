"""Anonymise the captures of all campaigns, several side by side."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

from analysis.exporters.anonymise import (
    Counts,
    Patterns,
    anonymise_capture_with,
    patterns_of,
)
from analysis.exporters.bundle.work import STAMP_NS, Made, Source, Work, files_in
from analysis.exporters.identifiers import Identifier

RECEIPT = "receipt.json"  # beside captures


class _StoppedError(Exception):
    """Another capture failed, or the user wants to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One capture; `step` is what the ledger calls it."""

    step: str
    inputs: dict[str, str]
    source: Path
    target: Path


def capture_step(source: Source, path: Path) -> str:
    """Return what the ledger calls the rewriting of a capture."""
    return f"capture {source.name}/{source.called[path.name]}"


def anonymise_captures(
    work: Work, sources: Sequence[Source], identifiers: Sequence[Identifier]
) -> None:
    """Write all captures under pseudonyms; those that are done are kept.

    Raises CaptureError for one that is damaged; what is finished is kept.
    """
    jobs = [_job(work, source, path) for source in sources for path in source.captures]
    todo = [job for job in jobs if not work.is_done(job.step, job.inputs)]
    _remove_others(work, sources, jobs)
    total_b = 2 * sum(job.source.stat().st_size for job in todo)
    work.watcher.begin("captures", total_b)
    if todo:
        # one that was made with other secrets has the same size and stamp: who is
        # killed between it and its entry must not leave the entry of an earlier call
        work.ledger.forget(*(job.step for job in todo))
        patterns = patterns_of(identifiers, work.pseudonyms)
        for job, counts in _run(work, patterns, todo):
            made = Made(outputs=[job.target], facts=asdict(counts))
            work.done(job.step, job.inputs, made)
    kept = f", {len(jobs) - len(todo)} kept" if len(jobs) > len(todo) else ""
    work.watcher.end("captures", f"{len(todo)} rewritten{kept}")


def _remove_others(work: Work, sources: Sequence[Source], jobs: Sequence[_Job]) -> None:
    """Remove captures that had other names in an earlier run: all are labelled."""
    targets = {job.target for job in jobs}
    for source in sources:
        for path in files_in(work.campaign(source) / "raw"):
            if path not in targets and path.name != RECEIPT:
                path.unlink()


def counts_of(work: Work, source: Source) -> Counts:
    """Return what was done to the captures of a campaign."""
    total = Counts()
    for path in source.captures:
        total += Counts(**work.ledger.facts(capture_step(source, path)))
    return total


def _job(work: Work, source: Source, path: Path) -> _Job:
    name = path.relative_to(source.folder).as_posix()
    target = work.campaign(source) / "raw" / source.called[path.name]
    inputs = {name: source.digests[name]} | work.after("identifiers")
    return _Job(
        step=capture_step(source, path), inputs=inputs, source=path, target=target
    )


def _run(
    work: Work, patterns: Patterns, jobs: Sequence[_Job]
) -> Iterator[tuple[_Job, Counts]]:
    """Do jobs in threads, whose kernels let go the GIL; yield them as they end."""
    stop = threading.Event()

    def told(size_b: int) -> None:
        if stop.is_set():
            raise _StoppedError
        work.watcher.read(size_b)

    def one(job: _Job) -> Counts:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        # tables of an earlier attempt: nothing else tells that they are of other bytes
        (job.target.parents[1] / "packets.json").unlink(missing_ok=True)
        counts = anonymise_capture_with(
            job.source,
            job.target,
            pseudonyms=work.pseudonyms,
            patterns=patterns,
            policy=work.policy,
            progress=told,
        )
        # tables tell when their capture was changed: never by the clock of today
        os.utime(job.target, ns=(STAMP_NS, STAMP_NS))
        return counts

    with ThreadPoolExecutor(max_workers=work.request.jobs) as pool:
        running = {pool.submit(one, job): job for job in jobs}
        try:
            yield from _ended(running, stop)
        finally:
            stop.set()
            for future in running:
                future.cancel()


def _ended(
    running: dict[Future[Counts], _Job], stop: threading.Event
) -> Iterable[tuple[_Job, Counts]]:
    """Yield what went well; then raise the first fault, if there was one."""
    waiting, fault = set(running), None
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            found = future.exception()
            if found is None:
                yield running[future], future.result()
            elif fault is None and not isinstance(found, _StoppedError):
                fault = found
        if fault is not None:  # what is being read is left, what is finished is kept
            stop.set()
            waiting = {each for each in waiting if not each.cancel()}
    if fault is not None:
        raise fault
