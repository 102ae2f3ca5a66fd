"""What is named instead of a dataset or a campaign is told, with what to name."""

import shutil
from pathlib import Path

import pytest

from testbed.cli.datasets import find_campaign, refuse_others
from testbed.cli.folders import refuse_unwritable, refuse_without_tables
from testbed.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"


def made(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("names", "path", "sentence"),
    [
        ((), "set", "there is no such folder; name a dataset or a campaign"),
        (("set-01.zip",), "set-01.zip", "is an archive, or a part of one; unpack all"),
        (("set",), "set", "is a file; name the folder of a dataset or a campaign"),
        (("set.parts/parts.sha256",), "set.parts", "unpack them, as its README.txt"),
        (
            ("set.parts/parts.sha256", "set/manifest-sha256.txt"),
            "set.parts",
            "holds the parts of an archive; name .*/set$",
        ),
        (("set.draft/ledger.json",), "set.draft", "is a draft that was not finished"),
        (("set/a/b",), "set", "is no campaign, and no dataset that holds one; name"),
    ],
)
def test_what_is_no_dataset_is_told_in_one_sentence(tmp_path, names, path, sentence):
    made(tmp_path, *names)
    with pytest.raises(ConfigError, match=sentence) as told:
        find_campaign(tmp_path / path)
    assert "\n" not in str(told.value)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"is an empty folder; name a dataset$"):
        refuse_others(tmp_path, "a dataset")


def test_blanks_and_letters_of_others_are_no_hindrance(tmp_path):
    folder = tmp_path / "mit Leerzeichen" / "Küche.draft"
    shutil.copytree(EXAMPLE, folder)
    assert find_campaign(folder).folder == folder.resolve()
    refuse_unwritable(tmp_path / "mit Leerzeichen" / "Küche 2" / "neu")


def test_a_folder_that_is_a_file_is_told_with_its_option(tmp_path):
    made(tmp_path, "file")
    with pytest.raises(ConfigError, match=r"^--out: .*/file: is no folder; name"):
        refuse_unwritable(tmp_path / "file", "--out")


def test_tables_that_cannot_be_made_are_told_and_not_a_part_of_them(
    monkeypatch, tmp_path
):
    refuse_without_tables(tmp_path)
    monkeypatch.setattr("os.access", lambda _path, _how: False)
    with pytest.raises(ConfigError, match="has no tables of packets, and you may not"):
        refuse_without_tables(tmp_path)
    refuse_without_tables(made(tmp_path, "packets.json"))
