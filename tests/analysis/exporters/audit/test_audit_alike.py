"""What is alike byte by byte is looked at once, and nothing is found less for it."""

import random
import struct

import pytest

from analysis.exporters.audit import alike, audit, listening, pairs, second
from analysis.exporters.audit.saying import Silent
from analysis.exporters.identifiers import Identifier
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.bench.redteam import udp

LAMP, PHONE = bytes.fromhex("50c7bf6be019"), bytes.fromhex("3c5ab41122c3")
TOLD = (Identifier(kind="mac", value="50:c7:bf:6b:e0:19"),)
NS = 1_767_607_200_000_000_000


def arp(last):
    question = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + LAMP + bytes((10, 0, 0, 7))
    return PHONE + LAMP + b"\x08\x06" + question + bytes(6) + bytes((10, 0, 0, last))


def capture(path, *frames, comments=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_capture(path, interfaces=(Interface(link=1),)) as out:
        for number, frame in enumerate(frames):
            comment = dict(comments).get(number, b"")
            out.packet(NS + number * 10**9, frame, interface=0, comment=comment)
    return path


def unlike(self, batch, decoded, rows, before):
    return rows


def told_by_tshark(result):
    return [each for each in result.findings if each.reader == "tshark"]


def test_packets_of_arp_that_are_alike_are_dissected_once_and_all_count(
    tmp_path, monkeypatch
):
    frames = [arp(last) for last in (1, 2, 1, 1, 3, 2, 3, 1)]
    for name in ("a-1.pcapng", "a-2.pcapng"):  # read as one, and told of apart
        capture(tmp_path / "set" / name, *frames)
    quick = audit(tmp_path / "set", TOLD)
    monkeypatch.setattr(alike.Alike, "firsts", unlike)
    slow = audit(tmp_path / "set", TOLD)
    assert (quick.looked_at.dissected, slow.looked_at.dissected) == (6, 16)
    assert told_by_tshark(quick)
    assert quick.findings == slow.findings


@pytest.mark.parametrize("room", [2, 3])
def test_of_more_sorts_than_are_remembered_the_others_are_dissected_each_time(
    tmp_path, monkeypatch, room
):
    monkeypatch.setattr(alike, "_MOST", room)
    monkeypatch.setattr(second, "MOST_OF_PART", 2)
    frames = [arp(last) for last in (1, 2, 3, 3, 2, 1, 1)]
    capture(tmp_path / "set" / "a.pcapng", *frames)
    quick = audit(tmp_path / "set", TOLD)
    monkeypatch.setattr(alike.Alike, "firsts", unlike)
    slow = audit(tmp_path / "set", TOLD)
    assert quick.looked_at.dissected == {2: 4, 3: 3}[room]
    assert quick.findings == slow.findings


def test_another_comment_makes_another_packet(tmp_path):
    path = tmp_path / "set" / "a.pcapng"
    capture(path, arp(1), arp(1), arp(1), comments=[(2, b"the lamp of Maja")])
    assert audit(tmp_path / "set", TOLD).looked_at.dissected == 2


def heard(monkeypatch, pair, *, silent):
    if not silent:
        monkeypatch.setattr(Silent, "known", lambda self, data: b"never")
        monkeypatch.setattr(Silent, "add", lambda self, digest: None)
    return listening.listened(pair, lambda size_b: None)


def test_what_was_heard_before_is_not_taken_for_silence(tmp_path, monkeypatch):
    rng = random.Random(6)
    noise = [rng.randbytes(900) for _ in range(12)]
    name, other = b"name=Vintrelka\r\n" * 5, b"name=Quombertin\r\n" * 5
    # as published both say it, as recorded only the one that says it again
    published = [*noise, name, name * 2]
    recorded = [*noise[::-1], other, name * 2]
    task = pairs.Task(
        name="words",
        campaign=listening_campaign(tmp_path),
        pairs=(
            (
                "a.pcapng",
                capture(tmp_path / "r.pcapng", *(udp(7000, e)[0] for e in recorded)),
                capture(tmp_path / "p.pcapng", *(udp(7000, e)[0] for e in published)),
            ),
        ),
        size_b=1,
    )
    quick = heard(monkeypatch, task, silent=True)
    slow = heard(monkeypatch, task, silent=False)
    assert quick == slow
    assert "Vintrelka" in {word for told in quick.told for word in told.words}


def listening_campaign(tmp_path):
    return pairs.Campaign(
        about=tmp_path / "campaign.yaml", words=(), devices={}, at_s=NS // 10**9
    )
