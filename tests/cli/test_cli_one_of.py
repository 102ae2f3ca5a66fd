"""One of a thing is told as one: '1 session', not '1 sessions'."""

import pytest

from analysis.twins import Known
from testbed.cli import lab_learn, payloads


@pytest.mark.parametrize(
    ("n_learnt", "n_recorded", "said"),
    [(1, 1, "1 trial, 1 session"), (2, 2, "2 trials, 1 s"), (1, 2, "1 of 2 trials, ")],
)
def test_of_one_trial_a_twin_says_so(n_learnt, n_recorded, said):
    known = Known(
        activity="on", n_learnt=n_learnt, n_recorded=n_recorded, n_sessions=1, ways=()
    )
    assert lab_learn._of_activity(known).startswith(f"  on: {said}")


def test_of_one_session_payloads_say_so(capsys):
    figures = {"accuracy": 1.0, "null": 0.5, "interval": None}
    score = {"new": "raw_sets", "conflicts": 1, "tested": {"a": 2}, "sessions": 1}
    score |= {"matcher": figures, "three_grams": figures}
    payloads._print({"device": "d", "windows": 1, "scores": [score], "refused": {}})
    said = capsys.readouterr().out
    assert "1 window says something" in said
    assert "of 2 in 1 session, shuffled" in said
    assert "1 text is said under several" in said
