"""The section that says how far scores go."""

import re

import pytest

from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.delta.scores import DeltaScore
from analysis.evaluate.device_study import Packets, StudyPlan, study_device
from analysis.evaluate.samples import cut_of, open_recorded, samples_in
from analysis.evaluate.study import parted
from analysis.report.blocks import Gallery, Grid
from analysis.report.delta_chart import draw_delta
from analysis.report.recording import Share
from analysis.report.scores import Scores
from analysis.report.trust import QUICK, Trust, measure_trust, trusted

QUICKLY = all_classifiers()[QUICK]


@pytest.fixture
def shares(make):
    def made(**size):
        recorded = open_recorded(make.trained(**size))
        cut = cut_of(recorded, "lamp")
        share = Share(
            device="lamp", table=None, cut=cut, n_labelled=0, n_empty=0, found={}
        )
        return recorded.log, (share,)

    return made


def section(log, shares, quiet, **how):
    plan = StudyPlan(
        classifiers=(QUICKLY,), with_payload=False, splits=("s0_folds", "s1", "s2")
    )
    samples = samples_in(shares[0].cut)
    parts = parted(samples, plan.splits, 0)
    made = study_device(samples, parts, plan, Packets(n=1, removed={}))
    trust = measure_trust(shares, log, QUICKLY, 0, quiet)
    return trusted(trust, Scores(studies=(made,), classifiers=(QUICKLY,)), **how)


@pytest.mark.parametrize(
    ("recorded", "given", "beside"),
    [(False, "profile s", "the profile’s"), (True, "recorded s", "that recorded")],
)
def test_what_an_import_recorded_is_called_so(shares, quiet, recorded, given, beside):
    log, made = shares(sessions=3, repeats=4)
    found = section(log, made, quiet, recorded=recorded)
    (grid,) = (b for b in found.blocks if isinstance(b, Grid) and "answer" in b.title)
    assert given in [column.title for column in grid.columns]
    assert grid.title.endswith(beside)


def test_a_campaign_that_is_large_enough_has_every_picture(shares, quiet):
    log, made = shares(sessions=4, repeats=6)
    found = section(log, made, quiet)
    pictures = [p for b in found.blocks if isinstance(b, Gallery) for p in b.pictures]
    assert [p.name for p in pictures] == [
        "splits",
        "reliability",
        "accuracy_by_sessions",
        "accuracy_by_packets",
        "open_set",
        "delta",
    ]
    for picture in pictures:
        assert picture.alt
        assert picture.data.rows
        assert "lamp" in {row[0] for row in picture.data.rows}
    grids = {b.data.name: b for b in found.blocks if isinstance(b, Grid)}
    assert set(grids) == {"gaps", "deltas"}
    # packets of each activity come within 8 s; half of the trials end before
    estimates = {r["activity"]: r for r in grids["deltas"].data.records()}
    for each in estimates.values():
        assert 3 < each["low_s"] <= each["delta_s"] <= each["high_s"] < 8.5


def test_few_trials_have_no_curves_but_what_their_scores_say(shares, quiet):
    log, made = shares(sessions=3, repeats=2)
    found = section(log, made, quiet)
    pictures = [p for b in found.blocks if isinstance(b, Gallery) for p in b.pictures]
    assert [p.name for p in pictures] == ["splits", "reliability"]


def test_without_any_score_there_is_no_section():
    nothing = Trust(classifier=QUICKLY, open_set=(), curves=(), deltas=())
    assert trusted(nothing, Scores(studies=(), classifiers=(QUICKLY,))) is None


def test_names_of_devices_cannot_become_markup():
    score = DeltaScore(
        device="<script>alert(1)</script>",
        classifier="nearest",
        split="s1",
        rule="seconds",
        seconds=2.0,
        accuracy=0.5,
        f1=0.5,
        interval=None,
        length_only=0.2,
        n_trials=10,
        n_idle=0,
        n_sessions=1,
    )
    drawn = draw_delta((score,), {}, "delta", "S1")
    assert "<script" not in drawn.svg
    assert re.search(r"&lt;script&gt;", drawn.svg)
