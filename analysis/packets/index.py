"""What packet tables were made of: `packets.json` of a campaign folder.

It is replaced in one step, after the tables that it names: one that it does not name is
not whole. It tells whether the tables still belong to the captures: size and time of
change first, and the digest where these differ, as after a copy.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from analysis.dataset import Device
from analysis.errors import DatasetError
from analysis.pcap.source import digest_of

# changes with the columns of the tables, or of this file: older ones cannot be read
FORMAT = 4
# changes whenever the same capture would give another table: older ones can be read,
# and are made again where the captures are at hand
READER = 6
# beside `packets/`, where readers of Parquet expect nothing else
_NAME = "packets.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePart:
    """What one capture held of one device.

    files            its tables in the device's folder, sorted runs; nearly always one
    flows_b          bytes of its flow table, 0 when there is none
    n_packets        packets; n_flows conversations
    retransmissions  packets of each class of `Retransmission`
    errors           packets (sent, received) by `error`, a number of bits of `Error`
    ip               IP packets (sent, received)
    checked          those whose TCP or UDP checksum could be looked at
    """

    files: tuple["RunFile", ...] = ()
    flows_b: int = 0
    n_packets: int = 0
    n_flows: int = 0
    retransmissions: tuple[int, ...] = ()
    errors: tuple[Mapping[int, int], Mapping[int, int]] = ({}, {})
    ip: tuple[int, int] = (0, 0)
    checked: tuple[int, int] = (0, 0)

    def n_errors(self, bits: int, side: int | None = None) -> int:
        """Return how many packets have one of these bits of `Error`.

        side  0 those sent, 1 those received, None both
        """
        sides = self.errors if side is None else (self.errors[side],)
        return sum(n for each in sides for code, n in each.items() if code & bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A file of packets in order of time: its name, bytes, first and last stamp."""

    name: str
    size_b: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePart:
    """One capture, as the tables were made of it.

    name             of the file
    size_b, mtime_ns of the file when it was read; digest XXH3 of all its bytes
    n_frames         packets; n_conversations those of all devices and others
    first_ns         earliest and last_ns latest stamp, None when there is no packet
    truncated_at     byte at which it ends inside a packet, or None
    n_backwards      packets with a stamp before that of the packet before
    n_foreign        packets of link types that are not understood
    n_one_sided      packets whose link names the MAC of the sender alone
    devices          name -> what it held of the device
    """

    name: str
    size_b: int
    mtime_ns: int
    digest: str
    n_frames: int
    n_conversations: int
    first_ns: int | None
    last_ns: int | None
    truncated_at: int | None
    n_backwards: int
    n_foreign: int
    n_one_sided: int
    devices: Mapping[str, DevicePart]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All captures of the tables in a folder, in order, and who was looked for.

    reader  version that made them
    """

    devices: Mapping[str, Mapping[str, Any]]
    captures: tuple[CapturePart, ...]
    reader: int = READER

    @property
    def covered_ns(self) -> tuple[tuple[int, int], ...]:
        """(first, last) stamp of each capture that holds a packet, in order."""
        spans = [
            (each.first_ns, each.last_ns)
            for each in self.captures
            if each.first_ns is not None and each.last_ns is not None
        ]
        return tuple(sorted(spans))

    def n_packets(self, device: str) -> int:
        """Return how many packets of a device all captures hold."""
        parts = [each.devices.get(device, DevicePart()) for each in self.captures]
        return sum(part.n_packets for part in parts)


def identity(device: Device) -> dict[str, Any]:
    """Return what decides which packets are the device's."""
    return {"mac": device.mac, "ip": device.ip, "every_packet": device.every_packet}


class IndexFile:
    """The index of the tables in a folder, as it grows capture by capture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: dict[str, tuple[CapturePart, str]] = {}

    def write(self, index: Index) -> None:
        """Write the index, in one step."""
        path = self._folder / _NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        captures = ",".join(f"\n  {self._text(each)}" for each in index.captures)
        about = {
            "format": FORMAT,
            "devices": index.devices,
            "captures": [],
            "reader": index.reader,
        }
        text = json.dumps(about, indent=1) + "\n"
        if captures:
            empty, full = '\n "captures": []', f'\n "captures": [{captures}\n ]'
            text = text.replace(empty, full, 1)
        part = half_written(self._folder)
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def _text(self, capture: CapturePart) -> str:
        """Return the JSON of a capture, made once: indented JSON is slow to make."""
        known = self._texts.get(capture.name)
        if known is None or known[0] is not capture:
            text = json.dumps(asdict(capture), indent=1).replace("\n", "\n  ")
            known = self._texts[capture.name] = (capture, text)
        return known[1]


def write_index(folder: Path, index: Index) -> None:
    """Write the index of the tables in a folder, in one step."""
    IndexFile(folder).write(index)


def half_written(folder: Path) -> Path:
    """Return the place where an index is written before it is whole."""
    return (folder / _NAME).with_suffix(".part")


def remove_index(folder: Path) -> None:
    """Remove the index; what is left is no table of ours."""
    (folder / _NAME).unlink(missing_ok=True)


def find_index(folder: Path) -> Index | None:
    """Read the index; None when there is none, or one of another format.

    Raises DatasetError when it is damaged.
    """
    path = folder / _NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            return None
        captures = tuple(_capture(each) for each in data["captures"])
        return Index(devices=data["devices"], captures=captures, reader=data["reader"])
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        reason = "is damaged; delete it, packets/ and flows/, run testbed packets"
        raise DatasetError(f"{path}: {reason}") from exc


def load_index(folder: Path) -> Index:
    """Read the index. Raises DatasetError when there is none, or it is damaged."""
    index = find_index(folder)
    if index is None:
        raise DatasetError(f"{folder}: has no packet tables; run testbed packets")
    return index


def _capture(data: dict[str, Any]) -> CapturePart:
    devices = {
        name: DevicePart(
            files=tuple(RunFile(**file) for file in part["files"]),
            flows_b=part["flows_b"],
            n_packets=part["n_packets"],
            n_flows=part["n_flows"],
            retransmissions=tuple(part["retransmissions"]),
            errors=(_codes(part["errors"][0]), _codes(part["errors"][1])),
            ip=tuple(part["ip"]),
            checked=tuple(part["checked"]),
        )
        for name, part in data["devices"].items()
    }
    return CapturePart(**{**data, "devices": devices})


def _codes(counts: Mapping[str, int]) -> dict[int, int]:
    return {int(code): count for code, count in counts.items()}


def current_parts(
    index: Index | None, captures: Sequence[Path], devices: Sequence[Device]
) -> dict[str, CapturePart]:
    """Return by name the captures whose tables need not be made again.

    They have the time of change that the file has now, so that it is looked at once.
    """
    if index is None or index.reader != READER:
        return {}
    wanted = {device.name: identity(device) for device in devices}
    if any(index.devices.get(name) != known for name, known in wanted.items()):
        return {}
    known_parts = {each.name: each for each in index.captures}
    found = {path.name: _same(known_parts.get(path.name), path) for path in captures}
    return {name: part for name, part in found.items() if part is not None}


def _same(part: CapturePart | None, path: Path) -> CapturePart | None:
    state = path.stat()
    if part is None or state.st_size != part.size_b:
        return None
    if state.st_mtime_ns == part.mtime_ns:
        return part
    if digest_of(path) != part.digest:
        return None
    return replace(part, mtime_ns=state.st_mtime_ns)
