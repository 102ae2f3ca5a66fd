"""Clocks in payloads move with the stamps of packets; what is old stays."""

import gzip
import json
import struct
from datetime import UTC, datetime

import pytest

from analysis.exporters.anonymise.packed import decoded, encoded
from analysis.exporters.anonymise.stamps import Near, rewritten
from analysis.exporters.identifiers import Identifier

WEEK_S = 7 * 86_400
SHIFT_S = -59 * WEEK_S
NOW_S = int(datetime(2026, 11, 22, 11, 30, 33, tzinfo=UTC).timestamp())
NEAR = Near(first_s=NOW_S, last_s=NOW_S + 100)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Date: Sun, 22 Nov 2026 11:30:33 GMT", "Date: Sun, 05 Oct 2025 11:30:33 GMT"),
        (
            "\r\nDate: Tue, 02 Jan 2024 11:30:33 GMT",
            "\r\nDate: Tue, 15 Nov 2022 11:30:33 GMT",
        ),
        ("Sun, 2 Dec 2026 11:30:33 GMT", "Sun,15 Oct 2025 11:30:33 GMT"),
        (
            "expires=Sunday, 21-Nov-27 11:30:33 GMT",
            "expires=Sunday, 04-Oct-26 11:30:33 GMT",
        ),
        ("[22/Nov/2026:11:30:33 +0100]", "[05/Oct/2025:11:30:33 +0100]"),
        ("Sun%2C%2022%20Nov%202026%2011%3A30", "Sun%2C%2005%20Oct%202025%2011%3A30"),
        ("Sun Nov 22 11:30:33 2026", "Sun Oct  5 11:30:33 2025"),
        ("<13>Nov 22 11:30:33 host", "<13>Oct  5 11:30:33 host"),
        ("<t>2026-11-22T11:30:33.5Z</t>", "<t>2025-10-05T11:30:33.5Z</t>"),
        ("20261122T113033Z 20261122113033", "20251005T113033Z 20251005113033"),
        ("/2026/11/22/ 2026:11:22 1", "/2025/10/05/ 2025:10:05 1"),
        ("22.11.2026 11/23/2026", "05.10.2025 10/06/2025"),
        (
            f'"s":{NOW_S},"ms":{NOW_S}123',
            f'"s":{NOW_S + SHIFT_S},"ms":{NOW_S + SHIFT_S}123',
        ),
        (
            '"year":2026,"month":11,"mday":22,"hour":11',
            '"year":2025,"month":10,"mday": 5,"hour":11',
        ),
    ],
)
def test_what_is_said_of_now_or_later_is_moved_at_the_same_length(text, made):
    assert rewritten(text.encode(), NEAR, SHIFT_S).decode() == made
    assert len(text) == len(made)


@pytest.mark.parametrize(
    "text",
    [
        "Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT",
        "firmware 2026.01.02 of 20260102",
        "2026-02-30T11:30:33 31/Feb/2026:11:30:33",
        "192.168.20.26 1.2026-11-22",
        "17953470339 179534703399999999999 12026112299",
        f"{NOW_S - 40 * 86_400} 0.{NOW_S}",
    ],
)
def test_what_is_old_or_no_date_stays(text):
    assert rewritten(text.encode(), NEAR, SHIFT_S).decode() == text


def at_ntp(stamp_s):
    stamps = b"".join(struct.pack(">II", stamp_s + 2_208_988_800, 7) for _ in range(4))
    return bytes(16) + stamps


def hello(stamp_s):
    return b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + struct.pack(">I", stamp_s)


START_S = 1_700_000_000  # of the first frame; each later one is a second later
DAY, MADE = b"14 Nov 2023", b"27 Sep 2022"


def test_clocks_of_every_kind_move_with_the_packets(bench, craft):
    page = b"HTTP/1.1 200 OK\r\nDate: Tue, " + DAY + b" 22:13:20 GMT\r\n\r\n"
    body = b"M-SEARCH\r\nDATE: Tue, " + DAY + b" 22:13:20 GMT\r\n\r\n"
    syslog = b"<13>1 2023-11-14T22:13:20Z host app"
    ping = b"\x08\0\0\0\0\x01\0\x01" + struct.pack("<QQ", START_S, 99) + bytes(40)
    ping = (
        ping[:2]
        + struct.pack(
            ">H", ~(sum(struct.unpack(f">{len(ping) // 2}H", ping)) % 65535) & 65535
        )
        + ping[4:]
    )
    frames = [
        craft.udp(at_ntp(START_S), dport=123),
        craft.tcp(hello(START_S) + bytes(28), dport=443),
        craft.udp(
            b"\x16\xfe\xfd"
            + bytes(10)
            + b"\x02"
            + bytes(13)
            + struct.pack(">I", START_S),
            dport=5684,
        ),
        craft.ether(craft.ipv4(1, ping)),
        craft.udp(body, dport=1900),
        craft.udp(syslog, dport=514),
        craft.tcp(page[:30], seq=5000),
        craft.tcp(page[30:], seq=5030),
        craft.tcp(page[:30], seq=5000),
    ]
    made = bench.run(frames, shift_ns=SHIFT_S * 10**9)
    then = START_S + SHIFT_S
    assert made[0][42:] == at_ntp(then)
    assert made[1][54:69] == hello(then)
    assert made[2][-4:] == struct.pack(">I", then)
    assert made[3][42:58] == struct.pack("<QQ", then, 99)
    assert made[4][42:] == body.replace(DAY, MADE)
    assert made[5][42:] == syslog.replace(b"2023-11-14", b"2022-09-27")
    moved = page.replace(DAY, MADE)
    assert made[6][54:] + made[7][54:] == moved
    assert made[8][54:] == moved[:30]
    assert [len(frame) for frame in made] == [len(frame) for frame in frames]
    assert all(craft.checks(frame) for frame in frames)
    assert all(craft.checks(frame) for frame in made)
    assert bench.counts.replaced == {"time": 12}
    as_recorded = bench.run(frames)
    assert as_recorded[0][42:] == at_ntp(START_S)
    assert as_recorded[6][54:] == page[:30]


def test_clocks_in_packed_messages_move_with_names_beside_them(bench, craft):
    told = (Identifier(kind="person", value="Hall lamp"),)
    clock = b'{"alias":"Hall lamp","year":2023,"month":11,"mday":14}'
    page = gzip.compress(b"<p>" + bytes(range(65, 91)) * 9 + b"2023-11-14T22:13:20")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    frames = [craft.udp(encoded(clock), dport=9999), craft.tcp(head + page)]
    for identifiers in (told, ()):
        one, two = bench.run(frames, identifiers, shift_ns=SHIFT_S * 10**9)
        said = json.loads(decoded(one[42:]))
        assert (said["year"], said["month"], said["mday"]) == (2022, 9, 27)
        assert (said["alias"] == "Hall lamp") == (not identifiers)
        plain = gzip.decompress(two[54 + len(head) :])
        assert plain.endswith(b"2022-09-27T22:13:20")
        assert (len(one), len(two)) == (len(frames[0]), len(frames[1]))


def test_random_bytes_of_a_hello_stay_random(bench, craft):
    for stamp_s in (START_S - 400 * 86_400, START_S + 3 * 86_400, 0xDEADBEEF):
        (made,) = bench.run([craft.tcp(hello(stamp_s))], shift_ns=SHIFT_S * 10**9)
        assert made[54:] == hello(stamp_s)
