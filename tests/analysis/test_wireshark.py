"""What a user has set in Wireshark changes nothing of what is checked."""

from pathlib import Path

import pytest

from analysis.dissection import dissect
from analysis.exporters.audit.tshark import said_by
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from analysis.verify import readers
from analysis.verify.model import Findings
from analysis.wireshark import undisturbed

HEAD = bytes.fromhex("4500002400000000401100000a0908070a090809")  # IPv4, UDP
FRAME = bytes(12) + b"\x08\x00" + HEAD + bytes.fromhex("9c4000350010 0000") + bytes(8)


@pytest.fixture(params=["at home", "by variable"])
def capture(request, tmp_path, monkeypatch):
    """Return a capture of two packets, where a user's Wireshark reads no UDP."""
    home = tmp_path / "home"
    settings = home / ".config" / "wireshark"
    plugins = home / ".local" / "lib" / "wireshark" / "plugins"
    for folder in (settings, plugins):
        folder.mkdir(parents=True)
        (folder / "init.lua").write_text('print("9\\t9\\t9")\n')
    (settings / "disabled_protos").write_text("udp\n")
    monkeypatch.setenv("HOME", str(home))
    if request.param == "by variable":
        monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(settings))
    path = tmp_path / "a.pcapng"
    with open_capture(path, interfaces=(Interface(link=1),)) as out:
        for number in range(2):
            out.packet(1_767_607_200_000_000_000 + number, FRAME, interface=0)
    return path


def test_the_audit_reads_a_protocol_that_the_user_has_switched_off(capture):
    fields = ["-T", "fields", "-e", "frame.number", "-e", "udp.dstport"]
    with said_by(fields, capture) as lines:
        assert lines.read() == b"1\t53\n2\t53\n"


def test_the_verifier_counts_no_line_of_a_users_plugin(capture):
    found = Findings(capture.parent)
    assert readers._counted(capture, [], found) == 2
    assert readers._counted(capture, ["-Y", "udp"], found) == 2


def test_a_packet_is_shown_with_a_protocol_that_the_user_has_switched_off(capture):
    (packet, _) = dissect(capture, limit=2)
    assert packet.protocols.startswith("eth:ethertype:ip:udp")


def test_what_else_is_in_the_environment_stays(monkeypatch):
    monkeypatch.setenv("WIRESHARK_PLUGIN_DIR", "/somewhere")
    monkeypatch.setenv("TESTBED_OTHER", "stays")
    with undisturbed() as environment:
        assert environment["TESTBED_OTHER"] == "stays"
        assert "WIRESHARK_PLUGIN_DIR" not in environment
        assert list(Path(environment["HOME"]).iterdir()) == []
    assert not Path(environment["HOME"]).exists()
