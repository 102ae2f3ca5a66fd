"""Packets that nobody here reads are refused, in what form ever they come."""

import pytest

from analysis.exporters.anonymise.foreign import foreign_in
from analysis.pcap.blocks import Interface
from analysis.pcap.errors import CaptureError
from analysis.pcap.writer import open_capture

START_NS = 1_700_000_000_000_000_000


def captured(path, links, used):
    with open_capture(path, interfaces=[Interface(link=each) for each in links]) as out:
        for number in used:
            out.packet(START_NS, bytes(60), interface=number)
    return path


@pytest.mark.parametrize("link", [9, 147, 187, 192, 195, 220, 251, 60_000])
def test_what_is_rewritten_holds_no_packet_that_nobody_reads(bench, link):
    source = captured(bench.folder / "a.pcapng", (1, link), (0, 0, 1))
    with pytest.raises(CaptureError, match="in which addresses would stay") as raised:
        bench.made(source)
    assert f"(link type {link})" in str(raised.value)
    assert [path.name for path in bench.folder.iterdir()] == ["a.pcapng"]


def test_an_interface_that_nothing_was_seen_at_refuses_nothing(bench):
    source = captured(bench.folder / "a.pcapng", (1, 195), (0, 0))
    assert foreign_in(source) == ""
    assert len(bench.frames(bench.made(source))) == 2
