"""Scripted faults of router, links and devices: what they do to the real things.

Faults of phone, plugs and speakers are asked for by those instruments themselves.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from testbed.clock import Clock
from testbed.virtual.faults import FaultScript, step_s
from testbed.virtual.house.hosts import PLUGS, ROUTER
from testbed.virtual.live import outages, power, shims

_POLL_S = 0.1
_LOST = "lost"  # value of router_reboot: the captures do not survive it

Switch = Callable[[str, str | None], None]  # target, and value; None when it is over


class Devices(Protocol):
    """What can be done to a device beside what people do to it."""

    def disconnect(self, device: str) -> None:
        """Take it off the network."""

    def reconnect(self, device: str) -> None:
        """Put it back."""

    def crash(self, device: str) -> None:
        """Let it stop by itself."""

    def restart(self, device: str) -> None:
        """Let it boot after that."""


class Mishaps:
    """Applies what the script says, when it says it.

    router   the router's folder in the lab's state folder
    devices  who plays the devices; `names` are theirs
    """

    def __init__(
        self,
        script: FaultScript,
        clock: Clock,
        router: Path,
        devices: Devices,
        names: Sequence[str],
    ) -> None:
        self._script = script
        self._router = router
        self._captures = router / "captures"
        self._devices = devices
        self._names = tuple(names)
        self._clock = clock
        self._stepped_ns = 0  # by how much the clock is ahead now
        self._drops_ns = 0  # since when packets are lost
        self._active: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the script."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """End what is active."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _kinds(self) -> Mapping[str, tuple[Sequence[str], Switch]]:
        router, devices = (ROUTER,), self._names
        return {
            "router_link_down": (router, _cable),
            "router_disk_full": (router, self._disk),
            "capture_killed": (router, self._kill),
            "ssh_hang": (router, _hang),
            "internet_down": (router, _darken),
            "router_reboot": (router, self._reboot),
            "clock_step": (router, self._step),
            "capture_drops": (router, self._drop),
            "device_offline": (devices, self._offline),
            "device_reboots": (devices, self._crash),
            "plug_unreachable": (PLUGS, _unplug),
        }

    async def _watch(self) -> None:
        while True:
            for kind, (targets, switch) in self._kinds().items():
                for target in targets:
                    value = self._script(kind, target)
                    if (value is not None) != ((kind, target) in self._active):
                        self._active ^= {(kind, target)}
                        switch(target, value)
            await asyncio.sleep(_POLL_S)

    def _disk(self, _: str, value: str | None) -> None:
        outages.fill_disk(self._captures, full=value is not None)

    def _kill(self, _: str, value: str | None) -> None:
        """Kill the capture tools that run now; each time the fault begins."""
        if value is not None:
            outages.kill_captures(self._captures)

    def _reboot(self, _: str, value: str | None) -> None:
        if value is None:
            outages.give_power(self._router)
        else:
            lost = value == _LOST
            outages.cut_power(self._router, self._captures, lose_files=lost)

    def _step(self, _: str, value: str | None) -> None:
        by_ns = -self._stepped_ns if value is None else round(step_s(value) * 1e9)
        self._stepped_ns = 0 if value is None else by_ns
        now_ns, truth = self._clock.now_ns(), self._router.parent / "truth"
        shims.step_clock(self._router, truth, now_ns, by_ns)

    def _drop(self, _: str, value: str | None) -> None:
        if value is None:
            shims.drop_packets(self._router, self._drops_ns, self._clock.now_ns())
        self._drops_ns = self._clock.now_ns()

    def _offline(self, device: str, value: str | None) -> None:
        if value is None:
            self._devices.reconnect(device)
        else:
            self._devices.disconnect(device)

    def _crash(self, device: str, value: str | None) -> None:
        if value is None:
            self._devices.restart(device)
        else:
            self._devices.crash(device)


def _cable(_: str, value: str | None) -> None:
    outages.cable(plugged=value is None)


def _hang(_: str, value: str | None) -> None:
    outages.hang_ssh(hung=value is not None)


def _darken(_: str, value: str | None) -> None:
    outages.darken(dark=value is not None)


def _unplug(plug: str, value: str | None) -> None:
    if value is None:
        power.give(plug)
    else:
        power.cut(plug)
