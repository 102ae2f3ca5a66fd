"""`flows extract | convert`: flow records of captures, and of tables of others."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from testbed.cli.flows_detect import add as add_detection
from testbed.cli.options import AsJson
from testbed.cli.packets import device_of
from testbed.cli.reading import Reading, counted
from testbed.cli.starting import keep_little, load_kernels
from testbed.clock import SystemClock
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.flows import FlowRecords, Subject, Texts, Timeouts
    from analysis.flows.tables import Told

DEVICES = Path("devices")
_STDIN = "-"

Sources = Annotated[
    list[str],
    typer.Argument(
        help="A campaign folder; or captures that follow each other, with gzip or zstd "
        "too; or - for standard input.",
    ),
]
Others = Annotated[
    list[Path],
    typer.Argument(help="Flow records: .parquet, .csv, Zeek's conn.log, Joy's .json."),
]
Wanted = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="With captures: MAC, NAME=MAC, NAME=MAC,IP, or the name of a profile; of "
        "a campaign: only this device. May be repeated. Captures without it: every "
        "connection, seen from whoever began it.",
    ),
]
Out = Annotated[
    str,
    typer.Option(
        "--out",
        help="File to write: .parquet, .csv, or .log for a conn log as Zeek's; - for "
        "CSV on standard output, record by record.",
    ),
]
Home = Annotated[str, typer.Option(help="What stands in the column home.")]
Model = Annotated[
    str,
    typer.Option(
        help="What stands in the column model; else the model of the device's profile, "
        "or the device's name."
    ),
]
Active = Annotated[
    float | None,
    typer.Option(
        "--active", help="Active timeout, seconds after the start; by default 60."
    ),
]
Idle = Annotated[
    float | None,
    typer.Option(
        "--idle", help="Idle timeout, seconds after the last packet; by default 15."
    ),
]
NoTimeouts = Annotated[
    bool, typer.Option("--no-timeouts", help="Whole conversations, as tshark's.")
]
Profiles = Annotated[Path, typer.Option("--devices", help="Folder of device profiles.")]
At = Annotated[
    str,
    typer.Option(
        "--device",
        help="NAME=ADDRESS, an IP address or a network such as 192.168.2.0/24, of the "
        "device: turns records to its side, and leaves out those of others.",
    ),
]
Causes = Annotated[
    Path | None,
    typer.Option(help="Parquet to write of what made each record, by labels."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Captures, whose records are wanted, and the folder of tables instead of them.

    profiled  names of devices whose MAC is that of a profile, no matter the captures
    """

    captures: list[Path]
    subjects: "list[Subject]"
    tables: Path | None = None
    profiled: frozenset[str] = frozenset()


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    topic = typer.Typer(no_args_is_help=True, help="Flow records of connections.")
    topic.command()(extract)
    topic.command()(convert)
    add_detection(topic)
    app.add_typer(topic, name="flows")


def extract(
    sources: Sources,
    out: Out,
    device: Wanted = None,
    home: Home = "",
    model: Model = "",
    active: Active = None,
    idle: Idle = None,
    no_timeouts: NoTimeouts = False,
    devices: Profiles = DEVICES,
    as_json: AsJson = False,
) -> None:
    """Make bidirectional flow records of captures, as a meter with timeouts does."""
    _refuse_out(out)
    load_kernels()
    keep_little()
    timeouts = _timeouts(active, idle, whole=no_timeouts)
    asked = _asked(sources, device, home, model, devices)
    from analysis.flows import extract as extracted
    from analysis.flows.packet_tables import extract_tables

    with Reading(SystemClock()) as reading, _at_hand(sources) as file:
        if asked.tables is None:
            there = [path for path in asked.captures if path.exists()]
            reading.begin(sum(path.stat().st_size for path in there))
            records = extracted(
                asked.captures,
                asked.subjects,
                timeouts,
                file=file,
                progress=reading.read,
                on_end=_tell_cut,
            )
        else:
            folder = asked.tables
            each = (extract_tables(folder, one, timeouts) for one in asked.subjects)
            records = chain.from_iterable(each)
        seen: Counter[str] = Counter()
        n = _written(_counted(records, seen), out)
    _tell_unseen(asked, seen)
    if not n and asked.captures:
        _say(", ".join(map(str, asked.captures)), "no packet of a flow is in it")
    _tell(n, out, as_json)


def convert(
    tables: Others,
    out: Out,
    device: At = "",
    home: Home = "",
    model: Model = "",
    causes: Causes = None,
    as_json: AsJson = False,
) -> None:
    """Take over flow records of others, or write ours in another format."""
    _refuse_out(out)
    if causes is not None:
        _refuse_folder(causes, "--causes")
    load_kernels()
    keep_little()
    from analysis.flows.tables import Side, read_table

    try:
        side = Side.of(device, home=home, model=model)
    except ValueError as exc:
        raise ConfigError(f"--device: {exc}") from exc
    for path in tables:
        if not path.is_file():
            raise ConfigError(f"{path}: is not there; name files that are")
    told = (each for path in tables for each in read_table(path, side))
    if causes is None:
        n = _written((each.records for each in told), out)
    else:
        from analysis.flows import Texts, write_causes

        kept: list[Texts] = []
        n = _written(_records_and(told, kept), out)
        write_causes(causes, Texts.joined(kept))
    if not n:
        whose = f"of {side.network} " if side.network is not None else ""
        remedy = "name its address or network by --device" if whose else "is it empty?"
        _say(", ".join(map(str, tables)), f"no record {whose}is in it; {remedy}")
    _tell(n, out, as_json)


def _records_and(
    told: "Iterable[Told]", kept: "list[Texts]"
) -> "Iterator[FlowRecords]":
    """Yield the records; keep what made them, row by row."""
    for each in told:
        kept.append(each.causes)
        yield each.records


def _refuse_out(out: str) -> None:
    """Raise ConfigError where records cannot be written, before any is made."""
    if out == _STDIN:
        return
    if Path(out).suffix not in (".parquet", ".csv", ".log"):
        raise ConfigError(f"--out: must end in .parquet, .csv or .log, got {out!r}")
    _refuse_folder(Path(out), "--out")


def _refuse_folder(path: Path, option: str) -> None:
    if not path.parent.is_dir():
        raise ConfigError(
            f"{option}: {path.parent} is no folder; name one that is there"
        )


def _timeouts(active: float | None, idle: float | None, *, whole: bool) -> "Timeouts":
    from analysis.flows import CONVERSATIONS, Timeouts

    named = {"active_s": active, "idle_s": idle}
    given = {name: value for name, value in named.items() if value is not None}
    if whole:
        if given:
            raise ConfigError("--no-timeouts: leave out --active and --idle with it")
        return CONVERSATIONS
    try:
        return Timeouts(**given)
    except ValueError as exc:
        raise ConfigError(f"--active, --idle: {exc}") from exc


def _asked(
    sources: Sequence[str],
    device: list[str] | None,
    home: str,
    model: str,
    profiles: Path,
) -> _Asked:
    """Return the captures, by their first packets, and whose records are wanted."""
    from analysis.flows import Subject

    folder = Path(sources[0])
    if len(sources) == 1 and folder.is_dir():
        return _of_campaign(folder, device, home, model)
    known = [device_of(text, profiles) for text in device or ()]
    if len({each.name for each in known}) < len(known):
        raise ConfigError("--device: a name is given twice")
    subjects = [
        Subject(device=each, home=home, model=model or _model_of(each.name, profiles))
        for each in known
    ]
    profiled = frozenset(each.name for each in known if each.name in (device or ()))
    subjects = subjects or [Subject(home=home, model=model)]
    if _STDIN in sources:
        if len(sources) > 1:
            raise ConfigError("- stands alone: standard input is one capture")
        stream = [Path("standard input")]
        return _Asked(captures=stream, subjects=subjects, profiled=profiled)
    paths = [Path(each) for each in sources]
    for path in paths:
        if not path.is_file():
            raise ConfigError(f"{path}: is no capture; name captures, or one campaign")
    captures = sorted(paths, key=_first_ns)
    return _Asked(captures=captures, subjects=subjects, profiled=profiled)


def _model_of(name: str, profiles: Path) -> str:
    """Return vendor and model of a profile, as simulated homes have it, or ''."""
    path = profiles / f"{name}.yaml"
    if not path.is_file():
        return ""
    from testbed.model.load import load_profile

    profile = load_profile(path)
    return f"{profile.vendor} {profile.model}"


def _of_campaign(
    folder: Path, device: list[str] | None, home: str, model: str
) -> _Asked:
    from analysis.dataset import load_campaign
    from analysis.flows import Subject
    from analysis.packets import find_raw

    campaign = load_campaign(folder)
    wanted = [campaign.device(name) for name in device or ()] or campaign.devices
    models = _models_in(folder)
    subjects = [
        Subject(device=each, home=home, model=model or models.get(each.name, ""))
        for each in wanted
    ]
    if not (folder / "raw").is_dir() and (folder / "packets.json").is_file():
        return _Asked(captures=[], subjects=subjects, tables=folder)
    captures = sorted(find_raw(folder), key=_first_ns)
    return _Asked(captures=captures, subjects=subjects)


def _models_in(folder: Path) -> dict[str, str]:
    """Return vendor and model of the devices of a campaign that has profiles."""
    from analysis.report.recording import read_about

    profiles = read_about(folder).get("profiles")
    if not isinstance(profiles, dict):
        return {}
    return {
        str(name): " ".join(str(each[k]) for k in ("vendor", "model") if each.get(k))
        for name, each in profiles.items()
        if isinstance(each, dict)
    }


def _first_ns(path: Path) -> int:
    from analysis.pcap.stream import open_capture_stream

    with open_capture_stream(path) as stream:
        return next((int(batch.time_ns[0]) for batch in stream if len(batch)), 0)


@contextmanager
def _at_hand(sources: Sequence[str]) -> Iterator[BinaryIO | None]:
    """Open standard input so that packets are handed on as they come."""
    if list(sources) != [_STDIN]:
        yield None
        return
    from analysis.streaming.live import AtHand

    number = sys.stdin.fileno()
    yield cast("BinaryIO", AtHand(lambda most_b: os.read(number, most_b)))


def _written(pieces: "Iterable[FlowRecords]", out: str) -> int:
    from analysis.flows.files import csv_lines, write_flows

    if out == "-":
        n = 0
        for lines in csv_lines(pieces):
            sys.stdout.write(lines)
            sys.stdout.flush()
            n += lines.count("\n")
        return max(n - 1, 0)
    if Path(out).suffix == ".log":
        from analysis.flows.conn_log import write_conn_log

        return write_conn_log(Path(out), pieces)
    return write_flows(Path(out), pieces)


def _counted(
    pieces: "Iterable[FlowRecords]", seen: Counter[str]
) -> "Iterator[FlowRecords]":
    """Yield the pieces; count the records of each device, which come apart."""
    for piece in pieces:
        seen[piece.device.names[0]] += len(piece)
        yield piece


def _tell_unseen(asked: _Asked, seen: Counter[str]) -> None:
    for subject in asked.subjects:
        device = subject.device
        if device is None or seen[device.name]:
            continue
        remedy = "is another MAC its own?"
        if device.name in asked.profiled:
            remedy = (
                f"this is its profile's; name another by --device {device.name}=MAC"
            )
        _say(f"device {device.name}", f"no packet of {device.mac}; {remedy}")


def _say(what: str, sentence: str) -> None:
    """Print a sentence on standard error."""
    print(f"testbed: {what}: {sentence}", file=sys.stderr)


def _tell_cut(path: Path, truncated_at: int | None) -> None:
    if truncated_at is not None:
        reason = f"ends inside a packet, at byte {truncated_at}; all before it was read"
        _say(str(path), reason)


def _tell(n: int, out: str, as_json: bool) -> None:
    if out == "-":
        return
    if as_json:
        about: dict[str, Any] = {"out": out, "flows": n}
        print(json.dumps(about))
    else:
        print(f"{out}: {counted(n, 'flow record')}")
