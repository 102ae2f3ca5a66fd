import re
from collections import Counter

import pytest

from analysis.dataset import Device
from analysis.packets.tabulate import CaptureJob, tabulate_capture
from analysis.pcap.errors import CaptureError
from analysis.pcap.link import DECODED
from analysis.pcap.links import name_of


@pytest.mark.parametrize("link", sorted(DECODED))
def test_each_link_type_that_is_decoded_has_a_name(link):
    assert re.fullmatch(r"[A-Za-z].* \(link type \d+\)", name_of(link))
    assert "unknown" not in name_of(link)


def test_link_types_are_named_with_their_number():
    assert name_of(9) == "PPP (link type 9)"
    assert name_of(149) == "for private use (link type 149)"
    assert name_of(999) == "unknown (link type 999)"


@pytest.fixture
def lamp_job(tmp_path):
    """Return a maker of jobs that look for a lamp in a capture."""

    def _lamp_job(path):
        lamp = Device(name="lamp", mac="02:00:00:00:00:11")
        return CaptureJob(path=path, devices=(lamp,), folder=tmp_path)

    return _lamp_job


@pytest.mark.parametrize("link", [9, 104, 149, 195, 999])
def test_a_capture_of_a_foreign_link_type_is_refused_by_name(
    tmp_path, from_bench, lamp_job, link
):
    path = tmp_path / "a.pcap"
    frames = [bytes(40), bytes(60)]
    data = from_bench("tests.bench.seeds").pcap("<", (0xA1B2C3D4, 10**6), frames, link)
    path.write_bytes(data)
    with pytest.raises(CaptureError) as caught:
        tabulate_capture(lamp_job(path))
    assert f"holds packets of {name_of(link)} only" in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_public_captures_of_foreign_link_types_are_refused_by_name(
    public_data, tmp_path, lamp_job
):
    folder = public_data / "pcap-robustness" / "tcpdump"
    refused, links = {}, Counter()
    for path in sorted(folder.glob("*.pcap")):
        try:
            tabulate_capture(lamp_job(path))
        except CaptureError as exc:
            assert list(tmp_path.rglob("*.parquet")) == []
            refused[path.name] = exc.reason
            links.update(re.findall(r"link type (\d+)", exc.reason))
        else:
            for part in tmp_path.rglob("*.parquet"):
                part.unlink()
    assert len(refused) > 15
    assert not set(map(int, links)) & DECODED
    assert refused["HDLC.pcap"].startswith(
        "holds packets of Cisco HDLC (link type 104)"
    )
    assert refused["icmp-rfc5837.pcap"].startswith("holds packets of PPP (link type 9)")
