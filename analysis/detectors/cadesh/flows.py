"""What kind of flow each record is: where it goes, which service, how long."""

import ipaddress
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.flows import FlowRecords, Texts

Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

HOUR_NS: Final = 3_600_000_000_000
TCP, UDP = 6, 17
SYN = 2
INTERNET, LAN, GROUP = 0, 1, 2  # groups: multicast and broadcast
LOW, DYNAMIC = 1_024, 49_152  # where registered and dynamic ports begin

_NETWORK = (53, 67)  # names and leases
_V4 = 4
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
_LAN_RANGES = tuple(
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)


def service_port(flows: FlowRecords) -> Int64:
    """Return (n,) the lower port, which is that of whoever was called.

    Who sent a record's first packet does not tell: records begin in the middle of
    connections, too.
    """
    return np.minimum(flows.remote_port, flows.device_port).astype(np.int64)


def place(flows: FlowRecords) -> Int64:
    """Return (n,) INTERNET, LAN or GROUP for each remote address.

    Whoever answers for names and leases belongs to the home's network, wherever it
    stands: some homes ask their router, others their provider.
    """
    own = _own_networks(flows.device_address)
    where = of_each(flows.remote_address, lambda name: _place_of(name, own))
    serves = np.isin(service_port(flows), _NETWORK) & (where == INTERNET)
    where[serves] = LAN
    return where


def of_each(column: Texts, tell: Callable[[str], int]) -> Int64:
    """Return what is told of each text, asked once for each name."""
    told = [tell(name) for name in column.names]
    found: Int64 = np.array([*told, 0], dtype=np.int64)[column.number]
    return found


def _own_networks(addresses: Texts) -> Networks:
    """Return the /64 of each IPv6 address of the device: its LAN, global or not."""
    v6 = {prefix_of(name, 32, 64) for name in addresses.used().names if ":" in name}
    return tuple(ipaddress.ip_network(each) for each in sorted(v6) if "/" in each)


def _place_of(address: str, own: Networks = ()) -> int:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return INTERNET
    if known.is_multicast or address.endswith(".255"):
        return GROUP
    inside = any(known in net for net in (*_LAN_RANGES, *own))
    return LAN if inside else INTERNET


def prefix_of(address: str, v4: int = 24, v6: int = 48) -> str:
    """Return the network of so many bits of an address; itself where it is none."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = v4 if known.version == _V4 else v6
    return str(ipaddress.ip_network((known, bits), strict=False))


def unanswered(flows: FlowRecords) -> Bool:
    """Return (n,) whether only one side was heard."""
    alone: Bool = (flows.packets_out == 0) | (flows.packets_in == 0)
    return alone


def logs(values: NDArray[Any]) -> Float64:
    """Return log(1 + x) of numbers that are not below 0; NaN counts as 0."""
    found: Float64 = np.log1p(np.maximum(np.nan_to_num(values.astype(np.float64)), 0))
    return found
