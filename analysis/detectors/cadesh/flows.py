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
    where = of_each(flows.remote_address, _place_of)
    serves = np.isin(service_port(flows), _NETWORK) & (where == INTERNET)
    where[serves] = LAN
    return where


def of_each(column: Texts, tell: Callable[[str], int]) -> Int64:
    """Return what is told of each text, asked once for each name."""
    told = [tell(name) for name in column.names]
    found: Int64 = np.array([*told, 0], dtype=np.int64)[column.number]
    return found


def _place_of(address: str) -> int:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return INTERNET
    if known.is_multicast or address.endswith(".255"):
        return GROUP
    return LAN if any(known in net for net in _LAN_RANGES) else INTERNET


def prefix_of(address: str) -> str:
    """Return the /24 (IPv4) or /48 (IPv6) of an address; itself where it is neither."""
    if ":" in address:
        return ":".join(address.split(":")[:3])
    return address.rpartition(".")[0] or address


def unanswered(flows: FlowRecords) -> Bool:
    """Return (n,) whether only one side was heard."""
    alone: Bool = (flows.packets_out == 0) | (flows.packets_in == 0)
    return alone


def logs(values: NDArray[Any]) -> Float64:
    """Return log(1 + x) of numbers that are not below 0; NaN counts as 0."""
    found: Float64 = np.log1p(np.maximum(np.nan_to_num(values.astype(np.float64)), 0))
    return found
