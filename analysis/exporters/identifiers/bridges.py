"""Find MACs in what bridges, bundles of links and meshes tell each other.

These frames carry no IP and no names; what they carry is the MAC of a machine that may
speak nowhere else in a capture, such as the one by which a router is known to maps.
"""

from collections.abc import Iterator

from analysis.exporters.identifiers.texts import Candidate

LACP, IEEE1905, LLTD = 0x8809, 0x893A, 0x88D9
_BPDU = b"\x42\x42\x03\0\0"
_PVST = b"\xaa\xaa\x03\0\0\x0c\x01\x0b\0\0"  # of Cisco, per network
_ROOT_AT, _BRIDGE_AT, _MAC_B = 5, 17, 6  # behind version, kind and flags
_HEAD_1905_B, _AL_MAC, _MAC, _NEIGHBOURS = 8, 1, 2, (6, 7)
_HELLO = 1  # of LLTD


def spanning_tree(frame: bytes) -> Iterator[Candidate]:
    """Yield root and bridge of a frame of the spanning tree protocols."""
    for head in (_BPDU, _PVST):
        at = frame.find(head, 12, 40)
        if at < 0:
            continue
        body = frame[at + len(head) :]
        if len(body) >= 33 and body[1] in (0, 2):  # configuration, rapid
            for place in (_ROOT_AT, _BRIDGE_AT):
                yield from _mac(body, place)
        if len(body) >= 100 and body[0] >= 3:  # with several trees
            yield from _mac(body, 93)


def lacp(data: bytes) -> Iterator[Candidate]:
    """Yield both systems of a bundle of links, and who asks for its marker."""
    if data[:1] not in (b"\x01", b"\x02"):
        return
    at = 2
    while at + 2 <= len(data) and data[at] in (1, 2) and data[at + 1] >= 8:
        yield from _mac(data, at + 4)
        at += data[at + 1]


def ieee1905(data: bytes) -> Iterator[Candidate]:
    """Yield the MACs of machines of a mesh, and of their neighbours."""
    at = _HEAD_1905_B
    while at + 3 <= len(data) and data[at]:
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 3])
        value = data[at + 3 : at + 3 + size]
        if kind in (_AL_MAC, _MAC) and size == _MAC_B:
            yield from _mac(value, 0)
        elif kind in _NEIGHBOURS:
            step = _MAC_B + (kind == _NEIGHBOURS[1])
            for place in range(0, size - step + 1, step):
                yield from _mac(value, place)
        at += 3 + size


def lltd(data: bytes) -> Iterator[Candidate]:
    """Yield who draws the map of a network, and whom it sees (Windows)."""
    for place in (4, 10):
        yield from _mac(data, place)
    if len(data) >= 32 and data[3] == _HELLO:
        for place in (20, 26):
            yield from _mac(data, place)


def _mac(data: bytes, at: int) -> Iterator[Candidate]:
    raw = data[at : at + _MAC_B]
    if len(raw) == _MAC_B:
        yield "mac", raw.hex()


# by their types; of others `captured` looks for MACs of makers that are there
BRIDGES = {LACP: lacp, IEEE1905: ieee1905, LLTD: lltd}
