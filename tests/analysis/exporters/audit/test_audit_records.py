"""In records of TLS whose beginning nobody captured, letters may stand by chance."""

import gzip
import json
import random
import zlib
from dataclasses import replace

import pytest

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.listening import Heard, Told, convinced, listened
from analysis.exporters.audit.pairs import Campaign, Task
from analysis.exporters.audit.plain import plain_words
from analysis.exporters.audit.records import Part, Records, looks_encrypted
from analysis.exporters.identifiers import Stretch
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.bench.redteam import START_NS, tcp, udp

NAME = b"Bergstrand"


def drawn(n, seed=4):
    return random.Random(seed).randbytes(n)


def record(body, head=b"\x17\x03\x03"):
    return head + len(body).to_bytes(2) + body


def parts(data, old_b=0, records=None):
    stretch = Stretch(frame=1, data=data, old_b=old_b, flow=3, ports=(4000, 443))
    return list((records or Records()).parts(stretch))


def test_bodies_of_records_in_a_row_are_told_apart_from_what_is_around():
    bodies = [drawn(n, n) for n in (16_401, 300, 5_000)]
    data = b"rest" + b"".join(map(record, bodies))
    assert parts(data) == [
        Part(b"rest\x17\x03\x03\x40\x11", False),
        Part(bodies[0], True),
        Part(b"\x17\x03\x03\x01\x2c", False),
        Part(bodies[1], True),
        Part(b"\x17\x03\x03\x13\x88", False),
        Part(bodies[2], True),
    ]


@pytest.mark.parametrize("head", [b"\x17\x03\x01", b"\x17\x03\x02", b"\x17\x03\x04"])
def test_other_versions_are_records_and_so_is_what_else_tls_says(head):
    body, ticket = drawn(400), drawn(300, 5)
    said = record(body, head) + record(ticket, b"\x16" + head[1:])
    said += record(body, head) + record(b"\x01\x00", b"\x15" + head[1:])
    assert [len(each.data) for each in parts(said) if each.encrypted] == [400, 400]


@pytest.mark.parametrize(
    "data",
    [
        drawn(9_000),
        drawn(300) + record(drawn(900)),
        b"\x17\x03\x03\x00\x05" * 900,
        record(b"") * 900,
        record(drawn(255)) * 9,
        b"".join(record(drawn(900, n), b"\x17\x04\x03") for n in range(9)),
        b"".join(record(drawn(900, n), b"\x18\x03\x03") for n in range(9)),
        b"\x17\x03\x03\x48\x01" + drawn(0x4801) + record(drawn(900)),
    ],
)
def test_what_is_no_row_of_records_stays_together(data):
    assert parts(data) == [Part(data, False)]


def test_a_record_that_goes_on_in_the_next_stretch_is_one():
    first, last, then = drawn(2_000, 1), drawn(9_000, 2), drawn(700, 3)
    whole = record(first) + record(last) + record(then) + b"plain"
    records, cut = Records(), 5_000
    assert [each.encrypted for each in parts(whole[:cut], 0, records)][-1]
    old_b = 2_048
    found = parts(whole[cut - old_b :], old_b, records)
    end = len(record(first)) + 5 + len(last)
    assert found == [
        Part(whole[cut - old_b : end], True),
        Part(b"\x17\x03\x03\x02\xbc", False),
        Part(then, True),
        Part(b"plain", False),
    ]


def test_behind_a_gap_nothing_goes_on():
    records = Records()
    data = record(drawn(2_000)) + record(drawn(9_000, 2))
    parts(data[:5_000], 0, records)
    assert parts(drawn(900), 0, records) == [Part(drawn(900), False)]


def test_what_the_stretch_before_told_as_encrypted_is_not_told_again():
    bodies = [drawn(400, n) for n in range(30)]
    data = b"".join(map(record, bodies))
    told = [each.data for each in parts(data, 405 * 20 + 100) if each.encrypted]
    assert told == bodies[20:]


def test_a_copy_of_a_segment_neither_begins_nor_ends_a_record():
    records = Records()
    data = record(drawn(2_000)) + record(drawn(9_000, 2))
    parts(data[:5_000], 0, records)
    copy = Stretch(frame=1, data=data[:4_000], old_b=0, flow=3, ports=(4000, 443))
    assert len(list(records.parts(replace(copy, alone=True)))) == 4
    found = parts(data[5_000 - 2_048 :], 2_048, records)
    assert [each.encrypted for each in found] == [True]


@pytest.mark.parametrize("n", [256, 257, 1_000, 16_401])
def test_random_bytes_look_encrypted(n):
    looks = [looks_encrypted(drawn(n, seed)) for seed in range(300)]
    assert sum(looks) >= 299


@pytest.mark.parametrize(
    "body",
    [
        drawn(255),
        "Петрова Людмила, кухня у окна ".encode() * 40,
        "王芳王小明张伟李娜刘洋陈静杨丽".encode() * 40,
        bytes(range(256)) * 9,
        drawn(600) + bytes(64) + drawn(600),
        drawn(600) + "кухня у окна, лампа на столе, дом".encode() + drawn(600),
        drawn(600) + b"here lives somebody, who has a lamp at the window" * 2,
        drawn(600) + b"\0M\0a\0j\0a" + drawn(600),
        bytes(random.Random(3).choices(range(70, 190), k=4_000)),
        drawn(40) * 100,
    ],
)
def test_what_has_an_order_does_not(body):
    assert not looks_encrypted(body)


def capture(path, frames):
    with open_capture(path, interfaces=(Interface(link=1),)) as out:
        for number, frame in enumerate(frames):
            out.packet(START_NS + number, frame, interface=0)
    return path


def heard(path, *said):
    """Return the words of a connection whose opening was not captured."""
    found = plain_words(capture(path, tcp(443, *said)[1:]), Judge())
    return [each.word for each in found if not each.doubtful]


def among(*middle):
    """Return segments of ten records, with what is given in the middle of one each."""
    bodies = [drawn(8_000, n) for n in range(10)]
    for number, each in enumerate(middle, start=4):
        bodies[number] = bodies[number][:4_000] + each + bodies[number][4_000:]
    said = drawn(500, 77) + b"".join(map(record, bodies))
    return [said[at : at + 1400] for at in range(0, len(said), 1400)]


@pytest.mark.parametrize("word", [b"PQAHHCXY", b"umstpopq", b"DWCh31CE8e3oP", NAME])
def test_short_letters_that_records_hold_once_are_there_by_chance(tmp_path, word):
    said = among(b"\0" + word + b"\0")
    assert heard(tmp_path / "a.pcapng", *said) == []
    unlike = [each.replace(b"\x17\x03\x03", b"\x18\x03\x03") for each in said]
    assert heard(tmp_path / "b.pcapng", *unlike) == [word.decode()]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (among(b"\0Bergstrand\0", b"\0Bergstrand\0"), ["Bergstrand"]),
        (among(b"\0Bergstrand1\0", b"\0:Bergstrand\0"), ["Bergstrand"]),
        (among(b"\0lamp of Bergstrand's\0"), ["Bergstrand"]),
        (among(b"\0Bergstrand\0" + bytes(9) + b"lamp of Bergstrand's"), ["Bergstrand"]),
        (among("\0Петрова\0".encode()), ["Петрова"]),
        (among(b"B\0e\0r\0g\0s\0t\0r\0a\0n\0d\0"), ["Bergstrand"]),
        (among(gzip.compress(b"on Bergstrand=on", mtime=0)), ["Bergstrand"]),
        ([*among(), b"owner=Bergstrand; state=on; level=20"], ["Bergstrand"]),
    ],
)
def test_what_is_no_chance_is_heard_in_records_and_behind_them(tmp_path, said, words):
    assert heard(tmp_path / "a.pcapng", *said) == words


def test_what_two_conversations_say_in_records_is_no_chance(tmp_path):
    first, second = among(b"\0Bergstrand\0"), among(b"\2Bergstrand\0")
    frames = tcp(443, *first)[1:]
    assert [each.word for each in plain_words(capture(tmp_path / "a", frames), Judge())]
    frames += tcp(443, *second, back=True)[2:]
    found = list(plain_words(capture(tmp_path / "b", frames), Judge()))
    assert {each.word for each in found if not each.doubtful} == {"Bergstrand"}


def told(name, *, at=1):
    return Told("arlo_q", "a neighbour", "tcp/443", at, 1, [name])


def test_what_one_capture_holds_back_is_told_when_another_says_it_too():
    heard = [Heard(held=(told("PQAHHC"), told("Bergstrand", at=2)), words=2)]
    assert [each.told for each in convinced(heard)] == [()]
    for other in (Heard(held=(told("Bergstrand"),)), Heard(told=(told("Bergstrand"),))):
        both = convinced([*heard, other])
        first, second = (list(each.told) for each in both)
        assert (first, second) == ([told("Bergstrand", at=2)], [told("Bergstrand")])
        assert [each.held for each in both] == [(), ()]
        assert Heard.of_json(json.loads(json.dumps(other.as_json()))) == other


@pytest.mark.parametrize(
    ("published", "recorded", "found"),
    [
        (among(b"\0Bergstrand\0"), among(b"\0Bergstrand\0"), "held"),
        (among(b"\0Bergstrand\0"), [b"owner=Bergstrand; lamp"], "told"),
        ([b"owner=Bergstrand; lamp"], among(b"\0Bergstrand\0"), "told"),
        ([b"owner=Bergstrand; lamp"], among(), ""),
        (among(b"\0Bergstrand\0"), among(), ""),
    ],
)
def test_who_doubts_in_one_of_two_readings_alone_is_sure(
    tmp_path, published, recorded, found
):
    paths = [
        capture(tmp_path / name, tcp(443, *said)[1:])
        for name, said in (("recorded", recorded), ("published", published))
    ]
    campaign = Campaign(about=tmp_path, words=(), devices={}, at_s=0)
    task = Task(name="t", campaign=campaign, pairs=(("a", *paths),), size_b=1)
    heard = listened(task, lambda _: None)
    said = {"told": heard.told, "held": heard.held}
    assert [name for name, each in said.items() if each] == [found] * bool(found)


def test_what_noise_inflates_to_says_nothing_and_what_somebody_packed_does(tmp_path):
    noise = drawn(300, 5), drawn(300, 6)
    for inner, words in (
        (b"1JJJJJJJJJJJJJJJJJ" * 40, []),
        (b"Bergstrand\xee\x80" + b",r" * 60 + b"J" * 11, []),
        (b'{"list":"' + b"120, " * 60 + b'","on":"Bergstrand"}', ["Bergstrand"]),
        (b"Dortete and Dortete", ["Dortete"]),
        (b'{"owner":"Bergstrand"}' + bytes(400), ["Bergstrand"]),
        (b"Bergstrand" + b" " * 90, ["Bergstrand"]),
    ):
        said = noise[0] + zlib.compress(inner) + noise[1]
        path = tmp_path / "a.pcapng"
        with open_capture(path, interfaces=(Interface(link=1),)) as out:
            for number in range(2):
                out.packet(START_NS + number, udp(7360, said)[0], interface=0)
        assert [each.word for each in plain_words(path, Judge())] == words
