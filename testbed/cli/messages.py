"""`messages`: what devices say in plain text, each message once."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.options import AsJson
from testbed.cli.packets import DEVICES, Profiles, device_of
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.dataset import Device
    from analysis.payload import Heard

_WIDTH = 200
_ARROWS = {True: ">", False: "<", None: "-"}

Targets = Annotated[
    list[Path],
    typer.Argument(
        help="A campaign folder; or captures, pcap or pcapng, with gzip or zstd too: "
        "those of several interfaces together, each packet counts once.",
        readable=False,  # what cannot be read is told below, in our words
    ),
]
Wanted = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="Only what it says or is told; may be repeated. With captures: MAC, "
        "NAME=MAC, NAME=MAC,IP, or the name of a profile.",
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Show the whole of each message.")]


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(messages)


def messages(
    targets: Targets,
    device: Wanted = None,
    full: Full = False,
    devices: Profiles = DEVICES,
    as_json: AsJson = False,
) -> None:
    """Show what is said in plain text, decoded, each message once.

    Of a campaign, what its devices in plain text say; of captures, what everybody says.
    """
    load_kernels()
    from analysis.dissection import printable
    from analysis.payload import heard

    captures, wanted = _asked(targets, device or [], devices)
    said = [(name, heard(captures, device=one)) for name, one in wanted]
    if as_json:
        rows = [{"device": n, **asdict(m)} for n, found in said for m in found]
        print(json.dumps(rows, indent=2))
        return
    for name, found in said:
        for message in found:
            print(_line(name, message, full=full))
        whose = f"{printable(name)}: " if name else ""
        counted = "1 message" if len(found) == 1 else f"{len(found)} messages"
        print(f"{whose}{counted} in plain text", file=sys.stderr)


def _asked(
    targets: Sequence[Path], names: Sequence[str], profiles: Path
) -> tuple[list[Path], "list[tuple[str, Device | None]]"]:
    """Return the captures to read, and for whom. Raises ConfigError, DatasetError."""
    if len(targets) == 1 and targets[0].is_dir():
        from analysis.dataset import load_campaign
        from analysis.packets import find_raw

        campaign = load_campaign(targets[0])
        chosen = [campaign.device(name) for name in names]
        chosen = chosen or [d for d in campaign.devices if d.plaintext]
        chosen = chosen or list(campaign.devices)
        return list(find_raw(targets[0])), [(each.name, each) for each in chosen]
    for path in targets:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder among captures; name files only")
    given = [device_of(text, profiles) for text in names]
    return list(targets), [(each.name, each) for each in given] or [("", None)]


def _line(name: str, message: "Heard", *, full: bool) -> str:
    from analysis.dissection import printable

    when = datetime.fromtimestamp(message.time_ns / 1e9, tz=UTC)
    text = printable(message.text.replace("\r\n", " ").replace("\n", " "))
    if not full and len(text) > _WIDTH:
        text = f"{text[: _WIDTH - 3]}..."
    whose = f"{printable(name)} " if name else ""
    return (
        f"{when:%Y-%m-%d %H:%M:%S.%f} {whose}{_ARROWS[message.outbound]} "
        f"{message.source} -> {message.target} {message.protocol}  {text}"
    )
