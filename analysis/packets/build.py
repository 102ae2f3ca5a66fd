"""From raw captures to packet tables: which device, which direction, which flow."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.errors import DatasetError
from analysis.packets.streams import flow_numbers, group_rows, seen_before
from analysis.packets.table import RETRANSMISSION, PacketTable, empty_table
from analysis.pcap.beacons import beacons_of
from analysis.pcap.decode import Decoded, decode_frames
from analysis.pcap.reader import Frames, read_frames

_MAPPED = np.uint64(0xFFFF << 32)
_SUFFIXES = (".pcapng", ".pcap", ".pcapng.gz", ".pcap.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFiles:
    """The raw captures of a campaign, in order of time.

    files      their paths
    first_row  row of the first frame of each, and at the end the number of all frames
    truncated  paths of files that end inside a packet, with the byte
    """

    files: tuple[Path, ...]
    first_row: tuple[int, ...]
    truncated: tuple[tuple[Path, int], ...] = ()


def find_raw(folder: Path) -> tuple[Path, ...]:
    """Return the captures in `raw/` of a campaign folder, by the order of their names.

    Raises DatasetError when there is none.
    """
    raw = folder / "raw"
    files = sorted(p for p in raw.glob("*") if p.name.endswith(_SUFFIXES))
    if not files:
        raise DatasetError(f"{raw}: holds no capture; a campaign needs at least one")
    return tuple(files)


def read_tables(
    files: Sequence[Path], devices: Sequence[Device]
) -> tuple[dict[str, PacketTable], RawFiles]:
    """Decode captures into one packet table per device.

    A packet belongs to the devices whose MAC it names; one between two devices belongs
    to both. Captures without MACs of both sides (Linux cooked, raw IP) go by the
    device's IP address, where it is known. A device with `every_packet` gets all.
    Beacons belong to nobody. Raises CaptureError when a file is damaged.
    """
    return tables_of((read_frames(path) for path in files), devices)


def tables_of(
    captures: Iterable[Frames], devices: Sequence[Device]
) -> tuple[dict[str, PacketTable], RawFiles]:
    """Decode captures that are already read; see `read_tables`."""
    parts: dict[str, list[_Part]] = {device.name: [] for device in devices}
    files: list[Path] = []
    first_row: list[int] = [0]
    truncated: list[tuple[Path, int]] = []
    covered: list[tuple[int, int]] = []
    for frames in captures:
        decoded = decode_frames(frames)
        beacons = np.array([row - 1 for _ns, row, _b in beacons_of(frames)], dtype=int)
        for device in devices:
            part = _part(frames, decoded, device, beacons, first_row[-1])
            parts[device.name].append(part)
        files.append(frames.path)
        first_row.append(first_row[-1] + len(frames))
        if len(frames):
            covered.append((int(frames.time_ns.min()), int(frames.time_ns.max())))
        if frames.truncated_at is not None:
            truncated.append((frames.path, frames.truncated_at))
    tables = {
        name: _table(name, pieces, tuple(sorted(covered)))
        for name, pieces in parts.items()
    }
    raw = RawFiles(
        files=tuple(files), first_row=tuple(first_row), truncated=tuple(truncated)
    )
    return tables, raw


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Packets of one device in one file; columns as decoded."""

    time_ns: NDArray[np.int64]
    length_b: NDArray[np.int64]
    outbound: NDArray[np.bool_]
    decoded: Decoded
    row: NDArray[np.int64]


def _part(
    frames: Frames,
    decoded: Decoded,
    device: Device,
    beacons: NDArray[np.int64],
    first_row: int,
) -> _Part:
    """Select the packets of `device`."""
    mac = np.uint64(int(device.mac.replace(":", ""), 16))
    sent = decoded.src_mac == mac
    mine = sent | (decoded.dst_mac == mac)
    if device.ip:
        address = _number(device.ip)
        bare = decoded.dst_mac == 0
        from_ip = bare & (decoded.src == address).all(axis=1)
        sent = sent | from_ip
        mine = mine | from_ip | (bare & (decoded.dst == address).all(axis=1))
    if device.every_packet:
        mine[:] = True
    mine[beacons] = False
    rows = np.flatnonzero(mine)
    return _Part(
        time_ns=frames.time_ns[rows],
        length_b=frames.length_b[rows],
        outbound=sent[rows],
        decoded=decoded.take(rows),
        row=rows + first_row,
    )


def _number(ip: str) -> NDArray[np.uint64]:
    """Return an address as the two halves that `Decoded` holds."""
    address = ipaddress.ip_address(ip)
    if address.version == 4:
        return np.array([0, int(_MAPPED) | int(address)], dtype=np.uint64)
    return np.array([int(address) >> 64, int(address) & (1 << 64) - 1], dtype=np.uint64)


def _table(
    device: str, parts: list[_Part], covered: tuple[tuple[int, int], ...]
) -> PacketTable:
    """Join the parts in order of time and find flows and retransmissions."""
    if not parts:
        return empty_table(device)
    time_ns = np.concatenate([part.time_ns for part in parts])
    order = np.argsort(time_ns, kind="stable")
    outbound = np.concatenate([part.outbound for part in parts])[order]
    decoded = Decoded.joined([part.decoded for part in parts]).take(order)
    flow = flow_numbers(
        protocol=decoded.protocol,
        src=decoded.src,
        dst=decoded.dst,
        src_port=decoded.src_port,
        dst_port=decoded.dst_port,
    )
    again = seen_before(
        flow=flow,
        outbound=outbound,
        protocol=decoded.protocol,
        tcp_flags=decoded.tcp_flags,
        seq=decoded.seq,
        payload_b=decoded.payload_b,
    )
    remote, remotes = _remotes(decoded, outbound)
    length_b = np.concatenate([part.length_b for part in parts])[order]
    return PacketTable(
        device=device,
        time_ns=time_ns[order],
        length_b=length_b.astype(np.uint32),
        outbound=outbound,
        protocol=decoded.protocol,
        remote=remote,
        src_port=decoded.src_port,
        dst_port=decoded.dst_port,
        payload_b=decoded.payload_b,
        tcp_flags=decoded.tcp_flags,
        flow=flow,
        retransmission=(again * RETRANSMISSION).astype(np.uint8),
        error=decoded.error,
        row=np.concatenate([part.row for part in parts])[order],
        remotes=remotes,
        covered_ns=covered,
    )


def _remotes(
    decoded: Decoded, outbound: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Give each other endpoint a number, by the order of addresses."""
    remote = np.full(len(decoded), -1, dtype=np.int32)
    ip = np.flatnonzero(decoded.protocol)
    if not ip.size:
        return remote, ()
    other = np.where(outbound[ip, np.newaxis], decoded.dst[ip], decoded.src[ip])
    first, number = group_rows(other)
    addresses = other[first]
    order = np.lexsort((addresses[:, 1], addresses[:, 0]))
    rank = np.empty(order.size, dtype=np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    remote[ip] = rank[number]
    texts = []
    for high, low in addresses[order].tolist():
        address = ipaddress.IPv6Address(high << 64 | low)
        texts.append(str(address.ipv4_mapped or address))
    return remote, tuple(texts)
