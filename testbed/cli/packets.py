"""`packets`: from captures to one packet table and one flow table per device."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis.errors import named
from testbed.cli.folders import refuse_inside
from testbed.cli.manifest import manifest_kept_true
from testbed.cli.options import AsJson
from testbed.cli.reading import Reading, counted
from testbed.cli.starting import keep_little, load_kernels
from testbed.clock import SystemClock
from testbed.errors import ConfigError

# what the commands need is loaded when they need it: starting is part of the time
if TYPE_CHECKING:
    from analysis.dataset import Device
    from analysis.packets import CaptureJob, CapturePart, Index
    from analysis.packets.make import Runner

DEVICES = Path("devices")

_WRITTEN = ("packets", "flows", "packets.json")
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

Targets = Annotated[
    list[Path],
    typer.Argument(
        help="A campaign folder; or captures, pcap or pcapng, with gzip or zstd too.",
        readable=False,  # what cannot be read is told below, in our words
    ),
]
Wanted = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="With captures: MAC, NAME=MAC, or the name of a profile; repeat. Captures "
        "without MAC addresses need NAME=MAC,IP.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="With captures: folder for packets/ and flows/."),
]
Profiles = Annotated[Path, typer.Option("--devices", help="Folder of device profiles.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, help="Captures side by side; by default two. Takes memory."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Address of a Dask scheduler, as tcp://host:8786, whose workers do it; "
        "all machines must see the same folders under the same paths.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """Which captures to read, for whom, and where the tables go.

    campaign  whether `folder` is a campaign, which names its devices itself
    """

    folder: Path
    captures: Sequence[Path]
    devices: "Sequence[Device]"
    campaign: bool


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(packets)


def packets(
    targets: Targets,
    device: Wanted = None,
    out: Out = None,
    devices: Profiles = DEVICES,
    jobs: Jobs = None,
    cluster: Cluster = None,
    as_json: AsJson = False,
) -> None:
    """Decode captures into one packet table and one flow table per device (Parquet).

    What was made before of captures that did not change is kept.
    """
    if len(targets) == 1 and targets[0].is_dir():
        task = _of_campaign(targets[0], device, out)
    else:
        task = _of_captures(targets, device, out, devices)
    before = _known_captures(task)
    try:
        index, n_made = _make(task, _runner(jobs, cluster))
    except KeyboardInterrupt:
        kept = "tables of captures that were read to the end are kept"
        print(f"testbed: interrupted; {kept}", file=sys.stderr)
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(_for_machines(task, index, n_made), indent=2))
    else:
        _print(task, index, n_made)
    _tell_removed(before, index)
    _tell_half_seen(task, index)
    _tell_unseen(task, index, n_made)


def tabulate(folder: Path) -> "Index":
    """Write the packet tables of a campaign; return what they hold."""
    return _make(_of_campaign(folder, None, None), _runner(None, None))[0]


def make_current(folder: Path) -> None:
    """Make the tables of a campaign, unless they are those of its captures."""
    from analysis.dataset import load_campaign
    from analysis.packets import is_current

    if not is_current(folder, load_campaign(folder).devices):
        tabulate(folder)


def _of_campaign(folder: Path, device: list[str] | None, out: Path | None) -> _Task:
    from analysis.dataset import load_campaign
    from analysis.packets import find_raw

    if device or out:
        option = "--device" if device else "--out"
        reason = f"{folder} is a folder; campaigns name devices and folder themselves"
        raise ConfigError(f"{option}: is for captures only; {reason}")
    campaign = load_campaign(folder)
    return _Task(
        folder=folder,
        captures=find_raw(folder),
        devices=campaign.devices,
        campaign=True,
    )


def _of_captures(
    captures: Sequence[Path],
    device: list[str] | None,
    out: Path | None,
    profiles: Path,
) -> _Task:
    for path in captures:
        _refuse_unreadable(path)
    if not device:
        raise ConfigError("--device: is missing; captures do not say who is wanted")
    if out is None:
        raise ConfigError("--out: is missing; name a folder for the tables")
    _refuse_others(out)
    devices: dict[str, Device] = {}
    for text in device:
        one = device_of(text, profiles)
        for other in devices.values():
            if one.name == other.name or one.mac == other.mac:
                raise ConfigError(f"--device: {text!r} is given twice")
        devices[one.name] = one
    return _Task(
        folder=out,
        captures=tuple(captures),
        devices=tuple(devices.values()),
        campaign=False,
    )


def _refuse_unreadable(path: Path) -> None:
    """Say what is wrong with a path before anything is written. Raises ConfigError."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder among captures; name files only")
        path.stat()
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise ConfigError(f"{path}: cannot be read: {reason}") from exc
    if not os.access(path, os.R_OK):
        raise ConfigError(f"{path}: cannot be read: permission denied")


def _refuse_others(out: Path) -> None:
    """Do not write tables where others would be lost. Raises ConfigError."""
    if (out / "campaign.yaml").exists():
        reason = f"holds a campaign; use `testbed packets {out}`, or another folder"
        raise ConfigError(f"--out: {out}: {reason}")
    if (out.resolve().parent / "campaign.yaml").exists():
        reason = "lies in a campaign, whose files are its own; name another folder"
        raise ConfigError(f"--out: {out}: {reason}")
    refuse_inside(out, "--out")
    ours = (out / "packets.json").exists()
    for name in ("packets", "flows"):
        if not ours and (out / name).exists():
            reason = f"holds {name}/ of something else; name another folder"
            raise ConfigError(f"--out: {out}: {reason}")


def device_of(text: str, profiles: Path) -> "Device":
    """Return the device that MAC, NAME=MAC, NAME=MAC,IP or a profile's name means."""
    from analysis.dataset import Device

    name, equals, address = text.rpartition("=")
    mac, _comma, ip = address.partition(",")
    if not equals and not _MAC.fullmatch(text):
        return _profiled(text, profiles)
    mac = mac.lower().replace("-", ":")
    name = name if equals else mac.replace(":", "-")
    if not _MAC.fullmatch(mac):
        reason = f"must be MAC or NAME=MAC, as lamp=00:17:88:6a:12:05, got {text!r}"
        raise ConfigError(f"--device: {reason}")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--device: {name!r} is no name; use letters, digits, _ . -")
    return Device(name=name, mac=mac, ip=_ip(ip, text))


def _ip(ip: str, text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(ip)) if ip else ""
    except ValueError as exc:
        raise ConfigError(f"--device: {text!r}: {exc}") from exc


def _profiled(name: str, profiles: Path) -> "Device":
    from analysis.dataset import Device

    path = profiles / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in profiles.glob("*.yaml")))
        there = f"; profiles are: {known}" if known else ""
        reason = f"{name!r} is no MAC, no NAME=MAC and no profile in {profiles}"
        raise ConfigError(f"--device: {reason}{there}")
    from testbed.model.load import load_profile

    profile = load_profile(path)
    return Device(name=profile.device, mac=profile.mac)


def _runner(jobs: int | None, cluster: str | None) -> "Runner":
    """Return what does the work. Raises ClusterError."""
    from functools import partial

    if cluster is None:
        from analysis.packets.make import run_here

        return partial(run_here, workers=jobs)
    if jobs is not None:
        raise ConfigError("--jobs: is for this machine; a cluster has its own workers")
    from analysis.packets.cluster import run_on_cluster

    return partial(run_on_cluster, cluster)


def _make(task: _Task, run: "Runner") -> tuple["Index", int]:
    """Make the tables; return the index, and of how many captures they were made."""
    from analysis.packets import make_tables

    made = 0
    kept_true = manifest_kept_true(task.folder, *(_WRITTEN if task.campaign else ()))
    with kept_true, named(task.folder), Reading(SystemClock()) as reading:

        def watched(
            jobs: "Sequence[CaptureJob]", told: Callable[[int], None]
        ) -> "Iterable[CapturePart]":
            nonlocal made
            load_kernels()
            keep_little()
            made = len(jobs)
            reading.begin(sum(job.path.stat().st_size for job in jobs))
            return run(jobs, told)

        index = make_tables(
            task.folder,
            task.captures,
            task.devices,
            run=watched,
            progress=reading.read,
        )
    return index, made


def _row(index: "Index", device: str) -> dict[str, Any]:
    """Return what is told of one device."""
    from analysis.packets import CLEANING_RULES, Error, Retransmission
    from analysis.packets.cleaning import removed_in

    parts = [each.devices[device] for each in index.captures]
    classes = [sum(c) for c in zip(*(p.retransmissions for p in parts), strict=True)]
    return {
        "device": device,
        "packets": sum(part.n_packets for part in parts),
        "flows": sum(part.n_flows for part in parts),
        "errors": {
            str(bit.name).lower(): sum(part.n_errors(bit) for part in parts)
            for bit in Error
        },
        "retransmissions": {
            each.name.lower(): classes[each] for each in Retransmission if each
        },
        "removed": removed_in(index, device, tuple(CLEANING_RULES)),
    }


def _for_machines(task: _Task, index: "Index", n_made: int) -> dict[str, Any]:
    return {
        "campaign": task.folder.name if task.campaign else None,
        "folder": str(task.folder),
        "captures_read": n_made,
        "devices": [_row(index, device) for device in index.devices],
        "captures": [
            {
                "name": each.name,
                "packets": each.n_frames,
                "first_ns": each.first_ns,
                "last_ns": each.last_ns,
                "truncated_at": each.truncated_at,
                "backwards": each.n_backwards,
                "foreign": each.n_foreign,
                "one_sided": each.n_one_sided,
            }
            for each in index.captures
        ],
    }


def _print(task: _Task, index: "Index", n_made: int) -> None:
    for device in index.devices:
        row = _row(index, device)
        print(
            f"{device}: {counted(row['packets'], 'packet')}, "
            f"{counted(row['flows'], 'flow')}; cleaning would remove "
            f"{_counted(row['removed'])}"
        )
        if any(row["retransmissions"].values()):
            print(f"{device}: segments: {_counted(row['retransmissions'])}")
    for each in index.captures:
        for sentence in _oddities(each):
            print(f"{each.name}: {sentence}")
    n_kept = len(index.captures) - n_made
    captures = counted(n_made, "capture")
    kept = f", {n_kept} were kept" if n_kept else ""
    done = f"made of {captures}{kept}" if n_made else "current, no capture was read"
    print(f"tables in {task.folder}: {done}")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items())


def _oddities(capture: "CapturePart") -> Iterable[str]:
    """Yield what one should know of a capture before using its packets."""
    if capture.truncated_at is not None:
        where = f"ends inside a packet at byte {capture.truncated_at}"
        yield f"{where}; read up to there"
    if capture.n_backwards:
        yield f"{capture.n_backwards} stamps go backwards; tables are in order of time"
    if capture.n_foreign:
        share = f"{capture.n_foreign} of {capture.n_frames} packets"
        yield f"{share} are of link types that are not understood, and in no table"


def _known_captures(task: _Task) -> list[str]:
    """Return the captures whose tables are there already."""
    from analysis.packets.index import find_index

    index = find_index(task.folder)
    return [] if index is None else [each.name for each in index.captures]


def _tell_removed(before: Sequence[str], index: "Index") -> None:
    """Name captures whose tables went because they were not asked for any more."""
    gone = [n for n in before if n not in {each.name for each in index.captures}]
    if gone:
        print(
            f"testbed: the tables of {', '.join(gone)} were removed: a folder holds "
            "those of the captures that were named last",
            file=sys.stderr,
        )


def _tell_half_seen(task: _Task, index: "Index") -> None:
    """Name devices of which a kind of capture shows only what they sent."""
    n_packets = sum(each.n_one_sided for each in index.captures)
    nameless = [device.name for device in task.devices if not device.ip]
    if n_packets and nameless:
        print(
            f"testbed: {n_packets} packets (Linux cooked capture) name the MAC of "
            f"their sender alone: those sent to {', '.join(nameless)} are missing; "
            "give the address as well, NAME=MAC,IP, or ip: in campaign.yaml",
            file=sys.stderr,
        )


def _tell_unseen(task: _Task, index: "Index", n_made: int) -> None:
    """Name devices without a packet: a fault where they were asked for one by one.

    Captures are read for who is there instead only when they were just read: they lie
    in memory then, and who asks again has been told.
    """
    counts = {
        device.name: sum(each.devices[device.name].n_packets for each in index.captures)
        for device in task.devices
    }
    silent = [device for device in task.devices if not counts[device.name]]
    told = [
        f"device {each.name}: no capture holds a packet of {each.mac}"
        for each in silent
    ]
    if task.campaign:
        for sentence in told:
            print(f"testbed: {sentence}; is its MAC right?", file=sys.stderr)
        return
    if silent and n_made:
        from analysis.packets.unseen import unseen_in

        told = unseen_in(task.captures, silent) or told
    if told:
        raise ConfigError("; ".join(f"--{sentence}" for sentence in told))
