"""Packed bodies of HTTP whose head lies in other segments than they do."""

import gzip
import json
import zlib

import pytest

from analysis.exporters.audit import audit
from analysis.exporters.identifiers import Identifier
from analysis.pcap import walk

SERIAL = "LMP-77Q4-Q93X-Z81"
SECRET = (Identifier(kind="serial", value=SERIAL),)
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
)
TEXT = json.dumps([{"n": k, "id": SERIAL} for k in range(60)]).encode()


def chunked(body, size=100):
    parts = [body[k : k + size] for k in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def unchunked(data):
    body = b""
    while size := int(data[: data.index(b"\r\n")], 16):
        at = data.index(b"\r\n") + 2
        body, data = body + data[at : at + size], data[at + size + 2 :]
    return body


def packed_badly(text):
    """Return gzip in which something else has room."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31, 9, zlib.Z_HUFFMAN_ONLY)
    return packer.compress(text) + packer.flush()


PACKED = chunked(packed_badly(TEXT))


def payload(frame):
    return frame[54:]


def cut(craft, data, sizes, seq=1000):
    """Return segments of some sizes, the last of which repeats."""
    frames, at, sizes = [], 0, list(sizes)
    while at < len(data):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        frames.append(craft.tcp(data[at : at + size], seq=seq + at, sport=80))
        at += size
    return frames


def read(made, head=HEAD):
    assert made[: len(head)] == head
    text = gzip.decompress(unchunked(made[len(head) :]))
    return [each["id"] for each in json.loads(text)]


@pytest.mark.parametrize(
    "sizes",
    [
        (len(HEAD), 1400),
        (len(HEAD), 150),
        (len(HEAD), 37),
        (len(HEAD) + 1, 90),  # the size of the first chunk in two segments
        (len(HEAD) + 5, 1, 1400),  # the mark of gzip, too
        (40, 40),
        (len(HEAD) - 2, 1400),
    ],
)
def test_a_body_in_chunks_is_rewritten_wherever_segments_begin(bench, craft, sizes):
    data = HEAD + PACKED
    made = bench.run(cut(craft, data, sizes), SECRET)
    whole = b"".join(map(payload, made))
    (name,) = set(read(whole))
    assert name != SERIAL
    assert len(whole) == len(data)
    assert bench.counts.unread == 0
    assert all(map(craft.checks, made))


def test_the_audit_finds_nothing_where_it_found_a_name_before(bench, craft):
    plain, made = bench.folder / "plain", bench.folder / "made"
    plain.mkdir()
    made.mkdir()
    frames = cut(craft, HEAD + PACKED, (len(HEAD), 90))
    bench.made(craft.pcap(plain / "a.pcap", frames), SECRET).rename(made / "a.pcap")
    assert [each for each in audit(plain, SECRET).findings if each.number >= 0]
    assert not [each for each in audit(made, SECRET).findings if each.number >= 0]


@pytest.mark.parametrize("order", ["again", "back", "late", "swapped"])
def test_order_and_repetition_do_not_matter(bench, craft, order):
    frames = cut(craft, HEAD + PACKED, (len(HEAD), 90))
    n = len(frames)
    ways = {
        "again": [0, 0, 1, *range(1, n), 2, 0],
        "back": [0, *reversed(range(1, n))],
        "late": [*range(1, n), 0],
        "swapped": [0, 2, 1, *range(3, n)],
    }
    first = craft.tcp(b"!", seq=999, sport=80)
    made = bench.run([first, *(frames[k] for k in ways[order])], SECRET)[1:]
    said = {k: payload(m) for k, m in zip(ways[order], made, strict=True)}
    for k, frame in zip(ways[order], made, strict=True):
        assert payload(frame) == said[k]
    (name,) = set(read(b"".join(said[k] for k in range(n))))
    assert name != SERIAL


def test_a_head_and_a_body_may_lie_in_different_batches(bench, craft, monkeypatch):
    monkeypatch.setattr(walk, "_BATCH", 3)
    data = HEAD + PACKED
    made = bench.run(cut(craft, data, (50, 90)), SECRET)
    assert set(read(b"".join(map(payload, made)))) != {SERIAL}


def test_one_answer_after_another_is_rewritten(bench, craft):
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + bytes(900)
    file = packed_badly(TEXT)
    loose = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(file)
    data = HEAD + PACKED + plain + HEAD + PACKED + plain + loose + file
    made = b"".join(map(payload, bench.run(cut(craft, data, (60, 200)), SECRET)))
    size = len(HEAD + PACKED + plain)
    assert set(read(made)) == set(read(made[size:])) != {SERIAL}
    assert made[len(HEAD + PACKED) : size] == plain
    assert made[2 * size :].startswith(loose)
    assert SERIAL.encode() not in gzip.decompress(made[2 * size + len(loose) :])


@pytest.mark.parametrize("wbits", [-15, 15])
def test_what_cannot_be_packed_again_becomes_noise_up_to_its_end(bench, craft, wbits):
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    body = packer.compress(TEXT) + packer.flush()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    after = b"HTTP/1.1 204 No Content\r\n\r\n"
    data = head + body + after
    made = b"".join(map(payload, bench.run(cut(craft, data, (len(head), 70)), SECRET)))
    assert made.startswith(head)
    assert made.endswith(after)
    assert made[len(head) : len(head) + len(body)] != body


def test_a_packed_body_that_names_nobody_stays(bench, craft):
    data = HEAD + chunked(gzip.compress(b"nothing here " * 90, mtime=0), 20)
    made = bench.run(cut(craft, data, (len(HEAD), 15)), SECRET)
    assert b"".join(map(payload, made)) == data


def test_a_head_that_never_ends_is_let_go(bench, craft):
    data = b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n" + HEAD + PACKED
    made = b"".join(map(payload, bench.run(cut(craft, data, (1400,)), SECRET)))
    assert set(read(made[data.index(HEAD) :])) != {SERIAL}
