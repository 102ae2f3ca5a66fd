"""The promises that instruments keep, real ones and virtual ones alike.

Each method says what is true when it returns. Every method has a finite deadline and
raises nothing but `testbed.errors.DriverError`, and JournalError where this machine
cannot keep what an instrument gave. Stamps are int ns UTC on the clock of
the controller. `tests/contracts/` holds one suite per protocol; the drivers and the
virtual lab pass the same one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from testbed.model.steps import Selector, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Two stamps around one stimulus, and the best estimate of its instant.

    issue_ns    ns UTC, taken just before the instrument was asked
    return_ns   ns UTC, taken just after it answered
    instant_ns  ns UTC within the two: touch-down, first audio sample, relay change
    detail      what a reader of the journal wants to know (rung used, engine, ...)
    """

    issue_ns: int
    return_ns: int
    instant_ns: int
    detail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a phone showed: a PNG picture and the view tree as XML text."""

    screenshot_png: bytes
    view_tree_xml: str


class Phone(Protocol):
    """One Android phone with companion apps."""

    def perform(self, step: Step) -> Bracket:
        """Do one step; return once the phone has done it.

        A step with a selector waits for the selector up to the step's own deadline,
        then acts once. It is never repeated. Raises DriverTimeoutError when the
        selector does not appear.
        """

    def expect(self, interrupts: Sequence[Step]) -> None:
        """Declare the pop-ups to close when they are in the way, in place of the last.

        Each is a step with a tap. Closing one is said in `Bracket.detail`.
        """

    def see(self, selector: Selector, within_s: float) -> bool:
        """Say whether the selector matches the screen within `within_s` seconds."""

    def evidence(self) -> Evidence:
        """Return what the screen shows now."""

    def app_version(self, package: str) -> str:
        """Return the installed version of an app, or '' when it is not installed."""

    def set_network(self, network: str) -> None:
        """Put the phone on the home Wi-Fi ('lan') or on mobile data ('wan')."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A rendered sentence: 16 kHz mono 16-bit WAV in the content-addressed cache.

    engine  which engine spoke: 'gtts' or 'espeak-ng', with its version
    """

    text: str
    wav: Path
    sha256: str
    engine: str
    duration_s: float


class Voice(Protocol):
    """A loudspeaker in the room of the devices under test."""

    def render(self, text: str) -> Utterance:
        """Return the sentence as audio, from the cache where it is there."""

    def play(self, utterance: Utterance) -> Bracket:
        """Play to the end; `instant_ns` is the first audio sample."""


class PowerSwitch(Protocol):
    """Mains to one device under test."""

    def set_power(self, on: bool) -> Bracket:
        """Switch mains; return once the plug itself reports the new state.

        Raises DriverNoEffectError when it accepts and then reports the old state.
        """

    def read_power(self) -> bool:
        """Say whether the plug reports mains as on."""


class PowerMeter(Protocol):
    """Electrical power drawn by one device under test."""

    def read_power_w(self) -> float:
        """Return the active power in watts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSample:
    """Clock of the capture point minus clock of the controller, at one moment.

    at_ns      ns UTC, controller clock
    offset_ns  capture point minus controller
    error_ns   bound of the error, at most half the shortest round trip
    """

    at_ns: int
    offset_ns: int
    error_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFile:
    """A finished capture file on the router."""

    name: str
    size_b: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureEnd:
    """How a capture ended. `dropped` is None when the tool did not say."""

    tool: str
    version: str
    received: int | None
    dropped: int | None
    stopped_by: str  # INT, TERM, KILL, lease, disk, or 'gone'
    log: str


class CapturePoint(Protocol):
    """A router that can record its packets and tell its time."""

    def start_capture(self, name: str, poke: Callable[[], None]) -> None:
        """Start the rolling capture `name`; return once it is proven to record.

        `poke` sends one beacon across the captured interface; it is called until the
        growing capture shows that packets are seen. Raises DriverRefusedError for a
        missing tool, missing privilege or too little space, each with the remedy.
        """

    def is_recording(self) -> bool:
        """Say whether the capture still records.

        False once its tool has ended for whatever reason, and before any start.
        """

    def finished_files(self) -> Sequence[CaptureFile]:
        """List files of the running capture that are complete and not yet removed."""

    def fetch(self, file: CaptureFile, target: Path) -> None:
        """Copy one finished file, check size and sha256, then remove it there."""

    def renew_lease(self) -> None:
        """Tell the supervisor that the controller lives."""

    def stop_capture(self) -> CaptureEnd:
        """Drain, then stop; return once all files are whole and no process is left."""

    def reap(self) -> Sequence[str]:
        """End what an earlier controller left behind; return what was ended."""

    def clock_offset(self) -> ClockSample:
        """Measure the offset of its clock, by what many round trips have in common."""

    def close(self) -> None:
        """Leave; a running capture goes on until its lease ends."""


@runtime_checkable
class Lively(Protocol):
    """An instrument that can be asked whether it is there: phone, plug, loudspeaker.

    Who keeps this promise is looked at beside the trials. It is asked in a thread of
    its own, also while the instrument is in use, and must not disturb that: it moves
    nothing, and puts no packet on the captured side where that can be had.
    """

    def alive(self) -> bool:
        """Say whether it answers, within few seconds; a DriverError means no, too."""


@runtime_checkable
class Lookout(Protocol):
    """A router that tells what it sees; no packet on the captured side is needed.

    Asked in a thread of its own, beside everything that a CapturePoint does.
    """

    def free_b(self) -> int:
        """Return how many bytes are free where captures are written."""

    def heard_s(self, mac: str) -> float | None:
        """Return how many seconds ago `mac` was last heard; None where unknown.

        Passive, as from the bridge's table. A device that was never heard, or is
        forgotten, is unknown.
        """

    def internet_ok(self, host_port: str) -> bool:
        """Say whether a TCP connection from the router's outer side to it opens."""
