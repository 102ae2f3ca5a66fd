"""Paired differences, and groups of activities: how much they may claim."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest

import analysis.classifiers
from analysis.classifiers.model import Classifier
from analysis.evaluate.splits.folds import Fold
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import score, scored
from analysis.evaluate.trust.compare import compare, comparisons, gap
from analysis.evaluate.trust.groups import group_score, identifiable_groups, merged
from analysis.registry import discover
from testbed.cli.score_extras import print_better, print_trust
from tests.given import trials

CLASSIFIERS = discover(analysis.classifiers, "CLASSIFIERS")
BAYES = CLASSIFIERS["naive_bayes"]


def results_of(rows, names, split):
    made = SPLITS[split].split(rows, 0)
    return scored(rows, [CLASSIFIERS[name] for name in names], [made], seed=0)


def test_a_classifier_that_errs_less_is_better_by_the_errors_it_does_not_make():
    one, other = results_of(trials(1.5), ("naive_bayes", "nearest"), "s1")
    said = one.truth.copy()
    wrong = np.flatnonzero(other.answers.said != other.truth)
    said[wrong[::2]] = "activity_9"
    better = replace(one, answers=replace(one.answers, said=said))
    found = compare(better, other)
    n = one.n_trials
    assert found.difference == pytest.approx((wrong.size - wrong[::2].size) / n)
    assert found.fewer == pytest.approx(1 - wrong[::2].size / wrong.size)
    assert 0 < found.interval.low <= found.difference <= found.interval.high
    assert found.fewer_interval.low > 0.3


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_is_not_of_the_paper_is_compared_with_what_is_in_any_order(order):
    paper, own = results_of(trials(1.5), ("nearest", "gradient_boosting"), "s0_holdout")
    ours = replace(own, classifier="fusion")
    (found,) = comparisons([(paper, ours)[n] for n in order])
    assert (found.one, found.other) == ("fusion", "nearest")


def test_equal_answers_differ_by_nothing():
    one, other = results_of(trials(1.5), ("nearest", "nearest"), "s1")
    found = compare(one, other)
    assert (found.difference, found.fewer) == (0.0, 0.0)
    # as a classifier that is right in all of 192 trials may yet be wrong
    assert found.interval.low == pytest.approx(-0.02, abs=0.001)
    assert found.interval.high == pytest.approx(0.02, abs=0.001)
    assert -0.2 < found.fewer_interval.low < 0 < found.fewer_interval.high < 0.2


def test_the_gap_counts_trials_that_both_splits_test():
    rows = trials(1.5)
    (leaky,) = results_of(rows, ["nearest"], "s0_folds")
    (honest,) = results_of(rows, ["nearest"], "s1")
    found = gap(leaky, honest)
    assert found.n_trials == len(rows)
    assert found.difference == pytest.approx(leaky.accuracy - honest.accuracy)


def with_errors(result, wrong):
    said = result.truth.copy()
    said[wrong] = "activity_9"
    return replace(result, answers=replace(result.answers, said=said))


def test_few_sessions_that_agree_do_not_make_a_difference_certain():
    rows = trials(n_sessions=2, repeats=3, n_kinds=4)
    (made,) = results_of(rows, ["naive_bayes"], "s1")
    twice = [np.flatnonzero(made.session == s)[0] for s in ("s0", "s1")]
    right, worse = with_errors(made, []), with_errors(made, twice)
    found = compare(right, worse)
    assert found.difference == pytest.approx(2 / 24)
    low = binomtest(2, 2).proportion_ci().low
    assert found.interval.low <= (2 * low - 1) * 2 / 24 < 0
    assert found.interval.high > 0.2
    assert found.fewer == 1
    assert found.fewer_interval.low < 0
    back = compare(worse, right).interval
    assert (back.low, back.high) == pytest.approx(
        (-found.interval.high, -found.interval.low)
    )
    assert gap(right, worse).interval == found.interval


def test_sessions_that_differ_more_than_trials_would_keep_their_wider_interval():
    rows = trials(n_sessions=8, repeats=6)
    (made,) = results_of(rows, ["naive_bayes"], "s1")
    wrong = np.flatnonzero(np.isin(made.session, ["s0", "s1"]))
    found = compare(with_errors(made, []), with_errors(made, wrong))
    assert found.difference == 0.25
    assert found.interval.high > 0.45
    assert found.interval.low <= 0


def test_many_trials_in_many_sessions_make_a_difference_clear():
    rows = trials(n_sessions=30, repeats=3)
    (made,) = results_of(rows, ["naive_bayes"], "s1")
    found = compare(with_errors(made, []), with_errors(made, np.arange(0, 360, 12)))
    assert found.interval.low > 0.04
    assert found.fewer_interval.low > 0.5


def test_names_are_merged_through_those_they_cannot_be_told_from():
    told = {("a", "c"), ("a", "d"), ("b", "d"), ("c", "d")}
    names = np.array(["a", "b", "c", "d"])
    assert merged(names, told) == (("a", "b", "c"), ("d",))


def test_activities_that_look_alike_are_one_group_and_others_are_not():
    rows = trials(repeats=10)
    split = SPLITS["s2"].split(rows, 0)
    groups = identifiable_groups(rows, split, [BAYES], seed=0)
    alike = ("activity_2", "activity_3")
    assert groups == ((("activity_0",), ("activity_1",), alike),)
    result = score(rows, BAYES, split, seed=0)
    found = group_score(result, groups, 0)
    assert result.accuracy < 0.9
    assert found.accuracy > 0.97
    assert found.majority == pytest.approx(0.5, abs=0.05)
    assert not found.single


def test_groups_learn_nothing_from_test_rows():
    rows = trials(repeats=10)
    split = SPLITS["s2"].split(rows, 0)
    (fold,) = split.folds
    x, activity = rows.x.copy(), rows.activity.copy()
    x[fold.test] = 0
    activity[fold.test] = "activity_0"
    other = replace(rows, x=x, activity=activity)
    once = identifiable_groups(rows, split, [BAYES], seed=0)
    assert identifiable_groups(other, split, [BAYES], seed=0) == once


def test_noise_is_one_group_where_nothing_is_told_apart():
    rows = trials(apart=0.0, repeats=10)
    split = SPLITS["s1"].split(rows, 0)
    groups = identifiable_groups(rows, split, [BAYES], seed=0)
    found = group_score(score(rows, BAYES, split, seed=0), groups, 0)
    assert found.single
    assert found.majority > 0.9


def test_one_session_in_which_activities_take_turns_still_tells_them_apart():
    # rows 0, 3, 6 ... are one activity: a fold of every third row would hold it whole
    rows = trials(apart=6.0, n_sessions=2, repeats=20, n_kinds=3)
    x = rows.x.copy()
    x[rows.activity == "activity_2", 3] += 9
    rows = replace(rows, x=x)
    split = SPLITS["s2"].split(rows, 0)
    assert np.unique(rows.session[split.folds[0].train]).size == 1
    groups = identifiable_groups(rows, split, [BAYES], seed=0)
    assert groups == ((("activity_0",), ("activity_1",), ("activity_2",)),)


def test_too_few_trials_to_hold_any_out_show_no_difference():
    rows = trials(n_sessions=4)

    class Choosy(type(BAYES.make(0))):
        def fit(self, x, y):
            assert np.unique(y).size > 1
            return super().fit(x, y)

    plan = Classifier(
        name="choosy", title="", make=lambda seed: Choosy(BAYES.make(seed).steps)
    )
    split = SPLITS["s1"].split(rows, 0)
    for train in ([0, 1], [0, 24, 1]):
        fold = Fold(train=np.array(train), test=np.array([48, 49]))
        few = replace(split, folds=(fold,))
        groups = identifiable_groups(rows, few, [plan], seed=0)
        assert groups == ((("activity_0", "activity_1"),),)


def test_the_best_of_the_others_stands_beside_each_of_the_papers_classifiers(capsys):
    names = ("random_forest", "nearest", "naive_bayes", "fusion", "gradient_boosting")
    (made,) = results_of(trials(n_sessions=4), ["naive_bayes"], "s1")
    results = [
        replace(with_errors(made, np.arange(each)), classifier=name)
        for each, name in zip((4, 8, 12, 1, 2), names, strict=True)
    ]
    study = SimpleNamespace(
        device="bulb", results=results, comparisons=comparisons(results)
    )
    print_better([study], {})
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if line.startswith("bulb")]
    assert [row[2:4] for row in rows] == [["fusion", name] for name in names[:3]]
    assert [row[-1] == "-" for row in rows] == [True, True, False]  # 4, 8, 12 errors
    assert "- where the other makes fewer than 10" in shown
    assert "chosen by these very trials" in shown


def test_sets_are_printed_as_cross_conformal_without_a_guarantee(capsys):
    results = results_of(trials(n_sessions=4), ["naive_bayes"], "s1")
    print_trust([SimpleNamespace(device="bulb", results=results)], {})
    assert (
        "cross-conformal: measured here, and guaranteed by nothing"
        in capsys.readouterr().out
    )
