import json
import os
import sys
from pathlib import Path

import pytest

from analysis.flows import FlowRecords, Subject, extract, read_causes, read_flows
from testbed.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "captures" / "example"
CAPTURE = next(EXAMPLE.glob("raw/*.pcapng"))
LABELLED = (
    "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\t"
    "orig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\tlabel\n"
    "1537523212.5\t192.168.2.3\t5000\t198.51.100.7\t443\ttcp\t1\t40\t1\t40\tMalicious\n"
)


@pytest.fixture
def flows(monkeypatch):
    """Run the command as a shell does; return its exit code."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["testbed", "flows", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code

    return run


def test_a_campaign_becomes_records_of_its_devices(flows, tmp_path, capsys):
    out = tmp_path / "flows.parquet"
    words = ("--home", "lab", "--device", "echo_dot", "--json")
    assert flows("extract", EXAMPLE, "--out", out, *words) == 0
    told = json.loads(capsys.readouterr().out)
    records = read_flows(out)
    assert told == {"out": str(out), "flows": len(records)}
    assert len(records) > 5
    assert set(records.home) == {"lab"}
    assert set(records.device) == {"echo_dot"}
    # as in simulated homes, so that they can be compared
    assert set(records.model) == {"Amazon Echo Dot (2nd generation)"}


def test_captures_without_a_device_give_every_conversation(flows, tmp_path):
    out = tmp_path / "flows.csv"
    assert flows("extract", CAPTURE, "--no-timeouts", "--out", out) == 0
    records = read_flows(out)
    whole = FlowRecords.joined(list(extract([CAPTURE], [Subject()])))
    sums = [(r.packets_out + r.packets_in).sum() for r in (records, whole)]
    assert sums[0] == sums[1] > 0
    assert records.outbound.all()


def test_a_stream_becomes_lines_of_csv(flows, tmp_path, capfd, monkeypatch):
    with CAPTURE.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert flows("extract", "-", "--out", "-") == 0
    told = capfd.readouterr()
    assert told.err == ""
    (tmp_path / "flows.csv").write_text(told.out, encoding="utf-8")
    assert len(read_flows(tmp_path / "flows.csv")) > 5


def test_a_folder_with_tables_alone_is_enough(flows, tmp_path):
    import shutil

    for name in ("packets", "flows"):
        shutil.copytree(EXAMPLE / name, tmp_path / "c" / name)
    for name in ("packets.json", "campaign.yaml"):
        shutil.copy(EXAMPLE / name, tmp_path / "c" / name)
    out = tmp_path / "flows.parquet"
    assert flows("extract", tmp_path / "c", "--out", out) == 0
    assert set(read_flows(out).device) == {"echo_dot", "koogeek_plug", "tplink_hs110"}


def test_tables_of_others_are_taken_over_with_their_labels(flows, tmp_path, capsys):
    (tmp_path / "conn.log").write_text(LABELLED)
    out, truth = tmp_path / "flows.parquet", tmp_path / "truth.parquet"
    words = ("--device", "cam=192.168.2.3", "--causes", truth)
    assert flows("convert", tmp_path / "conn.log", "--out", out, *words) == 0
    assert "1 flow record" in capsys.readouterr().out
    assert read_causes(truth, len(read_flows(out))).tolist() == ["Malicious"]
    assert flows("convert", out, "--out", tmp_path / "again.log") == 0
    assert "192.168.2.3\t5000" in (tmp_path / "again.log").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("extract", CAPTURE, "--out", "flows.xml"), "must end in .parquet"),
        (("extract", "none.pcap", "--out", "a.csv"), "is no capture"),
        (("extract", CAPTURE, "--idle", "0", "--out", "a.csv"), "must be above 0 s"),
        (("extract", "-", CAPTURE, "--out", "a.csv"), "- stands alone"),
        (("extract", CAPTURE, "--device", "toaster", "--out", "a.csv"), "no profile"),
        (("extract", EXAMPLE, "--device", "x", "--out", "a.csv"), "has no device"),
        (("extract", __file__, "--out", "a.csv"), "is not a pcap"),
        (("convert", "none.log", "--out", "a.csv"), "is not there"),
        (("convert", CAPTURE, "--out", "a.csv"), "is no Parquet or CSV"),
        (("convert", CAPTURE, "--device", "a=b", "--out", "a.csv"), "--device"),
        (("extract", CAPTURE, "--out", "none/a.csv"), "--out: none is no folder"),
        (("convert", CAPTURE, "--out", "none/a.csv"), "--out: none is no folder"),
        (
            ("convert", CAPTURE, "--out", "a.csv", "--causes", "none/t.parquet"),
            "--causes: none is no folder",
        ),
        (
            ("extract", CAPTURE, "--no-timeouts", "--idle", "15", "--out", "a.csv"),
            "--no-timeouts: leave out --active and --idle",
        ),
        (("extract", os.devnull, "--out", "a.csv"), "null: is no capture"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    flows, tmp_path, capsys, monkeypatch, words, said
):
    if "toaster" in words:
        words = (*words, "--devices", ROOT / "devices")
    monkeypatch.chdir(tmp_path)
    assert flows(*words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_tables_without_a_record_of_the_device_are_told(flows, tmp_path, capsys):
    (tmp_path / "conn.log").write_text(LABELLED)
    words = ("--device", "cam=192.0.2.7", "--out", tmp_path / "a.csv")
    assert flows("convert", tmp_path / "conn.log", *words) == 0
    said = "conn.log: no record of 192.0.2.7/32 is in it; name its address"
    assert said in capsys.readouterr().err


def test_nothing_on_standard_input_is_no_capture(flows, tmp_path, capsys, monkeypatch):
    with Path(os.devnull).open("rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert flows("extract", "-", "--out", tmp_path / "a.csv") == 2
    assert "standard input" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_who_was_not_seen_and_what_was_cut_is_told(flows, tmp_path, capsys):
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(CAPTURE.read_bytes()[:-30])
    words = ("--device", "lamp=02:00:00:00:00:99", "--out", tmp_path / "a.csv")
    assert flows("extract", cut, *words) == 0
    told = capsys.readouterr()
    assert "0 flow records" in told.out
    unseen = "device lamp: no packet of 02:00:00:00:00:99; is another MAC its own?"
    assert unseen in told.err
    assert "no packet of a flow is in it" in told.err
    assert "ends inside a packet" in told.err


def test_a_capture_of_links_that_nobody_understands_is_refused(flows, tmp_path, capsys):
    from analysis.pcap.blocks import Interface
    from analysis.pcap.writer import open_capture

    strange = tmp_path / "strange.pcapng"
    with open_capture(strange, interfaces=[Interface(link=7)]) as capture:
        capture.packet(1, b"packet")
    assert flows("extract", strange, "--out", tmp_path / "a.csv") == 2
    assert "holds packets of ARCNET" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()
