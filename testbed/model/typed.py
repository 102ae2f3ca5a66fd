"""Text values into pydantic models, with every fault in words a user can act on."""

import difflib
import types
from collections.abc import Iterable
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from testbed.model.source import Document, Place

M = TypeVar("M", bound=BaseModel)

_SHORT = 40  # characters of a wrong value that are repeated in a message


def typed(document: Document, model: type[M]) -> M | None:
    """Return the document as `model`, or None after noting its faults in it."""
    if document.root is None:
        return None
    if not isinstance(document.value, dict):
        document.fault((), "must be a mapping of keys to values")
        return None
    try:
        return model.model_validate(document.value)
    except ValidationError as exc:
        for error in exc.errors(include_url=False):
            _note(document, model, error)
        return None


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the valid name nearest to `name`, or ''."""
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def one_of(valid: Iterable[str]) -> str:
    """Return "'a', 'b' or 'c'"."""
    names = [repr(v) for v in valid]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def got(value: object) -> str:
    """Return the value as it is repeated in a message."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}...'"


def _note(document: Document, model: type[BaseModel], error: ErrorDetails) -> None:
    place: Place = tuple(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        keys = _keys_at(model, place[:-1])
        name = str(place[-1])
        document.fault(place, f"is not a known key{nearest(name, keys)}", at_key=True)
    elif kind == "missing":
        document.fault(place, "is missing", absent=True)
    else:
        document.fault(place, f"{_must(error)}, got {got(error['input'])}")


def _must(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    fixed = {
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "string_type": "must be text",
        "string_too_short": "must not be empty",
        "too_short": "must have at least one entry",
        "model_type": "must be a mapping of keys to values",
        "dict_type": "must be a mapping of keys to values",
        "tuple_type": "must be a list",
        "list_type": "must be a list",
        "string_pattern_mismatch": "must be a name of a-z, 0-9 and _, "
        "starting with a letter",
    }
    if kind in fixed:
        return fixed[kind]
    if kind == "greater_than":
        whole = context["gt"] == 0 and isinstance(context["gt"], int)
        return "must be at least 1" if whole else f"must be more than {context['gt']}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind in ("less_than", "less_than_equal"):
        return f"must be at most {context.get('lt', context.get('le'))}"
    if kind in ("literal_error", "enum"):
        return f"must be one of {str(context['expected']).replace(' or ', ', ')}"
    if kind == "value_error":
        return str(context["error"])
    return error["msg"][:1].lower() + error["msg"][1:]


def _keys_at(model: type[BaseModel], place: Place) -> list[str]:
    """List the keys that the model allows at a place."""
    current: Any = model
    for part in place:
        current = _inside(current, part)
        if current is None:
            return []
    models = [m for m in _alternatives(current) if _is_model(m)]
    return [f.alias or k for m in models for k, f in m.model_fields.items()]


def _inside(annotation: Any, part: str | int) -> Any:
    for option in _alternatives(annotation):
        if _is_model(option) and isinstance(part, str):
            if part in option.model_fields:
                return option.model_fields[part].annotation
        elif get_origin(option) is dict:
            return get_args(option)[1]
        elif get_origin(option) in (tuple, list) and isinstance(part, int):
            return get_args(option)[0]
    return None


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
