"""What the router of the fast lab sees around it, and the faults that hit it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testbed.clock import Clock
from testbed.errors import DriverTimeoutError
from testbed.virtual.faults import FaultScript, Spell
from testbed.virtual.house.hosts import CLOUD, ROUTER
from testbed.virtual.house.scene import CUT_OFF

_UNREACHABLE = ("router_link_down", "ssh_hang", "router_reboot")
_ENDS = (("capture_killed", "gone"), ("router_reboot", "gone"))
_DISK = "router_disk_full"
_UNANSWERED_S = 8.0  # what the real driver takes to know it
_HEARD_S = 1.5  # a heartbeat, a question: some packet of a device is never old
_FREE_B = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is true of the router and its network at a time.

    macs          MAC -> device
    silent_ns     when a device stopped to send for want of power, or None
    """

    script: FaultScript
    clock: Clock
    macs: Mapping[str, str]
    silent_ns: Callable[[str], int | None]

    def answer(self, request: str) -> None:
        """Raise DriverTimeoutError, after a while, where the router is out of reach."""
        if any(self.script(kind, ROUTER) is not None for kind in _UNREACHABLE):
            self.clock.sleep(_UNANSWERED_S)
            reason = "the link was lost; is the router on and its cable in?"
            raise DriverTimeoutError("router", request, reason)

    def end_of_capture(self, since_ns: int) -> tuple[int, str] | None:
        """Return when and by what a capture that began at `since_ns` has ended."""
        now_ns = self.clock.now_ns()
        ends = [
            (spell.begin_ns, by)
            for kind, by in (*_ENDS, (_DISK, "disk"))
            for spell in self.script.spells(kind, ROUTER)
            if since_ns < spell.begin_ns <= now_ns
        ]
        return min(ends, default=None)

    def loses_files(self, at_ns: int) -> bool:
        """Say whether a reboot at a time takes the capture files along."""
        return any(
            spell.value == "lost" and spell.begin_ns == at_ns
            for spell in self.script.spells("router_reboot", ROUTER)
        )

    def drops(self) -> list[Spell]:
        """Return when the capture tool loses what it should record."""
        return self.script.spells("capture_drops", ROUTER)

    def free_b(self) -> int:
        """Return how many bytes are free where captures are written."""
        self.answer("look for free space")
        return 0 if self.script(_DISK, ROUTER) is not None else _FREE_B

    def heard_s(self, mac: str) -> float | None:
        """Return how many seconds ago `mac` was last heard; None where unknown."""
        self.answer(f"look when {mac} was heard")
        device = self.macs.get(mac.lower())
        if device is None:
            return None
        since = [self.script.since_ns(kind, device) for kind in CUT_OFF]
        silent = [s for s in (*since, self.silent_ns(device)) if s is not None]
        if not silent:
            return _HEARD_S
        return _HEARD_S + (self.clock.now_ns() - min(silent)) / 1e9

    def internet_ok(self, host_port: str) -> bool:
        """Say whether a TCP connection from the router to it opens."""
        self.answer(f"connect to {host_port}")
        host = host_port.rpartition(":")[0]
        there = host in CLOUD or host.startswith(("198.51.100.", "203.0.113."))
        return there and self.script("internet_down", ROUTER) is None
