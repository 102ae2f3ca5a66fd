"""Find what a selector means among the views of a dump."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from testbed.drivers.phone_client import View
from testbed.model.steps import Rung, Selector

# What AndroidViewClient says when the phone could not tell what it shows this moment:
# nothing was dumped, the screen did not come to rest, the file was being written.
_PASSING = ("Empty UiAutomator dump", "refreshed too frequently", "valid XML", "line 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where to touch, in pixels, by which rung it was found, and what it says."""

    rung: str
    point: tuple[int, int]
    text: str = field(default="", compare=False)


def find_view(selector: Selector, views: Iterable[View], package: str) -> Found | None:
    """Return what the first rung that matches means; points are no views.

    Among several views that match, one that can be clicked is preferred.

    package  completes an id that has no ':id/'
    """
    shown = [v for v in views if v.has_area]
    for rung in selector.any:
        hits = [v for v in shown if _matches(rung, v, package)]
        if hits:
            best = max(hits, key=lambda v: v.clickable)
            said = best.text or best.description
            return Found(rung=rung.name, point=best.centre, text=said)
    return None


def find_point(selector: Selector) -> Found | None:
    """Return the bare point of a ladder, if it has one."""
    for rung in selector.any:
        if rung.at is not None:
            return Found(rung=rung.name, point=rung.at)
    return None


def words(selector: Selector) -> str:
    """Return a selector for messages: id 'live' or text 'Live'."""
    return " or ".join(_rung_words(r) for r in selector.any)


def typing_command(text: str) -> str:
    """Return the shell command that types `text` into the focused field."""
    # `input text` makes a blank of %s, and the shell must see none of the text
    return f"input text {shlex.quote(text.replace(' ', '%s'))}"


def is_package(name: str) -> bool:
    """Say whether this is the name of an app, safe to put into a command."""
    return re.fullmatch(r"[A-Za-z]\w*(\.\w+)+", name, re.ASCII) is not None


def is_passing(error: Exception) -> bool:
    """Say whether a dump failed in a way that the next one may not."""
    return any(words in str(error) for words in _PASSING)


def _matches(rung: Rung, view: View, package: str) -> bool:
    return rung.matches(
        resource_id=view.resource_id,
        text=view.text,
        description=view.description,
        package=package,
    )


def _rung_words(rung: Rung) -> str:
    keys = rung.name.split("+")
    return " and ".join(f"{k} {getattr(rung, k)!r}" for k in keys)
