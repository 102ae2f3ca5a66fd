"""Bytes that nobody dissects are read: trailers, slack, copies, false records."""

import struct

import pytest

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.plain import plain_words
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.bench.redteam import START_NS, ethernet, ipv4, tcp, udp

TOLD = b"owner=Vintrelka;"
RECORD = b"\x17\x03\x03\x00\x10"
QUESTION = struct.pack(">6H", 7, 256, 1, 0, 0, 0) + b"\3www\4acme\3com\0\0\1\0\1"


@pytest.fixture
def words(tmp_path):
    """Return the words that frames say."""

    def _words(frames):
        path = tmp_path / "a.pcapng"
        with open_capture(path, interfaces=(Interface(link=1),)) as out:
            for number, frame in enumerate(frames):
                out.packet(START_NS + number, frame, interface=0)
        return {said.word for said in plain_words(path, Judge())}

    return _words


def segment(seq, data, ports=(31000, 7331)):
    head = struct.pack(">HHIIBBHHH", *ports, seq, 1, 0x50, 24, 8192, 0, 0)
    return ipv4(6, head + data)


def behind_length(data):
    body = struct.pack(">HHHH", 40001, 7331, 8 + 4, 0) + b"ping" + data
    return [ipv4(17, body)]


def overlapping(*later):
    return [segment(100, b"state=on;power=1;" * 3), *later]


@pytest.mark.parametrize(
    "frames",
    [
        [tcp(7331, b"ping")[-1] + TOLD],
        [udp(53, QUESTION)[0] + bytes(4) + TOLD],
        [ethernet(0x0806, bytes(28)) + TOLD],
        behind_length(TOLD),
        udp(53, b"\x01\x02" + TOLD + b"\x03\x04"),
        udp(5353, b"\x01\x02" + TOLD + b"\x03\x04"),
        udp(123, b"\x00\x01" + TOLD * 4 + b"\x02"),
        overlapping(segment(100, TOLD)),
        overlapping(segment(120, TOLD)),
        overlapping(segment((100 - 5000) % 2**32, TOLD)),
        [segment(100, b"on;"), segment(200, b"power=1;" * 2), segment(200, TOLD)],
        tcp(7331, b"\x16\x03\x01" + TOLD),
        tcp(7331, RECORD + TOLD),
    ],
    ids=lambda frames: f"{len(frames)}-{frames[-1][-24:]!r}",
)
def test_what_nobody_dissects_is_read(words, frames):
    assert "Vintrelka" in words(frames)


@pytest.mark.parametrize(
    "frames",
    [
        udp(53, QUESTION),
        udp(123, b"\x23" + bytes(30) + TOLD + b"\1"),
        [tcp(7331, b"ping")[-1] + bytes(10)],
        overlapping(segment(100, b"state=on;"), segment(109, b"power=1;")),
        tcp(443, RECORD + bytes(range(128, 144)), RECORD + TOLD),
    ],
    ids=lambda frames: f"{len(frames)}-{frames[-1][-24:]!r}",
)
def test_what_is_dissected_encrypted_or_nothing_is_not(words, frames):
    assert words(frames) == set()
