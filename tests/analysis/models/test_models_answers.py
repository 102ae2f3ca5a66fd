"""What a rule is learnt from, and how it fares where it was not."""

import dataclasses

import numpy as np
import pytest

from analysis.classifiers.model import UNKNOWN
from analysis.evaluate.campaign import plan_of
from analysis.evaluate.samples import samples_of
from analysis.evaluate.study import study
from analysis.models.answers import rule_of, strange, tried

NAMES = ("idle", "settings", "snapshot", "stream")


@pytest.fixture(scope="module")
def samples(campaign):
    return samples_of(campaign, "camera", n_idle=12)


@pytest.fixture(scope="module")
def results(samples):
    found, _refusals = study(samples, plan_of(("nb",)).classifiers, ("s1", "s6"))
    return {each.split.name: each for each in found}


def test_a_rule_is_learnt_from_every_window_once_by_those_who_had_not_learnt_it(
    samples, results
):
    rule = rule_of(samples, results["s1"], NAMES)
    assert rule.classes == NAMES
    assert rule.n_windows == len(samples)
    assert rule.n_sessions == 4
    assert rule.novelties.size == rule.doubts.size


def test_what_is_learnt_elsewhere_answers_for_most_and_rightly(samples, results):
    found = tried(samples, results["s1"], NAMES)
    assert found.n_windows == len(samples)
    assert 0.75 < found.answered <= 1
    assert found.right > 0.9
    assert found.covered > 0.85
    assert 0.85 < found.set_size < 2


def test_activities_that_were_left_out_are_judged_by_rules_of_the_fold_alone(results):
    found, nested = strange(results["s6"]), results["s6"].open_set
    assert found.n_windows == nested.n_unknown > 0
    assert found.refused == 1 - nested.unknown_answered
    assert (found.answered, found.n_known) == (nested.known_answered, nested.n_known)
    assert found.auroc == nested.auroc > 0.8
    assert found.interval == (nested.interval.low, nested.interval.high)


def test_no_rule_of_a_fold_is_no_figure_of_activities_that_were_left_out(results):
    without = dataclasses.replace(results["s6"].open_set, unknown_answered=None)
    assert strange(dataclasses.replace(results["s6"], open_set=without)) is None
    assert strange(dataclasses.replace(results["s6"], open_set=None)) is None


def test_without_a_result_there_is_an_answer_to_everything(samples):
    rule = rule_of(samples, None, NAMES)
    assert rule.n_windows == 0
    even = np.full((2, len(NAMES)), 0.25)
    said = rule.decide(even, np.ones(2))
    assert UNKNOWN not in {each.label for each in said}
    assert [sorted(each.conformal_set) for each in said] == [sorted(NAMES)] * 2
    assert tried(samples, None, NAMES) is None
    assert strange(None) is None
