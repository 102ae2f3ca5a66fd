"""`testbed train`: what it prints, writes and refuses."""

import shlex

import pytest
from typer.testing import CliRunner

from analysis.models import load
from testbed.cli import build


def command(*arguments):
    return CliRunner().invoke(build(("train",)), [str(a) for a in arguments])


@pytest.fixture
def project(campaign, tmp_path, monkeypatch):
    """Stand in a folder with a campaign."""
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "week").symlink_to(campaign)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_on_the_card_makes_the_same_model_again(project):
    words = "--classifier nb --idle 6 --seed 3 --clean none --device plug --window 7s"
    done = command("train", "captures/week", "--out", "a", *words.split())
    assert (done.exit_code, done.exception) == (0, None)
    card = (project / "a" / "CARD.md").read_text()
    shown = card.split("```sh\n")[1].split("\n```")[0].replace("MODEL", "b")
    words = shlex.split(shown)
    assert words[:5] == ["testbed", "train", "captures/week", "--out", "b"]
    assert command(*words[1:]).exit_code == 0
    made, again = load(project / "a"), load(project / "b")
    assert again.origin == made.origin
    assert again.devices["plug"].facts == made.devices["plug"].facts
    assert (made.origin.seed, made.origin.rules, made.origin.idle) == (3, (), 6)
    assert made.devices["plug"].longest_s == 7.0


def test_it_tells_scores_of_held_out_sessions_and_the_size_on_disk(project):
    done = command("train", "captures/week", "--out", "m", "--classifier", "nb")
    first, second, last = done.stdout.splitlines()
    assert first.startswith("camera: 64 windows of 4 sessions; accuracy s1 ")
    assert second.startswith("plug: 64 windows of 4 sessions; accuracy s1 ")
    size_b = sum(path.stat().st_size for path in (project / "m").iterdir())
    assert last == f"m: 2 devices, {size_b} bytes, simulated; see CARD.md"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--classifier forest", "'forest' is not a classifier"),
        ("--device camel", "has no device 'camel'"),
        ("--by mood", "--by: must be activity or activity+channel"),
        ("--out captures", "captures: is there already; remove it, or name another"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_learnt(
    project, words, sentence
):
    done = command("train", "captures/week", "--out", "m", *words.split())
    assert done.exit_code != 0
    assert sentence in str(done.exception)
    assert not (project / "m").exists()
