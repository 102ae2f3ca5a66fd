"""Labs that pause, and what their campaigns must have come to."""

from testbed.model.events import (
    LABELLED,
    Outcome,
    Suspended,
)
from testbed.model.lab import Limits

LIMITS = {
    "free_mb": "1",
    "internet": "203.0.113.1:443",
    "device_silent": "30 s",
    "look_every": "2 s",
    "trip": "2",
    "clear": "4 s",
    "give_up": "300 s",
}


def with_limits(one, **changes):
    limits = Limits.model_validate(LIMITS | changes)
    router = one.lab.router.model_copy(update={"free_mb": 1})
    one.lab = one.lab.model_copy(update={"limits": limits, "router": router})
    return one


def bulbs(kit, n=8):
    """Trials on one phone that only look: nothing but the phone is needed."""
    trials = [kit.planned(k, "lamp", "look", "phone") for k in range(1, n + 1)]
    return kit.small_plan(trials=tuple(trials), idle_s=1.0)


def pauses(lab):
    return [(e.condition, e.target) for e in lab.events() if isinstance(e, Suspended)]


def assert_all_labelled(lab):
    state = lab.state()
    wanted = [t.trial for t in state.plan.trials if not t.preparation]
    outcomes = {trial: state.outcome(trial) for trial in wanted}
    assert set(outcomes.values()) <= LABELLED, outcomes
    assert state.suspended == {}
    assert state.open_attempts() == []


def assert_no_label_in(lab, begin_s, end_s):
    """No label's window may touch the time for which something was bad."""
    zero_ns = lab.clock.now_ns() - round(lab.clock.monotonic_s() * 1e9)
    delta_s = {t.trial: t.delta_s for t in lab.state().plan.trials}
    for attempt in lab.state().all_attempts():
        if attempt.final in LABELLED:
            at_s = (attempt.returned.instant_ns - zero_ns) / 1e9
            assert at_s > end_s or at_s + delta_s[attempt.started.trial] < begin_s


def n_failed(lab):
    attempts = lab.state().all_attempts()
    return sum(a.outcome is Outcome.FAILED for a in attempts)


def gone_from_now(lab, now):
    if now and "capture" not in lab.world.gone:
        now_s = lab.clock.monotonic_s()
        lab.world.gone["capture"] = (now_s + 0.5, now_s + 60)


def stop_at(lab, at_s):
    beat = lab.capture.renew_lease

    def asks():
        if lab.clock.monotonic_s() >= at_s and lab.world.gone:
            lab.stop.request()
        beat()

    lab.capture.renew_lease = asks
