"""The process that plays all devices, the cloud and the virtual instruments."""

import asyncio
import signal
from collections.abc import Callable

from testbed.virtual.live import kernel
from testbed.virtual.live.config import LiveConfig


def main(config: LiveConfig, ready: Callable[[], None]) -> None:
    """Play the house until SIGTERM."""
    kernel.die_with_parent(signal.SIGKILL)
    asyncio.run(_serve(config, ready))


async def _serve(config: LiveConfig, ready: Callable[[], None]) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    ready()
    await ended.wait()
