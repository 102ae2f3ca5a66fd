"""Steps on a phone, and how a thing on its screen is named.

A selector is a ladder: its rungs are tried in order and the rung that was used is
journalled. A step waits for its selector up to a deadline; nothing sleeps and hopes.
"""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from testbed.model.types import Seconds, Strict, Truth

_SHARE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*%\s*$")
_RELATIONS = ("right_of", "left_of", "above", "below", "inside")


def _along(value: object) -> object:
    """Return pixels as int, or a share of the screen as text: '50 %'."""
    if isinstance(value, bool | int) or not isinstance(value, str):
        return value
    share = _SHARE.match(value)
    if share is not None and float(share[1]) <= 100:
        return f"{float(share[1]):g} %"
    if not value.strip().isdigit():
        raise ValueError("must be pixels such as 540, or a share such as '50 %'")
    return int(value)


Along = Annotated[int | str, BeforeValidator(_along)]


class Rung(Strict):
    """One way to find a thing on the screen; all keys that are given must match.

    A rung with a relation means the nearest view in that direction which shares some
    height (right_of, left_of) or some width (above, below) with the other one; inside
    means a view within its bounds. Without another key it means a clickable view.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str | None = None  # resource id; a name without ':id/' is of the open app
    text: str | None = None  # the exact text
    text_contains: str | None = None
    description: str | None = None  # the content description
    kind: str | None = Field(default=None, alias="class")  # 'Switch' or the whole name
    clickable: Truth | None = None
    right_of: "Rung | None" = None
    left_of: "Rung | None" = None
    above: "Rung | None" = None
    below: "Rung | None" = None
    inside: "Rung | None" = None
    at: tuple[Along, Along] | None = None  # a point, last resort, stands alone:
    # pixels, or shares of the screen's width and height

    @model_validator(mode="after")
    def _some_key(self) -> "Rung":
        given = self._given
        if not given:
            raise ValueError("must have one of " + ", ".join(self._keys()))
        if "at" in given and len(given) > 1:
            raise ValueError("cannot have other keys beside at")
        if any(other.at is not None for other in self.relations.values()):
            raise ValueError("cannot be beside a point")
        return self

    @classmethod
    def _keys(cls) -> dict[str, str]:
        """Return key in YAML -> name of the field."""
        return {f.alias or name: name for name, f in cls.model_fields.items()}

    @property
    def _given(self) -> dict[str, object]:
        values = {key: getattr(self, field) for key, field in self._keys().items()}
        return {key: value for key, value in values.items() if value is not None}

    @property
    def name(self) -> str:
        """Name the keys of this rung for the journal: 'id', 'id+text', 'at'."""
        return "+".join(self._given)

    @property
    def relations(self) -> "dict[str, Rung]":
        """Return relation -> the rung of the view that it starts from."""
        found = {name: getattr(self, name) for name in _RELATIONS}
        return {name: other for name, other in found.items() if other is not None}

    def words(self) -> str:
        """Return this rung for messages: id 'live', or text 'On' right of id 'row'."""
        parts = []
        for key, value in self._given.items():
            relation = key.replace("_", " ") if isinstance(value, Rung) else ""
            told = value.words() if isinstance(value, Rung) else _told(value)
            parts.append((relation, f"{relation or key} {told}"))
        plain = " and ".join(told for relation, told in parts if not relation)
        beside = " and ".join(told for relation, told in parts if relation)
        return " ".join(p for p in (plain, beside) if p)

    def point_on(self, width: int, height: int) -> tuple[int, int] | None:
        """Return the point of this rung in pixels; None when it has none."""
        if self.at is None:
            return None
        x, y = self.at
        return _pixels(x, width), _pixels(y, height)

    def matches(
        self,
        *,
        resource_id: str,
        text: str,
        description: str,
        package: str,
        kind: str = "",
        clickable: bool = True,
    ) -> bool:
        """Say whether a view has what is asked for, wherever it is.

        A rung that is a point means no view. Relations are for `model.ladder`.

        package  completes an id that has no ':id/'
        """
        wanted = self.id
        if wanted is not None and ":id/" not in wanted:
            wanted = f"{package}:id/{wanted}"
        return (
            self.at is None
            and wanted in (None, resource_id)
            and self.text in (None, text)
            and (self.text_contains is None or self.text_contains in text)
            and self.description in (None, description)
            and self.kind in (None, kind, kind.rpartition(".")[2])
            and self._wants_clickable in (None, clickable)
        )

    @property
    def _wants_clickable(self) -> bool | None:
        only_beside = set(self._given) <= set(_RELATIONS)
        return True if only_beside else self.clickable


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(str(v) for v in value)})"
    return repr(value)


def _pixels(along: int | str, length: int) -> int:
    if isinstance(along, int):
        return along
    share = float(along.removesuffix("%")) / 100
    return min(int(length * share), length - 1)


class Selector(Strict):
    """A ladder of rungs; `{text: Live}` alone is a ladder of one."""

    any: tuple[Rung, ...]

    @model_validator(mode="before")
    @classmethod
    def _single(cls, value: object) -> object:
        if isinstance(value, dict) and "any" not in value:
            return {"any": [value]}
        return value

    def words(self) -> str:
        """Return this ladder for messages: id 'live' or text 'Live'."""
        return " or ".join(rung.words() for rung in self.any)


class TypeText(Strict):
    """Text typed into the focused field."""

    text: str


class Step(Strict):
    """One act on a phone; exactly one of the first six keys is given.

    trigger  marks the act whose instant is the label; the last act when none is marked
    within   how long to wait for the selector
    """

    open_app: str | None = None  # package
    tap: Selector | None = None
    wait_for: Selector | None = None
    type: TypeText | None = None
    key: Literal["back", "home", "enter"] | None = None
    swipe: tuple[tuple[int, int], tuple[int, int]] | None = None
    trigger: bool = False
    within: Seconds = 10.0

    @model_validator(mode="after")
    def _one_act(self) -> "Step":
        acts = ("open_app", "tap", "wait_for", "type", "key", "swipe")
        given = [k for k in acts if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError("must have exactly one of " + ", ".join(acts))
        return self

    @property
    def act(self) -> str:
        """Name the act of this step."""
        acts = ("open_app", "tap", "wait_for", "type", "key", "swipe")
        return next(k for k in acts if getattr(self, k) is not None)
