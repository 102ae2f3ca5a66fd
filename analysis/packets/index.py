"""What packet tables were made of: `packets.json` of a campaign folder.

It is written last, in one step: a table that it does not name is not whole. It tells
whether the tables still belong to the captures: size and time of change first, and the
digest where these differ, as after a copy.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis.dataset import Device
from analysis.errors import DatasetError
from analysis.pcap.source import digest_of

# changes whenever the same capture would give another table
READER = 5
# beside `packets/`, where readers of Parquet expect nothing else
_NAME = "packets.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePart:
    """What one capture held of one device.

    files            names of its tables in the device's folder, sorted runs; often one
    spans_ns         first and last stamp of each of these
    n_packets        packets; n_flows conversations
    retransmissions  packets of each class of `Retransmission`
    errors           packets with each bit of `Error`, by its name in small letters
    certain          packets with an IPv4 header that does not add up, or malformed
    checked          TCP and UDP packets (sent, received)
    wrong            those whose checksum does not add up (sent, received)
    only_wrong       and of which nothing else is certain (sent, received)
    """

    files: tuple[str, ...] = ()
    spans_ns: tuple[tuple[int, int], ...] = ()
    n_packets: int = 0
    n_flows: int = 0
    retransmissions: tuple[int, ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    certain: int = 0
    checked: tuple[int, int] = (0, 0)
    wrong: tuple[int, int] = (0, 0)
    only_wrong: tuple[int, int] = (0, 0)


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
    devices: Mapping[str, DevicePart]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All captures of the tables in a folder, in order, and who was looked for."""

    devices: Mapping[str, Mapping[str, Any]]
    captures: tuple[CapturePart, ...]

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


def write_index(folder: Path, index: Index) -> None:
    """Write the index of the tables in a folder, in one step."""
    path = folder / _NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"format": 2, "reader": READER, **asdict(index)}
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def remove_index(folder: Path) -> None:
    """Remove the index; what is left is no table of ours."""
    (folder / _NAME).unlink(missing_ok=True)


def find_index(folder: Path) -> Index | None:
    """Read the index; None when there is none, or one of another reader.

    Raises DatasetError when it is damaged.
    """
    path = folder / _NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["reader"] != READER:
            return None
        captures = tuple(_capture(each) for each in data["captures"])
        return Index(devices=data["devices"], captures=captures)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        reason = "is damaged; delete it and run testbed packets"
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
            files=tuple(part["files"]),
            spans_ns=tuple((first, last) for first, last in part["spans_ns"]),
            n_packets=part["n_packets"],
            n_flows=part["n_flows"],
            retransmissions=tuple(part["retransmissions"]),
            errors=part["errors"],
            certain=part["certain"],
            checked=tuple(part["checked"]),
            wrong=tuple(part["wrong"]),
            only_wrong=tuple(part["only_wrong"]),
        )
        for name, part in data["devices"].items()
    }
    return CapturePart(**{**data, "devices": devices})


def current_parts(
    index: Index | None, captures: Sequence[Path], devices: Sequence[Device]
) -> dict[str, CapturePart]:
    """Return by name the captures whose tables need not be made again."""
    if index is None:
        return {}
    wanted = {device.name: identity(device) for device in devices}
    if any(index.devices.get(name) != known for name, known in wanted.items()):
        return {}
    known_parts = {each.name: each for each in index.captures}
    return {
        path.name: part
        for path in captures
        if (part := known_parts.get(path.name)) is not None and _is_same(part, path)
    }


def _is_same(part: CapturePart, path: Path) -> bool:
    state = path.stat()
    if state.st_size != part.size_b:
        return False
    return state.st_mtime_ns == part.mtime_ns or digest_of(path) == part.digest
