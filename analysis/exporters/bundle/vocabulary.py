"""Words that every dataset holds: fields, events, channels. They can be no secret.

A device that somebody called 'phone' tells nothing by that, and a dataset in which the
word is another one could not be read any more.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from analysis.dataset import HOST_SOURCES, TABLES
from analysis.errors import RequestError
from analysis.exporters.identifiers import Identifier

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ADDRESSES = ("mac", "ipv4", "ipv6", "beacon")
_LEAST_PART_B = 8  # a shorter text is an identifier as a word of its own alone
# whose keys are names that somebody gave
_NAMED = frozenset(("plugs", "profiles", "activities", "delta_groups", "parameters"))
# fields of campaign.yaml, journal and receipt; what is not here may be somebody's name
_FIELDS = """
above act activities activity anchor answer any api app app_version at_ns attempt
attempts below campaign capture captured_ns captures category channel channels check
clear clock clock_uncertainty delta delta_groups depth description detail device
device_silent devices drift_ppm driver dropped engine error_ns event facts faults
feeds file files filter firmware first_beacon form frame free_mb give_up gives home
host id idle initial instant_ns interface interleave internet interrupts is_device
issue_ns kind lab language last_beacon limits log look_every mac manifest_sha256 model
moment n_beacons n_labelled n_trials name needs network networks offset offset_ns
online open_app outcome package parameters permissions phase phone pid plaintext
plan_json plugs point power power_w profiles ready_ns reason received repeats rerun_of
rest return_ns rotate rotate_mb router router_clock rung same_plan say scenario see
seed select sent_ns seq session set settle sha256 simulated size_b stepped_ns steps
stopped_by stopped_ns switch tap text text_contains times tool trial trigger trip
uniform unit unreadable user utterance vendor version versions virtual voice wan_delay
wan_loss wav_sha256 within
"""
FIELDS = frozenset(_FIELDS.split())
# whose values are words of the grammar
_SAID = frozenset(
    (
        *("channel", "channels", "network", "networks", "outcome", "phase", "event"),
        *("form", "category", "driver", "tool", "depth", "times", "permissions"),
        *("trigger", "rung", "engine", "moment", "stopped_by", "kind"),
    )
)


def words_of(folder: Path) -> frozenset[str]:
    """Return the words of the format that a campaign uses, in lower case."""
    text = (folder / "campaign.yaml").read_text(encoding="utf-8")
    about = yaml.load(text, Loader=_LOADER)  # noqa: S506 -- a safe one
    found = {column for columns in TABLES.values() for column in columns}
    found |= {*TABLES, *HOST_SOURCES, *FIELDS, *_said(about, "")}
    with (folder / "activities.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found |= {str(row.get(name) or "") for name in _SAID & row.keys()}
    journal = folder / "journal.jsonl"
    if journal.is_file():
        with journal.open(encoding="utf-8", errors="replace") as lines:
            found |= {_event(line) for line in lines}
    return frozenset(word.lower() for word in found if word)


def without_words(
    identifiers: Iterable[Identifier], words: Iterable[str], told: Iterable[Identifier]
) -> tuple[tuple[Identifier, ...], tuple[str, ...]]:
    """Return identifiers that are no word of the format, and those words that were.

    Raises RequestError for one that was told.
    """
    text, kept, left = "\n".join(sorted(set(words))), [], set()
    secrets = {(each.kind, each.value) for each in told}
    for each in identifiers:
        if not _is_in(each, text):
            kept.append(each)
        elif (each.kind, each.value) in secrets:
            reason = "is a word that every dataset holds, so it can be no secret"
            raise RequestError(f"{each.kind} {each.value!r}: {reason}; leave it out")
        else:
            left.add(each.value)
    return tuple(kept), tuple(sorted(left))


def _is_in(identifier: Identifier, text: str) -> bool:
    value = identifier.value.lower()
    if identifier.kind in _ADDRESSES or value not in text:
        return False
    if len(value) >= _LEAST_PART_B:
        return True
    word = rf"(?<![a-z0-9]){re.escape(value)}(?![a-z0-9])"
    return re.search(word, text) is not None


def fields_of(value: Any, field: str = "") -> Iterator[str]:
    """Yield the keys of a mapping, however deep, that nobody gave as names."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if field not in _NAMED:
                yield str(name)
            yield from fields_of(each, str(name) if field not in _NAMED else "")
    elif isinstance(value, list):
        for each in value:
            yield from fields_of(each, field)


def _said(value: Any, field: str) -> Iterator[str]:
    """Yield the words of the grammar that stand in fields."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _said(each, str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _said(each, field)
    elif isinstance(value, str) and field in _SAID:
        yield value


def _event(line: str) -> str:
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return ""
