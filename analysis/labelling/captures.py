"""Labelled captures: the packets of each device, with a comment on those of a window.

Each raw capture is read once, whatever the number of devices, in flat memory.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import (
    ActivityLog,
    Campaign,
    Device,
    load_activities,
    load_campaign,
)
from analysis.errors import DatasetError, LabelError
from analysis.labelling.coverage import StampSpan, is_covered
from analysis.labelling.overlap import (
    IDLE,
    LabelWindows,
    Overlap,
    label_packets,
    label_windows,
    refuse_outside,
)
from analysis.packets import find_index, find_raw
from analysis.packets.index import READER
from analysis.packets.select import Selector, beacon_rows
from analysis.packets.unseen import SeenEnds
from analysis.pcap.decode import Decoded, decode_batch
from analysis.pcap.errors import cannot_write
from analysis.pcap.rewrite import Rewriter, rewritten
from analysis.pcap.stream import Batch, open_capture_stream

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLabels:
    """What labelling found for one device.

    windows      label windows after the overlap policy, where there is a capture
    empty        ids of trials whose window holds no packet
    n_uncovered  windows that lie wholly outside every capture; they are left out
    n_packets    packets of the device, beacons not among them
    n_labelled   those that lie in a window
    """

    device: str
    windows: int
    empty: tuple[str, ...]
    n_cut: int
    n_dropped: int
    n_uncovered: int
    n_packets: int
    n_labelled: int
    packets_by_activity: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What labelling did; also written as `labelled/labels.json`.

    truncated  raw captures that end inside a packet, with the byte
    unseen     a sentence for each device of which no capture holds a packet
    """

    campaign: str
    simulated: bool
    overlap: str
    widened: bool
    devices: tuple[DeviceLabels, ...]
    truncated: Mapping[str, int]
    unseen: tuple[str, ...] = ()

    @property
    def n_windows(self) -> int:
        """Label windows of all devices."""
        return sum(device.windows for device in self.devices)


def label_campaign(
    folder: Path,
    *,
    overlap: Overlap = Overlap.REFUSE,
    widen: bool = True,
    progress: Callable[[int], None] | None = None,
) -> LabelReport:
    """Write `labelled/<device>.pcapng` for every device, and `labelled/labels.json`.

    overlap   what to do when two windows of one device overlap
    widen     widen each window by its t_uncertainty at both ends
    progress  called with bytes of captures that were read since its last call

    Captures follow each other as sections, packets stay in the order of their file.
    Nothing is written when windows clash, all lie outside the captures or no device was
    seen (LabelError), a capture is damaged or the disk full (CaptureError), at Ctrl-C.
    A folder without `labels.json` is not labelled, whatever else lies in it.
    """
    campaign, log = load_campaign(folder), load_activities(folder)
    windows = {
        each.name: label_windows(log, each.name, overlap=overlap, widen=widen)
        for each in campaign.devices
    }
    files, target, seen = find_raw(folder), folder / "labelled", SeenEnds()
    _refuse_early(log, folder, files, widen=widen)
    with _folder(target), ExitStack() as stack:
        works = []
        for each in campaign.devices:
            writer = stack.enter_context(_writer(target, campaign, each, windows))
            works.append(_Work(each, windows[each.name], writer))
        tell = progress or _nobody
        captured = [_label_capture(path, works, seen, tell) for path in files]
        covered, names = _covered(captured)
        refuse_outside(log, covered, names, widen=widen)
        report = LabelReport(
            campaign=campaign.name,
            simulated=campaign.simulated,
            overlap=str(overlap),
            widened=widen,
            devices=tuple(work.counts(covered) for work in works),
            truncated=_truncated(captured),
            unseen=_unseen(works, seen),
        )
        _finish(target, works, report)
    return report


def labelled_as(folder: Path) -> tuple[Overlap, bool]:
    """Return by what policy, and whether widened, a campaign's windows were made.

    The defaults where it is not labelled, or `labels.json` cannot be read.
    """
    try:
        text = (folder / "labelled" / "labels.json").read_text(encoding="utf-8")
        labels = json.loads(text)
        return Overlap(labels["overlap"]), bool(labels["widened"])
    except (OSError, ValueError, KeyError, TypeError):
        return Overlap.REFUSE, True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Captured:
    """One raw capture; `span_ns` is (first, last) stamp, None without a packet."""

    path: Path
    span_ns: tuple[int, int] | None
    truncated_at: int | None


class _Work:
    """Labelling of one device, batch by batch."""

    def __init__(self, device: Device, windows: LabelWindows, writer: Rewriter) -> None:
        self.device = device
        self.windows = windows
        self.writer = writer
        self.n_packets = 0
        self.held: Int64 = np.zeros(len(windows), dtype=np.int64)
        self._selector = Selector(device)

    def take(self, batch: Batch, decoded: Decoded, beacons: Int64) -> None:
        """Label and write the device's packets."""
        rows = self._selector.of(decoded, beacons).rows
        windows = self.windows
        label = label_packets(batch.time_ns[rows], windows.start_ns, windows.end_ns)
        self.writer.write(batch, rows, label)
        self.n_packets += rows.size
        held = label[label != IDLE]
        if held.size:
            self.held += np.bincount(held, minlength=len(windows))

    def counts(self, covered_ns: Sequence[tuple[int, int]]) -> DeviceLabels:
        """Return what was found, when all captures went through."""
        windows = self.windows
        kept = windows.covered_by(covered_ns)
        activities = windows.log.frame["activity"].to_list()
        by_activity = dict.fromkeys(sorted(set(kept.log.frame["activity"])), 0)
        for activity, packets in zip(activities, self.held.tolist(), strict=True):
            if packets:
                by_activity[activity] += packets
        silent = is_covered(windows.start_ns, windows.end_ns, covered_ns)
        silent &= self.held == 0
        trials = windows.log.frame["trial"].to_list()
        return DeviceLabels(
            device=self.device.name,
            windows=len(kept),
            empty=tuple(trials[row] for row in np.flatnonzero(silent)),
            n_cut=windows.n_cut,
            n_dropped=windows.n_dropped,
            n_uncovered=kept.n_uncovered,
            n_packets=self.n_packets,
            n_labelled=int(self.held.sum()),
            packets_by_activity=by_activity,
        )


def _nobody(_size_b: int) -> None:
    """Tell nobody how far the work is."""


def _label_capture(
    path: Path,
    works: Sequence[_Work],
    seen: SeenEnds,
    progress: Callable[[int], None],
) -> _Captured:
    """Hand the packets of one raw capture to every device."""
    span = StampSpan()
    told_b = 0
    with open_capture_stream(path) as stream:
        for work in works:
            work.writer.begin(stream)
        for batch in stream:
            decoded = decode_batch(batch)
            beacons = beacon_rows(batch, decoded)
            seen.add(batch.link, decoded)
            for work in works:
                work.take(batch, decoded, beacons)
            span.add(batch.time_ns)
            read_b = stream.size_b
            progress(read_b - told_b)
            told_b = read_b
        return _Captured(path=path, span_ns=span.ns, truncated_at=stream.truncated_at)


def _covered(
    captured: Sequence[_Captured],
) -> tuple[list[tuple[int, int]], list[str]]:
    """Return (first, last) stamp, and name, of each capture that holds packets."""
    held = [
        (each.span_ns, each.path.name) for each in captured if each.span_ns is not None
    ]
    return [span for span, _name in held], [name for _span, name in held]


def _refuse_early(
    log: ActivityLog, folder: Path, files: Sequence[Path], *, widen: bool
) -> None:
    """Raise what `refuse_outside` will, where nothing must be read to know."""
    known = _known_spans(folder, files)
    if known is not None:
        refuse_outside(log, *known, widen=widen)


def _known_spans(
    folder: Path, files: Sequence[Path]
) -> tuple[list[tuple[int, int]], list[str]] | None:
    """Return what `_covered` will, where the packet tables tell it at a glance."""
    try:
        index = find_index(folder)
    except DatasetError:
        return None  # labels do not need it
    if index is None or index.reader != READER:
        return None
    parts = {each.name: each for each in index.captures}
    held = []
    for path in files:
        part, state = parts.get(path.name), path.stat()
        if part is None or (part.size_b, part.mtime_ns) != (
            state.st_size,
            state.st_mtime_ns,
        ):
            return None
        if part.first_ns is not None and part.last_ns is not None:
            held.append(((part.first_ns, part.last_ns), part.name))
    return [span for span, _name in held], [name for _span, name in held]


def _truncated(captured: Sequence[_Captured]) -> dict[str, int]:
    return {
        each.path.name: each.truncated_at
        for each in captured
        if each.truncated_at is not None
    }


def _unseen(works: Sequence[_Work], seen: SeenEnds) -> tuple[str, ...]:
    """Return a sentence for each device without a packet.

    Raises LabelError when there are windows, and no device has a packet.
    """
    absent = [work for work in works if not work.n_packets]
    told = [seen.tell_unseen(work.device) for work in absent]
    sentences = tuple(sentence for sentence in told if sentence is not None)
    if sentences and len(absent) == len(works) and any(len(w.windows) for w in works):
        raise LabelError("; ".join(sentences))
    return sentences


def _finish(target: Path, works: Sequence[_Work], report: LabelReport) -> None:
    """Let everything appear, when all of it is on the disk.

    What is ended between the names leaves files of two runs, and no `labels.json`.
    """
    text = json.dumps(asdict(report), indent=2) + "\n"
    path = target / "labels.json"
    part = target / ".labels.json.part"
    for work in works:
        work.writer.close()
    try:
        part.write_text(text, encoding="utf-8")
        path.unlink(missing_ok=True)
        for work in works:
            work.writer.keep()
        part.replace(path)
    except OSError as exc:
        raise cannot_write(path, exc) from exc
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _folder(target: Path) -> Iterator[None]:
    """Make a folder, and take it away again when it stays empty.

    What an earlier run left that was killed goes away first.
    """
    try:
        target.mkdir(exist_ok=True)
        for left in target.glob(".*.part"):
            left.unlink()
    except OSError as exc:
        raise cannot_write(target, exc) from exc
    try:
        yield
    finally:
        with suppress(OSError):
            target.rmdir()  # refuses when there is anything in it


def _writer(
    target: Path,
    campaign: Campaign,
    device: Device,
    windows: Mapping[str, LabelWindows],
) -> AbstractContextManager[Rewriter]:
    simulated = str(campaign.simulated).lower()
    return rewritten(
        target / f"{device.name}.pcapng",
        about=f"campaign={campaign.name},device={device.name},simulated={simulated}",
        comments=[_comment(row) for row in windows[device.name].log.frame.to_dicts()],
    )


def _comment(row: Mapping[str, object]) -> str:
    """Return the comment of a labelled packet, as pcapML reads it."""
    trial = "-".join(str(row[key]) for key in ("campaign", "trial", "attempt"))
    parts = {"s": trial, "device": row["device"], "label": row["activity"]}
    for key in ("channel", "network", "attempt", "session"):
        if row[key] not in ("", None):
            parts[key] = row[key]
    # commas part the fields in pcapML, and equals signs part key from value; a comment
    # is one line wherever it is shown
    lines = {k: " ".join(str(v).splitlines()) for k, v in parts.items()}
    clean = {k: v.replace(",", ";").replace("=", ":") for k, v in lines.items()}
    return ",".join(f"{key}={value}" for key, value in clean.items())
