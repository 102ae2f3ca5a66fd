"""Payloads that were never said in training: what counts as new, and what is left."""

import numpy as np
import pytest

from analysis.classifiers.model import UNKNOWN
from analysis.evaluate.patterns.new_payloads import (
    New,
    first_of_each,
    new_payload_study,
)
from analysis.evaluate.samples import Samples
from analysis.payload import GramClassifier


def samples_of(activity, session):
    n = len(activity)
    return Samples(
        device="plug",
        names=("count",),
        x=np.arange(n, dtype=float)[:, None],
        activity=np.array(activity),
        session=np.array(session),
        trial=np.array([f"{i:04d}" for i in range(n)]),
        start_ns=np.arange(n, dtype=np.int64) * 10**9,
        n_packets=np.full(n, 5),
        channel=np.full(n, "phone"),
    )


def said(activity, number):
    value = {"on": "true", "off": "false"}[activity]
    return (f'<{{"switch":{value},"t":{number}}}', ">ok, it is done")


def study(activity, session, texts):
    found, refused = new_payload_study(samples_of(activity, session), tuple(texts))
    return {each.new: each for each in found}, {r.split: r.reason for r in refused}


ACTIVITY = ["on", "off"] * 6
SESSION = ["a"] * 4 + ["b"] * 4 + ["c"] * 4


def test_what_is_said_again_and_again_is_no_new_payload():
    texts = [said(a, 1700000000) for a in ACTIVITY]
    found, refused = study(ACTIVITY, SESSION, texts)
    assert found == {}
    assert refused[New.RAW_SETS] == "one session only: no session is new"
    assert (
        refused[New.RAW_MESSAGES] == "no test window holds a message that nobody sent"
    )
    assert refused[New.MASKED_SETS] == "one distinct set of messages only: off, on"


def test_a_time_within_makes_a_payload_new_as_it_was_sent_but_not_masked():
    texts = [said(a, 1700000000 + i) for i, a in enumerate(ACTIVITY)]
    found, refused = study(ACTIVITY, SESSION, texts)
    assert set(found) == {New.RAW_SETS, New.RAW_MESSAGES}
    assert list(refused) == [New.MASKED_SETS]
    for each in found.values():
        assert each.n_windows == each.n_distinct == 12
        assert each.tested == {"on": 6, "off": 6}
        assert each.matcher.accuracy == each.grams.accuracy == 1
        assert each.matcher.null_accuracy < 1


def test_of_duplicates_the_first_is_kept():
    texts = [said(a, 1700000000 + i // 4) for i, a in enumerate(ACTIVITY)]
    found, _ = study(ACTIVITY, SESSION, texts)
    assert found[New.RAW_SETS].n_distinct == 6
    assert first_of_each(["x", "y", "x", "z", "y"]).tolist() == [0, 1, 3]


def test_what_is_said_under_two_activities_counts_for_both_and_is_told():
    # the reply of every other pair is all there is: it tells on from off nowhere
    texts = [(">ok", f"<{i // 2}") for i in range(12)]
    found, _ = study(ACTIVITY, SESSION, texts)
    each = found[New.RAW_SETS]
    assert (each.n_distinct, each.n_conflicts) == (12, 6)
    assert each.tested == {"on": 6, "off": 6}
    assert each.matcher.accuracy <= 0.5
    texts = [said(a, 1700000000 + i) for i, a in enumerate(ACTIVITY)]
    assert study(ACTIVITY, SESSION, texts)[0][New.RAW_SETS].n_conflicts == 0


def test_only_what_nobody_sent_in_training_is_left_of_a_test_window():
    constant = ["<command on", "<command off"]
    texts = [
        (constant[i % 2], f">reply {1700000000 + i}") for i in range(len(ACTIVITY))
    ]
    found, _ = study(ACTIVITY, SESSION, texts)
    assert found[New.RAW_SETS].matcher.accuracy == 1
    # what tells on from off was sent before; the replies are alike
    assert found[New.RAW_MESSAGES].n_distinct == 12
    assert found[New.RAW_MESSAGES].matcher.accuracy == pytest.approx(0.5)


def test_each_distinct_set_of_masked_messages_is_tested_once_by_all_others():
    texts = [(f"<switch {a}", f">digit {i % 4}") for i, a in enumerate(ACTIVITY)]
    found, _ = study(ACTIVITY, SESSION, texts)
    each = found[New.MASKED_SETS]
    assert (each.n_distinct, each.tested) == (4, {"on": 2, "off": 2})
    for fold in each.matcher.split.folds:
        assert fold.test.size == 1
        assert np.union1d(fold.train, fold.test).tolist() == [0, 1, 2, 3]
        assert fold.train.size == 3


def test_windows_without_text_are_no_payloads():
    texts = [said(a, 1700000000 + i) for i, a in enumerate(ACTIVITY)]
    texts[0] = texts[5] = ()
    found, _ = study(ACTIVITY, SESSION, texts)
    assert found[New.RAW_SETS].n_windows == 10


def test_three_bytes_in_a_row_tell_texts_apart_and_silence_is_unknown():
    texts = [said(a, i) for i, a in enumerate(ACTIVITY)] + [()]
    learnt = GramClassifier(texts).fit(np.arange(6), np.array(ACTIVITY[:6]))
    got = learnt.predict(np.array([7, 6, 12]))
    assert got.tolist() == ["off", "on", UNKNOWN]


def test_silence_is_idle_for_three_bytes_too():
    texts = [("<on 1234",), (), ("<off 1234",), ()]
    labels = np.array(["on", "idle", "off", "idle"])
    learnt = GramClassifier(texts).fit(np.arange(4), labels)
    assert learnt.predict(np.array([3, 0])).tolist() == ["idle", "on"]
