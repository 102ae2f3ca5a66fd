"""Which nodes the lab has, their interfaces and addresses: pure values.

    controller --- br-lan ------ router === wire === cloud (all addresses of the cloud)
    devices    ---'  |             |                   |
    plugs      ------'   br-mgmt --'                 phone (mobile data)
    phone      -- br-lan, br-mgmt
    room       -- br-mgmt

br-lan is captured. br-mgmt carries ssh, adb and audio and never is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from testbed.virtual.house.hosts import CONTROLLER, NODES, PHONE, ROUTER, Node

LAN_ROUTER = "10.77.0.1"
MGMT_ROUTER = "10.78.0.1"
MGMT_CONTROLLER = "10.78.0.5"
MGMT_PHONE = "10.78.0.20"
MGMT_ROOM = "10.78.0.30"
WAN_ROUTER = "192.0.2.1"
WAN_CLOUD = "192.0.2.2"
WAN_PHONE = "192.0.2.130"
CLOUD_RANGES = ("198.51.100.0/24", "203.0.113.0/24")

DISK_B = 4 << 30  # of the router, where its disk is to fill up

CLOUD = "cloud"
ROOM = "room"
WIRE = "wire"
INFRASTRUCTURE = (ROUTER, PHONE, ROOM, CLOUD, WIRE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One interface of a node: a veth whose other end is in `peer`.

    node    network namespace, or None for the controller (the outer one)
    bridge  bridge in `peer` that the other end belongs to, or None
    """

    node: str | None
    name: str
    peer: str
    peer_name: str
    address: str | None = None
    mac: str | None = None
    bridge: str | None = None
    peer_address: str | None = None


def stations(macs: Mapping[str, str]) -> tuple[Node, ...]:
    """Return devices and instrument plugs, with the MACs of the profiles."""
    others = {ROUTER, CONTROLLER, PHONE}
    return tuple(
        Node(name=n.name, ip=n.ip, mac=macs.get(n.name, n.mac))
        for n in NODES.values()
        if n.name not in others
    )


def node_names(macs: Mapping[str, str]) -> tuple[str, ...]:
    """Return every inner network namespace."""
    return INFRASTRUCTURE + tuple(s.name for s in stations(macs))


def _lan(node: str | None, name: str, address: str, mac: str) -> Leg:
    last = address.rsplit(".", 1)[1]
    return Leg(
        node=node,
        name=name,
        peer=ROUTER,
        peer_name=f"lan{last}",
        address=f"{address}/24",
        mac=mac,
        bridge="br-lan",
    )


def _mgmt(node: str | None, address: str) -> Leg:
    last = address.rsplit(".", 1)[1]
    return Leg(
        node=node,
        name="mgmt",
        peer=ROUTER,
        peer_name=f"mgmt{last}",
        address=f"{address}/24",
        bridge="br-mgmt",
    )


def legs(macs: Mapping[str, str]) -> tuple[Leg, ...]:
    """Return every veth pair of the lab."""
    phone, controller = NODES[PHONE], NODES[CONTROLLER]
    phone_mac = macs.get(PHONE, phone.mac)
    return (
        _lan(None, "lan", controller.ip, controller.mac),
        _mgmt(None, MGMT_CONTROLLER),
        _lan(PHONE, "lan", phone.ip, phone_mac),
        _mgmt(PHONE, MGMT_PHONE),
        _mgmt(ROOM, MGMT_ROOM),
        Leg(
            node=PHONE,
            name="mobile",
            peer=CLOUD,
            peer_name="mobile",
            address=f"{WAN_PHONE}/24",
            bridge="br-wan",
        ),
        Leg(
            node=ROUTER,
            name="wan",
            peer=WIRE,
            peer_name="home",
            address=f"{WAN_ROUTER}/24",
        ),
        Leg(node=CLOUD, name="uplink", peer=WIRE, peer_name="net"),
        *(_lan(s.name, "eth0", s.ip, s.mac) for s in stations(macs)),
    )


def batches(macs: Mapping[str, str]) -> list[tuple[str | None, list[str]]]:
    """Return the `ip -batch` lines that build the lab: (namespace, lines), in order."""
    pairs = legs(macs)
    first = [f"netns add {name}" for name in node_names(macs)]
    first += ["link set lo up", *(_pair(leg) for leg in pairs)]
    work: dict[str | None, list[str]] = {None: []}
    for name in node_names(macs):
        work[name] = ["link set lo up"]
    work[ROUTER] += [
        *_bridge("br-lan", f"{LAN_ROUTER}/24", NODES[ROUTER].mac),
        *_bridge("br-mgmt", f"{MGMT_ROUTER}/24", "02:00:00:78:00:01"),
    ]
    work[CLOUD] += _bridge("br-wan", f"{WAN_CLOUD}/24", "02:00:00:02:00:02")
    for leg in pairs:
        work[leg.node] += _near_end(leg)
        work[leg.peer] += _far_end(leg)
    work[CLOUD].append("link set uplink master br-wan")
    for node, lines in _routes(macs):
        work[node] += lines
    return [(None, first), *work.items()]


def _pair(leg: Leg) -> str:
    mac = f" address {leg.mac}" if leg.mac else ""
    near = f" netns {leg.node}" if leg.node else ""
    return (
        f"link add name {leg.name}{mac}{near} type veth"
        f" peer name {leg.peer_name} netns {leg.peer}"
    )


def _bridge(name: str, address: str, mac: str) -> list[str]:
    return [
        f"link add {name} address {mac} type bridge forward_delay 0 mcast_snooping 0",
        f"addr add {address} dev {name}",
        f"link set {name} up",
    ]


def _near_end(leg: Leg) -> list[str]:
    lines = [f"addr add {leg.address} dev {leg.name}"] if leg.address else []
    return [*lines, f"link set {leg.name} up"]


def _far_end(leg: Leg) -> list[str]:
    lines = [f"link set {leg.peer_name} up"]
    if leg.bridge:
        lines.append(f"link set {leg.peer_name} master {leg.bridge}")
    return lines


def _routes(macs: Mapping[str, str]) -> list[tuple[str | None, list[str]]]:
    """Return default routes; the phone's socket on mobile data asks for its device."""
    home = f"route add default via {LAN_ROUTER} dev"
    return [
        (None, [f"{home} lan"]),
        *((s.name, [f"{home} eth0"]) for s in stations(macs)),
        (
            PHONE,
            [
                f"{home} lan metric 100",
                f"route add default via {WAN_CLOUD} dev mobile metric 200",
            ],
        ),
        (ROUTER, [f"route add default via {WAN_CLOUD} dev wan"]),
        (CLOUD, [f"route add local {net} dev lo" for net in CLOUD_RANGES]),
    ]
