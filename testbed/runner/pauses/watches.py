"""What may go bad in a lab, and how each is looked at.

A look puts no packet on the captured interface where that can be had: it asks the
phone over adb, the router over SSH, and devices not at all, only when they were heard.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from testbed.clock import Clock
from testbed.model.protocols import (
    CapturePoint,
    ClockSample,
    Lively,
    Lookout,
    Phone,
    PowerSwitch,
)

_DRIFT_PPM = 500.0  # no clock that works runs off faster
_STEADY = 2  # measurements in a row that agree, after a jump


class Watch(ABC):
    """One condition that trials need.

    condition, target  its name in the journal
    at_once  whether one bad look is enough
    regular  whether it is looked at all the time; else on suspicion, in the hands of
             a trial, and while it is bad
    through  condition of what is asked instead; while that is bad, nothing is known
    age_s    how long before the last good look it was known to be good
    """

    condition: str
    at_once = False
    regular = True
    through: tuple[str, str] | None = None
    age_s = 0.0

    def __init__(self, target: str = "") -> None:
        self.target = target

    @abstractmethod
    def look(self) -> str:
        """Return '' where all is well, else why not; a DriverError is a reason too."""


class PhoneWatch(Watch):
    """The phone answers."""

    condition = "phone"

    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self._phone = phone
        self.regular = isinstance(phone, Lively)

    def look(self) -> str:
        """Ask it whether it is there."""
        if isinstance(self._phone, Lively):
            return "" if self._phone.alive() else "the phone does not answer"
        self._phone.app_version("android")
        return ""


class VoiceWatch(Watch):
    """The loudspeaker takes sound."""

    condition = "voice"
    regular = False  # a connection in the middle of a sentence might be heard

    def __init__(self, voice: Lively) -> None:
        super().__init__()
        self._voice = voice

    def look(self) -> str:
        """Ask it whether it is there."""
        return "" if self._voice.alive() else "the loudspeaker does not answer"


class PlugWatch(Watch):
    """A plug answers. One that is a device under test is asked on suspicion only."""

    condition = "plug"

    def __init__(self, name: str, plug: PowerSwitch, *, is_device: bool) -> None:
        super().__init__(name)
        self._plug = plug
        self.regular = isinstance(plug, Lively) and not is_device

    def look(self) -> str:
        """Ask it whether it is there, or else for its state."""
        if isinstance(self._plug, Lively):
            return "" if self._plug.alive() else f"{self.target} does not answer"
        self._plug.read_power()
        return ""


class DeviceWatch(Watch):
    """A device under test that has power was heard not too long ago.

    mac       its hardware address
    is_off    whether it has no power, or may have none: then silence says nothing
    silent_s  how long it may be silent
    """

    condition = "device"
    through = ("router", "")
    at_once = True  # it was silent for long enough

    def __init__(
        self,
        device: str,
        mac: str,
        router: Lookout,
        clock: Clock,
        *,
        is_off: Callable[[], bool],
        silent_s: float,
    ) -> None:
        super().__init__(device)
        self._mac = mac
        self._router = router
        self._clock = clock
        self._is_off = is_off
        self._silent_s = silent_s
        self._since_s = clock.monotonic_s()  # it may have been off until then
        self._was_heard = False

    def look(self) -> str:
        """Ask the router when it was heard."""
        now_s = self._clock.monotonic_s()
        if self._is_off():
            self._since_s, self._was_heard, self.age_s = now_s, False, 0.0
            return ""
        heard_s = self._router.heard_s(self._mac)
        on_s = now_s - self._since_s
        if heard_s is None and not self._was_heard:
            self.age_s = min(on_s, self._silent_s)  # a router that cannot tell
            return ""
        silent_s = on_s if heard_s is None else min(heard_s, on_s)
        if heard_s is not None and heard_s < on_s:
            self._was_heard = True
            self._since_s = max(self._since_s, now_s - heard_s)
        if silent_s < self._silent_s:
            self.age_s = silent_s
            return ""
        return f"{self.target} was not heard for {silent_s:.0f} s"


class RouterWatch(Watch):
    """The router answers over SSH."""

    condition = "router"

    def __init__(self, router: CapturePoint) -> None:
        super().__init__()
        self._router = router

    def look(self) -> str:
        """Ask its clock helper."""
        self._router.clock_offset()
        return ""


class InternetWatch(Watch):
    """The cloud can be reached from the router's outer side."""

    condition = "internet"
    through = ("router", "")

    def __init__(self, router: Lookout, host_port: str) -> None:
        super().__init__()
        self._router = router
        self._host_port = host_port

    def look(self) -> str:
        """Let the router connect."""
        if self._router.internet_ok(self._host_port):
            return ""
        return f"the router does not reach {self._host_port}"


class DiskHereWatch(Watch):
    """There is space for captures on this machine."""

    condition = "disk"

    def __init__(self, folder: Path, free_mb: int) -> None:
        super().__init__()
        self._folder = folder
        self._free_mb = free_mb

    def look(self) -> str:
        """Ask the file system."""
        free_mb = shutil.disk_usage(self._folder).free // 10**6
        if free_mb >= self._free_mb:
            return ""
        return f"only {free_mb} MB are free at {self._folder}; free some space"


class DiskThereWatch(Watch):
    """There is space for captures on the router."""

    condition = "disk"
    through = ("router", "")

    def __init__(self, router: Lookout, free_mb: int) -> None:
        super().__init__("router")
        self._router = router
        self._free_mb = free_mb

    def look(self) -> str:
        """Ask the router."""
        free_mb = self._router.free_b() // 10**6
        if free_mb >= self._free_mb:
            return ""
        return f"only {free_mb} MB are free on the router; free some space there"


class ClockWatch(Watch):
    """The capture's clock runs on evenly against ours, and is known as well as before.

    limit_s  of the error of a measurement, and of a jump between two

    An error that was above the limit from the start is no reason to wait: then the
    labels are refused at the end.
    """

    condition = "clock"
    at_once = True  # a jump is over before the next look

    def __init__(self, limit_s: float) -> None:
        super().__init__()
        self._limit_ns = limit_s * 1e9
        self._last: ClockSample | None = None
        self._was_known = False
        self._why = ""
        self._n_steady = 0

    def note(self, sample: ClockSample) -> None:
        """Take in a measurement."""
        last, self._last = self._last, sample
        why = self._fault(last, sample)
        if why:
            self._why, self._n_steady = why, 0
        else:
            self._n_steady += 1

    def forget(self) -> None:
        """Take the next measurement as the first: another capture begins."""
        self._last, self._why = None, ""

    def look(self) -> str:
        """Judge the measurements that were noted; none is made for it."""
        if self._n_steady >= _STEADY:
            self._why = ""
        return self._why

    def _fault(self, last: ClockSample | None, sample: ClockSample) -> str:
        is_known = sample.error_ns <= self._limit_ns
        self._was_known |= is_known
        if self._was_known and not is_known:
            return f"the clock offset is known to {sample.error_ns / 1e9:.3f} s only"
        if last is None:
            return ""
        passed_ns = abs(sample.at_ns - last.at_ns)
        jump_ns = abs(sample.offset_ns - last.offset_ns)
        if jump_ns > self._limit_ns + passed_ns * _DRIFT_PPM * 1e-6:
            return f"the clock offset jumped by {jump_ns / 1e9:.3f} s"
        return ""


class AppWatch(Watch):
    """The app of a device is still the version that the campaign began with."""

    condition = "app"
    through = ("phone", "")
    at_once = True
    regular = False  # the answer takes a while, and the phone is in use

    def __init__(self, device: str, package: str, version: str, phone: Phone) -> None:
        super().__init__(device)
        self._package = package
        self._version = version
        self._phone = phone

    def look(self) -> str:
        """Ask the phone for the version; the caller holds the phone, or nobody does."""
        now = self._phone.app_version(self._package)
        if now == self._version:
            return ""
        is_now = f"is {now} now" if now else "is not installed any more"
        return (
            f"{self._package} was {self._version} when the campaign began and {is_now};"
            f" install {self._version} again, or start a new campaign"
        )
