"""What tunnels carry has headers, too: they get the pseudonyms of those outside."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest

from analysis.exporters.identifiers.captured import harvest_capture
from analysis.exporters.identifiers.gathered import Gathered
from analysis.exporters.identifiers.public import Products
from analysis.exporters.identifiers.tunnels import inside

INNER, FAR = "192.168.44.55", "203.0.113.77"
INNER6, FAR6 = "2a02:810d:aa:bb::5", "2a02:810d:aa:bb::6"
STATION = "b0:be:76:11:aa:22"
NAS = b"\0\7\1\0\0\1\0\0\0\0\0\0\x08toms-nas\x03lan\0\0\1\0\1"
ORIGIN = bytes(byte ^ 0xFF for byte in IPv4Address("84.172.33.91").packed)


def raw(mac):
    return bytes.fromhex(mac.replace(":", ""))


def inner4(craft):
    return craft.udp(NAS, 50000, 53, INNER, FAR)[14:]


def inner6(craft):
    body = struct.pack(">HHHH", 50000, 53, 8 + len(NAS), 0) + NAS
    ends = IPv6Address(INNER6).packed + IPv6Address(FAR6).packed
    pseudo = ends + struct.pack(">II", len(body), 17)
    body = body[:6] + struct.pack(">H", craft.sum(pseudo + body)) + body[8:]
    return struct.pack(">IHBB", 6 << 28, len(body), 17, 64) + ends + body


def frame(craft, tag=b""):
    made = craft.ether(inner4(craft), src=STATION)
    return made[:12] + tag + made[12:]


def gre(craft, flags, kind, more, body):
    made = struct.pack(">HH", flags, kind) + more + body
    if flags & 0x8000:
        made = made[:4] + struct.pack(">H", craft.sum(made)) + made[6:]
    return craft.ether(craft.ipv4(47, made))


def tunnels(craft):
    def plain(protocol, body):
        return craft.ether(craft.ipv4(protocol, body))

    def over(port, head, body):
        return craft.udp(head + body, 5000, port)

    four, six, whole = inner4(craft), inner6(craft), frame(craft)
    tagged = frame(craft, b"\x81\0\0\7")
    ppp = b"\xff\x03\0\x21" + four
    return {
        "ipip": plain(4, four),
        "6in4": plain(41, six),
        "gre": gre(craft, 0, 0x0800, b"", four),
        "gre-with-all": gre(craft, 0xB000, 0x0800, bytes(12), four),
        "gre-frames": gre(craft, 0x2000, 0x6558, bytes(4), tagged),
        "erspan-1": gre(craft, 0, 0x88BE, b"", whole),
        "erspan-2": gre(craft, 0x1000, 0x88BE, bytes(12), whole),
        "erspan-3": gre(craft, 0x1000, 0x22EB, bytes(16), whole),
        "pptp": gre(craft, 0x3001, 0x880B, bytes(8), ppp),
        "pptp-acknowledged": gre(craft, 0x3081, 0x880B, bytes(12), b"\x21" + four),
        "vxlan": over(4789, b"\x08\0\0\0\0\0\7\0", whole),
        "geneve": over(6081, b"\1\0\x65\x58\0\0\7\0\0\0\0\0", whole),
        "gtp": over(2152, b"\x30\xff\0\x55\0\0\0\7", four),
        "gtp-more": over(2152, b"\x34\xff\0\x55" + bytes(7) + b"\x85\1\0\0\0", four),
        "l2tp": over(1701, b"\x40\x02\0\x50\0\1\0\1", ppp),
        "l2tp-offset": over(1701, b"\x0a\x02\0\1\0\1\0\0\0\0\0\1\0", ppp),
        "teredo": over(3544, b"", six),
        "teredo-origin": over(3544, b"\0\0\xc3\x50" + ORIGIN, six),
        "teredo-login": over(3544, b"\0\1" + bytes(11), six),
        "tzsp": over(37008, b"\1\0\0\1\x0a\1\x55\0\1", whole),
        "two": over(4789, b"\x08" + bytes(7), craft.ether(craft.ipv4(4, four))),
    }


NAMES = (
    *("ipip", "6in4", "gre", "gre-with-all", "gre-frames", "erspan-1", "erspan-2"),
    *("erspan-3", "pptp", "pptp-acknowledged", "vxlan", "geneve", "gtp", "gtp-more"),
    *("l2tp", "l2tp-offset", "teredo", "teredo-origin", "teredo-login", "tzsp", "two"),
)


def test_each_tunnel_is_looked_at(craft):
    assert tuple(tunnels(craft)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_headers_inside_get_the_pseudonyms_of_headers_outside(
    bench, craft, pseudonyms, name
):
    before = tunnels(craft)[name]
    (after,) = bench.run([before])
    assert len(after) == len(before)
    assert craft.checks(after) if after[23] == 17 else craft.sum(after[14:34]) == 0
    own, far = inner4(craft), IPv4Address(FAR)
    if own in before:
        at = before.index(own)
        made = after[at : at + len(own)]
        for place, address in ((12, IPv4Address(INNER)), (16, far)):
            wanted = pseudonyms.ipv4(int(address)).to_bytes(4)
            assert made[place : place + 4] == wanted
        assert craft.checks(bytes(14) + made)
        assert made[28:] == own[28:]
    else:
        own = inner6(craft)
        at = before.index(own)
        made = after[at : at + len(own)]
        for place, address in ((8, INNER6), (24, FAR6)):
            wanted = pseudonyms.ipv6(IPv6Address(address).packed)
            assert made[place : place + 16] == wanted
        pseudo = made[8:40] + struct.pack(">II", len(own) - 40, 17)
        assert craft.sum(pseudo + made[40:]) == 0
    if raw(STATION) in before:
        at = before.index(raw(STATION))
        assert after[at : at + 6] == pseudonyms.mac(raw(STATION))
    if before[23] == 47 and before[34] & 0x80:
        assert craft.sum(after[34:]) == 0
    assert ORIGIN not in after


@pytest.mark.parametrize("name", NAMES)
def test_harvest_knows_who_is_inside_and_what_is_said_there(tmp_path, craft, name):
    gathered = Gathered(Products({}), "keep-public")
    harvest_capture(craft.pcap(tmp_path / "a.pcap", [tunnels(craft)[name]]), gathered)
    found = {each.value for each in gathered.identifiers()}
    assert found & {INNER, INNER6}
    assert "toms-nas" in found
    if raw(STATION) in tunnels(craft)[name]:
        assert STATION in found


def test_what_is_said_inside_changes_and_its_checksum_stays_right(bench, craft):
    path = craft.pcap(bench.folder / "said.pcap", [tunnels(craft)["vxlan"]])
    gathered = Gathered(Products({}), "keep-public")
    harvest_capture(path, gathered)
    (after,) = bench.frames(bench.made(path, tuple(gathered.identifiers())))
    assert b"toms-nas" not in after
    assert craft.checks(after)
    assert craft.checks(after[50:])


def test_tunnels_that_are_cut_off_stay_as_long_as_they_are(bench, craft):
    frames = [
        whole[:size]
        for whole in tunnels(craft).values()
        for size in range(34, len(whole), 3)
    ]
    assert [len(each) for each in bench.run(frames)] == [len(each) for each in frames]


def test_tunnels_that_are_cut_off_are_walked_without_harm(craft):
    for name, whole in tunnels(craft).items():
        protocol = whole[23]
        ports = (5000, int.from_bytes(whole[36:38])) if protocol == 17 else (0, 0)
        for size in range(len(whole) - 34):
            data = whole[34 : 34 + size]
            for place, size_b, _ in inside(data, protocol, ports).fields:
                assert place + size_b <= len(data), name
