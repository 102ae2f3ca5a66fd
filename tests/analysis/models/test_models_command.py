"""`testbed train`: what it prints, writes and refuses."""

import shlex

import pytest
from typer.testing import CliRunner

from analysis.models import figures, load
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
    for line in (first, second):
        s1, s2, s6 = line.partition("accuracy ")[2].split(", ")
        assert s6.startswith("s6 ")
        assert s6.endswith(" of known activities only")
        assert "only" not in s1 + s2
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


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--by activity+channel", "--by"),
        ("--clean none", "--clean"),
        ("--idle 5 --window longest", "--idle, --window"),
        ("--overlap cut", "--overlap"),
    ],
)
def test_windows_of_ones_own_and_streaming_do_not_go_together(project, words, named):
    done = command(
        *("train", "captures/week", "--out", "m", "--streaming"), *words.split()
    )
    assert done.exit_code != 0
    assert f"--streaming finds its own windows, without {named}; leave" in str(
        done.exception
    )
    assert not (project / "m").exists()


def test_what_streaming_learns_is_named_by_the_classifier_of_the_model(
    project, monkeypatch
):
    asked = []

    def learn(_folder, devices, plan, **_options):
        asked.append((devices, plan.classifier.name, plan.seed))
        return {}

    monkeypatch.setattr("analysis.streaming.learn.learn", learn)
    words = "--classifier nb --seed 3 --device plug --by activity --clean errors"
    words += " --clean retransmissions --overlap refuse --streaming"
    done = command("train", "captures/week", "--out", "m", *words.split())
    assert (done.exit_code, done.exception) == (0, None)
    assert asked == [(("plug",), "naive_bayes", 3)]
    card = (project / "m" / "CARD.md").read_text()
    assert "## Activities in a stream" in card
    assert "which activity it is by naive_bayes" in card
    assert "**No figure on this card is of them**" in card


def test_fits_are_shared_by_as_many_processes_as_are_asked_for(project, monkeypatch):
    asked, study = [], figures.study

    def watched(*arguments, **options):
        asked.append(options["jobs"])
        return study(*arguments, **options)

    monkeypatch.setattr(figures, "study", watched)
    words = "--classifier nb --device plug --jobs 3"
    done = command("train", "captures/week", "--out", "m", *words.split())
    assert (done.exit_code, asked) == (0, [3])
