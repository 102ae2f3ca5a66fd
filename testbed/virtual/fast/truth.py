"""The ground truth of the fast lab: written where the testbed does not look."""

import csv
from collections.abc import Sequence
from pathlib import Path

from testbed.virtual.fast.frames import Packet
from testbed.virtual.house import Cause

_ACTIVITIES = (
    "cause",
    "device",
    "activity",
    "channel",
    "network",
    "true_ns",
    "true_capture_ns",
)


class Truth:
    """Two growing tables in one folder.

    activities.csv  one row per activity, with its true start on both clocks
    packets.csv     one row per packet: raw file, frame number from 1, cause (number in
                    activities.csv; 0 for background, -1 for a beacon)
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._activities = folder / "activities.csv"
        self._packets = folder / "packets.csv"
        if not self._activities.exists():
            with self._activities.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(_ACTIVITIES)
        if not self._packets.exists():
            self._packets.write_text("file,frame,cause\n", encoding="utf-8")

    def activities(self, rows: Sequence[tuple[Cause, int]]) -> None:
        """Append activities, each with its true start on the capture's clock."""
        with self._activities.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                (
                    c.number,
                    c.device,
                    c.activity,
                    c.channel,
                    c.network or "",
                    c.instant_ns,
                    at_ns,
                )
                for c, at_ns in rows
            )

    def packets(self, name: str, first_frame: int, packets: Sequence[Packet]) -> None:
        """Append the causes of packets that were written into a file."""
        lines = [
            f"{name},{frame},{packet.cause}\n"
            for frame, packet in enumerate(packets, start=first_frame)
        ]
        with self._packets.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
