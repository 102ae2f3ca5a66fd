"""Whom a device talks with, under names that mean the same in both campaigns.

A name that DNS or TLS told is the same everywhere. An address is where neither side is
under pseudonyms and both are of one lab (for addresses of the LAN); else only the kind
of place, protocol and port are left to compare.
"""

import ipaddress
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.dataset import Device
from analysis.flows.extract import CONVERSATIONS, Subject, extract
from analysis.packets import find_raw

_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6"}
_EPHEMERAL = 32_768  # from here on a port says nothing of the service


@dataclass(slots=True, kw_only=True)
class Endpoints:
    """How the other ends of one campaign are called.

    names            address -> the name that it was most often reached by
    with_addresses   whether public addresses can be compared
    with_local       whether addresses of the LAN can be
    """

    names: Mapping[str, str]
    with_addresses: bool = True
    with_local: bool = True
    _known: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def name(self, address: str, protocol: int, port: int) -> str:
        """Return the endpoint as 'name tcp/443'."""
        key = (address, protocol, port)
        if key not in self._known:
            word = _PROTOCOLS.get(protocol, f"ip {protocol}")
            ports = "" if protocol not in (6, 17) else f"/{_port(port)}"
            self._known[key] = f"{self._place(address)} {word}{ports}"
        return self._known[key]

    def _place(self, address: str) -> str:
        if address in self.names:
            return self.names[address]
        at = ipaddress.ip_address(address)
        if at.is_multicast or at.is_unspecified or address == "255.255.255.255":
            return address
        local = at.is_link_local or (at.is_private and not _stands_for_cloud(at))
        if local:
            return address if self.with_local else "(local network)"
        return address if self.with_addresses else "(unnamed)"


_DOCUMENTATION = tuple(
    map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
)


def _stands_for_cloud(at: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Say whether an address is of a range that the virtual lab calls the cloud."""
    return any(at in network for network in _DOCUMENTATION)


def _port(port: int) -> str:
    return str(port) if port < _EPHEMERAL else "high"


def names_in(folder: Path, devices: Sequence[Device]) -> dict[str, str]:
    """Return, for each address, the name that DNS or TLS told most often.

    Goes through the raw captures once. Raises DatasetError where there are none.
    """
    counts: dict[str, Counter[str]] = {}
    subjects = [Subject(device=device) for device in devices]
    for records in extract(find_raw(folder), subjects, CONVERSATIONS):
        pairs = zip(
            records.remote_address.tolist(), records.server_name.tolist(), strict=True
        )
        for address, name in pairs:
            if name:
                counts.setdefault(address, Counter())[name] += 1
    # the first in the alphabet where two were told as often
    return {
        address: min(told, key=lambda name: (-told[name], name))
        for address, told in counts.items()
    }


def anonymised(folder: Path) -> dict[str, Any] | None:
    """Return by what policy a published campaign is under pseudonyms, else None."""
    path = folder.resolve().parent.parent / "anonymisation.json"
    try:
        policy = json.loads(path.read_text(encoding="utf-8"))["policy"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return policy if isinstance(policy, dict) else {}
