"""`import pcap|traces|moniotr|pingpong|...`: campaigns of what others recorded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.data import print_labels
from testbed.cli.folders import refuse_inside
from testbed.cli.options import OverlapPolicy, overlap_of
from testbed.cli.packets import DEVICES, Profiles, device_of
from testbed.cli.reading import counted
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.importers.moniotr import ImportedLayout

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
Out = Annotated[
    Path, typer.Option("--out", help="The campaign folder is made in here: OUT/NAME.")
]
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


Tables = Annotated[
    list[Path], typer.Argument(help="CSVs of packets, or folders of them.")
]
Names = Annotated[
    Path | None,
    typer.Option("--labels", help="CSV that names each file: activity, session ..."),
]
Folder = Annotated[
    Path | None,
    typer.Option("--out", help="The campaign folder; by default captures/NAME."),
]
SizeOf = Annotated[
    str, typer.Option("--size-of", help="What a size is of: frame, or ip packet.")
]
Rules = Annotated[Path, typer.Option("--rules", help="File of rules.")]
Dataset = Annotated[Path, typer.Argument(help="Holds a folder per device.")]
OneDevice = Annotated[
    str, typer.Option("--device", help="NAME=MAC; NAME is that of its folder.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    imports = typer.Typer(
        no_args_is_help=True, help="Make a campaign folder of what others recorded."
    )
    imports.command("pcap")(import_pcap)
    imports.command("traces")(import_traces)
    imports.command("moniotr")(import_moniotr)
    imports.command("pingpong")(import_pingpong)
    imports.command("pcapml")(import_pcapml)
    imports.command("netflowlabeler")(import_netflowlabeler)

    @imports.callback()
    def kinds() -> None:
        """Make a campaign folder of what others recorded."""

    app.add_typer(imports, name="import")


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
    from analysis.dissection.printable import printable
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
    ends = _ends(device, devices)
    target = out / (campaign or activities.stem)
    with _room_for(target):
        imported = take_over(
            captures,
            activities=activities,
            devices=ends,
            target=target,
            recipe=recipe,
            overlap=overlap_of(overlap),
            every_packet=every_packet,
        )
    print_labels(imported.labels)
    if imported.ignored:
        print(f"columns not taken: {', '.join(map(printable, imported.ignored))}")
    _print_wrote(imported.folder, tuple(ends))


def import_traces(
    tables: Tables,
    labels: Names = None,
    out: Folder = None,
    device: Annotated[
        str, typer.Option("--device", help="Name of the device that all are of.")
    ] = "device",
    column: Columns = None,
    constant: Constants = None,
    size_of: SizeOf = "frame",
    sort: Annotated[
        bool,
        typer.Option("--sort", help="Put packets that go back in time into order."),
    ] = False,
) -> None:
    """Take over traces: CSVs of time (s), size (b) and direction (+1 or -1)."""
    from analysis.importers.trace_rows import ETHERNET_B
    from analysis.importers.trace_table import TraceRecipe
    from analysis.importers.traces import import_traces as take_over

    if size_of not in ("frame", "ip"):
        raise ConfigError(f"--size-of: must be frame or ip, got {size_of!r}")
    recipe = TraceRecipe(
        columns=_pairs(column, "--column"),
        constants=_pairs(constant, "--constant"),
        extra_b=ETHERNET_B if size_of == "ip" else 0,
        sort=sort,
    )
    target = out or CAPTURES / tables[0].stem
    with _room_for(target):
        done = take_over(
            tables, target=target, labels=labels, device=device, recipe=recipe
        )
    print_labels(done.labels)
    if done.unlabelled:
        some = ", ".join(path.name for path in done.unlabelled[:4])
        n = counted(len(done.unlabelled), "file")
        print(f"without a label, left out: {n}: {some}")
    print(f"sessions: {done.n_sessions}, packets: {done.n_packets}")
    _print_wrote(done.folder, (device,))


def import_moniotr(
    folder: Dataset,
    device: OneDevice,
    out: Folder = None,
    macs: Annotated[
        Path | None,
        typer.Option("--macs", help="List of MAC and name, so that NAME is enough."),
    ] = None,
) -> None:
    """Take over a device of Mon(IoT)r: DEVICE/ACTIVITY/START.LENGTHs.pcap."""
    from analysis.importers.moniotr import import_moniotr as take_over
    from analysis.importers.moniotr import load_macs

    name, mac = _named_mac(device, load_macs(macs) if macs else {})
    target = out or CAPTURES / name
    with _room_for(target):
        done = take_over(folder, device=name, mac=mac, target=target)
    _print_layout(done, name)


def import_pingpong(
    folder: Dataset,
    device: OneDevice,
    out: Folder = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Zone of the times; theirs by default.")
    ] = "America/Los_Angeles",
    events: Annotated[
        str, typer.Option("--events", help="What the triggers were, in turn.")
    ] = "on,off",
    delta: Annotated[
        str, typer.Option("--delta", help="δ from a trigger; theirs by default.")
    ] = "15 s",
    within: Annotated[
        str, typer.Option("--within", help="Only captures below a folder of this name.")
    ] = "",
    overlap: OverlapPolicy = "refuse",
) -> None:
    """Take over a device of PingPong: captures beside DEVICE/.../*.timestamps."""
    from analysis.importers.pingpong import import_pingpong as take_over
    from analysis.importers.stamps import load_zone

    try:
        zone = load_zone(timezone)
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
    name, mac = _named_mac(device, {})
    target = out or CAPTURES / name
    with _room_for(target):
        done = take_over(
            folder,
            device=name,
            mac=mac,
            target=target,
            zone=zone or UTC,
            events=[event.strip() for event in events.split(",")],
            delta_ns=_delta_ns(delta) or 0,
            within=within,
            overlap=overlap_of(overlap),
        )
    _print_layout(done, name)


def import_pcapml(
    captures: Captures,
    rules: Rules,
    device: Devices,
    out: Folder = None,
    overlap: OverlapPolicy = "refuse",
    devices: Profiles = DEVICES,
) -> None:
    """Take over captures and label rules of pcapML: BPF:...|TS_START:...,label."""
    from analysis.importers.pcapml_rules import import_pcapml as take_over

    ends = _ends(device, devices)
    target = out or CAPTURES / rules.stem
    with _room_for(target):
        report = take_over(
            captures,
            rules=rules,
            devices=ends,
            target=target,
            overlap=overlap_of(overlap),
        )
    print_labels(report)
    _print_wrote(target, tuple(ends))


def import_netflowlabeler(
    conn_log: Annotated[Path, typer.Argument(help="A conn.log of Zeek, or of ours.")],
    rules: Rules,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="By default CONN_LOG.labeled, beside it."),
    ] = None,
) -> None:
    """Label a conn.log by rules of netflowlabeler; no campaign, but flow records."""
    from analysis.importers.netflow_rules import label_conn_log, load_netflow_rules

    target = out or conn_log.with_name(f"{conn_log.name}.labeled")
    if not conn_log.is_file():
        raise ConfigError(f"{conn_log}: is not there; name a conn.log that is")
    if target.is_dir() or target.resolve() == conn_log.resolve():
        raise ConfigError(f"--out: {target} is taken; name another file")
    counts = label_conn_log(conn_log, load_netflow_rules(rules), target)
    for name, n in sorted(counts.items()):
        print(f"{name or 'without a label'}: {counted(n, 'record')}")
    print(f"wrote {target}")


@contextmanager
def _room_for(target: Path) -> Iterator[None]:
    """Make the folders that `target` lies in; those still empty after it go again."""
    refuse_inside(target.parent, "--out")
    folders = (target.parent, *target.parent.parents)
    new = [folder for folder in folders if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in new:
            with suppress(OSError):  # it holds the campaign
                folder.rmdir()


def _print_wrote(folder: Path, devices: Sequence[str]) -> None:
    """Print the folder that commands are given, and what its devices are called."""
    what = "device" if len(devices) == 1 else "devices"
    print(f"wrote {folder}, {what} {', '.join(devices)}")


def _named_mac(text: str, known: dict[str, str]) -> tuple[str, str]:
    """Return name and MAC of NAME=MAC, or of a known name. Raises ConfigError."""
    name, equals, mac = text.partition("=")
    if not equals and name not in known:
        some = f"; the list has {', '.join(sorted(known)[:8])}" if known else ""
        raise ConfigError(f"--device: must be NAME=MAC, got {text!r}{some}")
    return name, mac if equals else known[name]


def _print_layout(done: "ImportedLayout", device: str) -> None:
    print_labels(done.labels)
    if done.left_out:
        some = ", ".join(path.name for path in done.left_out[:4])
        print(f"left out, of another device or empty: {len(done.left_out)}: {some}")
    _print_wrote(done.folder, (device,))


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
