"""Limits of the audit are as wide as it says, and no wider than memory."""

import random
import shutil
import zlib

import pytest

from analysis.exporters.audit import UNREAD, audit, identity, listening
from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.plain import plain_words
from analysis.exporters.identifiers import Identifier
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.bench.redteam import EXAMPLE, START_NS, udp

PACKED = zlib.compress(b"\1Bergstrand\xee" * 20)
TOLD = (Identifier(kind="secret", value="Vinterljus-Bergstrand-77"),)


def capture(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_capture(path, interfaces=(Interface(link=1),)) as out:
        for number, frame in enumerate(frames):
            out.packet(START_NS + number, frame, interface=0)
    return path


@pytest.mark.parametrize(("port", "most"), [(7360, 400), (8443, 24)])
def test_of_a_connection_so_many_packets_are_dissected(tmp_path, port, most):
    (frame,) = udp(port, b"state=on")
    capture(tmp_path / "set" / "a.pcapng", [frame] * 450)
    assert audit(tmp_path / "set", TOLD).looked_at.dissected == most


@pytest.mark.parametrize(
    ("module", "limit", "why"),
    [
        (identity, "_MOST", "holds more than 3 values of identity"),
        (listening, "_MOST_WORDS", "says more than 3 different words"),
    ],
)
def test_what_memory_does_not_hold_is_unread_and_refuses(
    tmp_path, monkeypatch, module, limit, why
):
    assert 1 << 16 <= getattr(module, limit) <= 1 << 22
    monkeypatch.setattr(module, limit, 3)
    file = "campaigns/evening/raw/a.pcapng"
    names = ("Vintrelka", "Quodrasnu", "Zelbuwen", "Trasquike", "Kelinmu")
    said = [
        udp(7361, f"owner {each}".encode(), to=f"203.0.113.{n}")[0]
        for n, each in enumerate(names, start=9)
    ]
    source = capture(tmp_path / "recorded" / "a.pcapng", said)
    capture(tmp_path / "set" / file, said)
    shutil.copy(EXAMPLE / "campaign.yaml", tmp_path / "set" / "campaigns/evening")
    found = audit(tmp_path / "set", TOLD, originals={file: source}).findings
    assert any(why in f.shown for f in found if f.kind == UNREAD)


def noise(n, extra=b""):
    draw = random.Random(3).randbytes
    return [draw(200) + extra + draw(200) for _ in range(n)]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (noise(60), set()),
        (noise(9), {"MCF"}),
        ([b"state=off;level=20;" * 21 for _ in range(60)], {"MCF"}),
        ([*noise(60), b"MCF"], {"MCF"}),
        ([*noise(60), *noise(1, b"Bergstrand")], set()),
        ([*noise(60), *noise(2, b"\1Bergstrand\1")], {"Bergstrand"}),
        ([*noise(60), *noise(1, PACKED)], set()),  # as noise is that inflates
        ([*noise(60), *noise(2, PACKED)], {"Bergstrand"}),
        ([*noise(60), b"state=off;level=20;" * 3 + b"Bergstrand"], {"Bergstrand"}),
    ],
)
def test_letters_are_chance_where_all_else_is_noise_but_not_twice(
    tmp_path, others, said
):
    whole = [udp(7360, each, source=41000)[0] for each in (b"MCF", *others)]
    path = capture(tmp_path / "a.pcapng", whole)
    assert {each.word for each in plain_words(path, Judge())} == said
