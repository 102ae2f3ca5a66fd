"""Mains of a device: without it, its network interface is dead."""

import subprocess

from testbed.virtual.live import kernel, topology

_PORT = "eth0"


def cut(device: str) -> None:
    """Take the device off the network; what is under way is lost."""
    with kernel.inside(device):
        kernel.set_link(_PORT, up=False)


def give(device: str) -> None:
    """Put the device back on the network, with the route it had."""
    with kernel.inside(device):
        kernel.set_link(_PORT, up=True)
        # Setting a link down forgets its default route.
        subprocess.run(
            ["ip", "route", "replace", "default", "via", topology.LAN_ROUTER],
            check=True,
            capture_output=True,
        )
