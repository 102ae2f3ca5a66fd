"""The table of hosts of a campaign, from its raw captures."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import HOST_COLUMNS, Device, load_campaign
from analysis.hosts.spans import DeviceSpans, Span
from analysis.hosts.telling import Teller
from analysis.packets import find_raw
from analysis.packets.select import beacon_rows
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream

if TYPE_CHECKING:
    import polars as pl

_TOGETHER = 1 << 16
_WHAT, _FROM, _UNTIL, _N = range(4)


def find_hosts(
    folder: Path,
    *,
    written: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> "pl.DataFrame":
    """Return which names the addresses had, that each device had to do with, and when.

    written   address -> what it is called in payloads, where that is not the same, as
              it may be under pseudonyms
    progress  called with bytes of captures that were read since its last call

    Columns are `HOST_COLUMNS`, rows are sorted by device, address, name, source and
    time; spans of one name that touch are one row. Raises DatasetError, CaptureError.
    """
    import polars as pl

    campaign = load_campaign(folder)
    kept = _Kept()
    for number, span in spans_of(find_raw(folder), campaign.devices, progress):
        kept.add(number, span)
    columns: dict[str, list[object]] = {name: [] for name in HOST_COLUMNS}
    for what, from_ns, until_ns, n in kept.rows():
        number, address, name, source = what
        device, text = campaign.devices[number].name, address_text(address)
        other = (written or {}).get(text, "")
        row = (campaign.name, device, text, other, name, source, from_ns, until_ns, n)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    frame = pl.DataFrame(columns, schema=dict(HOST_COLUMNS))
    return frame.sort("device", "address", "name", "source", "from_ns")


def spans_of(
    captures: Iterable[Path],
    devices: Iterable[Device],
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[int, Span]]:
    """Yield (number of the device, span) of captures that follow each other.

    Raises CaptureError where one is damaged.
    """
    sides = [DeviceSpans(device) for device in devices]
    for path in captures:
        teller, seen_b = Teller(), 0
        with open_capture_stream(path) as stream:
            for batch in stream:
                if len(batch):
                    decoded = decode_batch(batch)
                    beacons = beacon_rows(batch, decoded)
                    told = teller.of(batch, decoded)
                    for number, side in enumerate(sides):
                        for span in side.take(decoded, batch.time_ns, beacons, told):
                            yield number, span
                if progress is not None:
                    progress(stream.size_b - seen_b)
                    seen_b = stream.size_b
    for number, side in enumerate(sides):
        for span in side.finish():
            yield number, span


class _Kept:
    """Spans as numbers; those of one name that touch become one."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int, str, str], int] = {}
        self._new: list[tuple[int, int, int, int]] = []
        self._joined: NDArray[np.int64] = np.zeros((0, 4), dtype=np.int64)

    def add(self, number: int, span: Span) -> None:
        what = number, span.address, span.name, span.source
        known = self._numbers.setdefault(what, len(self._numbers))
        self._new.append((known, span.from_ns, span.until_ns, span.n))
        if len(self._new) >= max(_TOGETHER, len(self._joined) // 2):
            self._join()

    def rows(self) -> Iterator[tuple[tuple[int, int, str, str], int, int, int]]:
        """Yield whose name, from, until, and how often it was told."""
        self._join()
        names = [*self._numbers]
        for what, from_ns, until_ns, n in self._joined.tolist():
            yield names[what], from_ns, until_ns, n

    def _join(self) -> None:
        new = np.array(self._new, dtype=np.int64).reshape(-1, 4)
        every = np.concatenate((self._joined, new))
        self._new = []
        every = every[np.lexsort((every[:, _UNTIL], every[:, _FROM], every[:, _WHAT]))]
        made: list[list[int]] = []
        for row in every.tolist():
            last = made[-1] if made else None
            if last and last[_WHAT] == row[_WHAT] and row[_FROM] <= last[_UNTIL]:
                last[_UNTIL] = max(last[_UNTIL], row[_UNTIL])
                last[_N] += row[_N]
            else:
                made.append(row)
        self._joined = np.array(made, dtype=np.int64).reshape(-1, 4)


def address_text(address: int) -> str:
    """Return an address as people write it."""
    known = ipaddress.IPv6Address(address)
    return str(known.ipv4_mapped or known)
