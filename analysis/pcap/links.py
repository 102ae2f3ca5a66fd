"""Names of link types, for messages about those that are not decoded.

Source: the registry of the tcpdump group, https://www.tcpdump.org/linktypes.html
"""

_NAMES = {
    0: "BSD loopback (NULL)",
    1: "Ethernet",
    3: "AX.25",
    6: "Token Ring (IEEE 802.5)",
    7: "ARCNET",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    12: "raw IP",
    14: "raw IP",
    50: "PPP in HDLC framing",
    51: "PPPoE",
    100: "ATM (RFC 1483)",
    101: "raw IP",
    104: "Cisco HDLC",
    105: "IEEE 802.11",
    106: "Linux ATM CLIP",
    107: "frame relay",
    108: "OpenBSD loopback (LOOP)",
    113: "Linux cooked (SLL)",
    114: "LocalTalk",
    117: "OpenBSD pflog",
    119: "IEEE 802.11 with a Prism header",
    122: "IP over Fibre Channel",
    127: "IEEE 802.11 with radiotap",
    129: "Linux ARCNET",
    138: "IP over IEEE 1394",
    143: "DOCSIS",
    144: "IrDA",
    163: "IEEE 802.11 with an AVS header",
    165: "BACnet MS/TP",
    166: "PPP of pppd",
    177: "Linux LAPD",
    178: "Juniper Ethernet",
    182: "multi-link frame relay",
    187: "Bluetooth HCI",
    189: "USB of Linux",
    192: "PPI",
    195: "IEEE 802.15.4",
    201: "Bluetooth HCI with direction",
    204: "PPP with direction",
    209: "I2C of Linux",
    220: "USB of Linux, padded",
    227: "CAN bus (SocketCAN)",
    228: "raw IPv4",
    229: "raw IPv6",
    230: "IEEE 802.15.4 without checksum",
    231: "D-Bus",
    239: "Linux netfilter log",
    247: "InfiniBand",
    249: "USB of Windows",
    251: "Bluetooth Low Energy",
    253: "Linux netlink",
    256: "Bluetooth Low Energy with radio",
    258: "Apple packet metadata (PKTAP)",
    266: "USB of macOS",
    272: "nRF sniffer for Bluetooth Low Energy",
    276: "Linux cooked, version 2 (SLL2)",
    282: "Ethernet behind a Broadcom tag",
    283: "IEEE 802.15.4 with TAP header",
}
_FIRST_OF_USERS, _LAST_OF_USERS = 147, 162


def name_of(link: int) -> str:
    """Return what a link type is called, with its number: 'PPP (link type 9)'."""
    name = _NAMES.get(link, "unknown")
    if _FIRST_OF_USERS <= link <= _LAST_OF_USERS:
        name = "for private use"
    return f"{name} (link type {link})"
