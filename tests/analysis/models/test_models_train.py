"""What is learnt of a campaign, and what is said about it."""

import csv

import numpy as np
import pytest

from analysis.errors import AnalysisError, DatasetError, RequestError
from analysis.evaluate.samples import samples_of
from analysis.models import train, train_plan_of

NAMES = ("idle", "settings", "snapshot", "stream")


def test_a_device_is_learnt_from_all_its_trials_and_from_idle_windows(model):
    camera = model.devices["camera"]
    assert camera.activities == NAMES
    assert camera.facts.learnt.trials == dict(zip(NAMES, (8, 16, 16, 16), strict=True))
    assert camera.facts.learnt.sessions == ("day-0", "day-1", "day-2", "day-3")
    assert len(camera.facts.learnt.days) == 4
    assert camera.device.mac == "02:00:00:00:00:11"
    assert camera.delta_s == {"settings": 8.0, "snapshot": 8.0, "stream": 8.0}
    assert camera.longest_s == 8.0


def test_without_a_number_there_are_as_many_idle_windows_as_of_the_commonest(campaign):
    heard = []
    made = train(
        campaign,
        ("plug",),
        train_plan_of("nb"),
        told=lambda *each: heard.append(each),
    )
    assert made.devices["plug"].facts.learnt.trials["idle"] == 16
    assert {what for what, _done, _total in heard} == {"plug: training"}
    assert heard[-1][1] == heard[-1][2] > 1


def test_the_same_plan_and_seed_give_the_same_model(campaign, model, plan):
    again = train(campaign, ("camera", "plug"), plan)
    assert again.origin == model.origin
    for name, device in model.devices.items():
        assert again.devices[name].facts == device.facts


def test_another_log_is_other_data(make_campaign, tmp_path, plan):
    folder = make_campaign(tmp_path / "week", sessions=2, repeats=2)
    before = train(folder, ("plug",), plan)
    path = folder / "activities.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    rows[-1]["outcome"] = "no_effect"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    after = train(folder, ("plug",), plan)
    assert after.origin.data_digest != before.origin.data_digest
    learnt = [m.devices["plug"].facts.learnt for m in (before, after)]
    assert learnt[1].n_rows == learnt[0].n_rows - 1
    assert learnt[1].digest != learnt[0].digest


def test_figures_are_of_sessions_that_were_left_out(model):
    s1, s2, s6 = model.devices["camera"].facts.scores
    assert (s1.split, s2.split, s6.split) == ("s1", "s2", "s6")
    assert s1.accuracy > 0.9
    assert s1.interval[0] < s1.accuracy
    assert s1.null < 0.5
    assert s1.n_sessions == 4
    assert [a.activity for a in s1.activities] == list(NAMES)
    assert s2.n_trials < s1.n_trials
    assert s6.ece is not None


def test_windows_of_one_length_do_not_tell_their_activity_by_it(campaign):
    made = train(campaign, ("plug",), train_plan_of("nb", n_idle=8, window_s=6.0))
    assert set(made.devices["plug"].delta_s.values()) == {6.0}
    assert made.devices["plug"].longest_s == 6.0


def test_with_one_session_there_is_a_reason_instead_of_a_figure(
    make_campaign, tmp_path, plan
):
    folder = make_campaign(tmp_path / "week", sessions=1)
    made = train(folder, ("plug",), plan).devices["plug"]
    for score in made.facts.scores:
        assert score.accuracy == 0
        assert "one session only" in score.reason
    assert made.facts.tried is None
    assert made.facts.strange is None
    assert made.decision.n_windows == 0


def test_it_answers_for_windows_like_those_that_it_learnt(campaign, model):
    samples = samples_of(campaign, "camera")
    said = model.devices["camera"].decide(samples.x, samples.sequence)
    labels = [each.label for each in said]
    assert np.mean(np.array(labels) == samples.activity) > 0.9
    assert all(0 <= each.probability <= 1 for each in said)


def test_a_device_without_two_activities_is_refused(make_campaign, tmp_path):
    folder = make_campaign(tmp_path / "week", sessions=2, repeats=1)
    path = folder / "activities.csv"
    path.write_text(path.read_text().replace("snapshot", "stream"))
    path.write_text(path.read_text().replace("settings", "stream"))
    with pytest.raises(DatasetError, match="two are needed to tell apart"):
        train(folder, ("plug",), train_plan_of("nb", n_idle=0))


def test_classifiers_that_do_not_exist_or_cannot_be_kept_are_refused():
    with pytest.raises(RequestError, match="not a classifier"):
        train_plan_of("forest_of_doom")
    with pytest.raises(AnalysisError, match="cannot be kept as a model"):
        train_plan_of("payload")
