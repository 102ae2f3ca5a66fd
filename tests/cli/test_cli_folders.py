"""Folders that commands are to make: where they would damage, or cannot be, is told."""

import errno
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.cli import build
from testbed.cli import publish as publishing
from testbed.cli.folders import refuse_inside, refuse_replacing, refuse_unwritable
from testbed.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "captures" / "example"
FILES = ("--lab", ROOT / "lab.yaml", "--devices", ROOT / "devices")
OF_A_DATASET = ("bagit.txt", "manifest-sha256.txt", "data/README.md")


def call(*words):
    """Run a command; return what it refused."""
    done = CliRunner().invoke(build(), [*map(str, words)])
    assert done.exception is not None
    return done.exception


@pytest.fixture
def dataset(tmp_path):
    """Return a folder that looks like a dataset that was published."""
    for name in OF_A_DATASET:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "set"


@pytest.mark.parametrize(
    "words",
    [
        ("publish", EXAMPLE),
        ("compare", EXAMPLE, EXAMPLE, "--out"),
        ("lab", "learn", EXAMPLE, "--device", "echo_dot", "--out"),
        ("lab", "homes", "--devices", ROOT / "devices", "--out"),
        ("rerun", EXAMPLE, "--fast", *FILES, "--out"),
        ("run", ROOT / "scenarios" / "demo.yaml", "--fast", *FILES, "--out"),
        ("train", EXAMPLE, "--out"),
        ("label", EXAMPLE, "--as", "pcapml", "--out"),
        ("reproduce", "OTHER", "--out"),
    ],
    ids=lambda words: " ".join(map(str, words[:2])).replace(str(ROOT), ""),
)
@pytest.mark.parametrize("place", ["inner", "data/deep/x"])
def test_no_command_makes_a_folder_in_a_dataset(
    dataset, tmp_path, monkeypatch, words, place
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    other = tmp_path / "other"
    (other / "data").mkdir(parents=True)
    words = [other if word == "OTHER" else word for word in words]
    before = sorted(dataset.rglob("*"))
    told = call(*words, dataset / place)
    assert isinstance(told, ConfigError), told
    wanted = f"lies in {dataset}, a dataset, which more files would damage; name a fol"
    assert wanted in str(told)
    assert sorted(dataset.rglob("*")) == before


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("a/bagit.txt",), "a dataset"),
        (("a/tagmanifest-sha256.txt",), "a dataset"),
        (("a/campaign.yaml",), "a campaign"),
        (("a/MANIFEST.sha256",), "a campaign"),
        (("a.parts/parts.sha256",), "the archive of a dataset"),
        (("a.draft/ledger.json",), "a draft of `publish`"),
    ],
)
def test_what_more_files_would_damage_is_known_by_its_papers(tmp_path, names, what):
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (closed,) = tmp_path.iterdir()
    with pytest.raises(ConfigError, match=f"^--out: .* lies in {closed}, {what}, "):
        refuse_inside(closed / "x" / "y", "--out")
    with pytest.raises(ConfigError, match=f"is {what}, which more files would damage"):
        refuse_inside(closed)
    refuse_inside(tmp_path / "x")
    link = tmp_path / "link"
    link.symlink_to(closed)
    with pytest.raises(ConfigError, match="which more files would damage"):
        refuse_inside(link / "x")


def test_nothing_is_made_where_an_unfinished_publication_will_be(tmp_path):
    (tmp_path / "a.draft").mkdir()
    refuse_inside(tmp_path / "a" / "x")
    (tmp_path / "a.draft" / "ledger.json").touch()
    with pytest.raises(ConfigError, match="the place of an unfinished publication, "):
        refuse_inside(tmp_path / "a" / "x")
    refuse_inside(tmp_path / "a")  # whose publication may go on


def test_a_dataset_that_waits_for_its_draft_to_go_is_no_hindrance(dataset):
    with pytest.raises(ConfigError, match="is already there"):
        publishing._folders([EXAMPLE, dataset])
    dataset.with_name("set.draft").mkdir()
    assert publishing._folders([EXAMPLE, dataset]) == ((EXAMPLE,), dataset)


def test_where_folders_can_be_looked_at_but_not_made_is_told_at_once(
    tmp_path, monkeypatch
):
    def refused(**_options):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    refuse_unwritable(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.mkdtemp", refused)
    with pytest.raises(ConfigError, match="cannot be made there: no such file") as told:
        refuse_unwritable(tmp_path / "new")
    assert str(told.value).endswith("; name another folder")


def test_a_name_that_no_file_system_takes_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be made there: file name too long"):
        refuse_unwritable(tmp_path / ("x" * 300))


def test_a_comparison_does_not_write_over_what_is_not_its_own(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("mine")
    told = call("compare", EXAMPLE, EXAMPLE, "--out", tmp_path)
    assert str(told).endswith("holds index.html of something else; name another folder")
    assert page.read_text() == "mine"
    refuse_replacing(tmp_path, ("tests.csv",), "drift.json", "--out")
    (tmp_path / "drift.json").touch()  # of an earlier one, which it does again
    refuse_replacing(tmp_path, ("index.html",), "drift.json", "--out")


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("report", "name a folder elsewhere with --out"),
        ("label", "copy the campaign, and name the copy"),
    ],
)
def test_a_campaign_of_a_dataset_gets_no_more_files(dataset, command, remedy):
    folder = dataset / "data" / "campaigns" / "example"
    shutil.copytree(EXAMPLE, folder)
    before = sorted(dataset.rglob("*"))
    refused = call(command, folder)
    assert isinstance(refused, ConfigError)
    assert str(refused).startswith(f"{folder}: is of the dataset {dataset}, which")
    assert str(refused).endswith(remedy)
    assert sorted(dataset.rglob("*")) == before
