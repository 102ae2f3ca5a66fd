"""The messages of a window, from the segments and datagrams of captures."""

import pytest

from analysis.evaluate.samples import cut_of
from analysis.packets import find_raw
from analysis.payload import (
    Captures,
    heard,
    texts_of,
)
from analysis.pcap.reader import read_frames
from analysis.pcap.writer import open_capture
from tests.analysis.plain_plug import (
    DONE,
    OFF,
    ON,
    START_NS,
    campaign,
    encode_kasa,
    frame,
    said_in,
    trials,
)


def test_messages_are_decoded_masked_and_told_apart_by_direction(tmp_path):
    packets, rows = trials(n_sessions=1, repeats=2)
    said = said_in(campaign(tmp_path / "c", packets, rows))
    want = '>{"system": {"get_sysinfo": {"relay_state": 0, "on_time": #}}}'
    assert said[0] == (f"<{OFF}", f">{DONE}", '<{"system":{"get_sysinfo":{}}}', want)
    assert said[1][0] == f"<{ON}"


@pytest.mark.parametrize("at", [1, 4, 5, 40])
def test_a_message_in_two_segments_is_one(tmp_path, at):
    data = encode_kasa(ON)
    packets = [
        (1.0, frame(data[:at], outbound=False)),
        (1.1, frame(b"", outbound=True)),
        (1.2, frame(data[at:], outbound=False, seq=1 + at)),
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}",),)


def test_retransmissions_padding_and_tags_add_nothing(tmp_path):
    packets = [
        (1.0, frame(encode_kasa(ON), outbound=False, tagged=True)),
        (1.1, frame(encode_kasa(ON), outbound=False, tagged=True)),
        (1.2, frame(b"\x17\x03", outbound=True, port=443)),  # padded with letters
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}",),)


GET, HOST = b"GET /the/first HTTP/1.1\r\n", b"Host: of another request\r\n"


BODY = bytes(range(128, 256)) * 4


@pytest.mark.parametrize(
    ("parts", "want"),
    [
        ([(1, GET), (100, HOST)], 2),  # a segment is missing
        ([(100, HOST), (100 - len(GET), GET)], 1),  # the second overtook the first
        ([(2**32 - 9, GET), (len(GET) - 9, HOST)], 1),  # numbers begin anew
        ([(1, GET), (1 + len(GET), BODY)], 1),  # what is no text is left out
        ([(1, GET), (5, GET[4:] + HOST)], 1),  # sent again, and more
    ],
)
def test_windows_hold_the_messages_that_are_heard(tmp_path, parts, want):
    packets = [
        (1 + 0.1 * k, frame(data, outbound=False, seq=seq, port=80))
        for k, (seq, data) in enumerate(parts)
    ]
    folder = campaign(tmp_path / "c", packets, [(0, "turn_on", "s")])
    made = cut_of(folder, "plug", rules=())
    captures = Captures(find_raw(folder))
    (said,) = texts_of(captures, made.cleaned.table, made.windows)
    assert [text[1:] for text in said] == [m.text for m in heard(find_raw(folder))]
    assert len(said) == want


def test_datagrams_are_a_message_each_and_have_no_length_in_front(tmp_path):
    packets = [
        (1.0, frame(encode_kasa(ON, framed=False), outbound=False, udp=True)),
        (1.1, frame(encode_kasa(OFF, framed=False), outbound=False, udp=True)),
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}", f"<{OFF}"),)


def test_only_the_two_captures_that_were_asked_for_last_are_open(tmp_path, monkeypatch):
    paths = []
    for name in "abc":
        paths.append(tmp_path / f"{name}.pcapng")
        with open_capture(paths[-1]) as capture:
            for n in range(2):
                text = f"{name}{n}".encode()
                capture.packet(START_NS, frame(text, outbound=True))
    read = []

    def spied(path):
        read.append(path.stem)
        return read_frames(path)

    monkeypatch.setattr("analysis.payload.messages.read_frames", spied)
    captures = Captures(paths)
    assert read == []
    asked = "aabbabcaccbb"
    for turn, name in enumerate(asked):
        said = captures.payload(f"{name}.pcapng", turn % 2 + 1, 2)
        assert said == f"{name}{turn % 2}".encode()
    assert "".join(read) == "abcab"


def test_commands_whose_answer_was_lost_are_two_messages(tmp_path):
    packets = [
        (1.0, frame(encode_kasa(ON), outbound=False)),
        (1.1, frame(encode_kasa(OFF), outbound=False, seq=1 + len(encode_kasa(ON)))),
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}", f"<{OFF}"),)
