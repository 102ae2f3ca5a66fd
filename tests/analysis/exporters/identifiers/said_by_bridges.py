"""What bridges, bundles of links and meshes say to each other, below IP."""

import struct

from tests.analysis.exporters.identifiers.crafted import HOST, eth, sized

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
}
