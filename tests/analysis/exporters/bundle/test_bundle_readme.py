"""The commands of ours that the README of a dataset names, run as they stand."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from analysis.dataset import Times
from analysis.exporters.anonymise import Counts, Policy
from analysis.exporters.bundle import About, Request, licence_of, publish
from analysis.exporters.bundle.answers import gaps_in, read_answers
from analysis.exporters.bundle.datasheet import QUESTIONS, write_datasheet
from analysis.exporters.bundle.done import Done, Splits
from analysis.exporters.bundle.facts import CampaignFacts, Facts
from analysis.exporters.bundle.howto import how_to
from analysis.exporters.identifiers import Identifier
from testbed.cli import build
from testbed.cli.publish_closing import closing_lines, template_of

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "captures" / "example"
FUNDED = "Who funded it?"


FIRST = "set/data/campaigns/example-20261121T221930.567Z"


class Silent:
    """Is told of everything."""

    def begin(self, step, total_b):
        pass

    def read(self, size_b):
        pass

    def end(self, step, note):
        pass


@pytest.fixture(scope="module")
def both(tmp_path_factory, close):
    """Return a dataset of two campaigns, one of which has a device renamed."""
    place = tmp_path_factory.mktemp("both")
    second = place / "second"
    shutil.copytree(EXAMPLE, second)
    for name in ("campaign.yaml", "activities.csv", "journal.jsonl"):
        text = (second / name).read_text()
        for old, new in (("221930.567Z", "221930.568Z"), ("tplink_hs110", "toms_plug")):
            text = text.replace(old, new)
        (second / name).write_text(text)
    close(second)
    request = Request(
        campaigns=(EXAMPLE, second),
        out=place / "set",
        key=bytes(range(32)),
        about=About(answers=((FUNDED, "Nobody did."),)),
        extra=(Identifier(kind="person", value="toms_plug"),),
        accept=("unread:tshark",),
    )
    with pytest.MonkeyPatch.context() as patch:  # to start it takes the longest
        patch.setattr("analysis.exporters.audit.tshark.shutil.which", lambda _: None)
        publish(request, Silent())
    return request.out


@pytest.fixture(scope="module")
def said(both):
    return (both / "data" / "README.md").read_text()


@pytest.fixture(scope="module")
def sheet(both):
    return (both / "data" / "datasheet.md").read_text()


def commands_in(text):
    """Return the words of each line that calls the testbed, without its name."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("testbed ")]


def test_it_names_what_checks_it_and_runs_it_again(said):
    assert commands_in(said) == [
        ["verify", "set"],
        ["reproduce", "set"],
        ["compare", FIRST, "captures/NEW"],
        ["rerun", f"/path/to/{FIRST}", "--check"],
    ]


@pytest.mark.parametrize("topic", ["verify", "reproduce", "compare", "rerun"])
def test_its_commands_end_well(both, said, topic, monkeypatch):
    (words,) = [words for words in commands_in(said) if words[0] == topic]
    new = str(max((both / "data" / "campaigns").iterdir()))
    words = [word.replace("captures/NEW", new) for word in words]
    words = [word.replace("/path/to", str(both.parent)) for word in words]
    # the first in its folder, the last in a clone of the software
    monkeypatch.chdir(ROOT if topic == "rerun" else both.parent)
    done = CliRunner().invoke(build([topic]), words)
    # two mornings are too few days to tell drift by
    assert done.exit_code == (5 if topic == "compare" else 0), done.output


def test_its_line_for_tshark_names_one_campaign(both, said, monkeypatch):
    (line,) = re.findall(r"```sh\n(tshark .+?)```", said, re.DOTALL)
    monkeypatch.chdir(both / "data")
    done = subprocess.run(["sh", "-c", line], check=True, capture_output=True)
    assert len(done.stdout.splitlines()) == 444  # of echo_dot
    assert "one campaign at a time" in said


def test_what_has_a_pseudonym_that_labs_do_not_know_is_told(both, said):
    told = json.loads((both / "data" / "anonymisation.json").read_text())
    (line,) = told["renamed"]
    campaign, _, what = line.partition(": ")
    assert campaign.endswith(".568Z")
    assert what.startswith("device ")
    assert what != "device toms_plug"
    assert f"{what} in {campaign}" in " ".join(said.split())
    assert what in closing_lines(both, About())[0]


def test_what_was_accepted_is_told_where_people_read(said, sheet):
    for text in (said, sheet):
        assert "accepted `unread:tshark`" in " ".join(text.split())


def test_answers_of_people_are_in_the_datasheet_and_gaps_are_counted(both, sheet):
    assert f"**{FUNDED}**\n\nNobody did.\n" in sheet
    line = closing_lines(both, About())[-1]
    n = gaps_in(both / "data")
    assert n >= 8
    assert f"{n} questions marked TO FILL" in line
    path = template_of(both)
    assert f"--answers {path}" in line
    asked = yaml.safe_load(path.read_text())
    assert len(asked) == n
    assert set(asked) < set(QUESTIONS)
    assert read_answers(path, path.read_text(), QUESTIONS) == ()


def test_every_question_is_known(sheet):
    assert tuple(re.findall(r"\n\*\*(.+)\*\*\n", sheet)) == QUESTIONS


def test_virtual_time_and_splits_are_told_as_they_are(sheet):
    assert "no packet was captured, and no clock ran" in sheet
    assert "Z (virtual time)" in sheet
    assert "None is possible: one session per campaign" in sheet
    assert "captured at the router" not in sheet


def of_form(**form):
    return CampaignFacts(
        **{
            **{"name": "c", "path": "campaigns/c", "devices": ("lamp",), "sessions": 2},
            **{"first_ns": 0, "last_ns": 1, "outcomes": {}, "activities": {}},
            **{"channels": ("phone",), "captures": (), "packets": 1, "scenario": {}},
            **{"profiles": {}, "versions": {}, "widened": False},
            **{"times": Times.RECORDED, "simulated": False, "form": "live", **form},
        }
    )


@pytest.mark.parametrize(
    ("form", "told", "is_told_to_run_again"),
    [
        ({}, "captured at the router of the lab while", True),
        ({"simulated": True}, "programs play devices", True),
        ({"simulated": True, "form": "fast"}, "no clock ran", True),
        ({"form": "imported"}, "come from elsewhere", False),
        ({"form": "imported", "times": Times.DAYS}, "headers was made up", False),
    ],
)
def test_each_form_is_told_as_it_was_made(tmp_path, form, told, is_told_to_run_again):
    campaign = of_form(**form)
    facts = Facts(
        name="set", title="T", licence=licence_of("CC0-1.0"), authors=("A",),
        campaigns=(campaign,), software="1", with_results=False,
    )  # fmt: skip
    splits = Splits(n=3, devices=1, of=1, why_not=())
    done = Done(policy=Policy(), counts=Counts(), kept={}, splits=splits, answers={})
    sheet = write_datasheet(tmp_path, facts, done).read_text()
    assert told in sheet
    assert ("from the controller that caused it" in sheet) == is_told_to_run_again
    assert ("virtual time" in sheet) == (form.get("form") == "fast")
    assert ("(made up, but" in sheet) == ("times" in form)
    assert ("caused its activities: TO FILL" in sheet) != is_told_to_run_again
    assert "Yes, for 1 of 1 device" in sheet
    said = "\n".join(how_to(facts, done))
    assert ("--check\n" in said) == is_told_to_run_again


def test_it_tells_the_rule_by_which_labels_were_made(said):
    text = " ".join(said.split())
    # the example was labelled without widening
    assert "`t_ns <= time_ns < t_ns + delta_ns`; windows are not widened" in text


def test_it_promises_no_more_than_was_done(said):
    text = " ".join(said.split())
    assert "every name of the home" not in text
    assert "that were found or told" in text
    assert "What nobody found or told is as it was" in text
