import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from testbed.model.acts import draw_acts
from testbed.model.load import load_profiles
from testbed.model.users import AttackKind
from testbed.virtual.people import DAYS, QUIET_DAYS, population
from testbed.virtual.people.repertoire import THINGS

ROOT = Path(__file__).parents[3]
DAY_S = 86_400
QUIET_S = QUIET_DAYS * DAY_S
N_USERS = 6
NOTHING_NEW = {
    "off_hours",
    "burst",
    "low_and_slow",
    "mimicry",
    "replay",
    "order_swap",
}


@pytest.fixture(scope="module")
def benign():
    return [draw_acts(s) for s in population(7, N_USERS)]


def test_what_the_published_figures_stand_on_is_frozen():
    digest = hashlib.sha256()
    for kind in (None, AttackKind.ORDER_SWAP, AttackKind.VOICE_INJECTION):
        for scenario in population(1, 3, kind):
            for a in draw_acts(scenario):
                digest.update(
                    f"{a.at_s:.1f} {a.user} {a.device} {a.activity}\n".encode()
                )
    assert digest.hexdigest()[:16] == "ad1254d3f6948ab8"


def test_three_kinds_of_households_in_turn():
    names = [s.scenario.rpartition("_")[0] for s in population(7, N_USERS)]
    assert names == ["resident", "shift_worker", "family"] * 2
    assert [s.days for s in population(7, 1)] == [DAYS]


def test_the_same_seed_gives_the_same_people_and_another_seed_others():
    assert population(7, 3) == population(7, 3)
    assert population(7, 3) != population(8, 3)


def test_one_more_household_changes_no_other():
    assert population(7, 4, "burst")[:3] == population(7, 3, "burst")


def test_people_can_do_what_they_do():
    profiles = load_profiles(ROOT / "devices")
    for thing in THINGS:
        assert (
            thing.channel in profiles[thing.device].activities[thing.activity].channels
        )


@pytest.mark.parametrize("kind", list(AttackKind))
def test_intruders_come_after_the_quiet_days_and_do_what_the_kind_says(kind, benign):
    unseen = []
    for scenario, alone in zip(population(7, 3, kind), benign[:3], strict=True):
        acts = draw_acts(scenario)
        known = {(a.device, a.activity) for a in acts if a.at_s < QUIET_S}
        bad = [a for a in acts if a.malicious]
        assert bad
        assert bad[0].at_s >= QUIET_S
        assert {a.episode for a in bad} == (
            {1} if kind == "low_and_slow" else {1, 2, 3}
        )
        unseen += [(a.device, a.activity) not in known for a in bad]
        others = tuple(a for a in acts if not a.malicious)
        assert set(others) < set(alone) if kind == "order_swap" else others == alone
    share = float(np.mean(unseen))
    if kind in NOTHING_NEW:
        assert share == 0
    elif kind == "new_action":
        assert share == 1
    else:
        assert 0.1 < share < 0.6


def test_days_differ_more_than_chance_alone_makes_them(benign):
    days = [np.array([int(a.at_s // DAY_S) for a in acts]) for acts in benign]
    counts = [np.bincount(each, minlength=DAYS) for each in days]
    assert np.median([c.var() / c.mean() for c in counts]) > 1.5


def test_the_shift_worker_is_awake_across_midnight_and_the_resident_is_not(benign):
    resident, shift = (
        Counter(int(a.at_s % DAY_S // 3600) for a in acts) for acts in benign[:2]
    )
    assert shift[23] > 20
    assert shift[0] > 20
    assert resident[2] + resident[3] < 0.02 * resident.total()


def test_weekends_of_a_family_differ_from_its_weekdays(benign):
    hours = np.zeros((2, 24))
    for act in benign[2]:
        day = int(act.at_s // DAY_S)
        hours[int(day % 7 >= 5), int(act.at_s % DAY_S // 3600)] += 1
    shares = hours / hours.sum(axis=1, keepdims=True)
    assert np.abs(shares[0] - shares[1]).sum() > 0.3
