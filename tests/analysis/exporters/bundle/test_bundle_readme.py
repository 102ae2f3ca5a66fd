"""The commands of ours that the README of a dataset names, run as they stand."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.cli import build

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def said(published):
    return (published / "data" / "README.md").read_text()


def commands_in(text):
    """Return the words of each line that calls the testbed, without its name."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("testbed ")]


def test_it_names_what_checks_it_and_runs_it_again(said):
    assert commands_in(said) == [
        ["verify", "set"],
        ["reproduce", "set"],
        ["rerun", "set", "--check"],
        ["compare", "set", "set"],
    ]


@pytest.mark.parametrize("topic", ["verify", "reproduce", "rerun"])
def test_its_commands_end_well(published, said, tmp_path, topic, monkeypatch):
    (words,) = [words for words in commands_in(said) if words[0] == topic]
    monkeypatch.chdir(published.parent)
    if topic == "rerun":  # in the folder of a lab it needs neither
        words += ["--lab", str(ROOT / "lab.yaml"), "--devices", str(ROOT / "devices")]
        words += ["--out", str(tmp_path)]
    done = CliRunner().invoke(build([topic]), words)
    assert done.exit_code == 0, done.output


def test_it_tells_the_rule_by_which_labels_were_made(said):
    text = " ".join(said.split())
    # the example was labelled without widening
    assert "`t_ns <= time_ns < t_ns + delta_ns`; windows are not widened" in text


def test_it_promises_no_more_than_was_done(said):
    text = " ".join(said.split())
    assert "every name of the home" not in text
    assert "that were found or told" in text
    assert "What nobody found or told is as it was" in text
