"""`label`, `import pcap`: from captures and activities to labels."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.manifest import manifest_kept_true
from testbed.cli.options import AsJson, CampaignFolder, OverlapPolicy, overlap_of
from testbed.cli.packets import DEVICES, Profiles, device_of, tabulate
from testbed.cli.reading import Reading
from testbed.cli.starting import load_kernels
from testbed.clock import SystemClock
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.labelling import LabelReport

CAPTURES = Path("captures")

Captures = Annotated[list[Path], typer.Argument(help="Captures, pcap or pcapng.")]
Activities = Annotated[
    Path, typer.Option("--activities", help="CSV of activities; see docs.")
]
Devices = Annotated[
    list[str],
    typer.Option(
        "--device",
        help="MAC, NAME=MAC, NAME=MAC,IP, or the name of a profile; once per device.",
    ),
]
Timezone = Annotated[
    str | None, typer.Option("--timezone", help="Zone of stamps without an offset.")
]
Out = Annotated[Path, typer.Option("--out", help="Where the campaign folder is made.")]
CampaignName = Annotated[
    str | None, typer.Option("--campaign", help="Its name; by default that of the CSV.")
]
Delta = Annotated[
    str | None,
    typer.Option("--delta", help="δ of rows without end and delta, as '8 s'."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="OURS=THEIRS, when a column is called else."),
]
Constants = Annotated[
    list[str] | None, typer.Option("--constant", help="COLUMN=VALUE for all rows.")
]
EveryPacket = Annotated[
    bool,
    typer.Option(
        "--every-packet",
        help="The captures are of the one device alone: take what others sent too.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(label)
    imports = typer.Typer(
        no_args_is_help=True, help="Make a campaign folder of what others recorded."
    )
    imports.command("pcap")(import_pcap)

    @imports.callback()
    def kinds() -> None:
        """Make a campaign folder of what others recorded."""

    app.add_typer(imports, name="import")


def label_whole(folder: Path) -> None:
    """Write packet tables and labelled captures of a campaign that was just made."""
    from analysis.labelling import label_campaign

    tabulate(folder)
    label_campaign(folder)


def label(
    folder: CampaignFolder,
    overlap: OverlapPolicy = "refuse",
    widen: Annotated[
        bool,
        typer.Option(
            "--widen/--no-widen",
            help="Widen windows by the uncertainty of their start.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Write one labelled capture per device, with a comment on each labelled packet."""
    load_kernels()
    from analysis.labelling import label_campaign

    policy = overlap_of(overlap)
    raw_b = sum(p.stat().st_size for p in (folder / "raw").glob("*") if p.is_file())
    kept_true = manifest_kept_true(folder, "labelled")
    with kept_true, Reading(SystemClock()) as reading:
        reading.begin(raw_b)
        report = label_campaign(
            folder, overlap=policy, widen=widen, progress=reading.read
        )
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    _print_labels(report)
    print(f"labelled captures: {folder / 'labelled'}")


def import_pcap(
    captures: Captures,
    activities: Activities,
    device: Devices,
    timezone: Timezone = None,
    out: Out = CAPTURES,
    campaign: CampaignName = None,
    delta: Delta = None,
    column: Columns = None,
    constant: Constants = None,
    overlap: OverlapPolicy = "refuse",
    every_packet: EveryPacket = False,
    devices: Profiles = DEVICES,
) -> None:
    """Take over captures and a CSV of activities that others made."""
    from analysis.importers.activity_table import Recipe
    from analysis.importers.pcap import import_pcap as take_over
    from analysis.importers.stamps import load_zone

    try:
        recipe = Recipe(
            columns=_pairs(column, "--column"),
            constants=_pairs(constant, "--constant"),
            zone=load_zone(timezone),
            delta_ns=_delta_ns(delta),
        )
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
    out.mkdir(parents=True, exist_ok=True)
    imported = take_over(
        captures,
        activities=activities,
        devices=_ends(device, devices),
        target=out / (campaign or activities.stem),
        recipe=recipe,
        overlap=overlap_of(overlap),
        every_packet=every_packet,
    )
    _print_labels(imported.labels)
    if imported.ignored:
        print(f"columns not taken: {', '.join(imported.ignored)}")
    print(f"campaign: {imported.folder}")


def _delta_ns(text: str | None) -> int | None:
    """Return the duration that `--delta` gives in ns. Raises ConfigError."""
    from analysis.importers.stamps import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as exc:
        raise ConfigError(f"--delta: {exc}, got {text!r}") from exc


def _ends(texts: list[str], profiles: Path) -> dict[str, str]:
    """Return name -> MAC, or MAC,IP, of each `--device`. Raises ConfigError."""
    ends: dict[str, str] = {}
    for text in texts:
        one = device_of(text, profiles)
        if one.name in ends:
            raise ConfigError(f"--device: {one.name!r} is given twice")
        ends[one.name] = f"{one.mac},{one.ip}" if one.ip else one.mac
    return ends


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Return KEY=VALUE texts as a mapping. Raises ConfigError."""
    pairs: dict[str, str] = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise ConfigError(f"{option}: must be KEY=VALUE, got {text!r}")
        if key in pairs:
            raise ConfigError(f"{option}: {key!r} is given twice")
        pairs[key] = value
    return pairs


def _print_labels(report: "LabelReport") -> None:
    for each in report.devices:
        line = (
            f"{each.device}: {each.windows} windows, {each.n_labelled} of "
            f"{each.n_packets} packets labelled"
        )
        if each.n_cut or each.n_dropped:
            line += f", {each.n_cut} windows cut, {each.n_dropped} dropped"
        if each.n_uncovered:
            line += f", {each.n_uncovered} outside every capture left out"
        if each.empty:
            line += f", without a packet: trial {', '.join(each.empty)}"
        print(line)
    for sentence in report.unseen:
        print(sentence)
    for name, at in report.truncated.items():
        print(f"{name}: ends inside a packet at byte {at}; read up to there")
