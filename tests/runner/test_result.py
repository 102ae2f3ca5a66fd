"""What counts as missed when a campaign has ended."""

from pathlib import Path

import pytest

from testbed.model.events import Outcome, TrialStarted
from testbed.model.plan import Plan, PlannedTrial
from testbed.model.types import Channel
from testbed.runner.campaigns.campaign import Result
from testbed.runner.journal.fold import Attempt, CampaignState


def trial(name, *, preparation=False):
    return PlannedTrial(
        trial=name,
        session=0,
        device="lamp",
        activity="turn_on",
        channel=Channel.PHONE,
        network=None,
        delta_s=8.0,
        rest_s=1.0,
        preparation=preparation,
    )


def attempt(name, outcome):
    started = TrialStarted(
        trial=name,
        attempt=1,
        session="s",
        device="lamp",
        activity="turn_on",
        channel=Channel.PHONE,
        network=None,
    )
    return Attempt(started=started, started_ns=0, outcome=outcome)


@pytest.mark.parametrize(
    ("of_preparation", "of_trial", "n_missed"),
    [
        (Outcome.FAILED, Outcome.CONFIRMED, 0),
        (Outcome.CONFIRMED, Outcome.NO_EFFECT, 1),
        (Outcome.CONFIRMED, Outcome.UNCHECKED, 0),
        (Outcome.ABORTED, Outcome.ABORTED, 1),
    ],
)
def test_only_trials_that_were_asked_for_are_missed(of_preparation, of_trial, n_missed):
    trials = (trial("0001p1", preparation=True), trial("0001"))
    plan = Plan(scenario="s", seed=1, interleave=False, idle_s=0.0, trials=trials)
    attempts = {
        "0001p1": [attempt("0001p1", of_preparation)],
        "0001": [attempt("0001", of_trial)],
    }
    result = Result(
        campaign="c",
        folder=Path(),
        state=CampaignState(plan=plan, attempts=attempts),
        interrupted=False,
        no_labels="",
    )
    assert result.n_missed == n_missed
