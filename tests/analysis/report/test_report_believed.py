"""What the page says of how far it can be believed: headline, leaks, unknown times."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

from analysis.evaluate.campaign import plan_of
from analysis.evaluate.patterns.payloads import NAME as PAYLOAD
from analysis.evaluate.samples import samples_in
from analysis.evaluate.study import study
from analysis.evaluate.trust.canaries import Canary
from analysis.report import write as write_module
from analysis.report import write_report
from analysis.report.blocks import Grid, Note
from analysis.report.leaks import leaks
from analysis.report.recognition import recognition
from analysis.report.recording import read_recording, shares_of
from analysis.report.scores import Scores


def read(page, name):
    return json.loads((page.parent / "data" / "house" / f"{name}.json").read_text())


def test_a_report_scores_by_the_classifiers_of_evaluate(make, tmp_path, monkeypatch):
    asked = []

    def chapter(_recording, key, plan, _say, _told):
        asked.append(plan)
        return SimpleNamespace(key=key, grids=tuple, pictures=tuple)

    monkeypatch.setattr(write_module, "campaign_chapter", chapter)
    monkeypatch.setattr(write_module, "write_page", lambda _chapters, out: out)
    folder = make.folder("house", [make.row(1, make.monday_ns)])
    write_report([folder], tmp_path / "out", say=lambda _line: None, seed=3)
    (plan,) = asked
    assert [c.name for c in plan.classifiers] == [c.name for c in plan_of().classifiers]
    assert "fusion" in {c.name for c in plan.classifiers}
    assert plan.canaries
    assert plan.with_payload
    assert plan.seed == 3


def test_the_headline_is_s2_of_a_classifier_that_no_score_has_chosen(
    make, write, tmp_path
):
    page = write([make.trained()], tmp_path / "out", classifiers=("nb", "knn"))
    (first,) = (
        row
        for row in read(page, "accuracy")
        if (row["split"], row["classifier"]) == ("s2", "naive_bayes")
    )
    text = page.read_text()
    tile = f"<b>{first['f1']:.3f}</b><span>S2, Naive Bayes: mean macro-F1</span>"
    assert tile in text
    assert "S2 is the one to believe" in text
    assert "Confusion matrices: Naive Bayes, S2 chronological" in text
    assert "mean over activities: S2 chronological" in text


def test_a_headline_from_a_leaky_split_says_so(make, write, tmp_path):
    folder = make.trained(sessions=1, repeats=6)
    text = write([folder], tmp_path / "out", classifiers=("nb",)).read_text()
    assert "<span>S0, Naive Bayes: mean macro-F1, leaky</span>" in text
    assert "No device allows S2 here" in text


def test_what_canaries_found_is_on_the_page_and_the_rest_in_a_file(
    make, write, tmp_path
):
    page = write([make.trained()], tmp_path / "out", classifiers=("nb",))
    rows = read(page, "canaries")
    assert {row["split"] for row in rows} == {"s0_folds", "s1", "s2"}
    assert {"copies", "time_only", "adversarial"} <= {row["canary"] for row in rows}
    judged = [row for row in rows if row["sound"] is not None]
    loud = [row for row in judged if not row["sound"]]
    told = f"{len(loud) or 'None'} of {len(judged)} found"
    assert told in page.read_text()


def test_a_loud_canary_is_a_warning_with_its_device_split_and_numbers():
    loud = Canary(name="copies", value=12.0, limit=0.0, sound=False, note="twins")
    quiet = Canary(name="length_only", value=0.2, limit=0.4, sound=True)
    none = Canary(name="time_only", value=None, limit=None, sound=None, note="not")
    study = SimpleNamespace(device="lamp", canaries={"s2": (loud, quiet, none)})
    note, found, every = leaks([study])
    assert isinstance(note, Note)
    assert note.warning
    assert "1 of 2 found something" in note.text
    assert isinstance(found, Grid)
    assert [item.text for item in found.rows[0]] == [
        *("lamp", "S2 chronological", "copies", "twins", "12", "0")
    ]
    assert len(found.rows) == 1
    assert (every.folded, len(every.data.rows)) == (True, 3)
    maybe = Canary(name="length_only", value=0.583, limit=0.4, sound=True)
    note, doubted, _every = leaks(
        [SimpleNamespace(device="x", canaries={"s2": (maybe,)})]
    )
    assert not note.warning
    assert "by more than luck would make of it. None of 1 found any." in note.text
    assert "1 is above its limit, with too few trials to be sure." in note.text
    assert "with --window longest all windows are of one length" in note.text
    assert doubted.title == "Above its limit, too few trials to be sure"
    assert [item.text for item in doubted.rows[0]][-2:] == ["0.583", "0.4"]
    note, every = leaks([SimpleNamespace(device="lamp", canaries={"s2": (quiet,)})])
    assert "--window" not in note.text
    assert not note.warning
    assert "None of 1 found any" in note.text


def test_times_that_an_import_made_up_are_nowhere_on_the_page(make, write, tmp_path):
    folder = make.trained(simulated=False, form="imported", times="invented")
    page = write([folder], tmp_path / "out", classifiers=("nb",))
    text = page.read_text()
    assert "when is not known: the traces do not say" in text
    assert "No date means anything here" in text
    assert "what lies between two, and so the silence there, was made up" in text
    assert "clock’s error" not in text
    assert "S2 chronological refused for lamp: the import made up the order" in text
    for path in sorted(page.parent.rglob("*.csv")):
        assert "_ns," not in path.read_text().split("\n")[0].replace(
            "since_start_ns", ""
        )
        assert "2026-01" not in path.read_text()
    assert "2026-01" not in text
    assert next(iter(read(page, "timeline_lamp")))["since_start_ns"] == 0


def test_dates_that_an_import_kept_are_shown_and_no_time_of_day(make, write, tmp_path):
    folder = make.trained(simulated=False, form="imported", times="dates")
    page = write([folder], tmp_path / "out", classifiers=("nb",))
    text = page.read_text()
    assert "2026-01-05 to 2026-01-07; the times of day are not known" in text
    assert "Only dates mean anything here" in text
    assert "label windows, of 2026-01-0" in text
    assert not re.search(r"2026-01-0\d \d", text)
    assert "S2, Naive Bayes" in text


def test_how_far_the_clock_of_others_was_off_is_not_claimed(make, write, tmp_path):
    folder = make.trained(sessions=1, repeats=1, simulated=False, form="imported")
    text = write([folder], tmp_path / "out").read_text()
    assert "how well their clock went is not known. Stamps were written to" in text
    assert "clock’s error" not in text
    assert "bound of the clock" not in text


def test_a_report_of_payloads_alone_says_what_was_heard_or_that_nothing_was(
    make, write, tmp_path
):
    text = write([make.trained()], tmp_path / "a", classifiers=("payload",)).read_text()
    assert "No device was heard to say anything in plain text." in text
    folder = make.trained("theirs", simulated=False, form="imported")
    text = write([folder], tmp_path / "b", classifiers=("payload",)).read_text()
    assert "S2 chronological refused for lamp: payload: " in text
    (share,) = shares_of(read_recording(folder))
    plan = plan_of(("nb",), ("s2",))
    found = study(samples_in(share.cut), plan.classifiers, ("s2",))[0]
    heard = [replace(each, classifier=PAYLOAD) for each in found]
    studied = SimpleNamespace(results=heard, refusals=())
    (grid,) = recognition(Scores(studies=(studied,), classifiers=())).blocks
    assert grid.data.name == "payload"
    assert grid.rows[0][0].text == "lamp"
