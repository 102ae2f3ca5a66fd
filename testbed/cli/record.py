"""`record`: what an instrument answers, as a dialogue without secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.inside import go_inside
from testbed.cli.places import Place
from testbed.cli.plan import DEVICES, LAB, DevicesFolder, LabFile
from testbed.cli.timing import controller_clock, wall_clock
from testbed.clock import Clock
from testbed.errors import ConfigError
from testbed.model.dialogue import Dialogue, write_dialogue
from testbed.model.load import load_lab, load_profiles
from testbed.model.profile import DeviceProfile
from testbed.model.types import parse_seconds
from testbed.runner.journal.lab_lease import beating
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import open_store
from testbed.runner.record import (
    INSTRUMENTS,
    RecordOrder,
    check_order,
    listen,
    redacted,
)

_HOLDER = "record"


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(record)


Instrument = Annotated[str, typer.Argument(help="phone, plug, router or voice.")]
Device = Annotated[str, typer.Option(help="Walk through this device's app.")]
PlugName = Annotated[str, typer.Option("--plug", help="Which plug.")]
Target = Annotated[Path | None, typer.Option("--out", help="The file to write.")]
Length = Annotated[
    str, typer.Option("--for", help="Go on looking so long, such as '30 s'.")
]
Passive = Annotated[
    bool,
    typer.Option(
        "--passive", help="Only read; allowed while a campaign holds the lab."
    ),
]
Secrets = Annotated[
    list[str] | None,
    typer.Option("--secret", help="A word that must not be in the file."),
]


def record(
    instrument: Instrument,
    device: Device = "",
    plug: PlugName = "",
    out: Target = None,
    length: Length = "0 s",
    passive: Passive = False,
    secret: Secrets = None,
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
) -> None:
    """Record what an instrument answers, with all secrets replaced."""
    if instrument not in INSTRUMENTS:
        known = ", ".join(INSTRUMENTS)
        raise ConfigError(f"{instrument!r} is no instrument; there are: {known}")
    profiles = load_profiles(devices)
    loaded = load_lab(lab, profiles)
    order = RecordOrder(
        instrument=instrument,
        lab=loaded,
        profiles=profiles,
        profile=_profile(device, profiles),
        plug=plug,
        length_s=_seconds(length),
        passive=passive,
        secrets=tuple(secret or ()),
    )
    check_order(order)
    go_inside(loaded, lab, profiles)
    clock = controller_clock()
    with _held(order, Place.of(loaded, None), wall_clock()):
        dialogue = redacted(order, listen(order, clock), clock.now_ns())
    target = out or Path(
        f"{'_'.join(w for w in (instrument, device, plug) if w)}.jsonl"
    )
    write_dialogue(target, dialogue)
    print(f"{target}: {_told(dialogue)}")


def _told(dialogue: Dialogue) -> str:
    replaced = ", ".join(f"{n} {kind}" for kind, n in dialogue.redacted.items())
    n = len(dialogue.exchanges)
    look = "look through it before you give it away: words of yours have no shape"
    return f"{n} answers; replaced: {replaced or 'nothing'}; {look}"


def _profile(device: str, profiles: dict[str, DeviceProfile]) -> DeviceProfile | None:
    if not device:
        return None
    if device not in profiles:
        known = ", ".join(sorted(profiles))
        raise ConfigError(f"--device: {device!r} is not a device; there are: {known}")
    return profiles[device]


def _seconds(text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as exc:
        raise ConfigError(f"--for: {exc}, got {text!r}") from exc


@contextmanager
def _held(order: RecordOrder, place: Place, clock: Clock) -> Iterator[None]:
    """Hold the lab meanwhile, so that no campaign uses its instruments.

    Raises LabError with the holder's name when it is taken. Who only reads holds
    nothing.
    """
    if order.passive:
        yield
        return
    with open_store(place.journal, clock) as store:
        lease = Lease(store, order.lab.lab, clock)
        lease.acquire(_HOLDER)
        try:
            with beating(lease):
                yield
        finally:
            lease.release()
