from datetime import datetime
from pathlib import Path

import pytest

from tests.bench.fit_events import there, write_list
from tests.bench.study_runs import STUDIES, campaigns_of, drawn, kinds_of, scores

CAMERA = STUDIES[0]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.title)
def test_learning_ends_before_the_first_attack_begins(study):
    case = drawn(study, 8000)
    first_ns = min(int(attack.time_ns[0]) for attack in case.attacks)
    assert case.split.learn.end_ns[-1] <= case.split.score.start_ns[0] <= first_ns
    assert {attack.user for attack in case.attacks} == kinds_of(study.watched).keys()


def test_scores_are_the_same_for_the_same_seed():
    kinds = kinds_of(CAMERA.watched)
    once, again = (scores(drawn(CAMERA, 8000), ["rate"], kinds) for _ in range(2))
    assert once == again
    assert once["rate"]["one"]["false"] <= 1


def test_a_campaign_of_other_draws_goes_with_the_owner_of_the_seed_after():
    names = ("week_camera", "week_camera-5", "week_camera_owner-6", "week_camera-7")
    found = campaigns_of(CAMERA, {name: Path(name) for name in names})
    expected = {
        "week_camera": Path("week_camera-5"),
        "week_camera_owner": Path("week_camera_owner-6"),
    }
    assert found == [expected]


def test_local_times_that_no_clock_showed_are_left_out_and_counted(tmp_path):
    assert not there(datetime(2021, 3, 14, 2, 30))  # noqa: DTZ001 - local
    (tmp_path / "labels.csv").write_text(
        '"March 14, 2021 at 02:30AM","lamp","on"\n'
        '"March 14, 2021 at 03:30:10AM","lamp","on"\n'
    )
    out = tmp_path / "out.csv"
    facts = write_list(tmp_path, ["labels"], out)
    assert facts == {"rows": 2, "distinct": 1, "in_no_hour": 1}
    assert out.read_text().splitlines()[1] == "2021-03-14 03:30:10,lamp,on"
