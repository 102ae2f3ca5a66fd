"""The ground truth of the fast lab: written where the testbed does not look."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from testbed.virtual.fast.frames import Packet
from testbed.virtual.house import Cause

_ACTIVITIES = (
    "id",
    "device",
    "activity",
    "channel",
    "network",
    "parameters",
    "true_ns",
    "true_capture_ns",
)


class Truth:
    """Growing tables in one folder; a campaign that is resumed goes on with them.

    activities.csv  one row per activity, with its true start on both clocks
    packets.csv     one row per packet: raw file, frame number from 1, cause (id in
                    activities.csv; 0 for background, -1 for a beacon)
    files.csv       the raw files that were begun, by capture
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._activities = _table(folder / "activities.csv", _ACTIVITIES)
        self._packets = _table(folder / "packets.csv", ("file", "frame", "cause"))
        self._files = _table(folder / "files.csv", ("capture", "number"))
        with self._activities.open(encoding="utf-8", newline="") as file:
            self.next_number = 1 + sum(1 for _ in csv.DictReader(file))
        with self._files.open(encoding="utf-8", newline="") as file:
            self._counts = Counter(row["capture"] for row in csv.DictReader(file))

    def next_file(self, capture: str) -> int:
        """Return the number of a capture's next raw file, from 1, and keep it."""
        self._counts[capture] += 1
        _append(self._files, [(capture, self._counts[capture])])
        return self._counts[capture]

    def activities(self, rows: Sequence[tuple[Cause, int]]) -> None:
        """Append activities, each with its true start on the capture's clock."""
        _append(self._activities, [_row(cause, at_ns) for cause, at_ns in rows])

    def packets(self, name: str, first_frame: int, packets: Sequence[Packet]) -> None:
        """Append the causes of packets that were written into a file."""
        lines = [
            f"{name},{frame},{packet[-1]}\n"
            for frame, packet in enumerate(packets, start=first_frame)
        ]
        with self._packets.open("a", encoding="utf-8") as file:
            file.write("".join(lines))


def _row(cause: Cause, capture_ns: int) -> tuple[object, ...]:
    words = ";".join(f"{k}={v}" for k, v in sorted(cause.parameters.items()))
    return (
        cause.number,
        cause.device,
        cause.activity,
        cause.channel,
        cause.network or "",
        words,
        cause.instant_ns,
        capture_ns,
    )


def _table(path: Path, columns: Sequence[str]) -> Path:
    if not path.exists():
        _append(path, [columns])
    return path


def _append(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
