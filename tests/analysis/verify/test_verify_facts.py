"""The journal of a campaign against its plan, its own stamps and the receipt."""

import json

import pytest

from analysis.verify import verify

SECOND = 1_000_000_000


@pytest.fixture
def told(campaign, watcher):
    """Return a function that changes facts of the journal and tells the faults."""

    def _told(change):
        path = campaign / "journal.jsonl"
        facts = [json.loads(line) for line in path.read_text().splitlines()]
        for fact in facts:
            change(fact["event"], fact["facts"], fact)
        path.write_text("".join(json.dumps(each) + "\n" for each in facts))
        found = verify(campaign, watcher, quick=True).faults
        return [str(each) for each in found if "MANIFEST" not in str(each)]

    return _told


def test_a_trial_that_was_renamed_in_its_fact_is_unlike_the_plan(told):
    def change(event, facts, _):
        if event == "trial_started" and facts["trial"] == "0002":
            facts["activity"] = "turn_on"

    what = "activity: is 'turn_on', but the plan of trial 0002 says 'turn_off'"
    assert f"journal.jsonl: line 15: {what}" in told(change)


def test_a_trial_that_was_never_planned_is_told(told):
    def change(event, facts, _):
        if event == "campaign_planned":
            plan = json.loads(facts["plan_json"])
            del plan["trials"][1]
            facts["plan_json"] = json.dumps(plan)

    assert told(change) == ["journal.jsonl: line 15: trial 0002 is not in the plan"]


def test_a_trial_that_was_put_in_is_planned(told):
    def change(event, facts, fact):
        if event == "campaign_planned":
            plan = json.loads(facts["plan_json"])
            gone.append(plan["trials"].pop(1))
            facts["plan_json"] = json.dumps(plan)
        elif event == "clock_measured" and gone:
            fact["event"] = "trials_inserted"
            fact["facts"] = {"before": "0003", "trials_json": json.dumps(gone)}
            gone.clear()

    gone = []
    (fault,) = told(change)  # the measurement whose place it took
    assert "clock measurement 1 is not in the journal" in fault


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("delta_ns", str(3 * SECOND), "delta_ns: is 3000000000, but the plan says 80"),
        ("user", "eve", "user: is 'eve', but the plan says ''"),
    ],
)
def test_what_no_fact_tells_is_held_against_the_plan(campaign, told, name, value, what):
    path = campaign / "activities.csv"
    head, row, *rest = path.read_text().splitlines(keepends=True)
    values = row.rstrip("\n").split(",")
    values[head.rstrip("\n").split(",").index(name)] = value
    path.write_text("".join([head, ",".join(values) + "\n", *rest]))
    (fault,) = told(lambda *_: None)
    assert fault.startswith(f"activities.csv: line 2: {what}")


@pytest.mark.parametrize(
    ("by_ns", "what"),
    [
        (-SECOND, "issue_ns: lies 620.687 ms before it was announced"),
        (SECOND, "return_ns: lies 1000.000 ms after it was written down"),
    ],
)
def test_a_stimulus_that_was_moved_lies_outside_of_its_facts(told, by_ns, what):
    def change(event, facts, _):
        if event == "stimulus_returned" and facts["trial"] == "0001":
            for name in ("issue_ns", "return_ns", "instant_ns"):
                facts[name] += by_ns

    assert f"journal.jsonl: line 7: {what}" in told(change)


def test_a_clock_that_jumped_makes_no_stamp_a_fault(told):
    def change(event, facts, fact):
        if event == "clock_measured":
            facts["stepped_ns"] = 2 * SECOND
        if event == "stimulus_issued":
            fact["at_ns"] += SECOND // 2

    assert not any("issue_ns" in each for each in told(change))


def test_counts_and_clock_of_the_receipt_are_those_of_the_journal(campaign, told):
    path = campaign / "raw/receipt.json"
    receipt = json.loads(path.read_text())
    (capture,) = receipt["captures"]
    capture["received"] -= 1
    capture["clock"][1]["offset_ns"] += 1000
    capture["clock"][2]["at_ns"] += 1
    path.write_text(json.dumps(receipt))
    place = "raw/receipt.json: capture c01: "
    assert [each.removeprefix(place) for each in told(lambda *_: None)] == [
        "received: is 1266, but the journal says 1267",
        "clock measurement 2 is otherwise in the journal",
        "clock measurement 3 is not in the journal",
    ]
