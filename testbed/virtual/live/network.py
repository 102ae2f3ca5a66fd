"""Build the lab's network: runs inside the fresh namespaces, as process 1."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from testbed.errors import LabError
from testbed.virtual.house.hosts import ROUTER
from testbed.virtual.live import kernel, topology

_RULES = """\
table ip home {
  chain out {
    type nat hook postrouting priority 100;
    oifname "wan" masquerade
  }
  chain through {
    type filter hook forward priority 0; policy accept;
    iifname "br-mgmt" oifname != "br-mgmt" drop
    iifname != "br-mgmt" oifname "br-mgmt" drop
  }
}
"""


def build(macs: Mapping[str, str], wan_delay_s: float, wan_loss: float) -> bool:
    """Build all nodes and links; return whether the kernel itself delays the WAN.

    Where it does not, a process has to join `home` and `net` of the node `wire`.
    """
    for node, lines in topology.batches(macs):
        _ip(node, lines)
    for name in topology.node_names(macs):
        with kernel.inside(name):
            _quiet()
            kernel.switch_offloads_off()
    _quiet()
    kernel.switch_offloads_off()
    with kernel.inside(ROUTER):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    _run(["ip", "netns", "exec", ROUTER, "nft", "-f", "-"], _RULES)
    return _join_in_kernel(wan_delay_s, wan_loss)


def _quiet() -> None:
    """Keep the kernel from adding to what the nodes send, and from touching it.

    No router here speaks IPv6; and where br_netfilter is loaded, frames that are only
    bridged would run through the router's rules.
    """
    for name, value in (
        ("ipv6/conf/all/disable_ipv6", "1"),
        ("ipv6/conf/default/disable_ipv6", "1"),
        ("bridge/bridge-nf-call-iptables", "0"),
        ("bridge/bridge-nf-call-arptables", "0"),
    ):
        switch = Path("/proc/sys/net") / name
        if switch.exists():
            switch.write_text(value, encoding="ascii")


def _join_in_kernel(delay_s: float, loss: float) -> bool:
    with kernel.inside(topology.WIRE):
        for name in ("home", "net"):
            shape = ["netem", "delay", f"{delay_s * 1000:g}ms"]
            if delay_s > 0:
                shape += [f"{delay_s * 80:g}ms", "25%"]  # jitter of 8 %
            if loss > 0:
                shape += ["loss", f"{loss * 100:g}%"]
            command = ["tc", "qdisc", "add", "dev", name, "root", *shape]
            if _fails(command):
                return False
    _ip(
        topology.WIRE,
        [
            "link add joint type bridge forward_delay 0 mcast_snooping 0",
            "link set joint up",
            "link set home master joint",
            "link set net master joint",
        ],
    )
    return True


def _fails(command: list[str]) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        return True
    return done.returncode != 0


def _ip(node: str | None, lines: list[str]) -> None:
    where = ["-n", node] if node else []
    _run(["ip", *where, "-batch", "-"], "\n".join(lines) + "\n")


def _run(command: list[str], text: str) -> None:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())[:200]
        raise LabError(f"the lab's network cannot be built: {command[0]}: {reason}")
