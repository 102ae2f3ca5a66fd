"""Captures that follow each other in time, read as one stream of packets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from analysis.errors import DatasetError
from analysis.packets import CapturePart, find_raw, load_index
from analysis.pcap.errors import CaptureError
from analysis.pcap.walk import Batch

# the first packets of a capture may be a little older than the last of the one before;
# more than that would move all of them to its end
_EARLIER_NS = 5_000_000_000
_WHY = "captures that are watched one after the other must not overlap"


def nobody(path: Path, truncated_at: int | None) -> None:
    """Be told that a capture has been read, and do nothing."""


def batches_of(
    captures: Iterable[Path],
    *,
    on_end: Callable[[Path, int | None], None] = nobody,
) -> Iterator[Batch]:
    """Yield the packets of captures in the order in which these are given.

    on_end  told of each capture, and at which byte it ends inside a packet, or None

    Raises CaptureError where one is damaged or begins before another has ended.
    """
    from analysis.pcap.stream import open_capture_stream

    now_ns: int | None = None
    for path in captures:
        with open_capture_stream(path) as stream:
            before_ns = now_ns
            for batch in stream:
                if len(batch):
                    early_ns = (before_ns or 0) - int(batch.time_ns[0])
                    if before_ns is not None and early_ns > _EARLIER_NS:
                        raise CaptureError(path, 0, _overlap(early_ns))
                    before_ns = None  # within a capture a clock may be set
                    now_ns = max(now_ns or 0, int(batch.time_ns.max()))
                yield batch
            on_end(path, stream.truncated_at)


def in_order_of_time(folder: Path) -> tuple[Path, ...]:
    """Return the captures of a campaign that hold packets, the earliest first.

    Names say nothing of the order: session-10 comes before session-2, and who imports a
    campaign names its captures freely.

    Raises DatasetError when two overlap, or tables are missing or older than a capture.
    """
    parts = {each.name: each for each in load_index(folder).captures}
    captures = find_raw(folder)
    new = [path.name for path in captures if path.name not in parts]
    if new:
        raise DatasetError(f"{folder}: {new[0]} has no tables; run testbed packets")
    spans = sorted(
        (*_span(parts[p.name]), p) for p in captures if _holds(parts[p.name])
    )
    _refuse_overlap(spans)
    return tuple(path for _first, _last, path in spans)


def _holds(part: CapturePart) -> bool:
    return part.first_ns is not None and part.last_ns is not None


def _span(part: CapturePart) -> tuple[int, int]:
    return part.first_ns or 0, part.last_ns or 0


def _refuse_overlap(spans: Sequence[tuple[int, int, Path]]) -> None:
    latest_ns = spans[0][0] if spans else 0
    for first_ns, last_ns, path in spans:
        if latest_ns - first_ns > _EARLIER_NS:
            raise DatasetError(f"{path}: {_overlap(latest_ns - first_ns)}")
        latest_ns = max(latest_ns, last_ns)


def _overlap(early_ns: int) -> str:
    return f"begins {early_ns / 1e9:.0f} s before the one before it ends; {_WHY}"
