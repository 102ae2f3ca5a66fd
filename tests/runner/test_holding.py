"""A lab is held all along, and who lost it neither writes nor stops anything."""

import threading

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

import testbed.cli.run as command
from testbed.cli import build
from testbed.clock import SystemClock, VirtualClock
from testbed.errors import DriverTimeoutError, JournalError
from testbed.runner.journal import lab_lease as holding
from testbed.runner.journal import leases
from testbed.runner.journal.lab_lease import beating, held, sweep
from testbed.runner.journal.leases import Lease, holder_of
from testbed.runner.journal.lifelocks import life_lock
from testbed.runner.journal.store import Journal, LostLeaseError, open_store
from testbed.runner.journal.tables import leases as rows
from testbed.runner.pauses.suspenders import Suspenders

NAME = "small-20260105T100000.000Z"
SCENARIO = """\
scenario: short
seed: 3
select:
  - {device: arlo_q, activities: [open_settings], networks: [lan]}
  - {device: wemo_insight, activities: [turn_on], channels: [api]}
rest: 1 s
idle: 2 s
"""


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "journal.sqlite", SystemClock()) as opened:
        yield opened


@pytest.fixture
def fast_beats(monkeypatch):
    monkeypatch.setattr(holding, "_BEAT_S", 0.01)


def take_over(store):
    with store.engine.begin() as connection:
        values = {"token": "other", "holder": "evening-2 on far, process 7"}
        connection.execute(sa.update(rows).values(values))


def beater():
    return next(t for t in threading.enumerate() if t.name == "lease")


def lose(store, lease):
    """Let somebody take the lab over, and the beats find out."""
    lease._beat_s = -1e9
    take_over(store)
    beater().join(60)


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_a_lease_that_was_lost_is_told_whatever_else_was_raised(
    store, fast_beats, error
):
    def work(lease):
        with beating(lease):
            lose(store, lease)
            raise error

    with (
        held(store, "bench", "evening-1", SystemClock()) as lease,
        pytest.raises(LostLeaseError, match="was lost to evening-2"),
    ):
        work(lease)


def test_a_second_ctrl_c_stays_one_also_when_the_lease_was_lost(store, fast_beats):
    def work(lease):
        with beating(lease):
            lose(store, lease)
            raise KeyboardInterrupt

    with (
        held(store, "bench", "evening-1", SystemClock()) as lease,
        pytest.raises(KeyboardInterrupt),
    ):
        work(lease)


def test_what_was_raised_is_told_where_the_lease_was_not_lost(store, fast_beats):
    with (
        held(store, "bench", "evening-1", SystemClock()) as lease,
        pytest.raises(ValueError, match="own"),
        beating(lease),
    ):
        raise ValueError("own")


def test_a_beat_that_a_server_missed_is_made_up_for(store, fast_beats, monkeypatch):
    beats, again = [], threading.Event()

    def renew(_):
        beats.append(1)
        if len(beats) == 1:
            raise JournalError("the server does not answer")
        if len(beats) == 3:  # the second was counted in
            again.set()

    with held(store, "bench", "evening-1", SystemClock()) as lease:
        monkeypatch.setattr(Lease, "renew_in_time", renew)
        with beating(lease):
            assert again.wait(60)


def test_who_sweeps_leaves_one_alone_who_has_his_lock_and_no_lease_yet(
    store, monkeypatch, tmp_path
):
    monkeypatch.setattr(leases, "_MOMENT_S", 0.0)
    clock = SystemClock()
    run = Lease(store, NAME, clock)
    take = run._lock.take
    with open_store(tmp_path / "journal.sqlite", clock) as other:

        def take_and_be_swept():
            proof = take()
            sweep(other, clock)
            return proof

        run._lock.take = take_and_be_swept
        run.acquire(NAME)
    assert run.holder().name.startswith(f"{NAME} on ")
    run.release()


def test_who_sweeps_takes_away_what_a_killed_run_left(store):
    killed = Lease(store, NAME, SystemClock())
    killed.acquire(NAME)
    killed._lock.drop()
    other = life_lock(store, NAME.replace("small", "large"))
    other.take()
    sweep(store, SystemClock())
    assert holder_of(store, NAME) is None
    other.drop()


def run(folder):
    (folder / "short.yaml").write_text(SCENARIO)
    words = ["run", folder / "short.yaml", "--fast", "--depth", "activities"]
    words += ["--out", folder / "out"]
    return CliRunner().invoke(build(), [str(w) for w in words], catch_exceptions=False)


def facts_of(folder):
    (campaign,) = (folder / "out").glob("short-*")
    with open_store(folder / "out" / "journal.sqlite", VirtualClock()) as store:
        return [type(r.event).__name__ for r in Journal(store, campaign.name).read()]


def test_the_lease_is_renewed_from_before_the_instruments_are_opened(
    tmp_path, fast_beats, monkeypatch
):
    means, beat = command._means, threading.Event()

    def slow(*args):
        assert beat.wait(60), "nobody beats"
        return means(*args)

    monkeypatch.setattr(command, "_means", slow)
    monkeypatch.setattr(Lease, "renew_in_time", lambda _: beat.set())
    assert run(tmp_path).exit_code == 0


def test_a_fast_campaign_that_was_followed_writes_no_fact(tmp_path, monkeypatch):
    began, n_before = command.run_campaign, []

    def followed(inputs, means, ended, say):
        def take(one):
            ended(one)
            if not n_before:
                n_before.append(len(facts_of(tmp_path)))
                take_over(means.store)

        return began(inputs, means, take, say)

    monkeypatch.setattr(command, "run_campaign", followed)
    with pytest.raises(LostLeaseError, match="was lost to evening-2"):
        run(tmp_path)
    assert [len(facts_of(tmp_path))] == n_before


def test_a_campaign_that_was_followed_is_not_closed_by_the_first(tmp_path, monkeypatch):
    close = command.close_campaign

    def followed(folder, journal):
        with open_store(tmp_path / "out" / "journal.sqlite", VirtualClock()) as store:
            take_over(store)
        close(folder, journal)

    monkeypatch.setattr(command, "close_campaign", followed)
    with pytest.raises(LostLeaseError, match="was lost to evening-2"):
        run(tmp_path)
    assert "CampaignClosed" not in facts_of(tmp_path)


LOST = "the lease on the lab 'bench' was lost to evening-2"


def no_answer():
    raise DriverTimeoutError("router", "clock", "no answer")


@pytest.mark.parametrize("seen_by", ["beats", "looks", "nobody"])
def test_who_was_followed_neither_stops_nor_empties_the_capture_of_the_heir(
    rig, kit, monkeypatch, seen_by
):
    lab = rig(kit.ScaledClock(), threads=True, tick_s=0.01)
    followed = []

    def losing(act):
        def lose(*args):
            if followed and (seen_by != "nobody" or lab.stop.requested):
                raise LostLeaseError(LOST)
            return act(*args)

        return lose

    place = Suspenders if seen_by == "looks" else Lease
    name = "tend" if seen_by == "looks" else "renew_in_time"
    monkeypatch.setattr(place, name, losing(getattr(place, name)))

    def ended(_):
        if not followed:
            lab.world.acts.append("taken over")
            lab.capture.clock_offset = no_answer
            followed.append(True)
            if seen_by == "nobody":
                lab.stop.request()

    trials = tuple(
        kit.planned(k, "lamp", "look", kit.phone, rest_s=60.0) for k in range(1, 4)
    )
    with pytest.raises(LostLeaseError, match="was lost to evening-2"):
        lab.run(kit.small_plan(trials=trials), ended=ended)
    since = lab.world.acts[lab.world.acts.index("taken over") :]
    assert not {"capture stop", "capture fetch", "capture start"} & set(since)
