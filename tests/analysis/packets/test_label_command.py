import pytest
import typer
from typer.testing import CliRunner

from analysis.errors import LabelError
from analysis.pcap.rewrite import Rewriter
from testbed.cli import data, imports


@pytest.fixture
def label():
    app = typer.Typer(pretty_exceptions_enable=False)
    data.register(app)
    imports.register(app)  # one command alone would need no name

    def _label(*arguments):
        texts = ["label", *(str(argument) for argument in arguments)]
        return CliRunner().invoke(app, texts, catch_exceptions=False)

    return _label


def test_what_is_left_out_and_who_is_missing_is_said_in_lines(label, campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in range(20)]
    devices = (("lamp", craft.lamp), ("plug", "02:00:00:00:00:99"))
    folder = campaign([packets], [(3, {}), (50, {}), (60, {})], devices)
    assert label(folder).output.splitlines() == [
        "lamp: 1 window, 5 of 20 packets labelled, 2 outside every capture left out",
        "plug: 0 windows, 0 of 0 packets labelled",
        "device plug: no capture holds a packet of 02:00:00:00:00:99; "
        "the most seen are 02:00:00:00:00:11 (20)",
        f"labelled captures: {folder / 'labelled'}",
    ]


def test_windows_are_widened_by_what_is_unsure_and_meet_in_the_middle(
    label, campaign, craft
):
    packets = [(t, craft.udp4(b"x")) for t in range(20)]
    sure = {"t_uncertainty_ns": 10**9}
    folder = campaign([packets], [(3, sure), (9, sure)])
    assert "2 windows, 13 of 20 packets labelled" in label(folder).output
    assert "2 windows, 10 of 20" in label(folder, "--no-widen").output


def test_windows_that_overlap_are_refused_cut_or_dropped(label, campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in range(20)]
    folder = campaign([packets], [(3, {}), (7, {})])
    with pytest.raises(LabelError, match="overlap by 1 s"):
        label(folder)
    cut = label(folder, "--overlap", "cut").output
    assert "2 windows, 9 of 20 packets labelled, 1 window cut" in cut
    drop = label(folder, "--overlap", "drop").output
    assert "0 windows, 0 of 20 packets labelled, 0 windows cut, 2 dropped" in drop


def test_the_manifest_is_true_of_labels_that_were_ended_half_way(
    label, campaign, craft, monkeypatch
):
    folder = campaign([[(t, craft.udp4(b"x")) for t in range(9)]], [(3, {})])
    (folder / "MANIFEST.sha256").write_text("")
    label(folder)
    assert "labelled/labels.json" in (folder / "MANIFEST.sha256").read_text()

    def fails(_writer):
        raise LabelError("ended")

    monkeypatch.setattr(Rewriter, "keep", fails)
    (folder / "raw/.gone.pcapng.part").write_bytes(b"half")
    with pytest.raises(LabelError, match="ended"):
        label(folder)
    manifest = (folder / "MANIFEST.sha256").read_text()
    assert "labelled/lamp.pcapng" in manifest
    assert "labels.json" not in manifest
    assert "part" not in manifest


def test_a_refusal_does_not_read_the_campaign_for_its_manifest(
    label, campaign, craft, monkeypatch
):
    folder = campaign([[(t, craft.udp4(b"x")) for t in range(9)]], [(3, {}), (4, {})])
    (folder / "MANIFEST.sha256").write_text("as it was")
    with pytest.raises(LabelError, match="overlap"):
        label(folder)
    assert (folder / "MANIFEST.sha256").read_text() == "as it was"
