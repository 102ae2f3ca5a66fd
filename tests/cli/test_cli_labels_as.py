"""Labels for other tools: what lies there already is not lost without a word."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.cli import build
from testbed.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"
FILES = {
    "pcapml": ("labels.csv",),
    "zeek": ("conn.log.labeled",),
    "netflowlabeler": ("conn.log", "labels.config"),
}


def label(*words):
    return CliRunner().invoke(build(["data"]), ["label", str(EXAMPLE), *words])


@pytest.mark.parametrize("kind", FILES)
def test_nothing_is_replaced_unless_it_is_asked_for(kind, tmp_path):
    words = ("--as", kind, "--out", str(tmp_path))
    for name in FILES[kind]:
        mine = tmp_path / name
        mine.write_text("mine\n")
        done = label(*words)
        assert isinstance(done.exception, ConfigError)
        assert str(done.exception) == f"{mine} is there already; --force replaces it"
        assert mine.read_text() == "mine\n"
        mine.unlink()
    assert label(*words).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == set(FILES[kind])
    (tmp_path / FILES[kind][0]).write_text("mine\n")
    assert label(*words, "--force").exit_code == 0
    assert "mine" not in (tmp_path / FILES[kind][0]).read_text()


def test_force_without_a_tool_is_refused():
    assert "belongs to --as" in str(label("--force").exception)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--as", "zeke"), "--as: 'zeke' is no format of labels; did you mean 'zeek'?"),
        (("--as", "x"), "--as: 'x' is no format of labels; use pcapml, zeek, netflow"),
        (("--as", "zeek"), "give --as pcapml, zeek, netflowlabeler and --out FOLDER"),
        (("--out", "x"), "give --as pcapml, zeek, netflowlabeler and --out FOLDER"),
    ],
)
def test_a_format_that_is_none_is_told_with_those_that_there_are(words, reason):
    assert str(label(*words).exception).startswith(reason)
