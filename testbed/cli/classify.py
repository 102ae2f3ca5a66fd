"""`classify`: name activities in traffic that nobody labelled, as it comes."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.inside import go_inside
from testbed.cli.options import AsJson
from testbed.cli.plan import DEVICES, LAB, DevicesFolder, LabFile
from testbed.cli.starting import load_kernels
from testbed.cli.timing import controller_clock
from testbed.errors import ConfigError, DriverError, LabError

if TYPE_CHECKING:
    from analysis.streaming.classify import Watch
    from analysis.streaming.detector import Event
    from analysis.streaming.model import StreamDevice

_STDIN = "-"
_NS = 1_000_000_000

Model = Annotated[
    Path, typer.Argument(help="Folder of a model, of `train --streaming`.")
]
Captures = Annotated[
    list[str] | None,
    typer.Argument(help="Captures that follow each other, or - for standard input."),
]
Live = Annotated[
    bool, typer.Option("--live", help="Packets of the lab's router, as they come.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="Only this device; or NAME=MAC or NAME=IP for another copy of it; may be "
        "repeated.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(classify)


def classify(
    model: Model,
    captures: Captures = None,
    live: Live = False,
    device: Devices = None,
    as_json: AsJson = False,
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
) -> None:
    """Name the activities in traffic without labels, one line per event."""
    if live == bool(captures):
        raise ConfigError("name captures, or - for standard input, or --live")
    if live:
        _enter(lab, devices)
    paths = _there(captures or [])
    load_kernels()
    paths.sort(key=_first_ns)  # and what is no capture is refused before long work
    from analysis.models import load_parts
    from analysis.streaming.classify import Watch
    from analysis.streaming.store import of_parts

    learnt = chosen(of_parts(load_parts(model)), device or ())
    watch = Watch(learnt)
    show = _as_json if as_json else _as_line
    if live:
        found = _live(watch, lab, devices)
    elif captures == [_STDIN]:
        found = _stdin(watch)
    else:
        found = _files(watch, paths)
    for event in found:
        print(show(event), flush=True)
    for name in watch.unseen:
        mac = learnt[name].device.mac
        reason = f"no packet of {mac}; name it by --device {name}=MAC"
        print(f"testbed: device {name}: {reason}", file=sys.stderr)


def chosen(
    learnt: "Mapping[str, StreamDevice]", wanted: "list[str] | tuple[str, ...]"
) -> "dict[str, StreamDevice]":
    """Return the devices that `--device` names, each with its address. ConfigError."""
    found = dict(learnt) if not wanted else {}
    for text in wanted:
        name, _, address = text.partition("=")
        if name not in learnt:
            known = ", ".join(learnt)
            raise ConfigError(f"--device: the model has no {name!r}; it has {known}")
        found[name] = learnt[name]
        if "=" in text:
            device = replace(learnt[name].device, **_place(text, address))
            found[name] = replace(learnt[name], device=device)
    return found


def _place(text: str, address: str) -> dict[str, Any]:
    """Return the fields of a device that say which packets are its own."""
    import ipaddress
    import re

    if re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", address):
        return {"mac": address.lower().replace("-", ":"), "ip": ""}
    try:
        return {"ip": str(ipaddress.ip_address(address)), "mac": "00:00:00:00:00:00"}
    except ValueError as exc:
        reason = "must be NAME, NAME=MAC or NAME=IP"
        raise ConfigError(f"--device: {reason}, got {text!r}") from exc


def _there(captures: list[str]) -> list[Path]:
    """Return the files that are named. Raises ConfigError for one that is none."""
    if captures == [_STDIN]:
        return []
    if _STDIN in captures:
        raise ConfigError("- stands alone: standard input is one capture")
    paths = [Path(each) for each in captures]
    for path in paths:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder; name the captures in it")
        if not path.exists():
            raise ConfigError(f"{path}: is not there; name captures that are")
    return paths


def _files(watch: "Watch", paths: list[Path]) -> "Iterator[Event]":
    """Yield the events in captures, which are in the order of their first packets."""
    from analysis.streaming.captures import batches_of

    for batch in batches_of(paths, on_end=_tell_cut):
        yield from watch.take(batch)
    yield from watch.finish()


def _first_ns(path: Path) -> int:
    from analysis.pcap.stream import open_capture_stream

    with open_capture_stream(path) as stream:
        return next((int(batch.time_ns[0]) for batch in stream if len(batch)), 0)


def _stdin(watch: "Watch") -> "Iterator[Event]":
    number = sys.stdin.fileno()
    return _streamed(watch, lambda most_b: os.read(number, most_b), "standard input")


def _live(watch: "Watch", lab: Path, devices: Path) -> "Iterator[Event]":
    from testbed.drivers.router_live import open_live
    from testbed.model.load import load_lab, load_profiles
    from testbed.runner.bench import expanded

    at = expanded(load_lab(lab, load_profiles(devices)).router)
    try:
        with open_live(at) as packets:
            yield from _streamed(watch, packets.read, "router")
    except DriverError as exc:
        raise LabError(str(exc)) from exc


def _streamed(
    watch: "Watch", read: Callable[[int], bytes], name: str
) -> "Iterator[Event]":
    from analysis.streaming.live import LiveEnd, live_events

    end = LiveEnd()
    yield from live_events(read, watch, controller_clock(), name=name, end=end)
    _tell_cut(name, end.truncated_at)


def _tell_cut(name: str | Path, truncated_at: int | None) -> None:
    if truncated_at is not None:
        reason = f"ends inside a packet, at byte {truncated_at}; all before it was read"
        print(f"testbed: {name}: {reason}", file=sys.stderr)


def _enter(lab: Path, devices: Path) -> None:
    """Go on inside the virtual lab, where the lab is one."""
    from testbed.model.load import load_lab, load_profiles

    profiles = load_profiles(devices)
    go_inside(load_lab(lab, profiles), lab, profiles)


def _as_json(event: "Event") -> str:
    return json.dumps(asdict(event))


def _as_line(event: "Event") -> str:
    start = datetime.fromtimestamp(event.start_ns // _NS, tz=UTC)
    stamp = f"{start:%Y-%m-%dT%H:%M:%S}.{event.start_ns // 1_000_000 % 1000:03d}Z"
    length_s = (event.end_ns - event.start_ns) / _NS
    told = event.activity.split("|")  # several where training cannot tell them apart
    others = [each for each in event.choices if each not in told]
    line = f"{stamp}  {length_s:5.1f} s  {event.device}  {event.activity}"
    line += f"  {event.probability:.2f}"
    return f"{line}  or {', '.join(others)}" if others else line
