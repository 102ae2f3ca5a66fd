"""Folders of homes: whole ones only."""

import json

import pytest

from analysis.errors import DatasetError
from analysis.flows.homes import homes_of


@pytest.fixture
def folder(tmp_path):
    """Return a folder with homes a and b, as far as their names go."""
    for name in "ab":
        (tmp_path / f"home={name}").mkdir()
        (tmp_path / f"home={name}" / "flows.parquet").touch()
    about = {"homes": [{"name": "a"}, {"name": "b"}]}
    (tmp_path / "homes.json").write_text(json.dumps(about), encoding="utf-8")
    return tmp_path


def test_homes_are_found_by_their_names(folder):
    assert homes_of(folder) == {
        name: folder / f"home={name}" / "flows.parquet" for name in "ab"
    }


def test_homes_that_nothing_lists_may_be_cut_short_and_are_refused(folder):
    (folder / "homes.json").unlink()
    with pytest.raises(DatasetError, match=r"homes\.json: is not there.*simulate it"):
        homes_of(folder)


def test_a_home_that_is_not_listed_is_refused_and_so_is_one_that_is_not_there(folder):
    (folder / "home=b").rename(folder / "home=c")
    with pytest.raises(DatasetError, match="home=c is not listed"):
        homes_of(folder)
    (folder / "home=c" / "flows.parquet").unlink()
    with pytest.raises(DatasetError, match="has no home=b/flows"):
        homes_of(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"homes": 3}', '{"homes": []}', '{"homes": [{}]}', "[" * 99_999]
)
def test_a_list_of_homes_that_is_none_is_refused(folder, text):
    (folder / "homes.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match="lists no homes, or is damaged; simulate"):
        homes_of(folder)
