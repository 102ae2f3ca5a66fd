import re
from pathlib import Path

import pytest

from analysis.dataset import HOST_COLUMNS, HOST_SOURCES, Device
from analysis.hosts import find_hosts, spans_of
from analysis.pcap.names import METHODS, hello_lacks_b, request_host, server_name

ROOT = Path(__file__).parents[3]
DNS = ("dns", "cloud.example", "34.1.2.3")


def test_an_answer_holds_for_its_ttl_and_is_renewed_by_the_next(home):
    answer = home.answer("Cloud.example", home.cloud, 60)
    capture = home.capture((0, answer), (50, answer), (200, answer))
    assert home.hosts(capture) == {DNS: [(0, 110, 2), (200, 260, 1)]}


def test_the_ttl_of_an_alias_counts_when_it_is_less(home):
    capture = home.capture((0, home.answer("cloud.example", home.cloud, 60, alias_s=9)))
    assert home.hosts(capture) == {DNS: [(0, 9, 1)]}


def test_a_connection_that_began_in_time_keeps_a_name(home):
    def segment(flags, port=40001):
        return home.tcp(home.own, home.cloud, (port, 443), flags)

    answer = home.answer("cloud.example", home.cloud, 60)
    lives = [(59, segment(home.syn)), (500, segment(home.ack))]
    assert home.hosts(home.capture((0, answer), *lives)) == {DNS: [(0, 500, 1)]}
    # what begins later, or again, does not
    late = [(61, segment(home.syn)), (500, segment(home.ack))]
    assert home.hosts(home.capture((0, answer), *late)) == {DNS: [(0, 60, 1)]}
    again = [*lives[:1], (400, segment(home.syn)), (500, segment(home.ack))]
    assert home.hosts(home.capture((0, answer), *again)) == {DNS: [(0, 60, 1)]}


def test_a_connection_goes_on_in_the_next_capture(home):
    segment = home.tcp(home.own, home.cloud, (40001, 443))
    one = home.capture((0, home.answer(*DNS[1:], 60)), (1, segment), name="a.pcapng")
    two = home.capture((90, segment), name="b.pcapng")
    assert home.hosts(one, two) == {DNS: [(0, 90, 1)]}


def test_datagrams_after_a_minute_of_silence_are_another_connection(home):
    datagram = home.udp(home.own, home.cloud, (40001, 4000), b"1234")
    steps = [(k, datagram) for k in (1, 60, 110)]
    answer = home.answer(*DNS[1:], 30)
    assert home.hosts(home.capture((0, answer), *steps)) == {DNS: [(0, 110, 1)]}
    assert home.hosts(home.capture((0, answer), steps[0], steps[2])) == {
        DNS: [(0, 30, 1)]
    }


def test_answers_to_others_are_not_of_the_device(home):
    other = home.answer("cloud.example", home.cloud, 60, to="192.168.1.99")
    frame = bytes.fromhex("3c5ab41122c3") + other[6:]
    assert home.hosts(home.capture((0, frame))) == {}
    by_the_lamp = home.udp(home.own, home.dns, (53, 40000), other[42:])
    assert home.hosts(home.capture((0, by_the_lamp))) == {}


def test_a_name_of_mdns_holds_until_it_is_taken_back(home):
    steps = [(0, home.announce("lamp.local", home.own, 120))]
    key = ("mdns", "lamp.local", home.own)
    assert home.hosts(home.capture(*steps)) == {key: [(0, 120, 1)]}
    steps.append((30, home.announce("lamp.local", home.own, 0)))
    assert home.hosts(home.capture(*steps)) == {key: [(0, 31, 1)]}


def test_a_lease_is_renewed_given_back_and_ends_another(home):
    ask = home.lease(3, name="Lamp-6be019")
    given = home.lease(5, address=home.own, lease_s=600)
    key = ("dhcp", "Lamp-6be019", home.own)
    assert home.hosts(home.capture((0, ask), (1, given))) == {key: [(1, 601, 1)]}
    steps = [(0, ask), (1, given), (300, given)]
    assert home.hosts(home.capture(*steps)) == {key: [(1, 900, 2)]}
    back = home.lease(7, address=home.own)
    left = home.hosts(home.capture(*steps, (400, back)))
    assert left == {key: [(1, 400, 2)]}
    moved = home.lease(5, address="192.168.1.77", lease_s=600)
    assert home.hosts(home.capture(*steps, (400, moved))) == {
        key: [(1, 400, 2)],
        ("dhcp", "Lamp-6be019", "192.168.1.77"): [(400, 1000, 1)],
    }


@pytest.mark.parametrize("cut", [3000, 400, 60])
def test_a_server_name_holds_while_its_connection_lives(home, cut):
    hello, ports = home.hello("api.example"), (40001, 443)
    parts = [hello[at : at + cut] for at in range(0, len(hello), cut)]
    steps = [(0, home.tcp(home.own, home.cloud, ports, home.syn))]
    seq = 1
    for k, part in enumerate(parts):
        said = home.tcp(home.own, home.cloud, ports, home.ack, part, seq)
        steps.append((1 + k / 100, said))
        seq += len(part)
    steps.append((9, home.tcp(home.cloud, home.own, ports[::-1])))
    found = home.hosts(home.capture(*steps))
    assert found == {("sni", "api.example", home.cloud): [(0, 9, 1)]}


def test_segments_that_are_sent_again_or_in_between_are_passed_over(home):
    hello, ports = home.hello("api.example"), (40001, 443)
    one, two = hello[:400], hello[400:]
    end = 1 + len(one)
    segments = [(1, one), (1, one), (end + 5000, b"x" * 99), (end, two)]
    steps = [
        (k, home.tcp(home.own, home.cloud, ports, home.ack, body, seq))
        for k, (seq, body) in enumerate(segments)
    ]
    found = home.hosts(home.capture(*steps))
    assert [*found] == [("sni", "api.example", home.cloud)]


def test_a_method_may_come_alone(home):
    parts = [(1, b"POST "), (6, b"/a HTTP/1.1\r\nHost: a.example\r\n\r\n")]
    steps = [
        (seq, home.tcp(home.own, home.cloud, (40001, 80), home.ack, body, seq))
        for seq, body in parts
    ]
    found = home.hosts(home.capture(*steps))
    assert found == {("http", "a.example", home.cloud): [(1, 6, 1)]}


def test_a_host_of_http_is_of_whom_was_asked(home):
    head = b"GET /state HTTP/1.1\r\nHost: lamp.local:80\r\n"
    by_name = home.tcp(home.cloud, home.own, (40001, 80), home.ack, head + b"\r\n")
    bare = head.replace(b"lamp.local:80", home.own.encode())
    by_number = home.tcp(home.cloud, home.own, (40002, 80), home.ack, bare + b"\r\n")
    found = home.hosts(home.capture((0, by_name), (1, by_number)))
    assert found == {("http", "lamp.local", home.own): [(0, 0, 1)]}


def test_heads_are_read_as_far_as_they_came():
    assert all(len(method) == 4 for method in METHODS)
    assert request_host(b"GET / HTTP/1.1\r\nHost: a.example\r\nX") == "a.example"
    assert request_host(b"GET / HTTP/1.1\r\nHost: a.exam") is None
    assert request_host(b"GET / HTTP/1.1\r\n\r\nHost: a.example\r\n") == ""
    assert server_name(b"\x16\x03") == ""
    assert hello_lacks_b(b"\x16\x03\x01\x01\x00" + bytes(56)) == 200


def test_memory_is_that_of_what_is_open(home, monkeypatch):
    monkeypatch.setattr("analysis.hosts.spans._MOST_SPANS", 8)
    monkeypatch.setattr("analysis.hosts.spans._MOST_OPEN", 16)
    monkeypatch.setattr("analysis.hosts.spans._MOST_CONNECTIONS", 8)
    steps = []
    for k in range(100):
        name = f"n{k}.example"
        steps.append((k, home.answer(name, f"34.1.2.{k}", 5000)))
        steps.append((k, home.tcp(home.own, f"34.1.2.{k}", (40000 + k, 443))))
    captures = [
        home.capture(*steps[at : at + 20], name=f"{at:03}.pcapng")
        for at in range(0, 200, 20)
    ]
    found = [*spans_of(captures, (home.lamp,))]
    assert len(found) == 100
    assert all(span.until_ns - span.from_ns == 5000 * 10**9 for _, span in found)


def test_nothing_in_a_broken_packet_stops_the_reading(home):
    frames = [
        home.answer(*DNS[1:], 60),
        home.announce("lamp.local", home.own, 120),
        home.lease(5, address=home.own, lease_s=600),
        home.tcp(home.own, home.cloud, (1, 443), home.ack, home.hello("api.example")),
    ]
    steps = []
    for frame in frames:
        for at in range(42, min(len(frame), 400), 3):
            steps.append((0, frame[:at] + b"\xff" + frame[at + 1 :]))
            steps.append((0, frame[:at]))
    assert home.hosts(home.capture(*steps))


def test_the_table_has_a_row_per_span_and_what_is_written(campaign):
    table = find_hosts(campaign, written={"34.1.2.3": "34.9.9.9"})
    rows = table.select("device", "address", "written", "name", "source", "n").rows()
    assert rows == [
        ("lamp", "192.168.1.23", "", "Lamp-6be019", "dhcp", 1),
        ("lamp", "192.168.1.23", "", "lamp-6be019.local", "mdns", 1),
        ("lamp", "34.1.2.3", "34.9.9.9", "cloud.example", "dns", 1),
        ("lamp", "34.1.2.3", "34.9.9.9", "cloud.example", "sni", 1),
    ]
    assert set(table["campaign"]) == {"home"}


def test_no_name_of_the_home_is_left_under_pseudonyms(campaign, tmp_path):
    from analysis.exporters.anonymise import (
        Policy,
        Pseudonyms,
        anonymise_capture,
        anonymise_texts,
    )
    from analysis.exporters.identifiers.harvest import harvest

    made = tmp_path / "made"
    (made / "raw").mkdir(parents=True)
    known = harvest(campaign)
    options = {
        "pseudonyms": Pseudonyms(bytes(range(32))),
        "identifiers": known,
        "policy": Policy(),
    }
    anonymise_texts(campaign, made, **options)
    raw = campaign / "raw" / "lan-00001.pcapng"
    anonymise_capture(raw, made / "raw" / raw.name, **options)
    before, after = find_hosts(campaign), find_hosts(made)
    # public names of the cloud are no secrets; those of the lamp are
    assert {"Lamp-6be019", "lamp-6be019.local"} < set(before["name"])
    text = after.write_csv().lower()
    assert not [each.value for each in known if each.value.lower() in text]
    assert after["name"].str.len_chars().sum() == before["name"].str.len_chars().sum()
    same = ["device", "source", "from_ns", "until_ns", "n"]
    assert after[same].sort(same).equals(before[same].sort(same))
    assert "cloud.example" in set(after["name"])


def test_a_device_that_hears_everything_gets_all_names(home):
    capture = home.capture((0, home.answer(*DNS[1:], 60)))
    device = Device(name="all", mac="00:00:00:00:00:00", every_packet=True)
    assert [span.name for _, span in spans_of([capture], (device,))] == [DNS[1]]


def test_the_columns_are_described():
    text = (ROOT / "docs" / "dataset-format.md").read_text(encoding="utf-8")
    section = text.split("\n## Host table\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (text|int64) \|", section, re.MULTILINE)
    kinds = {str: "text", int: "int64"}
    assert rows == [(name, kinds[kind]) for name, kind in HOST_COLUMNS.items()]
    told = re.findall(r"^\| `(\w+)` \| [a-zA-HJ-Z`]", section, re.MULTILINE)
    assert set(HOST_SOURCES) <= set(told)
