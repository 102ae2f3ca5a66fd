"""Messages of DHCP and DHCPv6 as they are built: where each option lies.

What the options mean is for who reads them. Bytes may be anything: an option that does
not fit ends the message.
"""

from collections.abc import Iterator

ETHERNET = 1
HEAD_B, MAGIC = 236, b"\x63\x82\x53\x63"
SERVER_NAME, FILE = (44, 108), (108, 236)  # fields before the options
_PAD, _END, _OVERLOAD = 0, 255, 52
_RELAYED6 = (12, 13)
_HEAD6_B, _RELAY6_B = 4, 34
_MOST = 512

Option = tuple[int, int, int]  # code, first byte of its data, byte behind it


def is_dhcp(payload: bytes) -> bool:
    """Say whether a message is one of DHCP, with options."""
    return payload[HEAD_B : HEAD_B + 4] == MAGIC


def options(payload: bytes) -> list[Option]:
    """Return the options of a message of DHCP, in the fields before them, too."""
    if not is_dhcp(payload):
        return []
    found = suboptions(payload, HEAD_B + 4)
    for code, begin, end in found:
        if code == _OVERLOAD and end - begin == 1:
            for bit, field in ((1, FILE), (2, SERVER_NAME)):
                if payload[begin] & bit:
                    found = found + suboptions(payload, *field)
            break
    return found


def suboptions(payload: bytes, at: int, end: int | None = None) -> list[Option]:
    """Return options of a code and a length, a byte each."""
    last = len(payload) if end is None else min(end, len(payload))
    found = []
    while at < last:
        code = payload[at]
        at += 1
        if code == _END:
            break
        if code == _PAD:
            continue
        if at >= last or at + 1 + payload[at] > last:
            break
        begin = at + 1
        at = begin + payload[at]
        found.append((code, begin, at))
    return found


def options6(payload: bytes) -> Iterator[Option]:
    """Yield the options of a message of DHCPv6; those of relays lie within theirs."""
    head_b = _RELAY6_B if payload[:1] and payload[0] in _RELAYED6 else _HEAD6_B
    yield from suboptions6(payload, head_b, len(payload))


def suboptions6(payload: bytes, at: int, end: int) -> Iterator[Option]:
    """Yield options of a code and a length, two bytes each."""
    for _ in range(_MOST):
        if at + 4 > end:
            return
        code = int.from_bytes(payload[at : at + 2])
        begin = at + 4
        at = begin + int.from_bytes(payload[at + 2 : at + 4])
        if at > end:
            return
        yield code, begin, at
