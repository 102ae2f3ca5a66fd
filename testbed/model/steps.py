"""Steps on a phone, and how a thing on its screen is named.

A selector is a ladder: its rungs are tried in order and the rung that was used is
journalled. A step waits for its selector up to a deadline; nothing sleeps and hopes.
"""

from typing import Literal

from pydantic import model_validator

from testbed.model.types import Seconds, Strict


class Rung(Strict):
    """One way to find a thing on the screen; all keys that are given must match."""

    id: str | None = None  # resource id; a name without ':id/' is of the open app
    text: str | None = None  # the exact text
    text_contains: str | None = None
    description: str | None = None  # the content description
    at: tuple[int, int] | None = None  # a point in pixels, last resort, stands alone

    @model_validator(mode="after")
    def _some_key(self) -> "Rung":
        keys = tuple(type(self).model_fields)
        given = [k for k in keys if getattr(self, k) is not None]
        if not given:
            raise ValueError("must have one of " + ", ".join(keys))
        if "at" in given and len(given) > 1:
            raise ValueError("cannot have other keys beside at")
        return self

    @property
    def name(self) -> str:
        """Name the keys of this rung for the journal: 'id', 'id+text', 'at'."""
        keys = type(self).model_fields
        return "+".join(k for k in keys if getattr(self, k) is not None)

    def matches(
        self, *, resource_id: str, text: str, description: str, package: str
    ) -> bool:
        """Say whether a view is meant; a rung that is a point means no view.

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
        )


class Selector(Strict):
    """A ladder of rungs; `{text: Live}` alone is a ladder of one."""

    any: tuple[Rung, ...]

    @model_validator(mode="before")
    @classmethod
    def _single(cls, value: object) -> object:
        if isinstance(value, dict) and "any" not in value:
            return {"any": [value]}
        return value


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
