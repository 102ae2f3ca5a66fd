"""What kind of place a packet goes to or comes from: a few classes, never an address.

An address, a name or an ephemeral port belongs to one household or one connection; who
learns from it, learns the household. The class of a destination is the same in every
home: how far away it is, and which service is asked.
"""

import ipaddress
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import TCP, UDP

_Ports = NDArray[np.uint16]


class Destination(IntEnum):
    """Where the other end of a packet is, and which service it is asked for."""

    LINK = 0  # what keeps a host on its network: ARP, ICMP, IGMP, DHCP
    LAN = 1  # another host of the same household
    GROUP = 2  # multicast and broadcast: mDNS, SSDP and the like
    DNS = 3
    TIME = 4  # NTP
    CLOUD_TLS = 5  # a public address, TCP, a port at which TLS is spoken
    CLOUD_UDP = 6  # a public address, UDP: QUIC, media streams, relays
    CLOUD_OTHER = 7  # a public address, anything else


class _Kind(IntEnum):
    NONE = 0
    LAN = 1
    GROUP = 2
    PUBLIC = 3


# 443 HTTPS, 993 and 465 mail, 5061 SIP, 8443 HTTPS, 8883 MQTT over
# TLS, 5228 Google's push service, 5671 AMQP over TLS, 4433 and 8886 as vendors use them
_TLS_PORTS = np.array((443, 465, 993, 4433, 5061, 5228, 5671, 8443, 8883, 8886))
_DNS_PORTS = np.array((53, 853))  # in the clear and over TLS
_DHCP_PORTS = np.array((67, 68, 546, 547))
_NTP_PORT = 123
# not `is_private`: documentation ranges stand for clouds, in virtual homes and examples
_LAN_NETWORKS = tuple(
    ipaddress.ip_network(each)
    for each in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("127.0.0.0/8", "fe80::/10", "fc00::/7", "::1/128"),
    )
)


def destinations(
    *,
    protocol: NDArray[np.uint8],
    outbound: NDArray[np.bool_],
    src_port: _Ports,
    dst_port: _Ports,
    remote: NDArray[np.int32],
    remotes: Sequence[str],
) -> NDArray[np.uint8]:
    """Return (n,) uint8, numbers of `Destination`; columns as in `PacketTable`.

    remotes  addresses of the other endpoints as text; `remote` are rows of it, -1 none
    """
    kinds = np.array([*map(_kind_of, remotes), _Kind.NONE], dtype=np.uint8)
    kind = kinds[remote]  # row -1 is the last one
    other_port = np.where(outbound, dst_port, src_port)
    own_port = np.where(outbound, src_port, dst_port)
    ported = (protocol == TCP) | (protocol == UDP)
    public, udp = kind == _Kind.PUBLIC, protocol == UDP
    tls = (protocol == TCP) & np.isin(other_port, _TLS_PORTS)
    dhcp = udp & np.isin(other_port, _DHCP_PORTS) & np.isin(own_port, _DHCP_PORTS)
    # the first that holds; what has no port is a fragment or no TCP and UDP at all
    found = np.select(
        (
            (kind == _Kind.NONE) | dhcp | (~ported & ~public),
            kind == _Kind.GROUP,
            ported & np.isin(other_port, _DNS_PORTS),
            udp & (other_port == _NTP_PORT),
            kind == _Kind.LAN,
            public & tls,
            public & udp,
        ),
        (
            Destination.LINK,
            Destination.GROUP,
            Destination.DNS,
            Destination.TIME,
            Destination.LAN,
            Destination.CLOUD_TLS,
            Destination.CLOUD_UDP,
        ),
        Destination.CLOUD_OTHER,
    )
    return found.astype(np.uint8)


@lru_cache(maxsize=65_536)
def _kind_of(text: str) -> _Kind:
    """Return the kind of an address. One that is no address is taken for public."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _Kind.PUBLIC
    if address.is_unspecified:
        return _Kind.LAN
    if address.is_multicast or text == "255.255.255.255":
        return _Kind.GROUP
    if any(address in each for each in _LAN_NETWORKS):
        # the mask of the network is not known; nearly all homes have /24
        is_broadcast = address.version == 4 and address.packed[-1] == 255
        return _Kind.GROUP if is_broadcast else _Kind.LAN
    return _Kind.PUBLIC
