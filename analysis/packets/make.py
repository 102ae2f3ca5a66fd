"""Make the packet tables of a campaign: once per capture, several side by side.

What is already made of a capture that did not change is kept; what was finished before
a fault or an interruption is kept as well.
"""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from analysis.dataset import Device
from analysis.errors import DatasetError
from analysis.packets.index import (
    CapturePart,
    Index,
    current_parts,
    find_index,
    identity,
    remove_index,
    write_index,
)
from analysis.packets.parquet import load_packets
from analysis.packets.table import PacketTable
from analysis.packets.tabulate import CaptureJob, tabulate_capture

# does jobs, in any order and anywhere, and yields what came out of each; is told of a
# function to call with the bytes of captures that were read since its last call
Runner = Callable[[Sequence[CaptureJob], Callable[[int], None]], Iterable[CapturePart]]

_SUFFIXES = tuple(
    kind + packed for kind in (".pcapng", ".pcap") for packed in ("", ".gz", ".zst")
)

_SIDE_BY_SIDE = 2


class _StoppedError(Exception):
    """Another capture failed, or the user wants to stop."""


def find_raw(folder: Path) -> tuple[Path, ...]:
    """Return the captures in `raw/` of a campaign folder, by the order of their names.

    Raises DatasetError when there is none.
    """
    raw = folder / "raw"
    files = sorted(p for p in raw.glob("*") if p.name.endswith(_SUFFIXES))
    if not files:
        raise DatasetError(f"{raw}: holds no capture; a campaign needs at least one")
    return tuple(files)


def is_current(folder: Path, devices: Sequence[Device]) -> bool:
    """Say whether the tables of these devices are there and made of what is in `raw/`.

    A resumed campaign has more captures than its tables. A folder without captures, as
    others may publish it, has nothing newer than its tables.
    """
    index = find_index(folder)
    if index is None or not {device.name for device in devices} <= set(index.devices):
        return False
    try:
        captures = find_raw(folder)
    except DatasetError:
        return True
    return len(_kept(folder, captures, devices)) == len(captures)


def make_tables(
    folder: Path,
    captures: Sequence[Path],
    devices: Sequence[Device],
    *,
    run: Runner | None = None,
    progress: Callable[[int], None] | None = None,
) -> Index:
    """Write packet and flow tables of `captures` into `folder`; return what they hold.

    run       does the work; by default threads of this process
    progress  called with bytes of captures that were read since its last call

    Raises DatasetError when two captures have one name, CaptureError when one is
    damaged, OSError when a table cannot be written. The tables of other captures are
    whole then, and will not be made again.
    """
    _refuse_twins(captures)
    jobs = [CaptureJob(path=p, devices=tuple(devices), folder=folder) for p in captures]
    parts = _kept(folder, captures, devices)
    identities = {device.name: identity(device) for device in devices}

    def index() -> Index:
        kept = tuple(parts[p.name] for p in captures if p.name in parts)
        return Index(devices=identities, captures=kept)

    todo = [job for job in jobs if job.path.name not in parts]
    if todo:
        # first: from now on, tables that are made anew are no longer the old ones
        write_index(folder, index())
        due = 1
        try:
            for part in (run or run_here)(todo, progress or _nobody):
                parts[part.name] = part
                if len(parts) >= due:  # should the power fail, little is lost
                    write_index(folder, index())
                    due = len(parts) * 9 // 8 + 1
        finally:
            _tidy(folder, index())
            if parts:
                write_index(folder, index())
            else:
                remove_index(folder)
    return index()


def read_tables(
    captures: Sequence[Path], devices: Sequence[Device]
) -> dict[str, PacketTable]:
    """Return the packet tables of captures without keeping them on the disk."""
    with tempfile.TemporaryDirectory(prefix="packets-") as folder:
        make_tables(Path(folder), captures, devices)
        return {d.name: load_packets(Path(folder), d.name) for d in devices}


def run_here(
    jobs: Sequence[CaptureJob],
    progress: Callable[[int], None],
    *,
    workers: int | None = None,
) -> Iterator[CapturePart]:
    """Do jobs in threads; the kernels let go the GIL.

    workers  captures that are read side by side; by default two, so that memory is the
             same on any machine: each keeps two cores busy, and takes some 100 MB
    """
    stop = threading.Event()

    def one(job: CaptureJob) -> CapturePart:
        seen = 0

        def told(size_b: int) -> None:
            nonlocal seen
            if stop.is_set():
                raise _StoppedError
            progress(size_b - seen)
            seen = size_b

        return tabulate_capture(job, told)

    with ThreadPoolExecutor(max_workers=workers or _SIDE_BY_SIDE) as pool:
        waiting = {pool.submit(one, job) for job in jobs}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from _results(done)
        finally:
            stop.set()
            for future in waiting:
                future.cancel()


def _results(done: Iterable[Future[CapturePart]]) -> Iterator[CapturePart]:
    """Yield what went well before raising what did not."""
    failed = [future for future in done if future.exception() is not None]
    for future in done:
        if future not in failed:
            yield future.result()
    for future in failed:
        future.result()


def _nobody(_size_b: int) -> None:
    """Tell nobody of progress."""


def _refuse_twins(captures: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for path in captures:
        if path.name in names:
            both = f"{names[path.name]} and {path}"
            raise DatasetError(f"{both} have one name; rename one of them")
        names[path.name] = path


def _kept(
    folder: Path, captures: Sequence[Path], devices: Sequence[Device]
) -> dict[str, CapturePart]:
    """Return by name the captures whose tables are there and need not be made again."""
    parts = current_parts(find_index(folder), captures, devices)
    return {
        name: part
        for name, part in parts.items()
        if all((folder / table).exists() for table in _tables(part))
    }


def _tables(capture: CapturePart) -> Iterator[str]:
    """Yield the tables of a capture, as paths within the folder."""
    for device, part in capture.devices.items():
        yield from (f"packets/device={device}/{name}" for name in part.files)
        if part.n_flows:
            yield f"flows/device={device}/{capture.name}.parquet"


def _tidy(folder: Path, index: Index) -> None:
    """Remove tables that the index does not name: older ones, and parts of ones."""
    named = {table for capture in index.captures for table in _tables(capture)}
    for kind in ("packets", "flows"):
        for path in (folder / kind).glob("device=*/*"):
            is_table = path.suffix in (".parquet", ".part")
            if is_table and path.relative_to(folder).as_posix() not in named:
                path.unlink()
        for place in (*(folder / kind).glob("device=*"), folder / kind):
            if place.is_dir() and not any(place.iterdir()):
                place.rmdir()
