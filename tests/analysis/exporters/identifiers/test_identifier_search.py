import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.exporters.identifiers import Identifier, Search, Variant, variants

letters = st.binary(min_size=4, max_size=7).map(lambda b: bytes(97 + c % 3 for c in b))


def spelled(pattern, **more):
    return Variant(encoding="utf-8", pattern=pattern, **more)


def hits(search, text, **more):
    data = np.frombuffer(text, dtype=np.uint8)
    found = search.find(data, **more)
    return sorted((at, search.spellings[row].pattern) for at, row in found)


def naive(patterns, text, fold):
    held = text.lower() if fold else text
    return sorted(
        (at, pattern)
        for pattern in patterns
        for at in range(len(text))
        if held[at : at + len(pattern)] == (pattern.lower() if fold else pattern)
    )


@given(
    patterns=st.sets(letters, min_size=1, max_size=12),
    text=st.binary(max_size=200).map(lambda b: bytes(97 + c % 3 for c in b)),
    fold=st.booleans(),
)
def test_as_many_hits_as_the_naive_twin(patterns, text, fold):
    given_text = text.upper() if fold else text
    search = Search([spelled(p, fold=fold) for p in sorted(patterns)])
    assert hits(search, given_text) == naive(patterns, given_text, fold)


def test_more_hits_than_one_call_has_room_for_are_all_told():
    search = Search([spelled(b"abab"), spelled(b"baba")])
    assert len(hits(search, b"ab" * 20_000)) == 39_997


def test_there_may_be_more_patterns_than_hits_told_at_once():
    patterns = [b"%05d" % k for k in range(20_000)]
    search = Search([spelled(p) for p in patterns])
    assert len(hits(search, b" ".join(patterns))) == 20_000


def test_a_hit_is_told_in_the_part_in_which_it_begins_and_once():
    search = Search([spelled(b"needle-in-hay")])
    text = b"...needle-in-hay..." * 50
    whole = hits(search, text)
    parts = [hits(search, text, first=k, last=k + 7) for k in range(0, len(text), 7)]
    assert [hit for part in parts for hit in part] == whole
    assert len(whole) == 50


@pytest.mark.parametrize(
    ("text", "there"),
    [
        (b"at 10.77.0.1 now", True),
        (b"at 10.77.0.19 now", False),
        (b"at 110.77.0.1 now", False),
        (b"1\n10.77.0.1", True),
        (b"1\t10.77.0.19", False),  # a tab is no length of nine
        ("at 10.77.0.1 ".encode("utf-16-le"), True),
        ("at 10.77.0.19".encode("utf-16-le"), False),
        ("at 10.77.0.19".encode("utf-16-be"), False),
    ],
)
def test_an_address_is_no_part_of_a_longer_number(text, there):
    told = variants(Identifier(kind="ipv4", value="10.77.0.1"))
    search = Search([v for v in told if v.encoding.startswith("utf")])
    assert bool(hits(search, text)) is there


@pytest.mark.parametrize(
    ("text", "there"),
    [(b"\x06majas77\x0d", True), (b"\x07majas77\x0d", False), (b"xmajas7 ", False)],
)
def test_a_name_whose_length_stands_before_it_may_have_any_byte_behind_it(text, there):
    search = Search([spelled(b"majas7", edges="word")])
    assert bool(hits(search, text)) is there


def test_four_bytes_of_an_address_count_among_plain_bytes_and_not_in_noise():
    search = Search([Variant(encoding="binary", pattern=bytes((192, 168, 7, 9)))])
    noise = np.random.default_rng(1).bytes(40)
    tally = search.tally()
    plain = b"\0" * 20 + bytes((192, 168, 7, 9)) + b"\0" * 20
    assert len(hits(search, plain, tally=tally)) == 1
    assert hits(search, noise + bytes((192, 168, 7, 9)) + noise, tally=tally) == []
    assert tally.chance.sum() == 1
    assert len(hits(search, noise + bytes((192, 168, 7, 9)), judge=False)) == 1


def test_noise_holds_no_identifier():
    rng = np.random.default_rng(5)
    told = [Identifier(kind="mac", value=rng.bytes(6).hex()) for _ in range(40)]
    told += [Identifier(kind="ipv4", value=f"192.168.1.{k}") for k in range(1, 200)]
    told += [
        Identifier(kind="hostname", value=rng.bytes(3).hex()[:4]) for _ in range(40)
    ]
    search = Search([v for each in told for v in variants(each)])
    assert search.find(rng.integers(0, 256, 4_000_000, dtype=np.uint8)) == []


def test_a_pattern_of_three_bytes_is_not_searched_for():
    assert len(Search([spelled(b"abc"), spelled(b"abcd")])) == 1
