"""What raw captures and activity log give, made again beside what was published.

Nothing is written where the dataset lies: labelled captures and tables go to a folder
for temporary files, which takes as much room as those that are compared with them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from analysis.dataset import Campaign
from analysis.labelling import LabelReport, label_campaign, labelled_as
from analysis.packets import Index, make_tables
from analysis.packets.select import beacon_rows
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream
from analysis.verify.model import Findings
from analysis.workspace import working_folder

_READ = ("campaign.yaml", "activities.csv", "raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """A campaign folder, made again of what was recorded.

    labels, index  None where they cannot be made
    """

    folder: Path
    labels: LabelReport | None
    index: Index | None


@contextmanager
def remade(
    campaign: Campaign,
    raw: tuple[Path, ...],
    found: Findings,
    told: Callable[[int], None],
    *,
    with_labels: bool,
) -> Iterator[Remade]:
    """Make labels and tables of a campaign again; what cannot be made is a fault."""
    source = campaign.folder
    with working_folder("verify-") as place:
        folder = place / "campaign"
        folder.mkdir()
        for each in _READ:
            (folder / each).symlink_to((source / each).resolve())
        labels, index = None, None
        if with_labels:
            overlap, widen = labelled_as(source)
            with found.guarded(source / "activities.csv"), _moved(folder, source):
                labels = label_campaign(
                    folder, overlap=overlap, widen=widen, progress=told
                )
        with found.guarded(source / "raw"), _moved(folder, source):
            index = make_tables(folder, raw, campaign.devices, progress=told)
        yield Remade(folder=folder, labels=labels, index=index)


@contextmanager
def _moved(folder: Path, source: Path) -> Iterator[None]:
    """Let errors name files where they were published, not where they are remade."""
    from analysis.errors import AnalysisError
    from analysis.pcap.errors import CaptureError

    try:
        yield
    except CaptureError as exc:
        inside = exc.path.is_relative_to(folder)
        path = source / exc.path.relative_to(folder) if inside else exc.path
        raise CaptureError(path, exc.offset, exc.reason) from exc
    except AnalysisError as exc:
        text = str(exc).replace(str(folder), str(source))
        raise type(exc)(text) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a walk through a capture has seen.

    frames     packets; first_beacon the number of one that is a beacon, 0 for none
    backwards  the first packet with an earlier stamp than the one before, 0 for none
    """

    frames: int
    beacons: int
    first_beacon: int
    n_backwards: int
    backwards: int


def walked(path: Path) -> Seen:
    """Walk through a capture. Raises CaptureError when it is damaged."""
    frames = beacons = first_beacon = n_backwards = backwards = last_ns = 0
    with open_capture_stream(path) as stream:
        for batch in stream:
            rows = beacon_rows(batch, decode_batch(batch))
            if rows.size and not first_beacon:
                first_beacon = batch.first_frame + int(rows[0]) + 1
            beacons += rows.size
            times = [last_ns, *batch.time_ns.tolist()]
            late = [
                row
                for row, (one, two) in enumerate(pairwise(times))
                if two < one and two
            ]
            if late and not backwards:
                backwards = batch.first_frame + late[0] + 1
            n_backwards += len(late)
            last_ns = times[-1]
            frames += len(batch)
    return Seen(
        frames=frames,
        beacons=beacons,
        first_beacon=first_beacon,
        n_backwards=n_backwards,
        backwards=backwards,
    )
