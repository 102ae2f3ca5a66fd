"""Who is who in the virtual house: nodes of the LAN and hosts of the cloud.

All addresses are of private or documentation ranges. MAC prefixes are those of the
vendors, the lower half is made up.
"""

from dataclasses import dataclass

ROUTER = "router"
CONTROLLER = "controller"
PHONE = "phone"
PLUGS = ("plug_camera", "plug_tv")  # instruments that feed devices under test
MDNS = "224.0.0.251"
SSDP = "239.255.255.250"
PHONE_MOBILE_IP = "192.0.2.130"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A station on br-lan (10.77.0.0/24)."""

    name: str
    ip: str
    mac: str


def _node(name: str, last: int, mac: str) -> Node:
    return Node(name=name, ip=f"10.77.0.{last}", mac=mac)


NODES: dict[str, Node] = {
    node.name: node
    for node in (
        _node(ROUTER, 1, "02:00:00:77:00:01"),
        _node(CONTROLLER, 5, "02:00:00:77:00:05"),
        _node("arlo_q", 11, "08:02:8e:77:00:11"),
        _node("omna_180", 12, "b0:c5:54:77:00:12"),
        _node("echo_dot", 13, "fc:65:de:77:00:13"),
        _node("home_mini", 14, "20:df:b9:77:00:14"),
        _node("samsung_tv", 15, "fc:03:9f:77:00:15"),
        _node("wemo_insight", 16, "14:91:82:77:00:16"),
        _node("iview_bulb", 17, "68:57:2d:77:00:17"),
        _node("koogeek_plug", 18, "64:db:8b:77:00:18"),
        _node("tplink_hs110", 19, "50:c7:bf:77:00:19"),
        _node(PHONE, 20, "40:4e:36:77:00:20"),
        _node("plug_camera", 31, "14:91:82:77:00:31"),
        _node("plug_tv", 32, "14:91:82:77:00:32"),
    )
}

DEVICES: tuple[str, ...] = (
    "arlo_q",
    "omna_180",
    "echo_dot",
    "home_mini",
    "samsung_tv",
    "wemo_insight",
    "iview_bulb",
    "koogeek_plug",
    "tplink_hs110",
)

# Host name -> address. Names end in .example so that none can be mistaken for a
# real service; each vendor has hosts for control, media and notifications.
CLOUD: dict[str, str] = {
    "api.arlo.example": "198.51.100.11",
    "media.arlo.example": "198.51.100.12",
    "api.omna.example": "198.51.100.21",
    "relay.omna.example": "198.51.100.22",
    "avs.alexa.example": "198.51.100.31",
    "device-metrics.alexa.example": "198.51.100.32",
    "content.alexa.example": "198.51.100.33",
    "api.alexa.example": "198.51.100.34",
    "assistant.google.example": "198.51.100.41",
    "cast.google.example": "198.51.100.42",
    "clients.google.example": "198.51.100.43",
    "api.smartthings.example": "198.51.100.51",
    "osb.samsungtv.example": "198.51.100.52",
    "cdn.samsungtv.example": "198.51.100.53",
    "api.wemo.example": "203.0.113.11",
    "api.iview.example": "203.0.113.21",
    "api.koogeek.example": "203.0.113.31",
    "api.tplink.example": "203.0.113.41",
    "push.phone.example": "203.0.113.51",
    "pool.ntp.example": "203.0.113.61",
    "fw.updates.example": "203.0.113.62",
}

MULTICAST: frozenset[str] = frozenset({MDNS, SSDP})


def address(name: str) -> str:
    """Return the IPv4 address of a node, a cloud host or a multicast group."""
    if name in NODES:
        return NODES[name].ip
    return CLOUD.get(name, name)
