"""What commands say when they are interrupted, or asked for what is not there."""

import sys

import pytest

import testbed.cli.data
from testbed.cli import main

IMPORT = ("import", "pcap", "a", "--activities", "b")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process; return its exit code and what it said."""

    def _run(*words):
        monkeypatch.setattr(sys, "argv", ["testbed", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, capsys.readouterr().err

    return _run


def test_ctrl_c_is_answered_with_a_word(run, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(testbed.cli.data, "load_kernels", interrupted)
    code, said = run("label", "anywhere")
    assert code == 130
    assert said.startswith("testbed: interrupted")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("evaluate", "x", "--split", "s9"), "'s9' is not a split"),
        (("features", "x", "--out", "a.csv"), "--out: a.csv: must end in .parquet"),
        (
            (*IMPORT, "--device", "lamp=00:17:88:6a:12:05", "--delta", "14"),
            "--delta: must be a duration",
        ),
        (
            (*IMPORT, "--device", "nobody"),
            "'nobody' is no MAC",
        ),
    ],
)
def test_a_wrong_word_is_named_and_leaves_with_2(run, words, sentence):
    code, said = run(*words)
    assert code == 2
    assert sentence in said


def test_a_device_to_import_may_be_given_by_its_profile(run, tmp_path):
    words = ("a.pcap", "--activities", "b.csv", "--device", "echo_dot")
    code, said = run("import", "pcap", *words, "--out", tmp_path)
    assert code == 2
    assert "a.pcap" in said
