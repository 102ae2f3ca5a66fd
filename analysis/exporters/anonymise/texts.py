"""The texts of a campaign folder: what a stranger needs of them, under pseudonyms."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from analysis.errors import DatasetError
from analysis.exporters.anonymise.closed import CLOSED, FIELDS, NAMED
from analysis.exporters.anonymise.kept import Kept
from analysis.exporters.anonymise.policy import Policy
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.words import Words, unpacked
from analysis.exporters.identifiers.harvest import scalars
from analysis.exporters.identifiers.model import Identifier
from analysis.pcap.errors import cannot_write
from analysis.safe_yaml import load_yaml

# what the grammar or the plan says: words of the testbed, not of a household. Known
# identifiers go from them too; a version in them is no address
_KEPT = frozenset(
    (
        *("device", "activity", "channel", "network", "outcome", "phase", "trial"),
        *("event", "form", "category", "scenario", "is_device", "feeds", "package"),
        *("driver", "tool", "point", "firmware", "app_version", "version"),
        *("simulated", "depth", "times", "vendor", "model", "anchor", "versions"),
        *("attempt", "unit"),
    )
)
_PEOPLE = frozenset(("user", "home"))
_LAB: Mapping[str, tuple[str, ...]] = {
    "phone": ("driver",),
    "voice": ("driver", "language", "online"),
    "router": ("driver", "interface", "tool", "point", "rotate", "rotate_mb", "filter"),
}
_PLUG = ("driver", "feeds", "is_device")
_SPANS = ("uncertainty", "delta", "offset", "error", "stepped")
_LEAST_SERIAL = 8  # digits; who has fewer may be a count
_CHUNK_B = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What a campaign is called now, and free texts that stayed, by field.

    met  rows of the identifiers that the texts had in them
    """

    campaign: str
    kept: Mapping[str, list[str]]
    met: frozenset[int]


def anonymise_texts(
    source: Path,
    target: Path,
    *,
    pseudonyms: Pseudonyms,
    identifiers: Iterable[Identifier],
    policy: Policy,
) -> Rewritten:
    """Write the texts of a campaign folder into another; return what they say now.

    campaign.yaml, with a lab section that names no host, user or path; activities.csv;
    journal.jsonl and raw/receipt.json where there are any. The receipt gets sizes and
    hashes of the captures in `target`, which have to be there, by the names that
    `Words.capture` gives them. Made-up people of a simulated campaign keep their names,
    unless these are among the identifiers.

    Names of fields that somebody gave are texts as their values are: whoever calls a
    plug by a name of the household finds it nowhere. Those of the format stay, and so
    do values of closed lists, whatever the identifiers are.

    Raises DatasetError when a text cannot be read, OSError when none can be written.
    """
    words = Words(pseudonyms, identifiers, policy)
    about = _yaml(source / "campaign.yaml")
    folder = _Folder(words, simulated=about.get("simulated") is True)
    made = folder.campaign(about)
    text = yaml.safe_dump(made, sort_keys=False, allow_unicode=True)
    _write(target / "campaign.yaml", text)
    log = _read(source / "activities.csv")
    _write(target / "activities.csv", folder.activities(log))
    journal = source / "journal.jsonl"
    if journal.is_file():
        lines = [folder.line(line) for line in _read(journal).splitlines()]
        _write(target / journal.name, "".join(f"{line}\n" for line in lines))
    receipt = source / "raw" / "receipt.json"
    if receipt.is_file():
        facts = folder.receipt(_json(receipt), target / "raw", policy)
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        _write(target / "raw" / receipt.name, text)
    name = str(made.get("campaign", ""))
    return Rewritten(campaign=name, kept=folder.kept.found(), met=words.met())


class _Folder:
    """Rewrites the texts of one campaign."""

    def __init__(self, words: Words, *, simulated: bool) -> None:
        self._words = words
        self._simulated = simulated
        self.kept = Kept()

    def campaign(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """Return what campaign.yaml says instead."""
        made: dict[str, Any] = self._value("", {**about, "lab": None})
        if isinstance(about.get("lab"), Mapping):
            for _, text in scalars(about["lab"]):
                self._words.text(text)  # what is left out stood there all the same
            made["lab"] = self._value("", self._lab(about["lab"]))
        else:
            made.pop("lab", None)
        return made

    def activities(self, log: str) -> str:
        """Return the activity log with other names and dates."""
        rows = csv.reader(io.StringIO(log, newline=""))
        out = io.StringIO(newline="")
        ends = "\r\n" if "\r\n" in log else "\n"
        writer = csv.writer(out, lineterminator=ends)
        columns = next(rows, [])
        writer.writerow(columns)
        for row in rows:
            writer.writerow(
                self._cell(name, value)
                for name, value in zip(columns, row, strict=False)
            )
        return out.getvalue()

    def line(self, line: str) -> str:
        """Return one fact of the journal."""
        try:
            fact = json.loads(line)
        except ValueError:
            return ""  # torn by a crash: it was no fact
        made = self._value("", fact)
        return json.dumps(made, separators=(",", ":"), ensure_ascii=False)

    def receipt(self, facts: Any, raw: Path, policy: Policy) -> Any:
        """Return the receipt, about the captures as they are now."""
        made = self._value("", facts)
        captures = made.get("captures", []) if isinstance(made, dict) else []
        for capture in captures:
            for file in capture.get("files", ()):
                file["name"] = unpacked(str(file.get("name", "")))
                path = raw / file["name"]
                if path.is_file():
                    file.update(size_b=path.stat().st_size, sha256=_sha256(path))
            for name in ("first_beacon", "last_beacon"):
                if policy.strip_beacons and capture.get(name):
                    capture[name]["frame"] = None  # it is in no capture any more
        return made

    def _cell(self, name: str, value: str) -> str:
        if name.endswith("_ns"):
            span = not value or any(word in name for word in _SPANS)
            return value if span else str(self._words.stamp(int(value)))
        return str(self._value(name, value))

    def _lab(self, lab: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what says how it was recorded, and nothing of where."""
        made: dict[str, Any] = {k: lab[k] for k in ("lab", "home") if k in lab}
        for name, keys in _LAB.items():
            if isinstance(lab.get(name), Mapping):
                made[name] = {k: lab[name][k] for k in keys if k in lab[name]}
        if isinstance(lab.get("plugs"), Mapping):
            made["plugs"] = {
                name: {k: plug[k] for k in _PLUG if k in plug}
                for name, plug in lab["plugs"].items()
            }
        for name in ("limits", *(("virtual",) if self._simulated else ())):
            if name in lab:
                made[name] = lab[name]
        virtual = made.get("virtual")
        if isinstance(virtual, Mapping) and virtual.get("twins"):
            twins = [str(path).rpartition("/")[2] for path in virtual["twins"]]
            made["virtual"] = {**virtual, "twins": twins}
        return made

    def _value(self, key: str, value: Any) -> Any:
        """Return a value of a mapping, however deep, under pseudonyms."""
        if isinstance(value, Mapping):
            return self._mapping(key, value)
        if isinstance(value, list):
            return [self._value(key, each) for each in value]
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return self._number(key, value)
        if isinstance(value, date):
            return self._words.dates(value.isoformat())
        if not isinstance(value, str):
            return value
        made = self._text(key, value)
        self.kept.text(self._words.text(key), value, made)
        return made

    def _mapping(self, field: str, value: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return a mapping: its keys are texts too."""
        made = {}
        for name, each in value.items():
            of_format = field not in NAMED and name in FIELDS
            given = isinstance(name, str) and not of_format
            key = self._words.text(name) if given else name
            if key in made:
                reason = "would be two pseudonyms alike; take another key, or name it"
                raise DatasetError(f"{key!r}: {reason} otherwise in the campaign")
            self.kept.key(self._words.text(field), str(name), str(key))
            made[key] = self._value(str(name), each)
        return made

    def _number(self, key: str, value: int) -> int | str:
        if key == "pid":
            return 0
        if not key.endswith("_ns"):
            return self._serial(value)
        span = any(word in key for word in _SPANS)
        return value if span else self._words.stamp(value)

    def _serial(self, value: int) -> int | str:
        """Return a number that is an identifier as another of as many digits."""
        text = str(value)
        made = text if len(text) < _LEAST_SERIAL else self._words.known(text)
        if made == text:
            return value
        return int(made) if made.isdecimal() and made[0] != "0" else made

    def _text(self, key: str, value: str) -> str:
        if value in CLOSED.get(key, ()):
            return value
        if key in _KEPT:
            return self._words.known(value)
        if key in _PEOPLE:
            made_up = self._simulated
            return self._words.known(value) if made_up else self._words.person(value)
        if key == "log":  # what a machine says of itself, in any words
            return ""
        if key == "host":
            return self._words.person(value)
        if key.endswith("_json"):
            plan = json.loads(value)
            return json.dumps(self._value("", plan), separators=(",", ":"))
        return self._words.text(value)


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        found = load_yaml(_read(path))
    except yaml.YAMLError as exc:
        raise DatasetError(f"{path}: is damaged: it is not YAML") from exc
    if not isinstance(found, Mapping):
        raise DatasetError(f"{path}: must be a mapping")
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError as exc:
        raise DatasetError(f"{path}: is damaged: it is not JSON") from exc


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise DatasetError(f"{path}: is damaged: it is not UTF-8") from exc


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text.encode())
        part.replace(path)
    except OSError as exc:
        raise cannot_write(path, exc) from exc
    finally:
        part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK_B):
            digest.update(data)
    return digest.hexdigest()
