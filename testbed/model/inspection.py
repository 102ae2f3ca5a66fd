"""What instruments say of themselves, for `doctor` and the app lock.

A driver may keep these promises beside the one of its kind; who keeps none of them is
not looked at as closely. As there, each method has a finite deadline and raises
nothing but `testbed.errors.DriverError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from testbed.model.steps import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFacts:
    """What decides how a phone's screens look, and whether they can be used.

    `density` in dpi; `font_scale` and `animations` (of window, transition, animator)
    as text; '' and 0 are what the phone does not say.
    """

    model: str
    android: str
    width: int
    height: int
    density: int
    locale: str
    font_scale: str
    awake: bool
    locked: bool
    stays_on: bool
    animations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """An app on a phone; '' where it is not installed or the phone does not say.

    signer  what the phone prints of the digest of the app's signature
    """

    package: str
    version: str
    version_code: str = ""
    signer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A view that a selector means just now: by which rung, what it says, where."""

    rung: str
    text: str
    point: tuple[int, int]


@runtime_checkable
class PhoneInspector(Protocol):
    """A phone that can be looked at without a touch."""

    def describe(self) -> PhoneFacts:
        """Return what the phone says of itself."""

    def describe_app(self, package: str) -> AppFacts:
        """Return what the phone says of an app."""

    def sight(self, selectors: Sequence[Selector]) -> tuple[Sighting | None, ...]:
        """Find selectors on the screen as it is now; a bare point means no view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFacts:
    """What a router offers to a capture.

    shortcoming  why a capture would be refused, with the remedy, or ''
    offers       tool, version, interfaces, free_kb, writable, private, ...
    orphans      captures of this lab that an earlier controller left there
    """

    shortcoming: str
    offers: Mapping[str, str]
    orphans: tuple[str, ...]


@runtime_checkable
class RouterInspector(Protocol):
    """A capture point that can be looked at without starting a capture."""

    def describe(self) -> RouterFacts:
        """Return what it offers; ends and removes nothing."""

    def discard_capture(self) -> None:
        """Remove all that the capture which was stopped left on the router."""


@runtime_checkable
class SpeechInspector(Protocol):
    """A loudspeaker that tells whether its speech service answers."""

    def online_trouble(self) -> str:
        """Return why the service does not speak, '' when it does; fills no cache."""


@runtime_checkable
class PopupTeller(Protocol):
    """A phone that tells which pop-ups its last call has closed, in words."""

    def closed(self) -> tuple[str, ...]:
        """Return them in order; () for none."""
