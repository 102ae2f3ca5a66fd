"""Scripted faults of the router and its network: what they do to the real things.

Faults of phone, plugs and speakers are asked for by those instruments themselves.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from testbed.virtual.faults import FaultScript
from testbed.virtual.house.hosts import ROUTER
from testbed.virtual.live import kernel, topology

_POLL_S = 0.1
_ROOM_LEFT_B = 1 << 20
_TOOLS = ("tshark", "dumpcap", "tcpdump")
_CONTROLLERS_LINK = "mgmt5"


class Mishaps:
    """Applies `router_link_down`, `router_disk_full` and `capture_killed` on time."""

    def __init__(self, script: FaultScript, captures: Path) -> None:
        self._script = script
        self._captures = captures
        self._active: set[str] = set()
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

    def _kinds(self) -> dict[str, Callable[[bool], None]]:
        return {
            "router_link_down": self._link,
            "router_disk_full": self._disk,
            "capture_killed": self._kill,
        }

    async def _watch(self) -> None:
        while True:
            for kind, apply in self._kinds().items():
                wanted = self._script(kind, "router") is not None
                if wanted != (kind in self._active):
                    self._active ^= {kind}
                    apply(wanted)
            await asyncio.sleep(_POLL_S)

    def _link(self, faulty: bool) -> None:
        """Pull the controller's management cable, or put it in again."""
        with kernel.inside(ROUTER):
            kernel.set_link(_CONTROLLERS_LINK, up=not faulty)

    def _disk(self, faulty: bool) -> None:
        """Shrink the file system of the captures to what is used, or widen it.

        They have one of their own only where the lab file scripts this fault.
        """
        if not os.path.ismount(self._captures):
            return
        usage = os.statvfs(self._captures)
        used_b = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
        size_b = used_b + _ROOM_LEFT_B if faulty else topology.DISK_B
        subprocess.run(
            ["mount", "-o", f"remount,size={size_b}", str(self._captures)],
            check=True,
            capture_output=True,
        )

    def _kill(self, faulty: bool) -> None:
        """Kill the capture tools that run now; each time the fault begins."""
        if not faulty:
            return
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and self._is_capture(folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(folder.name), signal.SIGKILL)

    def _is_capture(self, folder: Path) -> bool:
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        tool = Path(os.fsdecode(words[0])).name
        target = os.fsencode(self._captures)
        return tool in _TOOLS and any(target in word for word in words[1:])
