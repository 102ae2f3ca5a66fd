"""The fault matrix: its page, its judge, and a sample of its cases."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.model.scripted import VIRTUAL_FAULTS
from tests.bench.faultmatrix import judging, page
from tests.bench.faultmatrix.bench import WITHIN_S, Fact
from tests.bench.faultmatrix.cases import CASES
from tests.bench.faultmatrix.running import run_case

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = (
    "phone offline in a trial",
    "view tree is stale",
    "device restarts by itself",
    "capture is killed",
    "capture drops a trial's beacons",
    "router's clock jumps back in a window",
)
BY_NAME = {case.name: case for case in CASES}
S = 10**9
TRUE = judging.True_(
    device="lamp",
    activity="turn_on",
    channel="phone",
    parameters="",
    capture_ns=100 * S,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder whose undisturbed campaigns are made once for all cases."""
    return tmp_path_factory.mktemp("matrix")


@pytest.mark.timeout(2 * WITHIN_S + 50)  # the undisturbed campaign before it, too
@pytest.mark.parametrize("name", SAMPLE)
def test_a_campaign_survives(name, shared):
    number = list(BY_NAME).index(name)
    verdict = run_case(BY_NAME[name], shared / name.replace(" ", "-"), number)
    assert verdict.complaints == []


def test_the_page_lists_the_cases_of_the_code():
    shown = page.rows(page.PAGE.read_text(encoding="utf-8"))
    wanted = page.rows(
        page.BEGIN + "\n\n" + "\n".join(page.row(c, "?") for c in CASES) + "\n"
    )
    assert [r[:5] for r in shown] == [r[:5] for r in wanted]


def test_each_case_was_measured():
    unmeasured = [r[0] for r in page.rows(page.PAGE.read_text("utf-8")) if not r[5]]
    assert unmeasured == []


def test_there_are_enough_cases_of_either_form_and_none_twice():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 28
    assert {case.form.value for case in CASES} == {"live", "fast"}


def test_each_fault_of_the_virtual_lab_is_described_and_struck():
    text = (ROOT / "docs" / "virtual-lab.md").read_text(encoding="utf-8")
    struck = {strike.kind for case in CASES for strike in case.strikes}
    assert [k for k in VIRTUAL_FAULTS if f"| `{k}`" not in text] == []
    assert set(VIRTUAL_FAULTS) - struck == set()
    assert struck - set(VIRTUAL_FAULTS) == {"disk_here"}


def log(folder, **changes):
    row = {
        "trial": "0001",
        "device": "lamp",
        "activity": "turn_on",
        "channel": "phone",
        "outcome": "confirmed",
        "t_ns": 100 * S,
        "t_issue_ns": 100 * S - 1000,
        "t_return_ns": 100 * S + 1000,
        "t_uncertainty_ns": 500,
    } | changes
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return folder


def test_a_label_is_right_within_its_bracket_and_uncertainty(tmp_path):
    for late_ns in (-1500, 0, 1500):
        true = replace(TRUE, capture_ns=100 * S + late_ns)
        assert judging.wrong_labels(log(tmp_path), [true]) == []


@pytest.mark.parametrize(
    "true",
    [
        replace(TRUE, capture_ns=100 * S + 1501),
        replace(TRUE, capture_ns=100 * S - 1501),
        replace(TRUE, device="fan"),
        replace(TRUE, activity="turn_off"),
        replace(TRUE, channel="voice"),
    ],
)
def test_a_label_is_wrong_when_something_else_happened(tmp_path, true):
    (wrong,) = judging.wrong_labels(log(tmp_path), [true])
    assert "lamp turn_on is confirmed" in wrong


def test_a_label_is_wrong_when_nothing_happened_unless_it_is_none(tmp_path):
    assert judging.wrong_labels(log(tmp_path), [])
    assert judging.wrong_labels(log(tmp_path, outcome="aborted"), []) == []


def facts(*more):
    plan = '{"trials": [{"trial": "1"}, {"trial": "2", "preparation": true}]}'
    given = [("campaign_planned", {"plan_json": plan}), ("session_started", {}), *more]
    return [Fact(at_ns=0, kind=kind, facts=values) for kind, values in given]


ENDED = ("trial_ended", {"trial": "1", "attempt": 1, "outcome": "confirmed"})
VOIDED = ("attempt_voided", {"trial": "1", "attempt": 1, "reason": "lost"})
CLOSED = ("campaign_closed", {})


@pytest.fixture
def campaign(tmp_path):
    (tmp_path / "MANIFEST.sha256").touch()
    return tmp_path


@pytest.fixture
def case():
    return replace(CASES[0], shows=("untouched",), outcomes=(), exits=(0,))


def test_a_campaign_that_went_as_expected_has_no_complaints(case, campaign):
    assert judging.complaints(case, [0], facts(ENDED, CLOSED), campaign) == []


@pytest.mark.parametrize(
    ("exits", "more", "word"),
    [
        ([3], (ENDED, CLOSED), "exit codes"),
        ([0], (ENDED,), "not closed"),
        ([0], (CLOSED,), "not all planned"),
        ([0], (ENDED, VOIDED, CLOSED), "not confirmed"),
        ([0], (ENDED, VOIDED, CLOSED), "no untouched"),
    ],
)
def test_what_did_not_go_as_expected_is_complained_of(
    case, campaign, exits, more, word
):
    found = judging.complaints(case, exits, facts(*more), campaign)
    assert any(word in one for one in found)
