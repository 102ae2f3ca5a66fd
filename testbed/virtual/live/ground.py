"""The ground truth: what was caused by what, written where the testbed cannot see it.

activities.csv  one row per true activity; true_ns is on the lab's own clock
writes.jsonl    one line per write on a connection, with what caused it
clock.json      how the router's clock differs from the lab's own
"""

import csv
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.virtual.house import Cause

ACTIVITY_COLUMNS = (
    "id",
    "device",
    "activity",
    "channel",
    "network",
    "parameters",
    "true_ns",
)
_FLUSH_EVERY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Why something is sent: an activity by number, or (0) a kind of background."""

    activity: int = 0
    kind: str = "background"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """A connection as seen on br-lan: the opener's address and the other's."""

    client: tuple[str, int]
    server: tuple[str, int]


class GroundTruth:
    """Writes the truth as it happens. One thread."""

    def __init__(
        self,
        folder: Path,
        *,
        start_ns: int,
        session: int,
        offset_s: float,
        drift_ppm: float,
    ) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        clock = {
            "start_ns": start_ns,
            "offset_ns": round(offset_s * 1e9),
            "drift_ppm": drift_ppm,
        }
        house = {"session": session}
        (folder / "house.json").write_text(json.dumps(house), encoding="ascii")
        (folder / "clock.json").write_text(json.dumps(clock), encoding="ascii")
        self._activities = (folder / "activities.csv").open("w", newline="")
        self._table = csv.writer(self._activities)
        self._table.writerow(ACTIVITY_COLUMNS)
        self._activities.flush()
        self._writes = (folder / "writes.jsonl").open("w", encoding="ascii")
        self._unflushed = 0

    def activity(self, cause: Cause, parameters: Mapping[str, str]) -> None:
        """Note that an activity truly began."""
        words = ";".join(f"{k}={v}" for k, v in sorted(parameters.items()))
        self._table.writerow(
            (
                cause.number,
                cause.device,
                cause.activity,
                cause.channel,
                cause.network or "",
                words,
                cause.instant_ns,
            )
        )
        self._activities.flush()

    def open(self, ends: Ends, mark: Mark, time_ns: int) -> None:
        """Note that a TCP connection is being opened."""
        self._row("open", ends, mark, (True, 0, 0), time_ns)

    def sequence(self, ends: Ends, *, up: bool, first: int, time_ns: int) -> None:
        """Note the sequence number of a TCP direction's first byte."""
        self._row("isn", ends, Mark(kind=""), (up, first, 0), time_ns)

    def stream(
        self, ends: Ends, mark: Mark, *, up: bool, first: int, last: int, time_ns: int
    ) -> None:
        """Note a write: bytes [first, last) of a TCP direction, counted from 0."""
        self._row("tcp", ends, mark, (up, first, last), time_ns)

    def datagram(
        self,
        ends: Ends,
        mark: Mark,
        *,
        up: bool,
        ordinal: int,
        data: bytes,
        time_ns: int,
    ) -> None:
        """Note a datagram: its ordinal in its direction, CRC-32 of its payload."""
        self._row("udp", ends, mark, (up, ordinal, zlib.crc32(data)), time_ns)

    def _row(
        self,
        what: str,
        ends: Ends,
        mark: Mark,
        where: tuple[bool, int, int],
        time_ns: int,
    ) -> None:
        row = (
            what,
            *ends.client,
            *ends.server,
            *map(int, where),
            mark.activity,
            mark.kind,
            time_ns,
        )
        self._writes.write(json.dumps(row, separators=(",", ":")) + "\n")
        self._unflushed += 1
        if self._unflushed >= _FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Let readers see all that was written."""
        self._writes.flush()
        self._unflushed = 0

    def close(self) -> None:
        """Write what is left."""
        self._writes.close()
        self._activities.close()
