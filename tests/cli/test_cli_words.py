"""What commands say when they are interrupted, or asked for what is not there."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.core import TyperGroup

import testbed.cli.data
from testbed.__main__ import main as command_of_module
from testbed.cli import main

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"
SET = "."
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


@pytest.mark.parametrize("module", ["testbed.cli", "typer"])
def test_ctrl_c_while_the_command_line_is_loaded_is_answered_as_well(module):
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from testbed.__main__ import main\n"
        "main()\n"
    )
    left = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, text=True, check=False
    )
    assert (left.returncode, left.stderr) == (130, "testbed: interrupted\n")


def test_the_command_is_the_one_that_answers_ctrl_c_while_it_loads():
    (command,) = metadata.entry_points(group="console_scripts", name="testbed")
    assert command.load() is command_of_module


def test_ctrl_c_while_words_are_read_is_answered_as_well(run, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(TyperGroup, "make_context", interrupted)
    assert run("label", "anywhere") == (130, "testbed: interrupted\n")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("verify", EXAMPLE), "nothing is kept; call it again, with --no-readers"),
        (("reproduce", SET), "nothing is kept; with --out FOLDER the next call"),
        (
            ("reproduce", SET, "--out", "."),
            "what is done lies in .; call it again to go on",
        ),
        (("compare", EXAMPLE, EXAMPLE), "nothing is kept; call it again"),
        (
            ("lab", "learn", EXAMPLE, "--device", "echo_dot", "--out", "twin"),
            "nothing is kept; call it again",
        ),
        (("publish", EXAMPLE, "set"), "nothing was made yet; call it again"),
    ],
)
def test_who_is_interrupted_is_told_what_is_kept(
    run, monkeypatch, tmp_path, words, kept
):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path / "set")
    (tmp_path / "set" / "data").mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "set" / "config"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    for name in ("compare.compare", "verify.verify", "reproduce.reproduce"):
        monkeypatch.setattr(f"analysis.{name}", interrupted)
    monkeypatch.setattr("analysis.twins.learn_twin", interrupted)
    monkeypatch.setattr("analysis.exporters.bundle.publish", interrupted)
    code, said = run(*words)
    assert code == 130
    assert said.splitlines()[-1].startswith(f"testbed: interrupted; {kept}")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


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
