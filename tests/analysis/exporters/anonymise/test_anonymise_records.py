"""Names in a handshake of TLS that the header of a record cuts."""

import pytest

from analysis.exporters.identifiers import Identifier
from analysis.pcap import walk

NAME = "toms-lamp.attic.org"
KNOWN = (
    Identifier(kind="domain", value=NAME),
    Identifier(kind="serial", value="LMP-77Q4-Q93X-Z81"),
)
HELLO = b"\x02\x00\x00\x26" + bytes(38)
MESSAGE = (
    b"\x0b\x00\x01\x00" + b"\x30\x82" + bytes(40) + NAME.encode() + bytes(50)
) + b"LMP-77Q4-Q93X-Z81 and toms-lamp.attic.org"


def records(text, size, kind=22):
    parts = [text[k : k + size] for k in range(0, len(text), size)]
    return b"".join(b"%c\x03\x03%b%b" % (kind, len(p).to_bytes(2), p) for p in parts)


def contents(data):
    said, at = b"", 0
    while at < len(data) and data[at] == 22:
        size = int.from_bytes(data[at + 3 : at + 5])
        said += data[at + 5 : at + 5 + size]
        at += 5 + size
    return said, data[at:]


def payload(frame):
    return frame[54:]


def cut(craft, data, step):
    starts = range(0, len(data), step)
    return [craft.tcp(data[k : k + step], seq=9 + k, sport=443) for k in starts]


@pytest.mark.parametrize("step", [9, 64, 1400])
@pytest.mark.parametrize("size", [1, 7, 50, 55, 120, 128])
def test_a_name_over_records_becomes_what_it_becomes_in_one(bench, craft, size, step):
    whole = records(HELLO + MESSAGE, 1 << 14) + records(bytes(30), 30, 23)
    (made,) = bench.run(cut(craft, whole, 1400), KNOWN)
    wanted, _rest = contents(payload(made))
    data = records(HELLO, 100) + records(MESSAGE, size) + records(bytes(30), 30, 23)
    frames = bench.run(cut(craft, data, step), KNOWN)
    said, rest = contents(b"".join(map(payload, frames)))
    assert said == wanted
    assert NAME.encode() not in said
    assert b"77Q4" not in said
    assert rest == records(bytes(30), 30, 23)
    assert all(map(craft.checks, frames))


@pytest.mark.parametrize("end", [b"", records(b"\1", 1, 20)])
def test_order_repetition_and_batches_do_not_matter(bench, craft, monkeypatch, end):
    frames = cut(craft, records(HELLO, 100) + records(MESSAGE, 50) + end, 40)
    wanted = [payload(frame) for frame in bench.run(frames, KNOWN)]
    assert NAME.encode() not in contents(b"".join(wanted))[0]
    order = [1, 0, 0, 3, 2, 3, *range(4, len(frames))]
    first = craft.tcp(b"!", seq=8, sport=443)
    made = bench.run([first, *(frames[k] for k in order)], KNOWN)[1:]
    assert [payload(frame) for frame in made] == [wanted[k] for k in order]
    monkeypatch.setattr(walk, "_BATCH", 3)
    assert [payload(frame) for frame in bench.run(frames, KNOWN)] == wanted


def test_a_handshake_that_names_nobody_stays(bench, craft):
    data = records(HELLO, 100) + records(bytes(range(256)) * 3, 50)
    frames = cut(craft, data, 100)
    assert list(map(payload, bench.run(frames, KNOWN))) == list(map(payload, frames))
