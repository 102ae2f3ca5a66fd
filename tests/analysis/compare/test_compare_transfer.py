"""What is lost is lost for the other campaign, and not for want of trials or days."""

from types import SimpleNamespace

import numpy as np

from analysis.compare.transfer import _drawn
from analysis.evaluate.splits.folds import Fold

SESSIONS = {"own": 3, "other": 8}  # of four trials of each activity


def test_both_learn_from_as_many_trials_of_as_many_sessions():
    names = [f"{side} {k}" for side, n in SESSIONS.items() for k in range(n)]
    session = np.repeat(names, 8)
    activity = np.tile(["on", "on", "on", "on", "off", "off", "off", "off"], len(names))
    whole = SimpleNamespace(session=session, activity=activity)
    own = np.char.startswith(session, "own")
    rows = np.arange(session.size)
    folds = [
        Fold(
            train=rows[own & (session != f"own {k}")], test=rows[session == f"own {k}"]
        )
        for k in range(3)
    ]
    drawn = list(_drawn(whole, rows[~own], folds, seed=4))
    assert len(drawn) == 12  # as often as makes ten
    for one, two in drawn:
        assert one.test.tolist() == two.test.tolist()
        assert not set(one.test) & {*one.train, *two.train}
        for sides in (one, two):
            assert np.unique(session[sides.train]).size == 2
            assert np.unique(activity[sides.train], return_counts=True)[1].tolist() == [
                8,
                8,
            ]
    assert len({tuple(two.train) for _, two in drawn}) > 6  # others each time
