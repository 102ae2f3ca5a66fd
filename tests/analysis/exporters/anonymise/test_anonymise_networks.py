"""Networks that routers hand out become those of their hosts' pseudonyms."""

import struct
from ipaddress import IPv6Address, IPv6Network, ip_address

import pytest

HOST = "fe80::6a3a:48ff:fe13:2704"


def six(text):
    return ip_address(text).packed


def packet(craft, protocol, body, at, src=HOST, dst="ff02::1"):
    """Return a frame whose checksum, `at` in the body, adds up."""
    pseudo = six(src) + six(dst) + struct.pack(">II", len(body), protocol)
    total = struct.pack(">H", craft.sum(pseudo + body))
    body = body[:at] + total + body[at + 2 :]
    head = struct.pack(">IHBB", 6 << 28, len(body), protocol, 255)
    return craft.ether(head + six(src) + six(dst) + body, kind=0x86DD)


def advertised(craft, *options):
    head = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    return packet(craft, 58, head + b"".join(options), 2)


def prefix(network):
    net = IPv6Network(network, strict=False)
    head = struct.pack(">BBBBIII", 3, 4, net.prefixlen, 0xC0, 9, 9, 0)
    return head + six(network.partition("/")[0])


def route(network, size, kind=24):
    net = IPv6Network(network)
    head = struct.pack(">BBBBI", kind, 1 + size // 8, net.prefixlen, 0, 9)
    return head + net.network_address.packed[:size]


def translated(network):
    return struct.pack(">BBH", 38, 2, 600 << 3) + IPv6Network(network)[0].packed[:12]


def delegated(craft, network, address, *, relayed=False):
    net = IPv6Network(network)
    lease = struct.pack(">HHIIB", 26, 25, 9, 9, net.prefixlen) + net[0].packed
    own = struct.pack(">HH", 5, 24) + six(address) + bytes(8)
    body = b"\x07abc" + struct.pack(">HHIII", 25, 12 + len(lease), 1, 2, 3) + lease
    body += struct.pack(">HHIII", 3, 12 + len(own), 1, 2, 3) + own
    body += struct.pack(">HH", 23, 16) + six(address)
    if relayed:
        head = b"\x0d\x00" + six(address) + six(HOST)
        body = head + struct.pack(">HH", 9, len(body)) + body
    udp = struct.pack(">HHHH", 547, 546, 8 + len(body), 0) + body
    return packet(craft, 17, udp, 6)


LAMP = bytes.fromhex("50c7bf6be019")
SECOND = 847_193_331  # since 2000, in November 2026
DUID = b"\0\1\0\1" + struct.pack(">I", SECOND) + LAMP


def asked(craft, duid, number):
    """Return what a client asks for over DHCPv6, and over DHCP."""
    body = b"\x01abc" + struct.pack(">HH", 1, len(duid)) + duid
    body += struct.pack(">HH", 3, 12) + number + bytes(8)
    udp = struct.pack(">HHHH", 546, 547, 8 + len(body), 0) + body
    client = bytes([61, 5 + len(duid), 255]) + number + duid
    four = b"\1\1\6" + bytes(233) + b"\x63\x82\x53\x63" + client + b"\xff"
    six_ = packet(craft, 17, udp, 6)
    return six_, craft.udp(four, 68, 67, "192.168.1.23", "192.168.1.1")


def network_of(pseudonyms, network):
    """Return the network in which the pseudonyms of its hosts lie."""
    net = IPv6Network(network)
    made = {
        IPv6Network((pseudonyms.ipv6(net[k].packed), net.prefixlen), strict=False)
        for k in (1, 77, min(net.num_addresses, 1 << 66) - 2)
    }
    (one,) = made
    return one


@pytest.mark.parametrize(
    "network",
    [
        "fd56:2674:7909:1::/64",
        "2003:cb:51:40::/64",
        "2003:cb:51::/56",
        "fd56:2674:7909::/48",
    ],
)
def test_an_announced_network_is_that_of_its_hosts_with_zeros_behind_it(
    bench, craft, pseudonyms, network
):
    made = network_of(pseudonyms, network)
    told = (prefix, lambda net: route(net, 8), lambda net: route(net, 16))
    for option in told:
        (frame,) = bench.run([advertised(craft, option(network))])
        (wanted,) = bench.run([advertised(craft)])
        assert frame.endswith(option(str(made)))
        assert frame[12:54] == wanted[12:18] + frame[18:20] + wanted[20:54]
        assert craft.sum(above(frame)) == 0
    assert str(made) != network


def above(frame):
    size, protocol = int.from_bytes(frame[18:20]), frame[20]
    return frame[22:54] + struct.pack(">II", size, protocol) + frame[54:]


def test_contexts_and_translated_networks_are_rewritten_too(bench, craft, pseudonyms):
    context, nat = "2003:cb:51:40::/64", "2003:cb:64:9::/96"
    (frame,) = bench.run([advertised(craft, route(context, 16, 34), translated(nat))])
    made = pseudonyms.ipv6(IPv6Network(nat)[0].packed)[:12]
    wanted = route(str(network_of(pseudonyms, context)), 16, 34)
    assert frame.endswith(wanted + translated(f"{IPv6Address(made + bytes(4))}/96"))


def test_a_whole_address_behind_a_prefix_becomes_that_of_headers(
    bench, craft, pseudonyms
):
    (frame,) = bench.run([advertised(craft, prefix("2003:cb:51:40::1/64"))])
    assert frame[-16:] == pseudonyms.ipv6(six("2003:cb:51:40::1"))


GROUPS = [six(f"ff02::1:ff5a:{k:x}") for k in range(0x1000, 0x1028)]
SOURCES = [six(f"2001:db8:77::{k}") for k in range(1, 6)]


def recorded(group, sources=()):
    return struct.pack(">BBH", 4, 0, len(sources)) + group + b"".join(sources)


@pytest.mark.parametrize(
    ("head", "body", "told"),
    [
        ((143, 0, 0, 0, 40), b"".join(map(recorded, GROUPS)), GROUPS),
        ((143, 0, 0, 0, 1), recorded(GROUPS[0], SOURCES), [GROUPS[0], *SOURCES]),
        (
            (130, 0, 0, 1000, 0),
            GROUPS[0] + struct.pack(">BBH", 2, 125, 5) + b"".join(SOURCES),
            [GROUPS[0], *SOURCES],
        ),
    ],
)
def test_all_groups_and_sources_that_listeners_name_are_rewritten(
    bench, craft, pseudonyms, head, body, told
):
    data = struct.pack(">BBHHH", *head) + body
    (frame,) = bench.run([packet(craft, 58, data, 2, dst="ff02::16")])
    assert not [each for each in told if each in frame]
    assert all(pseudonyms.ipv6(each) in frame for each in told)
    assert craft.sum(above(frame)) == 0


SENDERS = ("87.141.215.251", "192.168.1.77", "10.8.0.3")


@pytest.mark.parametrize(
    ("head", "before"),
    [
        ((0x22, 0, 0, 0, 2), struct.pack(">BBHI", 4, 1, 0, 0xE8000A22) + b"aux:"),
        ((0x11, 100, 0, 0xE800, 0x0A23), b""),
    ],
)
def test_sources_of_groups_are_rewritten_and_checksums_of_igmp_stay_right(
    bench, craft, pseudonyms, head, before
):
    raw = [ip_address(each).packed for each in SENDERS]
    record = struct.pack(">BBHI", 3, 0, 3, 0xE8000A23)
    told = record if before else struct.pack(">BBH", 2, 125, 3)
    body = struct.pack(">BBHHH", *head) + before + told + b"".join(raw)
    body = body[:2] + struct.pack(">H", craft.sum(body)) + body[4:]
    (frame,) = bench.run([craft.ether(craft.ipv4(2, body, dst="224.0.0.22"))])
    made = [pseudonyms.ipv4(int(ip_address(each))).to_bytes(4) for each in SENDERS]
    assert frame[34:].startswith(body[:2])
    assert frame[38:] == body[4:-12] + b"".join(made)
    assert craft.sum(frame[34:]) == 0


def test_a_default_route_and_a_damaged_option_stay(bench, craft):
    for option in (route("::/0", 8), prefix("fd56::/64")[:20], b"\x18\x02\x40"):
        (frame,) = bench.run([advertised(craft, option)])
        assert frame[70:] == option


@pytest.mark.parametrize("relayed", [False, True])
def test_what_dhcpv6_leases_and_delegates_is_rewritten(
    bench, craft, pseudonyms, relayed
):
    network, address = "2003:cb:52::/56", "2003:cb:53::77"
    raw = delegated(craft, network, address, relayed=relayed)
    (frame,) = bench.run([raw])
    made = network_of(pseudonyms, network)
    own = str(IPv6Address(pseudonyms.ipv6(six(address))))
    wanted = delegated(craft, str(made), own, relayed=relayed)
    if relayed:
        peer = pseudonyms.ipv6(six(HOST))
        wanted = wanted.replace(six(HOST), peer)
    assert frame[62:] == wanted[62:]
    assert craft.sum(above(raw)) == craft.sum(above(frame)) == 0


def test_the_second_of_a_duid_its_mac_and_the_end_of_it_become_others(
    bench, craft, pseudonyms
):
    raw = asked(craft, DUID, LAMP[2:]) + asked(craft, DUID, LAMP[:1:-1])
    kept = bench.run(raw)
    moved = bench.run(raw, shift_ns=-59 * 7 * 86_400 * 10**9)
    made = pseudonyms.mac(LAMP)
    (at,) = {kept[0].index(made, 54) - 4}
    second = kept[0][at : at + 4]
    duid = b"\0\1\0\1" + second + made
    wanted = asked(craft, duid, made[2:]) + asked(craft, duid, made[:1:-1])
    assert abs(int.from_bytes(second) - SECOND) > 86_400
    for before, after, other, shifted in zip(raw, kept, wanted, moved, strict=True):
        assert len(before) == len(after)
        assert after[-38:] == other[-38:] == shifted[-38:]
    assert craft.sum(above(kept[0])) == 0
    assert craft.checks(kept[1])


def test_other_duids_and_numbers_stay(bench, craft):
    for duid in (b"\0\3\0\6" + LAMP, b"\0\1\0\1abcd" + LAMP[:5], b"\0\1"):
        raw = asked(craft, duid, b"\0\0\0\7")
        for before, after in zip(raw, bench.run(raw), strict=True):
            assert before[62:] == after[62:]


MACHINE = bytes.fromhex("8f3ac9d1e27b6640")


@pytest.mark.parametrize(
    ("duid", "kept"),
    [
        (b"\0\2\0\0\xab\x11" + MACHINE, 6),  # as systemd makes it
        (b"\0\4" + MACHINE * 2, 2),
    ],
)
def test_numbers_of_machines_in_a_duid_become_others_of_the_key(
    bench, craft, duid, kept
):
    six_, four_ = bench.run(list(asked(craft, duid, b"\0\0\0\7")))
    made = six_[six_.index(duid[:kept]) :][: len(duid)]
    assert made[:kept] == duid[:kept]
    assert made != duid
    assert made in four_
    assert MACHINE not in six_ + four_
    assert craft.checks(four_)


def test_what_a_client_calls_itself_in_bytes_becomes_other_bytes(bench, craft):
    def client(code, value):
        option = bytes([code, len(value)]) + value
        four_ = b"\1\1\6" + bytes(233) + b"\x63\x82\x53\x63" + option + b"\xff"
        return craft.udp(four_, 68, 67, "192.168.1.23", "192.168.1.1")

    said = [client(61, b"\0" + MACHINE), client(97, b"\0" + MACHINE * 2)]
    said.append(client(61, b"\0toms-lamp"))
    own, machine, text = bench.run(said)
    assert MACHINE not in own + machine
    assert b"toms-lamp" in text  # is harvested, and replaced as a text
    assert craft.checks(own)
    assert craft.checks(machine)
