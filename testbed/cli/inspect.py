"""`inspect`: look into a label window or the beginning of a capture, field by field."""

import json
import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.options import AsJson
from testbed.cli.packets import DEVICES, Profiles, device_of
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.dissection import Inspection, InspectPacket

_BRIEF_LINES = 6  # of a packet, without --full
_BRIEF_WIDTH = 160
_FRAME = re.compile(r"#\d+\(\d+\)|\bframe: \d", re.IGNORECASE)
_NUMBERS = (
    "packets that fields name by number, as #23 or Frame: 23, are counted from the "
    "first that was cut out, not as at the start of the lines"
)
_ARROWS = {True: ">", False: "<", None: "-"}

Target = Annotated[
    Path,
    typer.Argument(
        help="A campaign folder, with TRIAL; or a capture, pcap or pcapng, with gzip "
        "or zstd too.",
        readable=False,  # what cannot be read is told below, in our words
    ),
]
Trial = Annotated[
    str | None, typer.Argument(help="Id of a trial, as in activities.csv: 0042.")
]
Filter = Annotated[
    str,
    typer.Option("--filter", help="Display filter of Wireshark, as 'http or dns'."),
]
Limit = Annotated[int, typer.Option("--limit", help="Show at most so many packets.")]
Wanted = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="With a campaign: another of its devices. With a capture: only packets "
        "of MAC, NAME=MAC, NAME=MAC,IP, or of a profile.",
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Show every field of every layer.")]


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(inspect)


def inspect(
    target: Target,
    trial: Trial = None,
    display_filter: Filter = "",
    limit: Limit = 200,
    device: Wanted = None,
    full: Full = False,
    devices: Profiles = DEVICES,
    as_json: AsJson = False,
) -> None:
    """Show the packets of a trial's window, or the first of a capture, dissected.

    For a look at some hundred packets; `packets` reads all of them.
    """
    load_kernels()
    from analysis.dissection import inspect_capture, inspect_trial

    if target.is_dir():
        if trial is None:
            raise ConfigError(f"TRIAL: is missing; which trial of {target}?")
        seen = inspect_trial(
            target, trial, device=device, display_filter=display_filter, limit=limit
        )
    else:
        if trial is not None:
            reason = f"{target} is no campaign folder, which alone has trials"
            raise ConfigError(f"TRIAL: {reason}")
        wanted = None if device is None else device_of(device, devices)
        seen = inspect_capture(
            target, device=wanted, display_filter=display_filter, limit=limit
        )
    _tell_truncated(seen)
    if as_json:
        print(json.dumps(asdict(seen), indent=2))
    else:
        _print(seen, full=full)


def _tell_truncated(seen: "Inspection") -> None:
    from analysis.dissection import printable

    for name, at in seen.truncated.items():
        reason = f"ends inside a packet at byte {at}; read up to there"
        print(f"testbed: {printable(name)}: {reason}", file=sys.stderr)


def _print(seen: "Inspection", *, full: bool) -> None:
    if seen.about:
        print(_headline(seen.about))
    for packet in seen.packets:
        print(_line(packet))
        for line in _whole(packet) if full else _brief(packet):
            print(f"      {line}")
    if any(_numbers_frames(packet, full=full) for packet in seen.packets):
        print(_NUMBERS)
    print(_sum(seen))


def _numbers_frames(packet: "InspectPacket", *, full: bool) -> bool:
    """Say whether a printed field speaks of other packets by their number."""
    lines = _whole(packet) if full else _brief(packet)
    return any(_FRAME.search(line) for line in lines)


def _headline(about: Any) -> str:
    from analysis.dissection import printable

    start = datetime.fromtimestamp(about["start_ns"] / 1e9, tz=UTC)
    length_s = (about["end_ns"] - about["start_ns"]) / 1e9
    what = " ".join(
        str(about[key])
        for key in ("device", "activity", "parameters", "channel", "network")
        if about[key]
    )
    when = f"{start:%Y-%m-%d %H:%M:%S.%f} UTC, {length_s:.3f} s"
    # a campaign may be a stranger's, and its names are not checked
    return printable(
        f"{about['campaign']}, trial {about['trial']}: {what}: {about['outcome']}; "
        f"window from {when}"
    )


def _line(packet: "InspectPacket") -> str:
    found = packet.dissected
    protocols = found.protocols.removeprefix("eth:ethertype:")
    ends = f"{found.source} -> {found.target}"
    return (
        f"{packet.frame:>6} {packet.at_s:+11.6f} s {_ARROWS[packet.outbound]} "
        f"{packet.length_b:>5} B  {ends}  {protocols}"
    )


def _brief(packet: "InspectPacket") -> list[str]:
    """Return the first fields above the transport, cut to a terminal."""
    lines = [line for layer in packet.dissected.said for line in layer.lines]
    shown = [_cut(line) for line in lines[:_BRIEF_LINES]]
    if left := len(lines) - len(shown):
        shown.append(f"... {left} more; see --full")
    return shown


def _cut(line: str) -> str:
    return line if len(line) <= _BRIEF_WIDTH else f"{line[: _BRIEF_WIDTH - 3]}..."


def _whole(packet: "InspectPacket") -> list[str]:
    return [
        text
        for layer in packet.dissected.layers
        for text in (f"{layer.name}:", *(f"  {line}" for line in layer.lines))
    ]


def _sum(seen: "Inspection") -> str:
    n_shown = len(seen.packets)
    packets = "1 packet" if seen.n_there == 1 else f"{seen.n_there} packets"
    looked = ""
    if seen.n_looked < seen.n_there:
        looked = f"; the first {seen.n_looked} were looked at"
    return f"{n_shown} of {packets} shown{looked}"
