"""Names in any script are words, in UTF-8, UTF-16 and old code pages."""

import random
import struct

import numpy as np
import pytest

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.letters import is_text, runs


def words(data):
    judge = Judge()
    return [word for run in runs(data) for word in judge.telling(run.decode("utf-8"))]


@pytest.mark.parametrize(
    "name",
    [
        *("Петрова", "Ян", "Ελένη", "محمد", "שרה", "Արմեն", "მარიამ", "สมชาย", "राम"),
        *("王芳", "王", "山田太郎", "さくら", "김철수", "Bülent", "Łukasz"),
    ],
)
def test_a_name_of_any_script_is_a_word_of_a_text(name):
    assert words(f'{{"scene":"{name}","state":"on"}}'.encode())
    assert words(f'{{"scene":"{name}"}}'.encode())
    assert words(name.encode())


@pytest.mark.parametrize(
    "name",
    ["Петрова", "Ян", "Ελένη", "محمد", "王芳", "さくら", "김철수", "Jörg", "Åsa"],
)
def test_a_name_of_any_script_is_found_behind_its_length_among_bytes(name):
    raw = name.encode()
    field = b"\x0a" + bytes([len(raw)]) + raw + b"\x10\x01"
    assert name in words(bytes(8) + field + bytes(12))
    assert name in words(bytes(8) + field * 3 + bytes(12))


@pytest.mark.parametrize(
    "checksum", [b"bY\xdf\xaa", b"MCFq", b"Ada7", b'"Vkp', b"}Ada"]
)
def test_a_checksum_behind_json_is_no_name(checksum):
    frame = b'\0\0U\xaa\0\0{"devId":"%b","on":true}%b\0\0\xaaU'
    assert words(frame % (b"Petra", checksum)) == ["Petra"]
    assert "Petra" in words(frame % (b"x", checksum) + b"}Petra\0")


def test_a_long_name_is_found_within_noise():
    noise = random.Random(8).randbytes
    for name in ("Светлана", "Παπαδοπούλου", "王小明的卧室", "김철수영희"):
        found = "".join(words(noise(60) + b"\0" + name.encode() + b"\0" + noise(60)))
        assert name in found


@pytest.mark.parametrize("name", ["Вероника", "Зоя", "Ελένη", "さくら", "שרה", "สมชาย"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_name_is_found_in_utf_16(name, encoding):
    told = words(b"\0\x01\x02\0" + name.encode(encoding) + bytes(6))
    assert any(name[:-1] in each or name[1:] in each for each in told)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *(("Екатерина", each) for each in ("cp1251", "koi8-r", "cp866", "iso8859-5")),
        ("王芳家的灯", "gbk"),
        *(("田中太郎", each) for each in ("shift-jis", "euc-jp")),
        *(("Ελένη", "cp1253"), ("김철수", "euc-kr"), ("Jörgün", "latin-1")),
    ],
)
@pytest.mark.parametrize("around", [(b'{"x":"', b'"}'), (b"<a>", b"</a>")])
def test_a_name_in_an_old_code_page_is_a_word_of_a_text(name, encoding, around):
    assert words(around[0] + name.encode(encoding) + around[1])


def test_signs_among_texts_are_no_words():
    assert words('{"text":"20 °C, © Belkin, 10 µm, 5 µs, 3 Ω"}'.encode()) == []
    assert words(b'{"text":"20 \xb0C, \xa9 Belkin, 10 \xb5s"}') == []


def test_letters_of_any_script_are_text_and_noise_is_none():
    assert is_text("Квартира Петрова".encode())
    assert not is_text("Квартира".encode("cp1251"))
    noise = random.Random(9).randbytes(100_000)
    assert not any(is_text(noise[at : at + 100]) for at in range(0, 100_000, 100))
    assert not is_text(b"")


def test_a_short_message_that_begins_like_a_text_by_chance_holds_no_words():
    draw = random.Random(10)
    told = 0
    for begin in (b"{", b"[", b"<", b"\n{"):
        for _ in range(500):
            noise = begin + draw.randbytes(draw.randrange(8, 24))
            told += any(not each.isascii() for each in words(noise))
    assert told == 0


def test_pictures_behind_the_head_of_a_text_hold_no_words():
    noise = np.random.default_rng(11).bytes(40_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"
    texts = b"state on " * 40_000
    assert words(head + noise) == []
    assert words(texts + noise + texts) == []


def test_sequences_of_numbers_are_no_letters_of_two_bytes():
    counting = struct.pack("<64H", *range(0x400, 0x440))
    assert words(struct.pack("<64H", *[0x404] * 64)) == []
    assert words(struct.pack(">32I", *range(0x40000, 0x40020))) == []
    assert words(counting) != []  # which is the alphabet
