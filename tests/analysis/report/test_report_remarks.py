"""Lower rungs and closed pop-ups are warnings on the page."""

import csv
import json


def lines(detail, trial="0001"):
    started = {"trial": trial, "attempt": 1, "device": "lamp", "activity": "turn_on"}
    returned = {"trial": trial, "attempt": 1, "detail": detail}
    return [
        json.dumps({"seq": 1, "event": "trial_started", "facts": started}),
        json.dumps({"seq": 2, "event": "stimulus_returned", "facts": returned}),
    ]


def page_of(make, write, tmp_path, journal):
    folder = make.folder("house", [make.row(1, make.monday_ns)])
    (folder / "journal.jsonl").write_text("\n".join(journal))
    return write([folder], tmp_path / "out")


def test_each_is_counted_by_device_and_activity(make, write, tmp_path):
    fallback = {"fallback": "text 'On', as id 'on' is not on the screen"}
    closed = {"interrupt": "permission dialog, closed by text 'Deny'"}
    journal = [
        *lines(fallback, "0001"),
        *lines(fallback, "0002"),
        *lines(closed, "0003"),
        "{cut sho",
    ]
    page = page_of(make, write, tmp_path, journal)
    (path,) = page.parent.rglob("*remarks.csv")
    with path.open(encoding="utf-8") as file:
        rows = {(r["device"], r["what"]): r["times"] for r in csv.DictReader(file)}
    assert rows == {("lamp", "fallback"): "2", ("lamp", "interrupt"): "1"}
    assert "In 2 attempts a button was not found" in page.read_text()


def test_a_campaign_that_went_as_described_has_no_such_section(make, write, tmp_path):
    page = page_of(make, write, tmp_path, lines({"rung": "id"}))
    assert "went another way" not in page.read_text()
