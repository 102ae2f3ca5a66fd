"""What the phone had to do otherwise is counted, by device and activity."""

from dataclasses import replace

from testbed.runner.campaigns.status import Remark, status_of


def test_lower_rungs_and_pop_ups_are_counted(rig):
    lab = rig()
    lab.run()
    state = lab.state()
    attempts = [a for each in state.attempts.values() for a in each]
    told = [a for a in attempts if a.started.activity == attempts[0].started.activity]
    for attempt in told:
        detail = {"rung": "text", "fallback": "text 'On', as id 'on' is not there"}
        attempt.returned = replace(attempt.returned, detail=detail)
    remarks = status_of("small-1", state, lab.profiles).remarks
    started = attempts[0].started
    assert (
        Remark(
            device=started.device,
            activity=started.activity,
            kind="fallback",
            said="text 'On', as id 'on' is not there",
            n=sum(a.started.device == started.device for a in told),
        )
        in remarks
    )
    assert not [r for r in remarks if r.kind == "interrupt"]
    plain = status_of("small-1", state, lab.profiles).plain()["remarks"]
    assert {r["kind"] for r in plain} == {"fallback"}


def test_what_went_as_described_is_not_remarked(rig):
    lab = rig()
    lab.run()
    assert status_of("small-1", lab.state(), lab.profiles).remarks == ()
