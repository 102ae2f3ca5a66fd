"""A disk that is full, or cannot be written, is told as such and blames no data."""

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.errors import DatasetError, WorkspaceError
from analysis.pcap.errors import CaptureError
from analysis.verify import remade as remade_module
from analysis.verify import verify
from analysis.workspace import refuse_without_room, room_told, working_folder
from testbed.cli import build

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"
Usage = namedtuple("Usage", "total used free")


class Silent:
    def begin(self, step, total_b):
        pass

    def read(self, size_b):
        pass

    def end(self, step, note):
        pass


def full(*_args, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def wrapped(*_args, **_options):
    """Fail as the writer of labelled captures does: its error has a cause."""
    try:
        full()
    except OSError as exc:
        raise CaptureError(Path("x.pcapng"), None, "cannot be written") from exc


def in_words(*_args, **_options):
    raise RuntimeError("IO error: No space left on device (os error 28)")


@pytest.mark.parametrize("fail", [full, wrapped, in_words])
def test_lack_of_room_is_told_whoever_tells_of_it(fail, tmp_path):
    with pytest.raises(WorkspaceError) as told, room_told(tmp_path, "by --out"):
        fail()
    remedy = "free some space, or name another folder by --out"
    assert str(told.value) == f"{tmp_path}: no space left on device; {remedy}"
    assert told.value.exit_code == 4


def test_other_errors_stay_what_they_are():
    with pytest.raises(DatasetError), room_told():
        raise DatasetError("activities.csv: line 4: is not there")
    with pytest.raises(PermissionError), room_told():
        raise PermissionError(errno.EACCES, "Permission denied", "raw/lan.pcapng")


def test_a_folder_with_too_little_room_is_refused_before_the_work(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 2_000_000))
    refuse_without_room(tmp_path, 2_000_000)
    with pytest.raises(WorkspaceError, match="2 MB free, 3 MB needed"):
        refuse_without_room(tmp_path, 3_000_000)


def test_no_folder_for_temporary_files_is_told(monkeypatch):
    def none(**_options):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryDirectory", none)
    with pytest.raises(WorkspaceError, match="No usable temp"), working_folder("a-"):
        pass


@pytest.mark.parametrize("step", ["label_campaign", "make_tables"])
@pytest.mark.parametrize("fail", [full, wrapped])
def test_a_dataset_is_not_blamed_for_a_full_disk(monkeypatch, step, fail):
    monkeypatch.setattr(remade_module, step, fail)
    with pytest.raises(WorkspaceError, match="no space left on device; free some"):
        verify(EXAMPLE, Silent(), readers=False)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 1000))


@pytest.mark.usefixtures("tiny")
def test_verify_refuses_a_small_disk_at_once_unless_it_needs_none():
    with pytest.raises(WorkspaceError, match="too little room: 0 MB free, "):
        verify(EXAMPLE, Silent(), readers=False)
    assert verify(EXAMPLE, Silent(), quick=True).faults == ()


@pytest.mark.usefixtures("tiny")
def test_the_command_has_an_exit_code_of_its_own_for_it():
    done = CliRunner().invoke(build(["verify"]), ["verify", str(EXAMPLE)])
    assert isinstance(done.exception, WorkspaceError)
    assert done.exception.exit_code == 4


def test_readers_of_others_that_were_left_out_are_told(capsys):
    words = ["verify", str(EXAMPLE), "--no-readers"]
    done = CliRunner().invoke(build(["verify"]), words)
    assert done.exit_code == 0
    assert done.stdout.endswith(": no fault; 1 thing not checked, as told above\n")
    assert "not checked: readers of others: left out, as asked" in done.stderr
    done = CliRunner().invoke(build(["verify"]), [*words, "--json"])
    assert '"readers": false' in done.stdout
