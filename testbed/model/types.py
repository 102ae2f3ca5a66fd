"""Scalar types of the YAML files: text in, typed value out.

YAML is read as text (no implicit `on` -> True, no sexagesimal MAC), so every type here
parses a string. Messages are the second half of a sentence: "must be ..., got ...".
"""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$")
_UNIT_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class Strict(BaseModel):
    """Frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def parse_seconds(value: object) -> float:
    """Return seconds for text such as '30 s', '2 min', '500 ms'."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration such as '30 s', '2 min' or '500 ms'")
    return float(match[1]) * _UNIT_S[match[2]]


def parse_offset(value: object) -> float:
    """Return seconds, which may be negative, for text such as '-49 s'."""
    if isinstance(value, str) and value.strip().startswith("-"):
        return -parse_seconds(value.strip().removeprefix("-"))
    return parse_seconds(value)


def _mac(value: object) -> str:
    text = str(value).lower().replace("-", ":")
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", text):
        raise ValueError("must be a MAC address such as '00:17:88:6a:12:05'")
    return text


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "yes", "on"):
        return True
    if value in ("false", "no", "off"):
        return False
    raise ValueError("must be true or false")


Seconds = Annotated[float, BeforeValidator(parse_seconds)]
Offset = Annotated[float, BeforeValidator(parse_offset)]  # as Seconds; may be negative
Mac = Annotated[str, BeforeValidator(_mac)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class Channel(StrEnum):
    """By what way an activity is caused."""

    PHONE = "phone"
    VOICE = "voice"
    POWER = "power"
    API = "api"


class Network(StrEnum):
    """Where the phone with the companion app is."""

    LAN = "lan"
    WAN = "wan"
