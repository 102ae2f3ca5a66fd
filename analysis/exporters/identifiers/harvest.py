"""Collect what must not leave the lab: from a campaign's own words and its captures."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from analysis.errors import DatasetError, RequestError
from analysis.exporters.identifiers.captured import harvest_capture
from analysis.exporters.identifiers.gathered import Gathered
from analysis.exporters.identifiers.model import Identifier, unique
from analysis.exporters.identifiers.naming import parts_of
from analysis.exporters.identifiers.public import Products
from analysis.exporters.identifiers.texts import Candidate, looks, of_field
from analysis.packets import find_raw
from analysis.safe_yaml import load_yaml

NAMES = ("keep-public", "pseudonym")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?")
_HOSTS = ("host", "hostname")
_PLANS = ("plan_json", "versions")  # names of what is ours: no identifier in them


def harvest(
    campaign: Path,
    *,
    lab: Mapping[str, Any] | None = None,
    extra: Iterable[Identifier] = (),
    names: str = "keep-public",
    progress: Callable[[int], None] | None = None,
) -> tuple[Identifier, ...]:
    """Return the identifiers of a campaign, sorted, each once.

    lab    the lab file as it was read, besides what the campaign has of it
    extra  what people know and no file tells, such as secrets named by reference
    names  'keep-public' leaves names of the cloud alone, 'pseudonym' takes them too
    progress  is called with bytes of captures that were read since its last call

    Raises DatasetError when the campaign cannot be read, CaptureError for a damaged
    capture, RequestError for another word in `names`.
    """
    if names not in NAMES:
        raise RequestError(f"names must be one of {', '.join(NAMES)}, got {names!r}")
    about = _about(campaign)
    gathered = Gathered(Products(about), names)
    gathered.take_all(_of_campaign(about), "campaign.yaml")
    if lab is not None:
        gathered.take_all(_of_lab(lab), "lab file")
    gathered.take_all(_of_journal(campaign / "journal.jsonl"), "journal.jsonl")
    receipt = campaign / "raw" / "receipt.json"
    if receipt.is_file():
        gathered.take_all(looks(receipt.read_bytes()), "receipt.json")
    for capture in find_raw(campaign):
        harvest_capture(capture, gathered, progress)
    beacon = f"TBB1|{about.get('campaign', campaign.name)}|"
    own = Identifier(kind="beacon", value=beacon, source="campaign.yaml")
    told = tuple(extra)
    return unique((own, *gathered.identifiers(), *told, *_alone(told)))


def _alone(told: Iterable[Identifier]) -> Iterator[Identifier]:
    """Yield given names and surnames of people who were told with both."""
    for each in told:
        if each.kind == "person":
            for part in parts_of(each.value):
                yield Identifier(kind="person", value=part, source=each.source)


def _about(campaign: Path) -> Mapping[str, Any]:
    path = campaign / "campaign.yaml"
    try:
        data = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as exc:
        raise DatasetError(f"{path}: cannot be read: {exc}") from exc
    if not isinstance(data, Mapping):
        raise DatasetError(f"{path}: must be a mapping")
    return data


def _of_campaign(about: Mapping[str, Any]) -> Iterator[Candidate]:
    yield from _of_lab(about.get("lab") or {})
    profiles = about.get("profiles")
    listed = about.get("devices")
    for each in (
        *(profiles.values() if isinstance(profiles, Mapping) else ()),
        *(listed if isinstance(listed, list) else ()),
    ):
        if isinstance(each, Mapping):
            yield "mac", str(each.get("mac") or "")
            yield "name", str(each.get("ip") or "")
            yield from of_field("serial", str(each.get("serial") or ""))


def _of_lab(lab: Mapping[str, Any]) -> Iterator[Candidate]:
    """Yield what the lab file names; what stands for a variable is not there."""
    for key, value in scalars(lab):
        if _ADDRESS.fullmatch(value):
            yield "ipv4", value.split(":")[0]
        elif key in _HOSTS:
            yield "name", value
        elif key == "host_key":
            yield "secret", value.split()[1] if " " in value else value
        else:
            yield from of_field(key, value)
        yield from looks(value.encode())


def _of_journal(path: Path) -> Iterator[Candidate]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                facts = json.loads(line).get("facts")
            except (ValueError, AttributeError):
                continue
            for key, value in scalars(facts):
                if key in _HOSTS:
                    yield "name", value
                elif key not in _PLANS:
                    yield from looks(value.encode())


def scalars(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key, text) of everything in a mapping, however deep."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name not in _PLANS:
                yield from scalars(each, str(name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from scalars(each, key)
    elif value is not None and not isinstance(value, bool):
        yield key, str(value)
