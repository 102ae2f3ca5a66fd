"""Read a campaign folder: what was recorded, which devices, which activities when.

campaign = load_campaign(folder)
log = load_activities(folder)
"""

import csv
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from analysis.errors import DatasetError
from analysis.safe_yaml import load_yaml

if TYPE_CHECKING:
    import polars as pl  # slow to load, and packet tables do without

LABELLED = ("confirmed", "unchecked")
OUTCOMES = (*LABELLED, "no_effect", "failed", "aborted")
# the one in C where the library has it: frozen inputs are some hundred lines
_MOST_NAMED = 8
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Times(StrEnum):
    """What is real of the times of a campaign: an import may have to make some up."""

    RECORDED = "recorded"
    DATES = "dates"  # the date of each session; neither its time of day nor what of two
    # sessions of one date was first
    DAYS = "days"  # which sessions share a day; neither their order nor times of day
    INVENTED = "invented"  # nothing but what is within one trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device under test, as far as its packets are concerned.

    every_packet  the captures are of this device alone: what others sent in them, such
                  as multicast, counts as sent to it
    """

    name: str
    mac: str
    ip: str = ""
    unit: str = ""
    firmware: str = ""
    app_version: str = ""
    category: str = ""
    plaintext: bool = False
    every_packet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What a campaign folder says of itself.

    form   'live' or 'fast' (the virtual lab or a real one), or 'imported'
    times  what is real of its times
    """

    folder: Path
    name: str
    simulated: bool
    form: str
    devices: tuple[Device, ...]
    times: Times = Times.RECORDED

    def device(self, name: str) -> Device:
        """Return the device of that name. Raises DatasetError when there is none."""
        for device in self.devices:
            if device.name == name:
                return device
        known = ", ".join(device.name for device in self.devices)
        raise DatasetError(f"{self.folder}: has no device {name!r}; it has {known}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityLog:
    """The activity log, one row per attempt, in the order of the file.

    frame  columns of `COLUMNS`, and `line`, the line in the file. Stamps are Int64, ns
           UTC on the capture's clock, null where the stimulus was never given
    """

    path: Path
    frame: "pl.DataFrame"

    def __len__(self) -> int:
        return self.frame.height

    def of_device(self, device: str) -> "ActivityLog":
        """Keep the rows of one device, in order of time."""
        rows = self.frame.filter(self.frame["device"] == device)
        return ActivityLog(path=self.path, frame=rows.sort("t_ns", nulls_last=True))

    def labelled(self) -> "ActivityLog":
        """Keep the rows whose outcome makes a label: confirmed and unchecked."""
        rows = self.frame.filter(self.frame["outcome"].is_in(LABELLED))
        return ActivityLog(path=self.path, frame=rows)


def _text(text: str) -> str:
    return text


def _whole(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None
    if not -(2**63) <= value < 2**63:
        raise ValueError("must fit into 64 bits")
    return value


def _stamp(text: str) -> int | None:
    return None if text == "" else _whole(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _outcome(text: str) -> str:
    if text not in OUTCOMES:
        raise ValueError(f"must be one of {', '.join(OUTCOMES)}")
    return text


COLUMNS: Mapping[str, tuple[type, Callable[[str], Any]]] = {
    "campaign": (str, _text),
    "session": (str, _text),
    "trial": (str, _text),
    "attempt": (int, _whole),
    "home": (str, _text),
    "device": (str, _text),
    "unit": (str, _text),
    "firmware": (str, _text),
    "app_version": (str, _text),
    "activity": (str, _text),
    "parameters": (str, _text),
    "channel": (str, _text),
    "network": (str, _text),
    "user": (str, _text),
    "t_ns": (int, _stamp),
    "t_issue_ns": (int, _stamp),
    "t_return_ns": (int, _stamp),
    "t_uncertainty_ns": (int, _stamp),
    "delta_ns": (int, _stamp),
    "outcome": (str, _outcome),
    "simulated": (bool, _truth),
}

# of the tables over all campaigns of a published dataset
DEVICE_COLUMNS: Mapping[str, type] = {
    "campaign": str,
    "device": str,
    "unit": str,
    "vendor": str,
    "model": str,
    "category": str,
    "mac": str,
    "ip": str,
    "firmware": str,
    "app": str,
    "app_version": str,
    "plaintext": bool,
    "activities": int,
    "packets": int,
}
HOST_COLUMNS: Mapping[str, type] = {
    "campaign": str,
    "device": str,
    "address": str,
    "written": str,
    "name": str,
    "source": str,
    "from_ns": int,
    "until_ns": int,
    "n": int,
}
HOST_SOURCES = ("dns", "mdns", "sni", "dhcp", "http")
TABLES: Mapping[str, Mapping[str, type]] = {
    "activities": {name: kind for name, (kind, _parse) in COLUMNS.items()},
    "devices": DEVICE_COLUMNS,
    "hosts": HOST_COLUMNS,
}


def devices_of(folder: Path, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the devices asked for, or all. Raises DatasetError for an unknown one."""
    campaign = load_campaign(folder)
    if not wanted:
        return tuple(device.name for device in campaign.devices)
    return tuple(campaign.device(name).name for name in dict.fromkeys(wanted))


def load_activities(folder: Path) -> ActivityLog:
    """Read `activities.csv`. Raises DatasetError with the line of the first fault."""
    import polars as pl

    path = folder / "activities.csv"
    frame = _plain_rows(path)
    if frame is not None:
        return ActivityLog(path=path, frame=frame)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{path}: line 1: has no column {missing[0]!r}")
            rows = [_typed(path, reader.line_num, row) for row in reader]
    except OSError as exc:
        if not (folder / "campaign.yaml").is_file():
            _refuse_others(folder, exc)
        if not isinstance(exc, FileNotFoundError):
            raise DatasetError(f"{path}: cannot be read: {exc.strerror}") from exc
        reason = "it is written when a campaign stops; has it, or was it killed?"
        raise DatasetError(f"{path}: is not there: {reason}") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DatasetError(f"{path}: is not a CSV file in UTF-8: {exc}") from exc
    schema = {name: kind for name, (kind, _parse) in COLUMNS.items()}
    frame = pl.DataFrame(rows, schema={**schema, "line": int}, orient="row")
    return ActivityLog(path=path, frame=frame)


def _plain_rows(path: Path) -> "pl.DataFrame | None":
    """Read a log that is plain and without a fault, many times faster than by rows.

    None for any other: what is wrong, or unusual, is for the slow way to tell.
    """
    import polars as pl

    try:
        data = path.read_bytes().replace(b"\r\n", b"\n")
    except OSError:
        return None
    # quotes may hide line ends, so that lines could no longer be counted
    if b'"' in data or b"\r" in data or b"\n\n" in data or data.startswith(b"\n"):
        return None
    try:
        texts = pl.read_csv(data, infer_schema=False, quote_char=None).fill_null("")
        columns = [_cast(pl.col(name), kind) for name, (kind, _) in COLUMNS.items()]
        frame = texts.select(*columns).with_columns(
            line=pl.int_range(2, pl.len() + 2, dtype=pl.Int64)
        )
    except pl.exceptions.PolarsError:
        return None
    return frame if _is_faultless(frame, data) else None


def _cast(column: "pl.Expr", kind: type) -> "pl.Expr":
    """Return a column of texts as what it says; raises later where it says nonsense."""
    import polars as pl

    if kind is int:
        return column.replace("", None).cast(pl.Int64)
    if kind is bool:
        return column.replace_strict({"true": True, "false": False})
    return column


def _is_faultless(frame: "pl.DataFrame", data: bytes) -> bool:
    """Say whether a log that could be read has all that it must."""
    import polars as pl

    commas = data[: data.find(b"\n")].count(b",") * (frame.height + 1)
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if frame.height + 1 != lines or data.count(b",") != commas:
        return False
    labelled = frame.filter(frame["outcome"].is_in(LABELLED))
    needed = labelled.select(pl.col("t_ns", "delta_ns").is_null().any())
    known = frame["outcome"].is_in(OUTCOMES).all() and not frame["attempt"].has_nulls()
    return bool(known) and not any(needed.row(0))


def _typed(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[Any, ...]:
    values = []
    for name, (_kind, parse) in COLUMNS.items():
        text = row[name]
        if text is None:
            raise DatasetError(f"{path}: line {line}: ends before column {name!r}")
        try:
            values.append(parse(text))
        except ValueError as exc:
            reason = f"{name}: {exc}, got {text!r}"
            raise DatasetError(f"{path}: line {line}: {reason}") from exc
    by_name = dict(zip(COLUMNS, values, strict=True))
    needed = ("t_ns", "delta_ns") if by_name["outcome"] in LABELLED else ()
    for name in needed:
        if by_name[name] is None:
            reason = f"{name}: is empty, but the outcome is {by_name['outcome']}"
            raise DatasetError(f"{path}: line {line}: {reason}")
    return (*values, line)


def load_campaign(folder: Path) -> Campaign:
    """Read `campaign.yaml`. Raises DatasetError when it is missing or senseless."""
    path = folder / "campaign.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        data = load_yaml(text)
    except OSError as exc:
        _refuse_others(folder, exc)
        hint = "is this a campaign folder?"
        message = f"{path}: cannot be read: {exc.strerror}; {hint}"
        raise DatasetError(message) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        reason = str(exc).replace("\n", " ")
        raise DatasetError(f"{path}: is not YAML: {reason}") from exc
    if not isinstance(data, dict):
        raise DatasetError(f"{path}: must be a mapping")
    entries = _field(path, data, "devices", list)
    devices = tuple(
        _device(path, number, entry) for number, entry in enumerate(entries)
    )
    return Campaign(
        folder=folder,
        name=_field(path, data, "campaign", str),
        simulated=_field(path, data, "simulated", bool),
        form=_field(path, data, "form", str),
        devices=devices,
        times=_times(path, data.get("times", Times.RECORDED)),
    )


def _refuse_others(folder: Path, exc: OSError) -> None:
    """Raise DatasetError where a file is missing as the folder is something else."""
    if isinstance(exc, FileNotFoundError | NotADirectoryError):
        instead = instead_of_campaign(folder)
        if instead:
            raise DatasetError(f"{folder}: {instead}") from exc


def instead_of_campaign(path: Path) -> str:
    """Return what a path without `campaign.yaml` is, and what to name; '' if untold."""
    if not path.exists():
        return "there is no such folder; name the folder of a campaign"
    if path.suffix == ".zip" and path.is_file():
        return "is an archive; unpack it, and name a campaign of what comes out"
    if not path.is_dir():
        return "is a file; name the folder of a campaign"
    if (path / "parts.sha256").is_file():
        how = "unpack them, as its README.txt says, and name a campaign of that"
        return f"holds the parts of an archive; {how}"
    for where in ("data/campaigns", "campaigns", "."):
        inside = sorted(each.parent for each in path.glob(f"{where}/*/campaign.yaml"))
        if inside:
            what = "is a folder of campaigns" if where == "." else "is a dataset"
            return f"{what}; {_named(inside)}"
    return ""


def _named(campaigns: Sequence[Path]) -> str:
    """Return which campaigns to name, not all of many."""
    first, *others = campaigns
    if not others:
        return f"did you mean {first}?"
    names = [each.name for each in campaigns[:_MOST_NAMED]]
    more = len(campaigns) - len(names)
    names += [f"{more} more"] if more else []
    return f"name a campaign of it, such as {first}: it has {', '.join(names)}"


def _times(path: Path, value: Any) -> Times:
    if value not in tuple(Times):
        known = ", ".join(Times)
        raise DatasetError(f"{path}: times: must be one of {known}, got {value!r}")
    return Times(value)


def _field(path: Path, data: dict[str, Any], key: str, kind: type) -> Any:
    value = data.get(key)
    if not isinstance(value, kind):
        wanted = {str: "text", bool: "true or false", list: "a list"}[kind]
        raise DatasetError(f"{path}: {key}: must be {wanted}, got {value!r}")
    return value


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _device(path: Path, number: int, entry: Any) -> Device:
    where = f"{path}: devices[{number}]"
    if not isinstance(entry, dict):
        raise DatasetError(f"{where}: must be a mapping, got {entry!r}")
    name, mac = str(entry.get("device", "")), str(entry.get("mac", "")).lower()
    if not _NAME.fullmatch(name):
        raise DatasetError(f"{where}.device: must be a name, got {name!r}")
    if not _MAC.fullmatch(mac):
        reason = f"must be a MAC address such as '00:17:88:6a:12:05', got {mac!r}"
        raise DatasetError(f"{where}.mac: {reason}")
    ip = str(entry.get("ip") or "")
    if ip and not _is_address(ip):
        raise DatasetError(f"{where}.ip: must be an IP address, got {ip!r}")
    texts = ("ip", "unit", "firmware", "app_version", "category")
    values = {key: str(entry.get(key) or "") for key in texts}
    return Device(
        name=name,
        mac=mac,
        plaintext=entry.get("plaintext") in (True, "true"),
        every_packet=entry.get("every_packet") in (True, "true"),
        **values,
    )
