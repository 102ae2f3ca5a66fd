"""What is as it was recorded is found, though nobody has named it."""

import shutil
import struct

import pytest

from analysis.exporters.audit import PLAIN, SAME, UNREAD, identity, opinion
from analysis.exporters.audit.fields import FIELDS
from analysis.exporters.audit.judging import Judge, is_public_name
from analysis.exporters.audit.letters import runs
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.model import parted
from analysis.exporters.audit.saying import opaque_runs
from analysis.exporters.audit.tshark import known_fields
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.bench.redteam import (
    EXAMPLE,
    attacked,
    labels,
    plants,
    prefixed,
    request,
    summary,
    tcp,
    udp,
)


def capture(path, *frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_capture(path, interfaces=(Interface(link=1),)) as out:
        for number, frame in enumerate(frames):
            out.packet(1_767_607_200_000_000_000 + number, frame, interface=0)
    return path


@pytest.fixture
def looked(tmp_path, monkeypatch):
    """Return what is found in a capture that was published in place of another.

    opaque  what tshark is said not to know; None to ask it
    """

    def _looked(before, after, opaque=frozenset()):
        file = "campaigns/evening/raw/a.pcapng"
        source = capture(tmp_path / "recorded" / "a.pcapng", *before)
        capture(tmp_path / "set" / file, *after)
        shutil.copy(EXAMPLE / "campaign.yaml", tmp_path / "set" / "campaigns/evening")
        if opaque is not None:
            found = identity.Compared(opaque=sorted(opaque))
            monkeypatch.setattr(opinion, "compared", lambda *_: found)
        looker = Looker(())
        told = []
        opinion.second_opinion(looker, tmp_path / "set", {file: source}, told.append)
        if opaque is None:
            assert sum(told) == (tmp_path / "set" / file).stat().st_size
        return looker.findings()

    return _looked


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Return the fate of secrets of which none was harvested."""
    return attacked(tmp_path_factory.mktemp("red"), 2, blind=True)


def test_the_red_team_plants_what_it_says(rows):
    assert [row["kind"] for row in rows if not row["planted"]] == []
    assert len(rows) >= 60
    assert len({row["kind"] for row in rows}) >= 20


def test_what_nobody_harvested_is_refused_by_the_second_opinion_alone(rows):
    assert summary(rows)["escaped"] == []
    assert summary(rows)["left_after"] > 60


def test_each_secret_of_another_home_is_another_one():
    first, second = ({p.value for p in plants(seed)} for seed in (3, 4))
    assert len(first & second) < 8


def test_one_conversation_is_named_and_its_words_are_hidden(looked):
    said = tcp(7331, b"SET owner Vintrelka;")
    (found,) = looked(said, said)
    assert "tcp/7331" in found.place
    assert "Vintrelka" not in found.sentence
    assert "Vintrelka" not in repr(found)
    assert found.words == ("Vintrelka",)
    assert found.accept[:2] == ("plain", "plain:tcp/7331")


@pytest.mark.parametrize("name", ["plain", "plain:tcp/7331"])
def test_a_conversation_is_accepted_by_name(looked, name):
    said = tcp(7331, b"SET owner Vintrelka;")
    refused, accepted = parted(looked(said, said), [name])
    assert refused == ()
    assert [f.kind for f in accepted] == [PLAIN]


def test_to_accept_one_port_accepts_no_other(looked):
    said = [*tcp(7331, b"SET owner Vintrelka;"), *tcp(7332, b"SET owner Vintrelka;")]
    refused, _ = parted(looked(said, said), ["plain:tcp/7331"])
    assert ["tcp/7332" in f.place for f in refused] == [True]


def test_what_was_replaced_is_no_finding(looked):
    before, after = (tcp(7331, b"SET owner " + w) for w in (b"Vintrelka", b"Quodrasnu"))
    assert looked(before, after) == ()


def test_what_is_left_of_a_name_is_a_finding(looked):
    before, after = (
        tcp(7331, b"owner " + w) for w in (b"Vintrelka-A1B2C3", b"Vintrelka-Z9Y8X7")
    )
    assert [f.words for f in looked(before, after)] == [("Vintrelka",)]


def test_known_words_and_numbers_are_no_finding(looked):
    body = b'{"state":"on","brightness":60,"t":1767607200,"colour":"ff0000ff0000"}'
    said = tcp(6668, b"\0\0\x55\xaa" + struct.pack(">I", len(body)) + body)
    assert looked(said, said) == ()


def test_a_number_of_a_unit_is_found_where_nobody_knows_the_protocol(looked):
    said = udp(7338, b"\0\0\0\x04\x01\x02\xa4\xcf\x12\x94\x77\x2c" + bytes(6))
    assert looked(said, said) == ()
    (found,) = looked(said, said, opaque={"udp/7338"})
    assert found.words == ("040102a4cf1294772c",)


def test_a_number_of_a_unit_is_found_in_frames_that_nobody_knows(looked):
    told = b"\0\1\0\0" + bytes.fromhex("b4750edeadbe") + bytes(36)
    ends = bytes.fromhex("d80d17aabc0150c7bf6be019")
    head = struct.pack(">BBHIBBHQ", 0x45, 0, 20 + len(told), 0, 64, 253, 0, 1)
    for kind, body, name in (
        (b"\x88\xe1", told, "plain:ethernet/88e1"),
        (b"\x08\0", head + told, "plain:ip/253"),
    ):
        frame = ends + kind + body
        (found,) = [f for f in looked([frame], [frame]) if f.kind == PLAIN]
        assert found.words == ("b4750edeadbe",)
        assert name in found.accept


def test_what_is_no_dns_is_read_on_its_port_too(looked):
    head = struct.pack(">6H", 7, 256, 1, 0, 0, 0)
    said = udp(53, head + b"\x09Vintrelka\0\0\x01")
    assert looked(said, said) == ()
    assert [f.words for f in looked(said, said, {"udp/53"})] == [("Vintrelka",)]


def test_an_address_as_recorded_is_found_whoever_overlooked_it(looked):
    said = udp(7334, b"state=on")
    found = {f.encoding: f for f in looked(said, said, None) if f.kind == SAME}
    assert set(found) == {"eth.src", "eth.dst", "ip.src", "ip.dst"}
    assert found["ip.src"].accept == ("same:ip.src",)


def test_to_accept_a_value_in_one_field_accepts_it_in_no_other(looked):
    line = "GET /x HTTP/1.1"
    said = tcp(80, request(line, "Cookie: Vintrelka", "Referer: Vintrelka"))
    found = [f for f in looked(said, said, None) if "Vintrelka" in f.words]
    told = {f.encoding for f in found if f.kind == SAME}
    assert told == {"http.cookie", "http.referer"}
    refused, _ = parted(found, ["same:http.cookie", "plain"])
    assert [f.encoding for f in refused] == ["http.referer"]


def test_addresses_that_bridges_and_routers_tell_each_other_are_fields(looked):
    mac, four = bytes.fromhex("b4750edeadbe"), bytes([192, 168, 178, 58])
    prefix = b"\x80\0" + mac
    tree = b"\x42\x42\x03" + bytes(5) + prefix + bytes(4) + prefix + bytes(10)
    ends = b"\xd8\x0d\x17\xaa\xbc\x01\x50\xc7\xbf\x6b\xe0\x19"
    bridge = b"\x01\x80\xc2\0\0\0" + ends[6:] + struct.pack(">H", 38) + tree
    mac = mac[:5] + b"\xbf"
    bundle = b"\1\1\1\x14\x80\0" + mac + bytes(10) + b"\2\x14\x80\0" + mac
    lacp = ends + b"\x88\x09" + bundle + bytes(70)
    frames = [bridge, lacp]
    for number, (protocol, body) in enumerate(
        (
            (2, b"\x22\0\0\0\0\0\0\1\1\0\0\1\xef\xff\xff\xfa" + four),
            (89, b"\2\1\0\x18" + four[:3] + b"\x3b" + bytes(16)),
            (112, b"\x21\1\x64\1\0\1\0\0" + four[:3] + b"\x3c" + bytes(8)),
        )
    ):
        size_b = 20 + len(body)
        head = struct.pack(">BBHIBBHI", 0x45, 0, size_b, 0, 1, protocol, 0, number)
        frames.append(ends + b"\x08\0" + head + b"\xe0\0\0\5" + body)
    route = four[:3] + b"\x3d"
    frames += udp(520, b"\2\2\0\0\0\2\0\0" + route + bytes(12))
    told = {f.encoding: f for f in looked(frames, frames, None) if f.kind == SAME}
    assert "another --key" in told["ip.src"].sentence
    assert "nothing replaces it there: --payload headers" in told["rip.ip"].sentence
    assert told.keys() >= {
        *("stp.root.hw", "lacp.actor.sysid", "igmp.saddr", "ospf.srcrouter"),
        *("vrrp.ip_addr", "rip.ip"),
    }


def test_a_field_that_this_tshark_does_not_know_is_unread_where_it_matters(
    looked, monkeypatch
):
    known = known_fields() - {"mqtt.clientid", "ftp.request.arg"}
    monkeypatch.setattr(identity, "known_fields", lambda: known)
    body = prefixed("MQTT") + b"\x04\x02\x00\x3c" + prefixed("client")
    said = tcp(1883, b"\x10" + bytes([len(body)]) + body)
    unread = [f for f in looked(said, said, None) if f.kind == UNREAD]
    assert [f.accept for f in unread] == [("unread:mqtt.clientid",)]


def test_all_fields_are_known_to_this_tshark():
    assert set(FIELDS) - known_fields() == set()


@pytest.mark.parametrize(
    "text",
    [
        "GET /setup.xml HTTP/1.1",
        "Sun, 22 Nov 2026 11:33:00 GMT",
        "urn:Belkin:service:basicevent:1#SetBinaryState",
        "SERVER: Unspecified, UPnP/1.0",
        "Host: api.vendor.com",
        "version 1.0.12.3",
        "0.000000 1767607300 00000000 ff0000ff",
        "239.255.255.250:1900",
        "01:00:5e:00:00:fb",
        "ff:ff:ff:ff:ff:ff",
    ],
)
def test_what_protocols_say_tells_nobody(text):
    assert list(Judge(at_s=1767607200).telling(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "hello Ida",
        "annas.lampe",
        "AnnasLampe",
        "84.172.33.91",
        "10.0.0.5",
        "3c:5a:b4:11:22:c3",
        "id=4D:2A:11:9C:77:E0",  # of HomeKit: drawn at random, flags and all
        "2003:cb:4711:beef::1234",
        "52.520008",
        "+4989123456",
        "x@post.example",
        "YW5uYTpnZWhlaW0=",
        "LampClient7731",
        "fw.home.dyndns.org",
        "unit-0815471100.vendor.com",
        "M-QX 4829",
        "Bülent",
    ],
)
def test_what_tells_of_somebody_does_so_in_any_text(text):
    assert list(Judge().telling(text)) != []


def test_names_of_units_and_homes_are_not_public():
    assert is_public_name("media.arlo.example")
    assert not is_public_name("0a1b2c3d4e5f.vendor.com")
    assert not is_public_name("keller.myfritz.net")
    assert not is_public_name("nas.fritz.box")


def test_noise_holds_no_words():
    import numpy as np

    data = np.random.default_rng(7).bytes(1 << 20)
    pieces = [data[at : at + 1400] for at in range(0, len(data), 1400)]
    assert [run for each in pieces for run in runs(each)] == []
    assert [run for each in pieces for run in opaque_runs(each)] == []


def test_a_name_is_found_among_small_numbers_and_behind_its_length():
    assert list(runs(b"\0\x01\0\x07Jotesha\0\0\x02\x01")) == [b"Jotesha"]
    assert list(runs(b"\0\x01\0\x03Ida\x01\0\0\x02\x01")) == [b"Ida"]
    assert list(runs(labels("Jotesha") + bytes(9))) == [b"Jotesha"]
