"""The server of schedules, with scripted campaigns on a virtual clock."""

from dataclasses import dataclass, field

import pytest

from testbed.clock import VirtualClock
from testbed.model.events import (
    CampaignClosed,
    CampaignPlanned,
    Outcome,
    ScheduleAdded,
    TrialEnded,
    TrialStarted,
)
from testbed.model.types import Channel
from testbed.runner.journal.event_text import plan_text
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import Journal, open_store
from testbed.runner.schedules.schedule import Book
from testbed.runner.schedules.serve import MAX_TRIES, Server
from testbed.runner.schedules.triggers import Trigger
from testbed.runner.stop import Stop

S = 10**9
NOW = 1_795_000_000 * S


@dataclass
class Process:
    """One campaign: its exit code once it is over."""

    campaign: str
    resumed: bool
    code: int | None = None
    asked: bool = False

    def poll(self):
        return self.code

    def stop(self):
        self.asked = True
        self.code = 130 if self.code is None else self.code

    def kill(self):
        self.code = 137


@dataclass
class Launcher:
    launched: list = field(default_factory=list)
    reason: str = ""
    complete: set = field(default_factory=set)

    def launch(self, schedule, campaign, *, resume):
        self.launched.append(Process(campaign, resume))
        return self.launched[-1]

    def busy(self, schedule, campaign):
        return self.reason

    def is_complete(self, campaign):
        return campaign in self.complete

    def over(self, process, code=0):
        """End a process that has done all."""
        self.complete.add(process.campaign)
        process.code = code


class Alarm:
    """Sleeps on the virtual clock; at each wait the test may do something."""

    def __init__(self, clock, then):
        self.clock, self.then, self.times = clock, then, {}
        self.waited = []

    def set(self, times_ns):
        self.times = dict(times_ns)

    def wait(self, most_s):
        now_ns = self.clock.now_ns()
        ring_s = [(t - now_ns) / S for t in self.times.values() if t > now_ns]
        self.waited.append(min([most_s, *ring_s]))
        self.clock.sleep(self.waited[-1])
        self.then()


class Desk:
    """A journal, and servers of it: each as a new process would be."""

    def __init__(self, folder):
        self.clock = VirtualClock(NOW)
        self.store = open_store(folder / "journal.sqlite", self.clock)
        self.launcher = Launcher()
        self.said = []
        self.server = self.anew()

    def anew(self):
        self.stop = Stop()
        lease = Lease(self.store, "serve.bench", self.clock)
        lease.acquire("serve")
        self.lease = lease
        self.server = Server(
            self.store,
            "bench",
            launcher=self.launcher,
            clock=self.clock,
            stop=self.stop,
            lease=lease,
            say=self.said.append,
        )
        return self.server

    def killed(self):
        self.lease.release()
        return self.anew()

    def add(self, trigger, missed="skip", name="demo-1", **options):
        book = Book(self.store)
        book.add(
            ScheduleAdded(
                schedule=name,
                scenario="demo",
                lab="bench",
                trigger=trigger.plain(),
                missed=missed,
                options=options,
            )
        )

    def finish(self, campaign, trial):
        journal = Journal(self.store, campaign)
        journal.write(
            TrialStarted(
                trial=trial,
                attempt=1,
                session="s",
                device="wemo",
                activity="turn_on",
                channel=Channel.API,
                network=None,
            )
        )
        journal.write(TrialEnded(trial=trial, attempt=1, outcome=Outcome.CONFIRMED))

    def plan(self, kit, campaign, n=6):
        trials = [kit.planned(i + 1, "wemo", "turn_on", Channel.API) for i in range(n)]
        plan = kit.small_plan(trials=tuple(trials))
        Journal(self.store, campaign).write(
            CampaignPlanned(
                scenario="demo",
                seed=1,
                n_trials=n,
                plan_json=plan_text(plan),
                simulated=True,
            )
        )

    def decisions(self):
        book = Book(self.store)
        return [d.decision for s in book.schedules.values() for _, d in s.decisions]

    def steps(self, n=1, *, every_s=1.0):
        for _ in range(n):
            self.server.step()
            self.clock.sleep(every_s)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_what_is_due_is_started_once(desk):
    desk.add(Trigger(at_ns=NOW + 5 * S))
    desk.steps(4)
    assert desk.launcher.launched == []
    desk.steps(9)
    (process,) = desk.launcher.launched
    assert not process.resumed
    desk.launcher.over(process)
    desk.steps(50)
    assert len(desk.launcher.launched) == 1
    assert desk.decisions() == ["started", "ended"]


def test_one_campaign_at_a_time_and_the_other_start_is_decided(desk):
    desk.add(Trigger(at_ns=NOW), name="demo-1", grace="1 h")
    desk.add(Trigger(at_ns=NOW + 2 * S), name="demo-2", missed="skip", grace="5 s")
    desk.steps(20)
    (process,) = desk.launcher.launched
    desk.launcher.over(process, 1)
    desk.steps(3)
    assert len(desk.launcher.launched) == 1
    assert desk.decisions() == ["started", "ended", "skipped"]
    skipped = Book(desk.store).schedules["demo-2"].decisions[0][1]
    assert f"the lab was busy with {process.campaign}" in skipped.detail


def test_a_killed_server_goes_on_with_what_it_began_before_anything_else(desk, kit):
    desk.add(Trigger(at_ns=NOW), name="demo-1")
    desk.steps(1)
    campaign = desk.launcher.launched[0].campaign
    desk.plan(kit, campaign)
    desk.add(Trigger(at_ns=NOW + 60 * S), name="demo-2", missed="late")
    desk.killed()
    desk.clock.sleep(600)
    desk.steps(2)
    again = desk.launcher.launched[1]
    assert again.campaign == campaign
    assert again.resumed
    desk.launcher.over(again)
    desk.steps(3)
    assert desk.launcher.launched[2].campaign != campaign
    assert desk.decisions() == ["started", "resumed", "ended", "late"]


def test_a_start_that_was_decided_and_never_made_is_made(desk):
    desk.add(Trigger(at_ns=NOW))
    desk.steps(1)
    desk.killed()
    desk.steps(1)
    first, again = desk.launcher.launched
    assert again.campaign == first.campaign
    assert not again.resumed, "it had no plan yet"


def test_a_campaign_that_outlived_its_server_is_waited_for(desk, kit):
    desk.add(Trigger(at_ns=NOW))
    desk.steps(1)
    campaign = desk.launcher.launched[0].campaign
    desk.plan(kit, campaign)
    desk.killed()
    desk.launcher.reason = f"the lab 'bench' is held by {campaign}"
    desk.steps(30)
    assert len(desk.launcher.launched) == 1
    Journal(desk.store, campaign).write(CampaignClosed(n_labelled=6))
    desk.launcher.complete.add(campaign)
    desk.launcher.reason = ""
    desk.steps(3)
    assert len(desk.launcher.launched) == 1
    assert desk.decisions() == ["started", "ended"]


def test_a_campaign_that_crashed_is_resumed_with_pauses_and_given_up_at_last(desk, kit):
    desk.add(Trigger(at_ns=NOW))
    desk.steps(1)
    desk.plan(kit, desk.launcher.launched[0].campaign)
    for _ in range(2000):
        desk.launcher.launched[-1].code = 3
        desk.steps(1)
    assert len(desk.launcher.launched) == MAX_TRIES
    assert desk.decisions()[-1] == "ended"
    last = Book(desk.store).schedules["demo-1"].decisions[-1][1]
    assert "exit code 3" in last.detail


@pytest.mark.parametrize("code", [0, 1])
def test_a_crash_is_no_end_whatever_its_exit_code(desk, kit, code):
    desk.add(Trigger(at_ns=NOW))
    desk.steps(1)
    desk.plan(kit, desk.launcher.launched[0].campaign)
    desk.launcher.launched[0].code = code  # an exception leaves Python with 1
    desk.steps(8)
    assert desk.decisions() == ["started", "resumed"]
    assert desk.launcher.launched[1].resumed
    desk.launcher.over(desk.launcher.launched[1], 1)
    desk.steps(20)
    assert len(desk.launcher.launched) == 2
    assert desk.decisions() == ["started", "resumed", "ended"]


def test_a_crash_again_and_again_is_given_up(desk):
    desk.add(Trigger(at_ns=NOW))
    for _ in range(2000):
        desk.steps(1)
        desk.launcher.launched[-1].code = 1
    assert len(desk.launcher.launched) == MAX_TRIES
    assert desk.decisions() == ["started", "ended"]


def test_a_campaign_killed_between_its_last_fact_and_its_manifest_is_mended(desk, kit):
    desk.add(Trigger(at_ns=NOW))
    desk.steps(1)
    campaign = desk.launcher.launched[0].campaign
    desk.plan(kit, campaign)
    Journal(desk.store, campaign).write(CampaignClosed(n_labelled=6))
    desk.killed()
    desk.steps(2)
    again = desk.launcher.launched[1]
    assert again.resumed
    desk.launcher.over(again)
    desk.steps(2)
    assert desk.decisions() == ["started", "resumed", "ended"]


def test_a_campaign_asked_to_stop_that_crashed_instead_is_gone_on_with(desk, kit):
    desk.add(Trigger(at_ns=NOW))

    def then():
        desk.plan(kit, desk.launcher.launched[0].campaign)
        desk.launcher.launched[0].code = 1
        desk.stop.request()

    desk.server.run(Alarm(desk.clock, then), until_s=None, once=False)
    assert desk.decisions() == ["started"]
    desk.killed()
    desk.steps(1)
    assert desk.launcher.launched[1].resumed


def test_a_campaign_that_comes_further_each_time_is_never_given_up(desk, kit):
    desk.add(Trigger(at_ns=NOW))
    desk.steps(1)
    campaign = desk.launcher.launched[0].campaign
    desk.plan(kit, campaign, 3 * MAX_TRIES)
    for number in range(3 * MAX_TRIES):
        desk.finish(campaign, f"{number + 1:04d}")
        desk.launcher.launched[-1].code = 137
        n = len(desk.launcher.launched)
        desk.steps(10)
        assert len(desk.launcher.launched) == n + 1
    assert "ended" not in desk.decisions()


def test_when_asked_to_stop_the_campaign_is_stopped_and_resumed_by_the_next(desk, kit):
    desk.add(Trigger(at_ns=NOW))

    def then():
        if desk.launcher.launched:
            desk.plan(kit, desk.launcher.launched[0].campaign)
            desk.stop.request()

    desk.server.run(Alarm(desk.clock, then), until_s=None, once=False)
    (process,) = desk.launcher.launched
    assert process.asked
    assert desk.decisions() == ["started"]
    desk.killed()
    desk.steps(1)
    assert desk.launcher.launched[1].resumed


def test_it_leaves_at_its_time_and_when_nothing_is_to_come(desk):
    alarm = Alarm(desk.clock, lambda: None)
    desk.server.run(alarm, until_s=desk.clock.monotonic_s() + 10, once=False)
    assert desk.clock.monotonic_s() == pytest.approx(10, abs=0.6)
    desk.server.run(alarm, until_s=None, once=True)
    assert desk.clock.monotonic_s() == pytest.approx(10, abs=1.2)


def test_the_alarm_is_set_to_the_next_start_of_each_schedule(desk):
    desk.add(Trigger(at_ns=NOW + 5 * S), name="demo-1")
    desk.add(Trigger(at_ns=NOW + 9 * S, every_s=60.0), name="demo-2")
    alarm = Alarm(desk.clock, desk.stop.request)
    desk.server.run(alarm, until_s=None, once=False)
    assert alarm.times == {"demo-1": NOW + 5 * S, "demo-2": NOW + 9 * S}


def test_the_alarm_wakes_the_server_for_a_start(desk):
    desk.add(Trigger(at_ns=NOW + 1003 * S))
    alarm = Alarm(desk.clock, lambda: None)
    desk.server.run(alarm, until_s=1003.0, once=False)
    assert desk.decisions() == ["started"]
    assert desk.clock.monotonic_s() == pytest.approx(1003)
    assert len(alarm.waited) < 250, "it looks seldom while nothing can have changed"


def test_it_looks_often_while_something_is_at_hand(desk):
    desk.add(Trigger(at_ns=NOW), grace="1 h")
    desk.launcher.reason = "the lab is busy"
    alarm = Alarm(desk.clock, lambda: None)
    desk.server.run(alarm, until_s=20.0, once=False)  # a start waits
    desk.launcher.reason = ""
    desk.server.run(alarm, until_s=40.0, once=False)  # a campaign is at work
    assert max(alarm.waited) <= 1.0


def test_a_campaign_of_a_removed_schedule_is_stopped_and_left(desk):
    desk.add(Trigger(at_ns=NOW))
    desk.steps(2)
    Book(desk.store).remove("demo-1")
    desk.steps(3)
    (process,) = desk.launcher.launched
    assert process.asked
    desk.killed()
    desk.steps(3)
    assert len(desk.launcher.launched) == 1
