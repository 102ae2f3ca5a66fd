"""Events and plans as JSON text and back, exactly.

The name of an event's kind is its class name in snake case; it is what the journal's
`kind` column and `journal.jsonl` hold.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, lru_cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from testbed.errors import JournalError
from testbed.model.events import Event
from testbed.model.plan import Plan, PlannedTrial

_INNER_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


def kind_of(event: Event) -> str:
    """Return the journal's word for the kind of an event, such as `trial_started`."""
    return _word(type(event))


def facts_of(event: Event) -> dict[str, Any]:
    """Return the fields of an event as plain JSON values."""
    return dict(_plain(asdict(event)))


def event_text(event: Event) -> str:
    """Return the fields of an event as one line of ASCII JSON."""
    return json.dumps(facts_of(event), separators=(",", ":"))


def event_from(kind: str, text: str) -> Event:
    """Return the event that `kind_of` and `event_text` describe.

    Raises JournalError for a kind that this version does not know, or text that is
    not what it wrote.
    """
    kinds = _kinds()
    if kind not in kinds:
        raise JournalError(
            f"the journal holds an event {kind!r} that this version does not know; "
            "use the version that wrote it, or a newer one"
        )
    try:
        event: Event = kinds[kind].validate_python(json.loads(text))
    except (ValidationError, ValueError) as exc:
        raise JournalError(
            f"an event {kind!r} of the journal is damaged; restore the database from "
            "a copy, or start a new campaign"
        ) from exc
    return event


def plan_text(plan: Plan) -> str:
    """Return a plan as one line of ASCII JSON."""
    return json.dumps(_plain(asdict(plan)), separators=(",", ":"))


@lru_cache(maxsize=4)  # a plan is asked for again and again while it is carried out
def plan_from(text: str) -> Plan:
    """Return the plan that `plan_text` describes; raises JournalError."""
    plan: Plan = _from(Plan, text)
    return plan


def trials_text(trials: Sequence[PlannedTrial]) -> str:
    """Return some trials of a plan as one line of ASCII JSON."""
    return json.dumps([_plain(asdict(t)) for t in trials], separators=(",", ":"))


@lru_cache(maxsize=4096)  # there may be one for each trial of a plan
def trials_from(text: str) -> tuple[PlannedTrial, ...]:
    """Return the trials that `trials_text` describes; raises JournalError."""
    trials: tuple[PlannedTrial, ...] = _from(tuple[PlannedTrial, ...], text)
    return trials


def _from(kind: Any, text: str) -> Any:
    try:
        return _adapter(kind).validate_python(json.loads(text))
    except (ValidationError, ValueError) as exc:
        raise JournalError(
            "the plan in the journal is damaged; restore the database from a copy, or "
            "start a new campaign"
        ) from exc


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _kinds() -> dict[str, TypeAdapter[Any]]:
    return {_word(kind): TypeAdapter(kind) for kind in get_args(Event)}


def _word(kind: type) -> str:
    return _INNER_CAPITAL.sub("_", kind.__name__).lower()


def _plain(value: object) -> Any:
    """Escape what UTF-8 cannot hold; a name from the file system may have such."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
