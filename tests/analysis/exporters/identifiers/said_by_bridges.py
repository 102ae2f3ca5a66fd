"""What bridges, bundles of links and meshes say to each other, below IP."""

import struct

from tests.analysis.exporters.identifiers.crafted import HOST, eth, lldp, sized

_GROUP = bytes.fromhex("0180c2000000")
_BPDU, _PVST = b"\x42\x42\x03", bytes.fromhex("aaaa0300000c010b")


def mac(number):
    return bytes.fromhex("b4750ede") + struct.pack(">H", number)


def tree(root, bridge, head=_BPDU):
    told = b"\x80\0" + mac(root) + bytes(4) + b"\x80\0" + mac(bridge) + b"\x80\1"
    body = head + bytes(5) + told + bytes(8)
    return [_GROUP + HOST + sized(body)]


def bundle(actor, partner):
    system = struct.Struct(">BBH6s10x")
    both = system.pack(1, 20, 1, mac(actor)) + system.pack(2, 20, 1, mac(partner))
    return [eth(0x8809, b"\1\1" + both + bytes(60))]


def mesh(*parts):
    body = b"".join(bytes([kind]) + sized(value) for kind, value in parts)
    return [eth(0x893A, bytes(5) + b"\1\0\x80" + body + bytes(3))]


def mapped(real, asked, mapper, seen):
    head = b"\1\0\0\1" + mac(real) + mac(asked) + bytes(4)
    return [eth(0x88D9, head + mac(mapper) + mac(seen))]


def in_air(*elements):
    told = b"".join(bytes([kind]) + sized(value, ">B") for kind, value in elements)
    head = b"\x80\0\0\0" + b"\xff" * 6 + HOST * 2 + bytes(14)
    return [(head + b"\0\0" + told,)]


DIRECT = b"\x50\x6f\x9a\x09"
DATA = b"\x08\1\0\0" + HOST * 3 + bytes(2) + b"\xaa\xaa\3\0\0\0"
PLANTED = {
    "spanning-tree": (
        tree(1, 2) + tree(3, 4, _PVST),
        *(f"mac b4:75:0e:de:00:0{k}" for k in "1234"),
    ),
    "bundle-of-links": (
        bundle(5, 6),
        *(f"mac b4:75:0e:de:00:0{k}" for k in "56"),
    ),
    "mesh": (
        mesh((1, mac(7)), (2, mac(8)), (6, HOST + mac(9)), (7, HOST + mac(10) + b"\0")),
        *(f"mac b4:75:0e:de:00:0{k}" for k in ("7", "8", "9")),
    ),
    "map-of-a-network": (
        mapped(11, 12, 13, 14),
        *(f"mac b4:75:0e:de:00:0{k}" for k in "bcde"),
    ),
    # of a type that nobody knows: what begins as the MACs that are there
    "other-type": (
        [eth(0x88B7, b"\0\7\0\0" + bytes.fromhex("50c7bf77aa01") + bytes(30))],
        "mac 50:c7:bf:77:aa:01",
    ),
    "air": (
        in_air(
            (52, mac(0x11) + bytes(7)),
            (107, b"\x01" + mac(0x12)),
            (114, b"Huberwiese"),
            (201, b"\x10\x07\x51\1\xff" + mac(0x13) + b"\xff" + mac(0x14)),
            (71, b"\1\0\x0e\x53\2\1\0\0\x08Hubergas"),
            (84, b"\0\x09Hubergarn"),
            (
                221,
                DIRECT
                + b"\3\6\0"
                + mac(0x15)
                + b"\x0f\x0e\0"
                + mac(0x16)
                + b"DIRECT-7",
            ),
            (
                221,
                DIRECT
                + b"\x0d\x1d\0"
                + mac(0x17)
                + bytes(10)
                + b"\0\x10\x11\0\x08Huberfon",
            ),
        ),
        *(f"mac b4:75:0e:de:00:1{k}" for k in range(1, 8)),
        *(
            f"ssid {name}"
            for name in ("Huberwiese", "Hubergas", "Hubergarn", "DIRECT-7")
        ),
        "person Huberfon",
    ),
    # a login, and a machine, that data frames carry
    "air-data": (
        [
            (DATA + b"\x88\x8e\1\0\0\x0e\2\1\0\x0e\1huberlena",),
            (DATA + lldp((5, b"ap-huberhof"))[0][12:],),
        ],
        "account huberlena",
        "hostname ap-huberhof",
    ),
}
