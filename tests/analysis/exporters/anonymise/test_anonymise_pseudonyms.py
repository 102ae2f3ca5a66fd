"""One key; for each address and text always the same, and for no two the same."""

import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.exporters.anonymise.cryptopan import CryptoPan
from analysis.exporters.anonymise.patterns import assigned
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.writing import Feistel
from analysis.exporters.identifiers import Identifier

# of the implementation that the authors of the paper published
REFERENCE = bytes(
    (
        *(21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16),
        *(216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2),
    )
)
NAMES = Pseudonyms(bytes(range(32)))
LANS = tuple(
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
)
any_address = st.integers(0, 2**32 - 1)
in_lan = st.sampled_from(LANS).flatmap(
    lambda lan: st.integers(int(lan[0]), int(lan[-1]))
)


def packed(text):
    return ipaddress.ip_address(text).packed


def common_bits(one, two):
    return 32 - (one ^ two).bit_length()


def lan_of(number):
    address = ipaddress.ip_address(number)
    return [lan for lan in LANS if address in lan]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("128.11.68.132", "135.242.180.132"),
        ("129.118.74.4", "134.136.186.123"),
        ("130.132.252.244", "133.68.164.234"),
        ("141.223.7.43", "141.167.8.160"),
        ("152.163.225.39", "151.140.114.167"),
        ("192.102.249.13", "252.138.62.131"),
        ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"),
        ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
    ],
)
def test_addresses_become_what_the_reference_makes_of_them(address, expected):
    assert CryptoPan(REFERENCE).one(packed(address)) == packed(expected)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_public_addresses_tell_nothing_of_private_ones(family):
    public = {"ipv4": ("34.1.2.3", "9.9.1.1"), "ipv6": ("2003::1", "2a00::5")}[family]
    private = {"ipv4": ("10.0.0.5", "192.168.1.2"), "ipv6": ("fd00::1", "fe80::5")}
    makers = {"ipv4": lambda n, a: n.ipv4(int.from_bytes(a)), "ipv6": Pseudonyms.ipv6}
    make = makers[family]
    for of in ("public", "private"):
        other = Pseudonyms(bytes(range(32)))  # as if another key were that of one kind
        other._pans[f"{family} {of}"] = CryptoPan(REFERENCE)
        for kind, addresses in (("public", public), ("private", private[family])):
            for raw in map(packed, addresses):
                assert (make(NAMES, raw) == make(other, raw)) == (kind != of)


@given(any_address, st.integers(0, 31))
def test_two_addresses_share_as_long_a_prefix_as_before(address, bit):
    pan = CryptoPan(REFERENCE)
    other = address ^ (1 << bit)
    one, two = (int.from_bytes(pan.one(each.to_bytes(4))) for each in (address, other))
    assert common_bits(one, two) == common_bits(address, other)


@given(any_address)
def test_private_stays_private_and_public_public(address):
    made = NAMES.ipv4(address)
    before, after = ipaddress.ip_address(address), ipaddress.ip_address(made)
    assert lan_of(made) == lan_of(address)
    assert after.is_multicast == before.is_multicast
    assert after.is_loopback == before.is_loopback
    assert (after in ipaddress.ip_network("240.0.0.0/4")) == before.is_reserved


@given(any_address, st.integers(0, 15))
def test_hosts_of_one_network_stay_in_one_network(address, bit):
    if lan_of(address):
        bit += 8  # the last byte has a rule of its own
    other = address ^ (1 << bit)
    if lan_of(address) != lan_of(other) or NAMES.ipv4(address) == address:
        return
    one, two = NAMES.ipv4(address), NAMES.ipv4(other)
    assert common_bits(one, two) == common_bits(address, other)


@given(in_lan)
def test_a_broadcast_stays_one_and_nothing_else_becomes_one(address):
    assert (NAMES.ipv4(address) & 255 == 255) == (address & 255 == 255)


@pytest.mark.parametrize("lan", ["192.168.178.0", "10.0.0.0", "172.16.4.0", "34.1.2.0"])
def test_no_key_leaves_an_address_or_its_network_as_it_was(lan):
    hosts = np.arange(256, dtype=np.uint32) + np.uint32(int.from_bytes(packed(lan)))
    for number in range(64):
        made = Pseudonyms(number.to_bytes(32)).ipv4s(hosts)
        assert not (made >> 8 == hosts >> 8).any()
        assert np.unique(made).size == hosts.size
        assert np.unique(made >> 8).size == 1


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 2049))
def test_no_two_ipv4_addresses_become_the_same(first):
    block = np.arange(first, first + 2048, dtype=np.uint32)
    far = np.arange(2048, dtype=np.uint32) * np.uint32(2_097_143)
    addresses = np.unique(np.concatenate((block, far)))
    assert np.unique(NAMES.ipv4s(addresses)).size == addresses.size


@given(st.sets(st.binary(min_size=16, max_size=16), min_size=2, max_size=8))
def test_no_two_ipv6_addresses_become_the_same(addresses):
    assert len({NAMES.ipv6(each) for each in addresses}) == len(addresses)


@given(st.binary(min_size=6, max_size=6))
def test_addresses_made_of_a_mac_still_belong_to_it(mac):
    mac = bytes([mac[0] & 0xFE]) + mac[1:]
    if not any(mac):
        return
    made = NAMES.mac(mac)
    ends = [bytes([m[0] ^ 2]) + m[1:3] + b"\xff\xfe" + m[3:] for m in (mac, made)]
    assert NAMES.ipv6(packed("fe80::")[:8] + ends[0])[8:] == ends[1]
    asked = packed("ff02::1:ff00:0")[:13]
    assert NAMES.ipv6(asked + mac[3:]) == asked + made[3:]
    assert NAMES.mac(b"\x33\x33\xff" + mac[3:]) == b"\x33\x33\xff" + made[3:]


@given(st.sets(st.binary(min_size=6, max_size=6), min_size=2, max_size=30))
def test_macs_keep_vendor_and_flags_and_stay_apart(macs):
    made = {mac: NAMES.mac(mac) for mac in macs}
    assert len(set(made.values())) == len(macs)
    for mac, other in made.items():
        assert other[0] & 3 == mac[0] & 3
        if not mac[0] & 3:
            assert other[:3] == mac[:3]


def test_what_is_of_everybody_stays():
    for mac in ("ffffffffffff", "01005e0000fb", "3333000000fb", "000000000000"):
        assert NAMES.mac(bytes.fromhex(mac)).hex() == mac
    for text in ("ff02::fb", "::1", "::"):
        assert NAMES.ipv6(packed(text)) == packed(text)
    for text in ("224.0.0.251", "255.255.255.255", "127.0.0.1"):
        assert NAMES.ipv4(int(ipaddress.ip_address(text))) == int.from_bytes(
            packed(text)
        )


@settings(max_examples=25)
@given(st.integers(1, 500), st.integers(1, 500), st.binary(max_size=4))
def test_numbers_are_permuted(one, two, tweak):
    feistel = Feistel(b"key")
    size = one * two
    some = range(size) if size < 200 else range(0, size, size // 100)
    made = {feistel.permute(number, (one, two), tweak) for number in some}
    assert len(made) == len(some)
    assert max(made) < size


@given(st.text(min_size=1, max_size=40), st.sampled_from(("serial", "ssid", "person")))
def test_a_text_keeps_length_and_kinds_of_characters(text, kind):
    made = NAMES.text(text, kind)
    assert len(made) == len(text)
    assert len(made.encode()) == len(text.encode())
    for before, after in zip(text, made, strict=True):
        if before.isascii():
            assert after.isdigit() == before.isdigit()
            assert after.islower() == before.islower()
            assert after.isupper() == before.isupper()
            assert before.isalnum() or after == before


@given(st.text("aB3-", min_size=6, max_size=20))
def test_other_case_becomes_the_same_in_other_case(text):
    made = NAMES.text(text, "hostname")
    assert NAMES.text(text.upper(), "hostname") == made.upper()


def test_hexadecimal_stays_hexadecimal():
    text = "8006-5A3F-ffee"
    made = NAMES.text(text, "serial")
    assert made != text
    assert set(made) <= set("0123456789abcdefABCDEF-")


def test_names_keep_what_tells_their_kind():
    assert NAMES.text("toms-lamp.local", "domain").endswith(".local")
    assert NAMES.text("tom@home.example.org", "email").endswith(".org")
    assert NAMES.text("home", "hostname") != "home"
    assert NAMES.text("uuid:Insight-1_0-7", "serial").startswith("uuid:")


@given(in_lan | any_address)
def test_an_address_as_text_stays_one_of_as_many_characters(address):
    text = str(ipaddress.ip_address(address))
    made = NAMES.text(text, "ipv4")
    assert [len(part) for part in made.split(".")] == [
        len(part) for part in text.split(".")
    ]
    assert lan_of(int(ipaddress.ip_address(made))) == lan_of(address)


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_as_text_stays_one_and_as_long(address):
    made = NAMES.text(str(address), "ipv6")
    assert len(made) == len(str(address))
    assert str(ipaddress.ip_address(made)) == made
    assert made.split(":")[0] == str(address).split(":")[0]


@given(st.sets(st.text("ab1", min_size=1, max_size=3), min_size=2, max_size=20))
def test_no_identifier_becomes_another_or_the_same_as_another(values):
    known = [Identifier(kind="hostname", value=f"host{v}") for v in values]
    made = assigned(known, NAMES)
    assert len({text.lower() for text in made.values()}) == len(known)
    assert not set(made.values()) & {each.value for each in known}


def test_another_key_makes_other_pseudonyms_and_the_same_key_the_same():
    other = Pseudonyms(bytes(range(1, 33)))
    mac = bytes.fromhex("50c7bf6be019")
    assert other.mac(mac) != NAMES.mac(mac)
    assert other.ipv4(0x0A4D0005) != NAMES.ipv4(0x0A4D0005)
    assert other.text("80067A12B3", "serial") != NAMES.text("80067A12B3", "serial")
    assert Pseudonyms(bytes(range(32))).text("x7", "ssid") == NAMES.text("x7", "ssid")


def test_times_shift_by_whole_weeks_back():
    week_ns = 7 * 86_400 * 10**9
    assert NAMES.shift_ns < 0
    assert NAMES.shift_ns % week_ns == 0
    assert NAMES.shift_ns >= -520 * week_ns


@pytest.mark.parametrize("size", [0, 16, 33])
def test_a_key_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(bytes(size))
