"""What was not looked at refuses a publication, unless it is accepted by name."""

import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from analysis.exporters.audit import UNREAD, audit, second, tables, tshark
from analysis.exporters.identifiers import Identifier

TOLD = (Identifier(kind="secret", value="Vinterljus-Bergstrand-77"),)
EXAMPLE = Path(__file__).parents[4] / "captures" / "example" / "raw"


def unread(folder, **options):
    result = audit(folder, TOLD, **options)
    assert result.clean is not bool(result.findings)
    return {f.file: f.shown for f in result.findings if f.kind == UNREAD}


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Return a maker of a tshark that does what one says in shell."""
    real = shutil.which("tshark")

    def _tool(*lines):
        place = tmp_path / "bin"
        place.mkdir()
        path = place / "tshark"
        text = "\n".join(("#!/bin/sh", *lines)).replace("REAL", str(real))
        path.write_text(text + "\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")

    return _tool


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "set"
    place.mkdir()
    shutil.copy(sorted(EXAMPLE.glob("*.pcapng"))[0], place / "a.pcapng")
    return place


VERSION = 'case "$1" in --version) echo "TShark (Wireshark) 4.0.1"; exit 0;; esac'


@pytest.mark.parametrize(
    ("lines", "file", "why"),
    [
        ((VERSION, "echo 'tshark: out of memory' >&2; exit 1"), "a.pcapng", "code 1"),
        ((VERSION, "kill -9 $$"), "a.pcapng", "code -9"),
        (("echo TShark 1.12.6",), "all captures", "tshark 1.12 is too old"),
        (("exit 127",), "all captures", "does not tell its version"),
    ],
    ids=["stops", "is killed", "is too old", "is broken"],
)
def test_a_second_reader_that_stops_refuses(folder, tool, lines, file, why):
    tool(*lines)
    found = unread(folder)
    assert list(found) == [file]
    assert why in found[file]


@pytest.mark.parametrize(
    ("cut", "why"),
    [
        ("head -c 60000", "packets, the last one in part, in packet 1 to"),
        ("awk '/^Frame 200:/ {exit} {print}'", "tshark told of 199 of "),
        ("sed 's/^Frame 200:/Frame/'", "told of "),
        ("sed '$d' | head -c -9", "packets, the last one in part"),
        ("head -c 0", "tshark told of 0 of "),
    ],
    ids=["within", "between", "leaves one out", "cuts the last", "says nothing"],
)
def test_a_second_reader_that_says_less_and_leaves_well_refuses(folder, tool, cut, why):
    tool('case "$1" in --version|-G) exec REAL "$@";; esac', f'REAL "$@" | {cut}')
    assert why in unread(folder)["a.pcapng"]


def test_only_packets_that_the_second_reader_told_of_are_counted(folder, tool):
    only = "awk '/^Frame 200:/ {exit} {print}'"
    tool('case "$1" in --version|-G) exec REAL "$@";; esac', f'REAL "$@" | {only}')
    assert audit(folder, TOLD).looked_at.dissected == 199


def test_what_tshark_said_before_it_stopped_is_told(folder, tool):
    tool(VERSION, "echo 'tshark: out of memory' >&2; exit 1")
    (why,) = unread(folder).values()
    assert "out of memory" in why
    assert "in packet 1 to " in why


def test_a_second_reader_that_takes_too_long_is_stopped(folder, tool, monkeypatch):
    monkeypatch.setattr(tshark, "MOST_S", 0.2)
    tool(VERSION, "exec sleep 600")
    (why,) = unread(folder).values()
    assert why.startswith("tshark did not end within 0.2 s")


def test_no_packet_is_left_out_because_there_are_many(folder, monkeypatch):
    whole = audit(folder, TOLD).looked_at.dissected
    monkeypatch.setattr(second, "MOST_OF_PART", 1 + whole // 3)
    assert audit(folder, TOLD).looked_at.dissected == whole > 3
    assert unread(folder) == {}


class Memory(dict):
    """Remembers what units saw."""

    def load(self, unit, files):
        return self.get(unit)

    def save(self, unit, files, seen):
        self[unit] = seen


def test_what_was_not_looked_at_is_tried_again(folder, monkeypatch):
    kept = Memory()
    with monkeypatch.context() as without:
        without.setattr(shutil, "which", lambda _: None)
        assert list(unread(folder, kept=kept)) == ["all captures"]
    assert kept == {}
    assert unread(folder, kept=kept) == {}
    assert len(kept) == 1


def test_without_captures_no_second_reader_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / "a.txt").write_text("nothing")
    assert audit(tmp_path, TOLD).clean


def test_what_is_packed_in_an_unknown_way_is_unread(tmp_path):
    (tmp_path / "a.xz").write_bytes(b"\xfd7zXZ\0" + bytes(9))
    (tmp_path / "b.bin").write_bytes(b"BZh91AY" + bytes(9))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("a.txt", b"secret")
    raw = bytearray((tmp_path / "c.zip").read_bytes())
    raw[6] |= 1  # says that a password is needed
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.zip").write_bytes(raw)
    assert list(unread(tmp_path)) == ["a.xz", "b.bin", "c.zip"]


def test_a_document_that_is_too_long_is_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MOST_DOCUMENT_B", 10)
    (tmp_path / "a.json").write_text(json.dumps(["too", "long", "by", "far"]))
    assert unread(tmp_path) == {"a.json": "is too long to be read as a document"}


def test_what_is_accepted_by_name_passes_and_is_told(tmp_path):
    for name in ("a.xz", "b.xz"):
        (tmp_path / name).write_bytes(b"\xfd7zXZ\0" + bytes(9))
    result = audit(tmp_path, TOLD, accepted=["unread:a.xz"])
    assert [f.file for f in result.findings] == ["b.xz"]
    assert [f.file for f in result.accepted] == ["a.xz"]
    assert "--accept 'unread:b.xz'" in result.findings[0].sentence


def test_an_identifier_cannot_be_accepted(tmp_path):
    (tmp_path / "a.txt").write_text(TOLD[0].value)
    names = ["", "unread", "plain", "secret", "unread:a.txt", TOLD[0].value]
    assert not audit(tmp_path, TOLD, accepted=names).clean
