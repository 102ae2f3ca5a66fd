import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import DatasetError, RequestError
from analysis.exporters.identifiers import (
    Identifier,
    air,
    frames,
    harvest,
    leased,
    referenced,
    wire,
)
from analysis.exporters.identifiers.certificates import certificates, of_certificate
from analysis.exporters.identifiers.dialogues import dialogue
from analysis.exporters.identifiers.gathered import MOST_PUBLIC, Gathered
from analysis.exporters.identifiers.headers import spoken
from analysis.exporters.identifiers.hidden import wide
from analysis.exporters.identifiers.messages import (
    coap,
    eap,
    kerberos,
    ldap,
    mqtt,
    ntlm,
    port_mapping,
    radius,
    snmp,
    stun,
)
from analysis.exporters.identifiers.public import Products
from analysis.exporters.identifiers.texts import candidates
from analysis.pcap.writer import open_capture

PROFILES = {
    "campaign": "evening",
    "profiles": {
        "echo_dot": {
            "device": "echo_dot",
            "vendor": "Amazon",
            "model": "Echo Dot (2nd generation)",
            "app": {"package": "com.amazon.dee.app"},
        }
    },
}


def judged(*found, names="keep-public"):
    gathered = Gathered(Products(PROFILES), names)
    gathered.take_all(found, "test")
    return {(each.kind, each.value) for each in gathered.identifiers()}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("nas-7.local", {("hostname", "nas-7")}),
        ("NAS-7", {("hostname", "NAS-7")}),
        ("api.vendor.com", set()),
        ("echo-dot.local", set()),
        ("Maja's Harp\0_airplay\0_tcp\0local", {("person", "Maja's Harp"),
                                                    ("person", "Maja")}),
        ("44650D7B2013@Harp9\0_raop\0_tcp\0local", {("hostname", "44650D7B2013"),
                                                    ("hostname", "Harp9")}),
        ("_airplay\0_tcp\0local", set()),
        ("9.178.168.192.in-addr.arpa", {("ipv4", "192.168.178.9")}),
        ("192.168.178.9", {("ipv4", "192.168.178.9")}),
        ("239.255.255.250", set()),
        ("nas-7.smith.lan", {("hostname", "nas-7"), ("domain", "nas-7.smith.lan"),
                             ("domain", "smith.lan")}),
    ],
)  # fmt: skip
def test_a_name_is_judged(name, wanted):
    assert judged(("name", name)) == wanted


def test_names_of_the_cloud_are_domains_when_all_names_shall_go():
    found = judged(("name", "api.vendor.com"), names="pseudonym")
    assert found == {("domain", "api.vendor.com")}


def test_the_zone_that_a_dhcp_server_tells_is_local_whatever_it_ends_with():
    found = judged(("name", "speicher.lindqvist.net"), ("zone", "lindqvist.net"))
    assert ("hostname", "speicher") in found
    assert ("domain", "lindqvist.net") in found


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("mac", "ff:ff:ff:ff:ff:ff"),
        ("mac", "01:00:5e:00:00:fb"),
        ("mac", "00:00:00:00:00:00"),
        ("ipv4", "224.0.0.251"),
        ("ipv4", "0.1.2.3"),
        ("ipv4", "8.8.8.8"),
        ("ipv4", "255.255.255.0"),
        ("ipv6", "ff02::fb"),
        ("ipv6", "::1"),
        ("person", "Echo Dot"),
        ("person", "amazon"),
        ("account", "admin"),
        ("email", "umac-64@openssh.com"),
        ("serial", "${SERIAL}"),
    ],
)
def test_what_is_everybodys_is_no_identifier(kind, value):
    assert judged((kind, value)) == set()


def test_what_devices_call_their_model_is_no_name_of_a_host():
    found = judged(
        ("name", "DCS-77L"), ("product", "DCS-77L(EU)"), ("secret", "DCS-77L(EU)")
    )
    assert found == {("secret", "DCS-77L(EU)")}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Maja van der Berg", {"Maja", "Berg"}),
        ("Åsa Högberg", {"Högberg"}),
        ("Maja's lamp", {"Maja"}),
        ("Living Room", set()),
        ("Kitchen Lindqvist", set()),
    ],
)
def test_names_of_people_count_by_their_parts(tmp_path, name, told):
    (tmp_path / "raw").mkdir()
    (tmp_path / "campaign.yaml").write_text("campaign: c\n")
    with open_capture(tmp_path / "raw" / "lan-00001.pcapng") as out:
        out.packet(1, bytes(60))
    people = (Identifier(kind="person", value=name, source="told"),)
    found = {each.value for each in harvest(tmp_path, extra=people)}
    assert {each for each in found if not each.startswith("TBB1")} == {name, *told}


def test_addresses_of_the_homes_own_networks_are_all_kept():
    gathered = Gathered(Products({}), "keep-public")
    gathered.take("network", "2003:cb:7:1::/64", "packets")
    for number in range(MOST_PUBLIC):
        gathered.take("ipv6", f"2a00:1450::{number + 1:x}", "packets", 2)
    gathered.take("ipv6", "2003:cb:7:1::77", "packets")
    gathered.take("ipv6", "2003:cb:7:2::77", "packets")
    found = {each.value for each in gathered.identifiers()}
    assert "2003:cb:7:1::77" in found
    assert "2003:cb:7:2::77" not in found


def test_of_the_cloud_the_busiest_addresses_are_kept():
    gathered = Gathered(Products({}), "keep-public")
    for number in range(MOST_PUBLIC + 10):
        four = (0x20000000 + number).to_bytes(4)
        text = ".".join(str(byte) for byte in four)
        gathered.take("ipv4", text, "packets", 1 + (number >= 10))
    found = {each.value for each in gathered.identifiers()}
    assert len(found) == MOST_PUBLIC
    assert "32.0.0.9" not in found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b'{"deviceId":"8006AB12CD"}', ("serial", "8006AB12CD")),
        (b'{"alias":"Maja\\u0027s lamp"}', ("person", "Maja's lamp")),
        (b'{"latitude": 59.33258, "n": 1}', ("place", "59.33258")),
        (b"<ns:serialNumber>2216K11</ns:serialNumber>", ("serial", "2216K11")),
        (b"<macAddress>EC1A59F0D3A2</macAddress>", ("mac", "EC1A59F0D3A2")),
        (b"a=1&password=s%20cret&b=2", ("secret", "s cret")),
        (b"mail me at maja.l@post.example now", ("email", "maja.l@post.example")),
        (b"to=maja.l%40post.example&x", ("email", "maja.l@post.example")),
        (b"USN: uuid:Insight-1_0-2216K::x", ("serial", "Insight-1_0-2216K")),
        (b"Authorization: Bearer abcdef123456", ("token", "abcdef123456")),
        (b'Authorization: Digest username="majal", x="y"', ("account", "majal")),
        (b"X-Auth-Token: 0a1b2c3d4e5f", ("token", "0a1b2c3d4e5f")),
        (b"see 192.168.9.77:80", ("ipv4", "192.168.9.77")),
        (b"see fe80::1a2b:3c4d at", ("ipv6", "fe80::1a2b:3c4d")),
        (b"/home/majal/x", ("path", "/home/majal")),
    ],
)
def test_a_text_tells(text, wanted):
    assert wanted in {*candidates(text), *spoken(text)}


@pytest.mark.parametrize(
    "text",
    [b"firmware 2.0.0.11 is out", b"Cookie: theme=dark", b'{"serial": "none"}', b"1=2"],
)
def test_a_text_without_an_identifier_tells_nothing(text):
    assert [*candidates(text), *spoken(text)] == []


READERS = (
    *(wire.dns, leased.dhcp, leased.dhcp6, wire.netbios, air.wireless),
    *(mqtt, snmp, radius, eap, ntlm, coap, stun, ldap, kerberos, port_mapping),
    *(frames.lldp, frames.cdp, frames.eapol, frames.pppoe, frames.icmp6, wide),
    *(certificates, of_certificate, dialogue, frames.pppoe_discovery),
)


@given(st.binary(max_size=400), st.sampled_from((*READERS, wire.pcapng_block)))
def test_readers_of_protocols_take_any_bytes(data, reader):
    for head in (b"", b"\0" * 4 + b"\0\1\0\1" * 2, b"\4\0\0\0\x30\0\0\0"):
        assert all(kind for kind, _ in reader(head + data))


@given(st.binary(max_size=100))
def test_a_dhcp_message_may_end_anywhere(data):
    message = bytes(236) + b"\x63\x82\x53\x63" + data
    assert all(isinstance(value, str) for _, value in leased.dhcp(message))


def test_names_in_a_dns_message_may_point_back():
    name = b"\x05maja7\x05local\0"
    head = struct.pack(">6H", 1, 0x8400, 0, 1, 0, 0)
    pointer = struct.pack(">HHIH", 12, 1, 1, 4) + b"\x01x\xc0\x0c"
    assert ("name", "x\0maja7\0local") in set(wire.dns(head + name + pointer))


def test_secrets_by_reference_come_from_the_environment():
    lab = {
        "router": {"user": "${WHO}", "key_env": "KEY", "folder": "${STATE}/x"},
        "phone": {"pin": "${PIN}", "serial": "${GONE}"},
    }
    given_ = {"WHO": "majal", "KEY": "/home/majal/k", "STATE": "/srv/lab", "PIN": "77"}
    assert referenced(lab, given_) == (
        Identifier(kind="account", value="majal", source="variable WHO"),
        Identifier(kind="path", value="/home/majal/k", source="variable KEY"),
        Identifier(kind="path", value="/srv/lab", source="variable STATE"),
    )


def test_a_folder_that_is_no_campaign_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        harvest(tmp_path)


def test_another_rule_for_names_is_refused(tmp_path):
    with pytest.raises(RequestError, match="keep-public"):
        harvest(tmp_path, names="some")
