"""A campaign is published as its manifest holds it, or not at all."""

import gzip
import hashlib

import pytest

from analysis.errors import DatasetError
from analysis.exporters.bundle import pipeline
from analysis.exporters.bundle.sources import checked, packed_in, sources_of
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture

RAW = "raw/lan-00001.pcapng"


def look(folder):
    (source,) = sources_of([folder])
    return checked(source, lambda size_b: None)


def faults(folder):
    with pytest.raises(DatasetError) as raised:
        look(folder)
    root = f"{folder}/"
    return [line.removeprefix(root) for line in str(raised.value).splitlines()]


@pytest.fixture
def two_captures(campaign, close):
    """Return a campaign whose manifest holds two captures."""
    second = campaign / "raw" / "lan-00002.pcapng"
    second.write_bytes((campaign / RAW).read_bytes())
    close(campaign)
    return campaign


def test_everything_that_is_missing_or_was_added_is_told_at_once(two_captures):
    folder = two_captures
    look(folder)
    (folder / RAW).rename(folder / "raw" / "lan-00003.pcapng")
    for name in ("journal.jsonl", "raw/receipt.json"):
        (folder / name).unlink()
    (folder / "activities.csv").write_text("")
    assert faults(folder) == [
        "journal.jsonl: is missing, MANIFEST.sha256 names it; bring it back",
        f"{RAW}: is missing, MANIFEST.sha256 names it; bring it back",
        "raw/receipt.json: is missing, MANIFEST.sha256 names it; bring it back",
        "raw/lan-00003.pcapng: was added later, MANIFEST.sha256 does not name it; "
        "put it elsewhere",
        "activities.csv: differs from MANIFEST.sha256; it is damaged, or was changed "
        "since",
    ]


def test_what_is_derived_and_what_a_kill_left_may_come_and_go(campaign):
    (campaign / "report").mkdir()
    (campaign / "report" / "report.html").write_text("")
    (campaign / "packets.json").unlink()
    (campaign / "labelled" / "labels.json").unlink()
    (campaign / "raw" / "lan-00002.pcapng.part").write_text("")
    assert RAW in look(campaign).digests


def test_a_capture_that_was_packed_later_is_held_by_what_is_in_it(campaign):
    whole = (campaign / RAW).read_bytes()
    (campaign / RAW).unlink()
    packed = campaign / f"{RAW}.gz"
    packed.write_bytes(gzip.compress(whole))
    source = look(campaign)
    assert packed_in(source) == 1
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    assert source.digests[f"{RAW}.gz"] == digest
    for damaged in (gzip.compress(whole[:-1] + b"x"), gzip.compress(whole)[:-9]):
        packed.write_bytes(damaged)
        (line,) = faults(campaign)
        assert line.startswith(f"{RAW}.gz: differs from MANIFEST.sha256")
    # beside the one that it was made of
    (campaign / RAW).write_bytes(whole)
    assert faults(campaign)[0].startswith(f"{RAW}.gz: was added later")


def test_a_capture_that_was_recorded_packed_is_held_as_it_is(campaign, watcher, close):
    whole = (campaign / RAW).read_bytes()
    (campaign / RAW).unlink()
    packed = campaign / f"{RAW}.gz"
    packed.write_bytes(gzip.compress(whole, 9))
    close(campaign)
    notes = []
    watcher.end = lambda step, note: notes.append(note)
    pipeline._checked(watcher, sources_of([campaign]))
    assert notes == ["1 campaign, 1 capture, 1 of them packed and published unpacked"]
    packed.write_bytes(gzip.compress(whole, 1))
    assert faults(campaign)[0].startswith(f"{RAW}.gz: differs")


def test_the_faults_of_all_campaigns_are_told_at_once(campaign, watcher):
    (campaign / "raw" / "receipt.json").unlink()
    source, *_ = sources_of([campaign])
    with pytest.raises(DatasetError) as raised:
        pipeline._checked(watcher, (source, source))
    assert len(str(raised.value).splitlines()) == 2


def test_packets_that_nobody_here_reads_refuse_a_campaign_before_any_work(
    campaign, close
):
    zigbee = bytes.fromhex("418807621affff0000") + b"50c7bf6be019"
    for name, link in (("a", 1), ("b", 113), ("c", 195)):
        interfaces = [Interface(link=link), Interface(link=195)]
        path = campaign / "raw" / f"{name}.pcapng"
        with open_capture(path, interfaces=interfaces) as capture:
            for number in (0, 1):
                capture.packet(1_767_607_200 * 10**9, zigbee, interface=number)
    close(campaign)
    told = faults(campaign)
    assert [line.split(", in which")[0] for line in told] == [
        "raw/a.pcapng: holds 1 packet of IEEE 802.15.4 (link type 195)",
        "raw/b.pcapng: holds 1 packet of IEEE 802.15.4 (link type 195)",
        "raw/c.pcapng: holds 2 packets of IEEE 802.15.4 (link type 195)",
    ]
    assert "`tshark -r a.pcapng -Y 'eth' -w OTHER` writes it" in told[0]
    assert "`tshark -r b.pcapng -Y 'sll' -w OTHER` writes it" in told[1]
    assert told[2].endswith("leave this capture out and import the others again")
