"""Splits: who may stand on which side, and when the answer is a refusal in words."""

import numpy as np
import pytest

from analysis.evaluate.samples import Samples
from analysis.evaluate.splits.held_out import session_groups
from analysis.evaluate.splits.named import SPLITS, Fold, SplitRefusedError, refuse_leaks


def samples(n_sessions=4, repeats=3, n_activities=3, seed=0, **changes):
    """Make rows of trials, `repeats` of each activity in each session."""
    n = n_sessions * repeats * n_activities
    rng = np.random.default_rng(seed)
    values = {
        "device": "arlo_q",
        "names": ("a", "b", "c"),
        "x": rng.normal(size=(n, 3)),
        "activity": np.array([f"activity_{i % n_activities}" for i in range(n)]),
        "session": np.array([f"s{i * n_sessions // n}" for i in range(n)]),
        "trial": np.array([f"{i:04d}" for i in range(n)]),
        "start_ns": np.arange(n, dtype=np.int64) * 10**10,
        "n_packets": np.full(n, 9),
        "channel": np.full(n, "phone"),
        "network": np.array([("lan", "wan")[i // n_activities % 2] for i in range(n)]),
        "home": np.array([f"home_{i * n_sessions // n % 2}" for i in range(n)]),
        "day": np.array([f"2026-11-0{1 + i * n_sessions // n // 2}" for i in range(n)]),
    }
    return Samples(**{**values, **changes})


def one_each(n_sessions, n_activities):
    """Make one trial per session."""
    activity = np.array([f"activity_{i % n_activities}" for i in range(n_sessions)])
    return samples(n_sessions, 1, 1, activity=activity)


@pytest.mark.parametrize("name", SPLITS)
def test_a_trial_is_tested_at_most_once_and_never_while_known(name):
    split = SPLITS[name].split(samples(), 0)
    tested = np.concatenate([f.test for f in split.folds])
    assert len(set(tested)) == len(tested)
    for fold in split.folds:
        assert not set(fold.train) & set(fold.test)


@pytest.mark.parametrize("name", ["s0_folds", "s1"])
def test_folds_test_every_trial(name):
    split = SPLITS[name].split(samples(), 0)
    assert sorted(np.concatenate([f.test for f in split.folds])) == list(range(36))


@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4", "s5", "s6"])
@pytest.mark.parametrize("n_sessions", [3, 4, 7, 9])
def test_a_session_is_never_on_both_sides(name, n_sessions):
    rows = samples(n_sessions)
    for fold in SPLITS[name].split(rows, 0).folds:
        tested = np.concatenate((fold.test, fold.unknown))
        assert not set(rows.session[fold.train]) & set(rows.session[tested])


@pytest.mark.parametrize(
    ("name", "column"), [("s3", "day"), ("s4", "home"), ("s5", "network")]
)
def test_what_is_held_out_is_never_learnt_from(name, column):
    rows = samples(n_sessions=6)
    split = SPLITS[name].split(rows, 0)
    of = getattr(rows, column)
    assert {str(v) for f in split.folds for v in of[f.test]} == set(of)
    for fold in split.folds:
        assert not set(of[fold.train]) & set(of[fold.test])


def test_many_days_are_held_out_in_ten_groups():
    rows = samples(n_sessions=24, repeats=1)
    day = np.array([f"day {s}" for s in rows.session])
    split = SPLITS["s3"].split(samples(24, 1, day=day), 0)
    assert len(split.folds) == 10
    assert sum(f.test.size for f in split.folds) == len(rows)


def test_an_activity_over_one_interface_only_is_left_out_and_named():
    rows = samples()
    seldom = rows.activity == "activity_1"
    network = np.where(seldom, "lan", rows.network)
    split = SPLITS["s5"].split(samples(network=network), 0)
    assert split.note == "seen over one interface only: activity_1"
    assert not set(np.flatnonzero(seldom)) & set(split.folds[0].train)


def test_unknown_activities_are_in_no_training_and_each_activity_is_unknown_once():
    rows = samples(n_sessions=10, n_activities=5)
    split = SPLITS["s6"].split(rows, 0)
    strange = [set(rows.activity[f.unknown]) for f in split.folds]
    assert set().union(*strange) == set(rows.activity)
    for fold, names in zip(split.folds, strange, strict=True):
        assert len(names) == 1
        assert not names & set(rows.activity[fold.train])
        assert not names & set(rows.activity[fold.test])


def test_idle_windows_are_never_unknown():
    activity = np.array(["idle", "a", "b", "c"] * 9)
    rows = samples(activity=activity, n_activities=3)
    for seed in range(5):
        for fold in SPLITS["s6"].split(rows, seed).folds:
            assert "idle" not in rows.activity[fold.unknown]
            assert "idle" in rows.activity[fold.train]


def test_the_activities_that_are_unknown_depend_on_the_seed():
    digests = {SPLITS["s6"].split(samples(), seed).digest for seed in range(8)}
    assert len(digests) > 1


def test_the_chronological_split_holds_a_quarter_of_each_activity_where_it_can():
    rows = samples(n_sessions=8, n_activities=2)
    activity = rows.activity.copy()
    last = np.isin(rows.session, ["s6", "s7"])
    activity[last & (np.arange(len(rows)) % 6 != 0)] = "activity_1"
    (fold,) = SPLITS["s2"].split(samples(8, n_activities=2, activity=activity), 0).folds
    for name in np.unique(activity):
        n_late = (activity[fold.test] == name).sum()
        assert n_late >= 0.25 * (activity == name).sum()
    assert fold.test.size <= len(rows) / 2


def test_an_activity_without_a_quarter_of_later_trials_is_named_and_kept():
    rows = samples(n_sessions=10)
    early = np.isin(rows.session, ["s0", "s1", "s2", "s3", "s4"])
    activity = np.where(early & (rows.activity == "activity_0"), "old", rows.activity)
    once = np.flatnonzero(rows.session == "s9")[0]
    activity[once] = "old"
    split = SPLITS["s2"].split(samples(10, activity=activity), 0)
    assert split.note == "less than a quarter late, but kept: old"
    assert once in split.folds[0].test


def test_the_chronological_split_tests_on_later_sessions_with_a_quarter_of_trials():
    rows = samples(n_sessions=10)
    (fold,) = SPLITS["s2"].split(rows, 0).folds
    assert rows.start_ns[fold.train].max() < rows.start_ns[fold.test].min()
    assert 0.25 <= len(fold.test) / len(rows) < 0.4


def test_sessions_are_ordered_by_time_and_not_by_name():
    rows = samples(n_sessions=2)
    names = {"s0": "z", "s1": "a"}
    renamed = samples(n_sessions=2, session=np.array([names[s] for s in rows.session]))
    (fold,) = SPLITS["s2"].split(renamed, 0).folds
    assert set(renamed.session[fold.test]) == {"a"}


@pytest.mark.parametrize("name", SPLITS)
def test_same_trials_and_seed_give_the_same_digest_and_others_do_not(name):
    plan = SPLITS[name]
    first = plan.split(samples(), 3).digest
    assert plan.split(samples(), 3).digest == first
    assert plan.split(samples(n_sessions=5), 3).digest != first
    if plan.leaky:
        assert plan.split(samples(), 4).digest != first


def test_only_the_random_splits_are_called_leaky():
    assert {n for n, plan in SPLITS.items() if plan.leaky} == {"s0_folds", "s0_holdout"}


@pytest.mark.parametrize(
    ("name", "rows", "reason"),
    [
        ("s1", samples(n_sessions=1), "one session only"),
        ("s2", samples(n_sessions=1), "one session only"),
        ("s0_folds", samples(n_sessions=1), "fewer than 5 repeats: every activity"),
        ("s0_holdout", samples(1, repeats=1), "fewer than 2 repeats: every activity"),
        ("s0_holdout", samples(1, 2, 8), "16 trials are too few to test 8 activities"),
        ("s1", samples(n_activities=1), "only one activity"),
        ("s3", samples(day=np.full(36, "2026-11-01")), "one day only"),
        ("s4", samples(home=np.full(36, "")), "one unit in one home only"),
        ("s5", samples(network=np.full(36, "lan")), "one interface only"),
        ("s6", samples(n_activities=2), "fewer than three activities"),
        ("s6", samples(n_sessions=1), "one session only"),
    ],
)
def test_an_impossible_split_is_refused_in_words(name, rows, reason):
    with pytest.raises(SplitRefusedError, match=reason):
        SPLITS[name].split(rows, 0)


@pytest.mark.parametrize("name", ["s1", "s2", "s6"])
def test_fewer_trials_of_each_activity_than_folds_give_fewer_folds(name):
    # twelve sessions of one trial each, four of each activity
    rows = one_each(12, 3)
    split = SPLITS[name].split(rows, 0)
    assert 1 <= len(split.folds) <= 4


@pytest.mark.filterwarnings("error")
def test_an_activity_with_fewer_trials_than_folds_is_no_warning():
    rows = samples(n_sessions=6)
    activity = rows.activity.copy()
    activity[[0, 53]] = "seldom"
    split = SPLITS["s1"].split(samples(n_sessions=6, activity=activity), 0)
    assert len(split.folds) == 5


def test_no_activity_with_two_trials_leaves_nothing_to_hold_out():
    rows = samples(3, 1, 1, activity=np.array(["a", "b", "c"]))
    with pytest.raises(SplitRefusedError, match="too few trials: no activity has two"):
        session_groups(rows, np.arange(3), 3)


def test_a_rare_activity_is_left_out_and_named():
    rows = samples()
    activity = rows.activity.copy()
    activity[0] = "seldom"
    split = SPLITS["s1"].split(samples(activity=activity), 0)
    assert split.note == "seen in one session only: seldom"
    assert 0 not in np.concatenate([f.test for f in split.folds])


def test_duplicate_rows_across_a_split_are_refused():
    x = samples().x.copy()
    x[30] = x[2]
    with pytest.raises(SplitRefusedError, match="1 windows have an identical copy"):
        SPLITS["s1"].split(samples(x=x), 0)


def test_windows_without_packets_are_no_duplicates():
    x = samples().x.copy()
    x[30] = x[2] = 0.0
    n_packets = np.full(36, 9)
    n_packets[[2, 30]] = 0
    SPLITS["s1"].split(samples(x=x, n_packets=n_packets), 0)


def test_a_trial_on_both_sides_is_refused():
    trial = samples().trial.copy()
    trial[35] = trial[0]
    with pytest.raises(SplitRefusedError, match="a trial is on both sides"):
        SPLITS["s1"].split(samples(trial=trial), 0)


def test_a_session_on_both_sides_is_refused():
    fold = Fold(train=np.array([0, 1]), test=np.array([2, 3]))
    with pytest.raises(SplitRefusedError, match="a session is on both sides"):
        refuse_leaks(samples(), fold, by_session=True)


@pytest.mark.parametrize("column", ["length_ns", "home", "x", "day"])
def test_a_column_of_another_size_is_refused_and_not_blanked(column):
    short = getattr(samples(), column)[:-1]
    if column == "length_ns":
        short = np.zeros(35, np.int64)
    with pytest.raises(ValueError, match=f"{column}: has 35 rows for 36 windows"):
        samples(**{column: short})
