"""Make the packet tables of a campaign: once per capture, several side by side.

What is already made of a capture that did not change is kept; what was finished before
a fault or an interruption is kept as well.
"""

import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from analysis.dataset import Device
from analysis.errors import DatasetError
from analysis.packets.index import (
    CapturePart,
    Index,
    IndexFile,
    current_parts,
    find_index,
    half_written,
    identity,
    remove_index,
    write_index,
)
from analysis.packets.parquet import load_packets
from analysis.packets.table import PacketTable
from analysis.packets.tabulate import CaptureJob, tabulate_capture
from analysis.pcap.errors import CaptureError

# does jobs, in any order and anywhere, and yields what came out of each; is told of a
# function to call with the bytes of captures that were read since its last call
Runner = Callable[[Sequence[CaptureJob], Callable[[int], None]], Iterable[CapturePart]]

_SUFFIXES = tuple(
    kind + packed for kind in (".pcapng", ".pcap") for packed in ("", ".gz", ".zst")
)

_SIDE_BY_SIDE = 2
_QUICKLY_B = 32 << 20
_BAG = "bagit.txt"


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
    names = [path.name for path in captures]
    same = names == [each.name for each in index.captures]
    return same and len(_kept(folder, index, captures, devices)) == len(captures)


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

    Tables of other captures are removed. Raises DatasetError when two captures have one
    name or another process makes tables in the folder, CaptureError when one is
    damaged, OSError when a table cannot be written. The tables of other captures are
    whole then, and will not be made again.
    """
    _refuse_twins(captures)
    known = find_index(folder)
    parts = _kept(folder, known, captures, devices)
    todo = [path for path in captures if path.name not in parts]
    if not todo and known is not None:
        index = _index(known.devices, captures, parts)
        if _is_worth_writing(folder, index, known):
            _write(folder, index)
        _tidy_after_a_kill(folder, index)
        return index
    identities = {device.name: identity(device) for device in devices}
    jobs = [CaptureJob(path=p, devices=tuple(devices), folder=folder) for p in todo]
    with _alone_in(folder):
        made = (run or run_here)(jobs, progress or _nobody)
        return _gather(folder, captures, identities, parts, made)


def _gather(
    folder: Path,
    captures: Sequence[Path],
    devices: Mapping[str, Mapping[str, Any]],
    parts: dict[str, CapturePart],
    made: Iterable[CapturePart],
) -> Index:
    """Add what is made to `parts`, and keep the index true to it meanwhile."""
    # first: from now on, tables that are made anew are no longer the old ones
    file = IndexFile(folder)
    file.write(_index(devices, captures, parts))
    due = 1
    try:
        for part in made:
            parts[part.name] = part
            if len(parts) >= due:  # should the power fail, little is lost
                file.write(_index(devices, captures, parts))
                due = len(parts) * 9 // 8 + 1
    finally:
        index = _index(devices, captures, parts)
        _tidy(folder, index)  # first: the disk may be full
        if parts:
            file.write(index)
        else:
            remove_index(folder)
    return index


def _index(
    devices: Mapping[str, Mapping[str, Any]],
    captures: Sequence[Path],
    parts: Mapping[str, CapturePart],
) -> Index:
    kept = tuple(parts[p.name] for p in captures if p.name in parts)
    return Index(devices=devices, captures=kept)


def _is_worth_writing(folder: Path, index: Index, known: Index) -> bool:
    """Say whether captures were taken away, or large ones looked at after a copy.

    Small ones are looked at faster than is worth a change of a published folder; in a
    bag, whose manifest tells of every byte, none is.
    """
    if [each.name for each in index.captures] != [each.name for each in known.captures]:
        return True
    if any((above / _BAG).is_file() for above in folder.resolve().parents):
        return False
    pairs = zip(index.captures, known.captures, strict=True)
    looked_at_b = sum(new.size_b for new, old in pairs if new != old)
    return looked_at_b > _QUICKLY_B


def _write(folder: Path, index: Index) -> None:
    """Write an index that names no new table, where that is allowed."""
    if not os.access(folder, os.W_OK):
        return  # looked at again the next time
    with _alone_in(folder):
        write_index(folder, index)
        _tidy(folder, index)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from making tables in the folder. Raises DatasetError.

    The lock goes with the process, however that ends, and leaves no file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(place)
        reason = "another process is making packet tables here; wait for it"
        raise DatasetError(f"{folder}: {reason}") from exc
    try:
        yield
    finally:
        os.close(place)


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

    failed: list[BaseException] = []
    with ThreadPoolExecutor(max_workers=workers or _SIDE_BY_SIDE) as pool:
        waiting = {pool.submit(one, job) for job in jobs}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from _finished(done, failed)
                if failed:  # what is being read is left, what is finished is kept
                    stop.set()
                    waiting = {each for each in waiting if not each.cancel()}
        finally:
            stop.set()
            for future in waiting:
                future.cancel()
    if failed:
        raise _joined(failed)


def _finished(
    done: Iterable[Future[CapturePart]], failed: list[BaseException]
) -> Iterator[CapturePart]:
    """Yield what went well, add to `failed` what did not."""
    for future in done:
        fault = future.exception()
        if fault is None:
            yield future.result()
        elif not isinstance(fault, _StoppedError):
            failed.append(fault)


def _joined(failed: Sequence[BaseException]) -> BaseException:
    """Return one fault for several: all sentences, when all are of captures."""
    faults = [each for each in failed if isinstance(each, CaptureError)]
    if len(faults) < 2 or len(faults) < len(failed):
        return failed[0]
    return DatasetError("\n  ".join((f"{len(faults)} faults", *map(str, faults))))


def _nobody(_size_b: int) -> None:
    """Tell nobody of progress."""


def _refuse_twins(captures: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for path in captures:
        if path.name in names:
            both = f"{names[path.name]} and {path}"
            raise DatasetError(f"{both} have one name; rename one of them")
        names[path.name] = path
    for name, path in names.items():
        stem, dot, number = name.rpartition(".run")
        if dot and number.isdigit() and stem in names:
            both = f"{names[stem]} and {path}"
            raise DatasetError(f"{both} would have one table; rename one of them")


def _kept(
    folder: Path,
    index: Index | None,
    captures: Sequence[Path],
    devices: Sequence[Device],
) -> dict[str, CapturePart]:
    """Return by name the captures whose tables are there and need not be made again."""
    parts = current_parts(index, captures, devices)
    return {
        name: part
        for name, part in parts.items()
        if all(_has(folder / table, b) for table, b in _tables(part).items())
    }


def _has(path: Path, size_b: int) -> bool:
    """Say whether a table is there, and as long as it was: power may have failed."""
    try:
        return path.stat().st_size == size_b
    except FileNotFoundError:
        return False


def _tables(capture: CapturePart) -> dict[str, int]:
    """Return the tables of a capture, as paths within the folder, and their bytes."""
    found = {}
    for device, part in capture.devices.items():
        for file in part.files:
            found[f"packets/device={device}/{file.name}"] = file.size_b
        if part.n_flows:
            found[f"flows/device={device}/{capture.name}.parquet"] = part.flows_b
    return found


def _tidy_after_a_kill(folder: Path, index: Index) -> None:
    """Remove what somebody was killed over, but not who writes something now."""
    is_left = half_written(folder).exists() or any(
        any((folder / kind).glob("device=*/*.part")) for kind in ("packets", "flows")
    )
    if is_left and os.access(folder, os.W_OK):
        with suppress(DatasetError), _alone_in(folder):
            half_written(folder).unlink(missing_ok=True)
            _tidy(folder, index)


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
