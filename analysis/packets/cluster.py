"""Make packet tables on a Dask cluster that already runs.

The workers read the captures and write the tables: all machines see both under the same
paths, as on a network file system, and have the same version of this package. What
comes back over the network is only what the index says of each capture.
"""

import asyncio
import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.errors import ClusterError
from analysis.packets.index import READER, CapturePart
from analysis.packets.tabulate import CaptureJob, tabulate_capture

_PATIENCE_S = 5


def run_on_cluster(
    address: str, jobs: Sequence[CaptureJob], progress: Callable[[int], None]
) -> Iterator[CapturePart]:
    """Do jobs on the workers of a scheduler; a `Runner` when the address is bound.

    address   of the scheduler, as `tcp://host:8786`
    progress  called when a capture is done, with all its bytes

    Raises ClusterError when there is no scheduler or worker, or when one does not see
    the same files; what the work itself raises comes through.
    """
    client = _connect(address)
    try:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise ClusterError(f"{address}: the scheduler has no worker; start some")
        yield from _results(client, [_rooted(job) for job in jobs], progress)
    finally:
        client.close()


def tabulate_here(job: CaptureJob, size_b: int, reader: int) -> CapturePart:
    """Do a job on a worker. Raises ClusterError when it does not see what we see."""
    where = f"worker {_distributed().get_worker().address}"
    if reader != READER:
        reason = f"has reader {READER} of captures, not {reader}"
        raise ClusterError(f"{where} {reason}; install the same version everywhere")
    for path in (job.path, job.folder):
        if not path.exists():
            reason = "the paths must be the same on all machines"
            raise ClusterError(f"{where} cannot see {path}; {reason}")
    if job.path.stat().st_size != size_b:
        reason = "has another size there; share the folder, do not copy it"
        raise ClusterError(f"{where} sees another {job.path}: it {reason}")
    return tabulate_capture(job)


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as exc:
        reason = "needs the extra: pip install 'smarthome-testbed[cluster]'"
        raise ClusterError(f"work on a cluster {reason}") from exc


def _connect(address: str) -> Any:
    distributed = _distributed()
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        # it tells of each attempt to connect; the sentence below is enough
        logging.getLogger("distributed").setLevel(logging.CRITICAL)

    async def ask() -> None:
        async with distributed.rpc(address) as scheduler:
            await asyncio.wait_for(scheduler.identity(), _PATIENCE_S)

    try:
        asyncio.run(ask())  # a client that finds nobody takes long to give up
        return distributed.Client(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, MemoryError) as exc:  # senseless bytes come as either
        reason = f"no Dask scheduler answers within {_PATIENCE_S} s"
        raise ClusterError(f"{address}: {reason}; is the address right?") from exc


def _results(
    client: Any, jobs: Sequence[CaptureJob], progress: Callable[[int], None]
) -> Iterator[CapturePart]:
    waiting: dict[Any, CaptureJob] = {}
    try:
        for job in jobs:
            size_b = job.path.stat().st_size
            # pure=False: a capture that changed is not what the scheduler remembers
            future = client.submit(tabulate_here, job, size_b, READER, pure=False)
            waiting[future] = job
        for future in _distributed().as_completed(list(waiting), loop=client.loop):
            job = waiting.pop(future)
            part = _result(future, job)
            progress(part.size_b)
            yield part
    finally:
        # jobs that already run go on: what they write, the index does not name
        client.cancel(list(waiting))


def _result(future: Any, job: CaptureJob) -> CapturePart:
    distributed = _distributed()
    died = (distributed.KilledWorker, distributed.CancelledError)
    try:
        part: CapturePart = future.result()
    except died as exc:
        reason = "its workers died; their logs say why (memory, most often)"
        raise ClusterError(f"{job.path}: was not read: {reason}") from exc
    except ImportError as exc:
        reason = f"cannot load this package ({exc}); install it there"
        raise ClusterError(f"a worker {reason}") from exc
    for device, held in part.devices.items():
        for name in (file.name for file in held.files):
            path = job.folder / "packets" / f"device={device}" / name
            if not path.exists():
                reason = "is not here; is the folder shared by all machines?"
                raise ClusterError(f"{path}: was written by a worker and {reason}")
    return part


def _rooted(job: CaptureJob) -> CaptureJob:
    """Return the job with paths that do not depend on where a process stands."""
    return CaptureJob(
        path=_absolute(job.path),
        devices=job.devices,
        folder=_absolute(job.folder),
    )


def _absolute(path: Path) -> Path:
    # links are kept: they may lead elsewhere on another machine
    return path.absolute()
