import csv
from pathlib import Path

import pytest

from testbed.clock import VirtualClock
from testbed.errors import JournalError
from testbed.model.events import (
    LABELLED,
    CampaignPlanned,
    EvidenceKept,
    Outcome,
    SessionStarted,
    StimulusIssued,
)
from testbed.model.types import Channel


def labels(lab):
    state = lab.state()
    return {
        (t.trial, t.device, t.activity, t.channel)
        for t in state.plan.trials
        if state.outcome(t.trial) in LABELLED
    }


def labelled_attempts(lab):
    return [a for a in lab.state().all_attempts() if a.final in LABELLED]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_loses_no_trial_and_labels_none_twice(rig, kit, after):
    whole = rig()
    whole.run()
    n_writes = len(whole.events())
    wanted = labels(whole)
    assert n_writes > 50
    for n in range(1, n_writes + 1):
        lab = rig()
        dying = kit.DyingStore(lab.store, lab.world, n, after=after)
        with pytest.raises(kit.Killed):
            lab.run(store=dying)
        finished = {a.started.trial for a in labelled_attempts(lab)}
        raw = lab.folder / "small-1" / "raw"
        if raw.exists():
            (raw / "lan-00009.pcapng.part").write_bytes(b"half")
        lab.resume()
        files = {f.name for c in lab.state().captures.values() for f in c.files}
        assert files == {p.name for p in raw.iterdir()} - {"receipt.json"}, n
        assert labels(lab) == wanted, n
        again = labelled_attempts(lab)
        assert len(again) == len(wanted), n
        assert lab.state().open_attempts() == [], n
        redone = {e.trial for e in issued_since(lab, n) if e.trial in finished}
        assert redone == set(), n


def issued_since(lab, n):
    return [e for e in lab.events()[n:] if isinstance(e, StimulusIssued)]


def test_a_killed_attempt_is_voided_and_done_again_under_a_new_number(rig, kit):
    lab = rig()
    events = lab_events_of_whole_run(rig)
    n = next(
        i
        for i, e in enumerate(events, start=1)
        if isinstance(e, StimulusIssued) and e.trial == "0003"
    )
    with pytest.raises(kit.Killed):
        lab.run(store=kit.DyingStore(lab.store, lab.world, n, after=True))
    result = lab.resume()
    first, second = lab.state().attempts["0003"]
    assert first.final is Outcome.ABORTED
    assert first.voided == "the controller ended in the middle of it"
    assert second.final is Outcome.CONFIRMED
    with (result.folder / "activities.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["trial"] == "0003"]
    assert [(r["attempt"], r["outcome"]) for r in rows] == [
        ("1", "aborted"),
        ("2", "confirmed"),
    ]


def lab_events_of_whole_run(rig):
    lab = rig()
    lab.run()
    return lab.events()


def test_a_resumed_campaign_has_one_plan_two_sessions_and_no_orphan(rig, kit):
    lab = rig()
    with pytest.raises(kit.Killed):
        lab.run(store=kit.DyingStore(lab.store, lab.world, 30, after=True))
    assert lab.capture.running
    lab.resume()
    events = lab.events()
    assert sum(isinstance(e, CampaignPlanned) for e in events) == 1
    sessions = {e.session for e in events if isinstance(e, SessionStarted)}
    assert len(sessions) >= 2
    assert not lab.capture.running
    assert lab.capture.reaped == 2
    ends = [c.end.stopped_by for c in lab.state().captures.values()]
    assert ends[0] == "gone"
    assert ends[-1] == "INT"


def test_resuming_what_is_finished_touches_nothing_more(rig):
    lab = rig()
    lab.run()
    n_acts, n_attempts = len(lab.world.acts), len(lab.state().all_attempts())
    lab.resume()
    assert len(lab.state().all_attempts()) == n_attempts
    assert lab.world.acts[n_acts:] == []


def test_a_file_that_was_fetched_and_not_journalled_is_taken_over(rig, kit):
    lab = rig()
    lab.run()
    fetched = [i for i, e in enumerate(lab.events(), 1) if "FileFetched" in repr(e)]
    other = rig()
    with pytest.raises(kit.Killed):
        other.run(
            store=kit.DyingStore(other.store, other.world, fetched[0], after=False)
        )
    other.resume()
    names = [f.name for c in other.state().captures.values() for f in c.files]
    assert sorted(names) == sorted(
        p.name for p in (other.folder / "small-1" / "raw").glob("*.pcapng")
    )
    assert len(labelled_attempts(other)) == len(labelled_attempts(lab))


def test_a_file_that_is_here_under_another_name_is_not_copied_twice(rig, kit):
    lab = rig()
    stop_after(lab, "0003")
    first = {f.name for c in lab.state().captures.values() for f in c.files}
    assert first
    lab.capture.n = 0  # the router forgot its numbers when it began anew
    fetch = lab.capture.fetch

    def copies_and_dies(file, target):
        target.write_bytes((lab.capture.folder / file.name).read_bytes())
        lab.world.killed = True
        raise kit.Killed

    lab.capture.fetch = copies_and_dies
    with pytest.raises(kit.Killed):
        lab.resume()
    lab.capture.fetch = fetch
    lab.resume()
    files = [f for c in lab.state().captures.values() for f in c.files]
    assert len({f.sha256 for f in files}) == len(files) > len(first)
    assert {f.name for f in files} == {
        p.name for p in (lab.folder / "small-1" / "raw").glob("*.pcapng")
    }
    state = lab.state()
    assert all(state.outcome(t.trial) in LABELLED for t in state.plan.trials)


def test_a_kill_in_the_midst_of_a_picture_leaves_no_half_of_it(rig, kit, monkeypatch):
    lab = rig()
    evidence = lab.folder / "small-1" / "evidence"
    rename = Path.replace

    def dies(path, target):
        if path.parent == evidence:
            lab.world.killed = True
            raise kit.Killed
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(kit.Killed):
            lab.run()
    assert [p.suffix for p in evidence.iterdir()] == [".part"]
    lab.resume()
    kept = {e.file for e in lab.events() if isinstance(e, EvidenceKept)}
    assert kept == {f"evidence/{p.name}" for p in evidence.iterdir()}


def stop_after(lab, trial):
    def stop(one):
        if one.trial.trial == trial:
            lab.stop.request()

    lab.run(ended=stop)


def test_a_disk_that_fills_up_stops_the_campaign_and_it_can_be_resumed(rig, kit):
    lab = rig()

    class Full(kit.DyingStore):
        def insert(self, campaign, event):
            if isinstance(event, StimulusIssued) and event.trial == "0004":
                raise JournalError("journal: write stimulus_issued: the disk is full")
            return self._store.insert(campaign, event)

    with pytest.raises(JournalError, match="disk is full"):
        lab.run(store=Full(lab.store, lab.world, 10**9, after=False))
    assert "plug_dut on" not in lab.world.acts
    assert lab.state().attempts["0004"][-1].final is Outcome.ABORTED
    lab.resume()
    assert lab.state().outcome("0004") is Outcome.CONFIRMED


def test_virtual_time_goes_on_where_the_journal_ended(rig, kit):
    lab = rig(VirtualClock(kit.START_NS))
    lab.run()
    stamps = [a.started_ns for a in lab.state().all_attempts()]
    assert stamps == sorted(stamps)


def test_devices_that_were_reset_are_brought_back_by_preparations(rig, kit):
    lab = rig()
    n = next(
        i
        for i, e in enumerate(lab_events_of_whole_run(rig), start=1)
        if isinstance(e, StimulusIssued) and e.trial == "0003"
    )
    with pytest.raises(kit.Killed):
        lab.run(store=kit.DyingStore(lab.store, lab.world, n, after=True))
    lab.world.power.clear()  # the lamp is without power again
    lab.resume(fresh=True)
    state = lab.state()
    trials = [t.trial for t in state.plan.trials]
    assert trials == ["0001", "0002", "0003p1", "0003", "0004", "0005", "0006"]
    assert state.plan.trials[2].activity == "power_on"
    assert state.plan.trials[2].preparation
    assert all(state.outcome(t) in LABELLED for t in trials)
    assert len(state.attempts["0001"]) == 1


def test_a_new_attempt_waits_until_the_voided_ones_window_is_over(rig, kit):
    long = kit.planned(1, "speaker", "ask_time", Channel.VOICE, delta_s=60.0)
    plan = kit.small_plan(trials=(long,))
    whole = rig()
    whole.run(plan)
    n = [type(e).__name__ for e in whole.events()].index("StimulusReturned") + 1
    lab = rig()
    with pytest.raises(kit.Killed):
        lab.run(plan, store=kit.DyingStore(lab.store, lab.world, n, after=True))
    lab.resume(plan=plan)
    first, second = lab.state().attempts["0001"]
    gap_ns = second.returned.instant_ns - first.returned.instant_ns
    assert gap_ns >= 60 * 10**9
