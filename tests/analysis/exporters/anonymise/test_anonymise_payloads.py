"""Every spelling of a secret goes, wherever segments part it; lengths and sums stay."""

import base64
import gzip
import struct
import zlib

import pytest

from analysis.exporters.anonymise.packed import decoded, encoded
from analysis.exporters.identifiers import Identifier
from analysis.pcap.beacons import Beacon, encode

SERIAL = "LMP-77Q4-Q93X-Z81"
SECRET = (Identifier(kind="serial", value=SERIAL),)
TOM = (Identifier(kind="hostname", value="toms-lamp"),)
MAC = (Identifier(kind="mac", value="50:c7:bf:6b:e0:19"),)


def payload(frame):
    return frame[54:] if frame[23] == 6 else frame[42:]


@pytest.mark.parametrize(
    "spelt",
    [
        SERIAL.encode(),
        SERIAL.lower().encode(),
        SERIAL.encode("utf-16le"),
        SERIAL.encode("utf-16be"),
        SERIAL.encode().hex().encode(),
        SERIAL.encode().hex().upper().encode(),
        *(base64.b64encode(b"x" * k + SERIAL.encode() + b"yz") for k in range(3)),
        "".join(f"%{ord(c):02X}" for c in SERIAL).encode(),
    ],
)
def test_a_secret_is_replaced_in_every_spelling(bench, craft, spelt):
    body = b'{"id":"' + spelt + b'"}'
    (made,) = bench.run([craft.udp(body)], SECRET)
    assert len(payload(made)) == len(body)
    assert spelt[3:-3] not in payload(made)
    assert payload(made)[:7] == body[:7]
    assert payload(made)[-2:] == body[-2:]
    assert craft.checks(made)
    assert bench.counts.replaced == {"serial": 1}


def test_what_is_left_out_or_cut_away_is_not_counted_as_replaced(bench, craft):
    said = craft.udp(b"id " + SERIAL.encode())
    told = Beacon(
        campaign=SERIAL, trial="0001", attempt=1, phase="before", sent_ns=10**18
    )
    beacon = craft.udp(encode(told), dport=47777)
    cut = craft.udp(bytes(40) + SERIAL.encode(), dport=4001)
    assert len(bench.run([said, beacon, cut], SECRET)) == 2
    assert (bench.counts.changed, bench.counts.replaced) == (2, {"serial": 2})
    made = bench.run([said, beacon, cut], SECRET, payload="truncate:40")
    assert (bench.counts.changed, bench.counts.replaced) == (1, {"serial": 1})
    assert SERIAL.encode() not in made[0]
    assert bench.counts.met == (0,)
    bench.run([beacon], SECRET)
    assert bench.counts.met == (0,)  # it was recorded, though nothing of it is kept
    assert bench.counts.replaced == {}


@pytest.mark.parametrize("step", [1, 2, 5, 11])
def test_a_secret_over_many_segments_becomes_what_it_becomes_in_one(bench, craft, step):
    body = b"GET /?id=" + SERIAL.encode() + b" HTTP/1.1\r\n\r\n"
    (whole,) = bench.run([craft.tcp(body)], SECRET)
    parts = [
        craft.tcp(body[k : k + step], seq=1000 + k) for k in range(0, len(body), step)
    ]
    made = bench.run(parts, SECRET)
    assert b"".join(map(payload, made)) == payload(whole)
    assert SERIAL.encode() not in payload(whole)
    assert all(map(craft.checks, made))


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 1, 0), (0, 3, 2, 1), (0, 1, 2, 1, 0)])
def test_order_and_repetition_of_segments_do_not_matter(bench, craft, order):
    body = b"GET /?id=" + SERIAL.encode() + b" HTTP/1.1\r\n\r\n"
    (whole,) = bench.run([craft.tcp(body)], SECRET)
    cuts = [0, 12, 17, 23, len(body)]
    first = craft.tcp(b"!", seq=999)  # so that there is something to wait for
    parts = [
        craft.tcp(body[cuts[k] : cuts[k + 1]], seq=1000 + cuts[k])
        for k in (*order, *({0, 1, 2, 3} - set(order)))
    ]
    made = bench.run([first, *parts], SECRET)[1:]
    bodies = {k: payload(m) for k, m in zip(order, made, strict=False)}
    for k, data in bodies.items():
        assert data == payload(whole)[cuts[k] : cuts[k + 1]]


def test_sequence_numbers_may_wrap(bench, craft):
    body = b"serial=" + SERIAL.encode()
    start = 2**32 - 10
    parts = [craft.tcp(body[k : k + 4], seq=start + k) for k in range(0, len(body), 4)]
    made = b"".join(map(payload, bench.run(parts, SECRET)))
    assert SERIAL.encode() not in made
    assert made[:7] == body[:7]


def test_two_streams_are_not_taken_for_one(bench, craft):
    body = SERIAL.encode()
    one, two = craft.tcp(body[:8]), craft.tcp(body[8:], seq=1008, sport=40001)
    made = bench.run([one, two], SECRET)
    assert [payload(m) for m in made] == [body[:8], body[8:]]


def test_a_short_word_is_replaced_as_a_word_alone(bench, craft):
    lamp = (Identifier(kind="hostname", value="toms"),)
    made = payload(bench.run([craft.udp(b"toms customs toms-tv")], lamp)[0])
    assert made[4:13] == b" customs "
    assert b"toms" not in made.replace(b"customs", b"")
    assert made[:4] == made[13:17]


def test_names_of_dns_keep_their_labels_and_case(bench, craft):
    name = b"\x09Toms-Lamp\x05local\x00"
    query = struct.pack(">HHHHHH", 0, 0, 1, 0, 0, 0) + name + b"\0\1\0\1"
    made = payload(bench.run([craft.udp(query, dport=5353)], TOM)[0])
    assert made[12] == 9
    assert made[13:22].lower() != b"toms-lamp"
    assert made[13:14].isupper()
    assert made[14:17].islower()
    assert made[22:] == query[22:]


def test_addresses_in_answers_of_dns_are_those_of_headers(bench, craft):
    answer = b"\x00\x01\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00"
    answer += b"\x05cloud\x03org\x00\x00\x01\x00\x01"
    answer += b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + bytes((34, 1, 2, 3))
    first, second = bench.run([craft.udp(answer, sport=53), craft.tcp(b"x")])
    assert payload(first)[-4:] == second[30:34]
    assert payload(first)[-4:] != bytes((34, 1, 2, 3))
    assert craft.checks(first)


def test_messages_under_xor_are_rewritten_to_their_end(bench, craft):
    text = b'{"system":{"deviceId":"' + SERIAL.encode() + b'","relay_state":1}}'
    sealed = struct.pack(">I", len(text)) + encoded(text)
    for step in (7, 500):
        parts = [
            craft.tcp(sealed[k : k + step], seq=1000 + k, dport=9999)
            for k in range(0, len(sealed), step)
        ]
        made = b"".join(map(payload, bench.run(parts, SECRET)))
        plain = decoded(made[4:])
        assert SERIAL.encode() not in plain
        assert plain[:23] == text[:23]
        assert plain.endswith(b'","relay_state":1}}')
    # the start of the stream is not there, so that no length tells where they begin
    (cut,) = bench.run([craft.tcp(b"\xff\xff" + sealed, dport=9999)], SECRET)
    assert SERIAL.encode() not in decoded(payload(cut)[6:])
    (loose,) = bench.run([craft.udp(encoded(text), dport=7000)], SECRET)
    assert decoded(payload(loose)).endswith(b'","relay_state":1}}')
    assert SERIAL.encode() not in decoded(payload(loose))


def test_what_is_packed_in_a_body_of_http_is_unpacked_to_be_read(bench, craft):
    text = b'{"id":"' + SERIAL.encode() + b'"}' * 9
    body = gzip.compress(text, mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    data = head + body
    parts = [craft.tcp(data[k : k + 40], seq=1 + k) for k in range(0, len(data), 40)]
    made = b"".join(map(payload, bench.run(parts, SECRET)))
    assert made[: len(head)] == head
    assert len(made) == len(data)
    assert made[len(head) :] != body
    assert SERIAL.encode() not in gzip.decompress(made[len(head) :])


def test_what_is_packed_and_holds_no_secret_stays(bench, craft):
    data = b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"nothing here", mtime=0)
    assert payload(bench.run([craft.tcp(data)], SECRET)[0]) == data


def test_chunks_of_a_packed_body_keep_their_sizes(bench, craft):
    body = gzip.compress(b'{"id":"' + SERIAL.encode() + b'"}', mtime=0)
    one, two = body[:20], body[20:]
    data = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Encoding: gzip\r\n\r\n"
        + b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(one), one, len(two), two)
    )
    made = payload(bench.run([craft.tcp(data)], SECRET)[0])
    at = data.index(one)
    assert made[:at] == data[:at]
    assert made.endswith(b"0\r\n\r\n")
    joined = made[at : at + 20] + made[at + 26 : at + 26 + len(two)]
    assert joined != body


def test_zlib_is_looked_into_as_well(bench, craft):
    data = b"POST\r\n\r\n" + zlib.compress(b"serial " + SERIAL.encode() * 3)
    made = payload(bench.run([craft.tcp(data)], SECRET)[0])
    assert len(made) == len(data)
    assert made[8:] != data[8:]


def test_a_binary_mac_becomes_what_it_becomes_in_headers(bench, craft):
    mac = bytes.fromhex("50c7bf6be019")
    (made,) = bench.run([craft.udp(b"\x01\x06" + mac + b"!")], MAC)
    assert payload(made)[2:8] == made[6:12]
    assert made[6:9] == mac[:3]


def test_wrong_checksums_stay_wrong(bench, craft):
    frame = bytearray(craft.tcp(b"id=" + SERIAL.encode()))
    frame[50] ^= 0x41
    frame[25] ^= 0x41
    (made,) = bench.run([bytes(frame)], SECRET)
    assert not craft.checks(made)
    fixed = bytearray(made)
    assert checksum_faults(craft, bytes(frame)) == checksum_faults(craft, bytes(fixed))


def checksum_faults(craft, frame):
    header = bytes(frame[14:34])
    return sum(int.from_bytes(header[k : k + 2]) for k in range(0, 20, 2)) % 0xFFFF


def test_udp_without_a_checksum_stays_without(bench, craft):
    frame = bytearray(craft.udp(SERIAL.encode()))
    frame[40:42] = b"\0\0"
    (made,) = bench.run([bytes(frame)], SECRET)
    assert made[40:42] == b"\0\0"
    assert SERIAL.encode() not in made


def test_what_an_error_quotes_is_rewritten_and_its_sums_too(bench, craft):
    quoted = craft.udp(b"id=" + SERIAL.encode())[14:]
    body = b"\x03\x03\0\0\0\0\0\0" + quoted
    from_sum = craft.ipv4(1, body[:2] + checksum_of(body) + body[4:], "34.1.2.3")
    (made, plain) = bench.run([craft.ether(from_sum), craft.udp(b"x")], SECRET)
    inner = craft.ether(made[42:])
    assert made[42 + 12 : 42 + 20] == plain[26:34]
    assert SERIAL.encode() not in made
    assert craft.checks(made)
    assert craft.checks(inner)


def checksum_of(body):
    total = sum(
        int.from_bytes((body[k : k + 2] + b"\0")[:2]) for k in range(0, len(body), 2)
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2)


def test_addresses_that_are_everybodys_stay_though_they_are_asked_for(bench, craft):
    known = [Identifier(kind="ipv4", value="0.0.0.0"), *TOM]  # noqa: S104
    known += [Identifier(kind="ipv4", value="224.0.0.251")]
    body = bytes(8) + bytes((224, 0, 0, 251)) + b"224.0.0.251"
    frame = craft.udp(body)
    assert payload(bench.run([frame], known)[0]) == body


def test_what_follows_something_packed_in_a_stream_is_not_kept_for_it(bench, craft):
    packed = gzip.compress(b"nothing", mtime=0)
    later = gzip.compress(b"id " + SERIAL.encode(), mtime=0)
    noise = bytes(range(256)) * 4
    parts = [packed, *[noise] * 9, later]
    frames, seq = [], 1
    for part in parts:
        frames.append(craft.tcp(part, seq=seq))
        seq += len(part)
    made = bench.run(frames, SECRET)
    assert [payload(m) for m in made[:-1]] == parts[:-1]
    assert payload(made[-1]) != later
    assert bench.counts.unread == 0


def test_of_two_identifiers_that_overlap_the_longer_one_counts(bench, craft):
    short = Identifier(kind="hostname", value="toms-lamp-4")
    long = Identifier(kind="serial", value="lamp-4-of-the-attic")
    body = b"toms-lamp-4-of-the-attic toms-lamp-4"
    (made,) = bench.run([craft.udp(body)], [short, long])
    assert bench.counts.replaced == {"serial": 1, "hostname": 1}
    assert payload(made)[:5] == b"toms-"
    assert b"attic" not in payload(made)
    assert not payload(made).endswith(b"toms-lamp-4")


def test_an_identifier_sent_again_in_other_bounds_is_replaced_alike(bench, craft):
    body = b"id=" + SERIAL.encode() + b";"
    parts = [(0, 9), (9, 21), (4, 15), (0, 21)]
    frames = [craft.tcp(body[a:b], seq=1000 + a) for a, b in parts]
    made = [payload(frame) for frame in bench.run(frames, SECRET)]
    assert made[0] + made[1] == made[3]
    assert made[2] == made[3][4:15]
    assert SERIAL.encode() not in made[3]


def test_a_long_token_is_replaced_over_segments_in_any_order(bench, craft):
    token = base64.b64encode(bytes(k * k % 251 for k in range(1500))).decode()
    known = [Identifier(kind="token", value=token)]
    body = b"Authorization: Bearer " + token.encode() + b"\r\n"
    cuts = range(0, len(body), 700)
    frames = [craft.tcp(body[k : k + 700], seq=9 + k) for k in cuts]
    first = craft.tcp(b"!", seq=8)
    made = b"".join(map(payload, bench.run(frames, known)))
    assert made[:22] == body[:22]
    assert not any(a == b for a, b in zip(chunks(made), chunks(body), strict=True))
    late = bench.run([first, frames[0], frames[2], frames[1]], known)[1:]
    assert b"".join(payload(late[k]) for k in (0, 2, 1)) == made[:2024]


def chunks(body):
    return [body[k : k + 32] for k in range(22, len(body) - 32, 32)]


def test_names_of_dns_that_end_in_a_pointer_are_replaced_too(bench, craft):
    known = [
        Identifier(kind="domain", value="cam-7.attic.org"),
        Identifier(kind="domain", value="attic.org"),
    ]
    whole = b"\x05attic\x03org\x00"
    answer = struct.pack(">HHHHHH", 0, 0x8000, 1, 1, 0, 0) + whole + b"\0\1\0\1"
    answer += b"\x05cam-7\xc0\x0c" + b"\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x01\x00"
    frames = [
        craft.udp(answer, sport=53),
        craft.udp(b"cam-7.attic.org", dport=99),
        craft.udp(b"\x05cam-7\x03", dport=99),
    ]
    one, two, three = map(payload, bench.run(frames, known))
    text = two.split(b".")
    assert one[12 + 1 : 12 + 6] == text[1] != b"attic"
    assert b"\x05" + text[0] + b"\xc0\x0c" in one
    assert text[0] != b"cam-7"
    assert three == b"\x05cam-7\x03"
