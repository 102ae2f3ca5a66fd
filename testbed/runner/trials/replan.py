"""Bring a device to where a trial needs it, when it is not known to be there.

The plan assumes devices in their initial state and trials that go well. Where that is
not so (a lab that was used before, a trial that was voided after it took effect, an
answer that was lost) preparations are put before the trial, as trials of their own. A
plug is asked first what it knows.

A way is looked for among activities whose own needs are known to hold. Where nothing
leads there so, one that sets the state whatever it was will do: `turn_off` on a lamp
that may be on. Such a step is *blind*: it may change nothing, so it becomes no label.
"""

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from testbed.errors import DriverError
from testbed.model.events import TrialsInserted
from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.model.types import Channel, Network
from testbed.model.unroll import reach
from testbed.runner.bench import Plug
from testbed.runner.journal.event_text import trials_text
from testbed.runner.journal.fold import fold, plan_of
from testbed.runner.journal.states import is_sure, other_than, unmet
from testbed.runner.trials.checks import within_bounds
from testbed.runner.trials.site import Site

Step = tuple[str, Channel, Network | None]


class Replanner:
    """Puts preparations into the plan of one campaign; safe for several threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turn = threading.Lock()
        self._reachable = {d: _within_reach(site, p) for d, p in site.profiles.items()}

    def profile(self, device: str) -> DeviceProfile:
        """Return what of a profile the instruments of this lab can cause."""
        return self._reachable[device]

    def ahead(
        self, left: Sequence[PlannedTrial], known: Mapping[str, dict[str, str]]
    ) -> None:
        """Plan preparations for all trials that are left, from what is known now.

        left   in the order of the plan
        known  device -> its state; what plugs tell is added
        """
        for trial in left:
            self._ask_plugs(trial, known[trial.device])
        with self._turn:
            self._insert(left, known)

    def before(
        self, trial: PlannedTrial, known: dict[str, str]
    ) -> tuple[PlannedTrial, ...]:
        """Plan preparations for one trial that is next, and return them.

        known  state of its device; what plugs tell is added
        """
        self._ask_plugs(trial, known)
        with self._turn:
            ways = self._insert([trial], {trial.device: known})
        return tuple(ways.get(trial.trial, ()))

    def _insert(
        self, left: Sequence[PlannedTrial], known: Mapping[str, Mapping[str, str]]
    ) -> dict[str, list[PlannedTrial]]:
        """Journal the ways to some trials, each as it is: a whole plan is long."""
        plan = plan_of(fold(self._site.journal.read()))
        ways = ways_to(plan, left, known, self._reachable)
        for trial, way in ways.items():
            text = trials_text(way)
            self._site.journal.write(TrialsInserted(before=trial, trials_json=text))
        return ways

    def _ask_plugs(self, trial: PlannedTrial, known: dict[str, str]) -> None:
        """Read what plugs know of the needs of a trial that nobody else knows."""
        for channel in (Channel.POWER, Channel.API):
            told = _told_by_plug(self._reachable[trial.device], channel)
            wanted = {k for k in trial.needs if k in told and not is_sure(known, k)}
            if not wanted:
                continue
            plug = self._site.plug(trial.device, channel)
            try:
                on = plug.read_power()
                believed = _is_borne_out(
                    self._reachable[trial.device], channel, plug, on
                )
            except DriverError:
                continue  # then a preparation has to do
            if not believed:
                continue
            known.update({key: told[key][on] for key in wanted})


def ways_to(
    plan: Plan,
    left: Sequence[PlannedTrial],
    known: Mapping[str, Mapping[str, str]],
    profiles: Mapping[str, DeviceProfile],
) -> dict[str, list[PlannedTrial]]:
    """Return trial -> preparations, for each of which the needs would not hold.

    left   the trials still to be done, in the order of the plan
    known  device -> its state now, as far as it is known

    A trial is left out where nothing is missing, or nothing would help.
    """
    states = {device: dict(state) for device, state in known.items()}
    names = {t.trial for t in plan.trials}
    ways: dict[str, list[PlannedTrial]] = {}
    for trial in left:
        state = states.setdefault(trial.device, {})
        if unmet(trial.needs, state):
            way = _way(trial, profiles[trial.device], state, names)
            if way:
                ways[trial.trial] = way
            for step in way:
                state.update(step.gives)
        state.update(trial.gives)
    return ways


def is_blind(trial: PlannedTrial, profile: DeviceProfile) -> bool:
    """Say whether a preparation may find the device where it is to bring it."""
    return trial.preparation and trial.needs != profile.activities[trial.activity].needs


def _way(
    trial: PlannedTrial,
    profile: DeviceProfile,
    state: Mapping[str, str],
    names: set[str],
) -> list[PlannedTrial]:
    way, reached = [], dict(state)
    for name, channel, network in _steps(profile, trial, state):
        activity = profile.activities[name]
        holding = activity.needs.items() & reached.items()
        way.append(
            replace(
                trial,
                trial=_free_name(trial.trial, names),
                activity=name,
                channel=channel,
                network=network,
                delta_s=profile.delta_s(name),
                parameters=dict(activity.parameters),
                needs={k: v for k, v in activity.needs.items() if (k, v) in holding},
                gives=dict(activity.gives),
                user="",
                malicious=False,
                not_before_s=None,  # in good time, so that the act itself is in time
                preparation=True,
            )
        )
        reached.update(activity.gives)
    return way


def _steps(
    profile: DeviceProfile, trial: PlannedTrial, state: Mapping[str, str]
) -> tuple[Step, ...]:
    """Return the steps to what a trial needs, blind ones only if there are no others.

    Whatever they suppose, the steps give every need that is not known to hold.
    """
    steps = reach(profile, trial.needs, state, trial.channel)
    if steps:
        return steps
    found = []
    for supposed in _suppositions(profile, state):
        steps = reach(profile, trial.needs, supposed, trial.channel)
        given = dict(state)
        for name, _, _ in steps:
            given.update(profile.activities[name].gives)
        if not unmet(trial.needs, given):
            found.append(steps)
    return min(found, key=len, default=())


def _suppositions(
    profile: DeviceProfile, state: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    """Return each state that the device may be in for all that is known."""
    values: dict[str, set[str]] = {}
    for activity in profile.activities.values():
        for key, value in (*activity.needs.items(), *activity.gives.items()):
            if not is_sure(state, key):
                values.setdefault(key, set()).add(value)
    for guess in itertools.product(*(sorted(values[key]) for key in values)):
        yield {**state, **dict(zip(values, guess, strict=True))}


def _within_reach(site: Site, profile: DeviceProfile) -> DeviceProfile:
    plugs = site.lab.plugs.values()
    there = {
        Channel.PHONE: site.bench.phone is not None,
        Channel.VOICE: site.bench.voice is not None,
        Channel.POWER: any(at.feeds == profile.device for at in plugs),
        Channel.API: any(at.is_device == profile.device for at in plugs),
    }
    absent: dict[str, None] = {
        c.value: None for c, is_there in there.items() if not is_there
    }
    trimmed = {
        name: activity.model_copy(update=absent)
        for name, activity in profile.activities.items()
    }
    activities = {name: one for name, one in trimmed.items() if one.channels}
    return profile.model_copy(update={"activities": activities})


def _told_by_plug(
    profile: DeviceProfile, channel: Channel
) -> dict[str, tuple[str, str]]:
    """Return key -> (value when the plug is off, value when it is on)."""
    gives: dict[str, dict[str, str]] = {}
    for activity in profile.activities.values():
        switch = activity.power if channel is Channel.POWER else activity.api
        if switch is not None:
            gives.setdefault(switch.set, {}).update(activity.gives)
    on, off = gives.get("on", {}), gives.get("off", {})
    if on and off:
        both = on.keys() & off.keys()
        return {key: (off[key], on[key]) for key in both if on[key] != off[key]}
    if len(on) == 1:
        return {key: (other_than(value), value) for key, value in on.items()}
    return {}


def _is_borne_out(
    profile: DeviceProfile, channel: Channel, plug: Plug, on: bool
) -> bool:
    """Say whether the current that flows fits the state that a plug reports."""
    for activity in profile.activities.values():
        switch = activity.power if channel is Channel.POWER else activity.api
        if switch is None or (switch.set == "on") is not on:
            continue
        check = activity.check_for(channel)
        if check is None or check.power_w is None:
            continue
        if not within_bounds(plug.read_power_w(), check.power_w):
            return False
    return True


def _free_name(trial: str, names: set[str]) -> str:
    number = 1
    while (name := f"{trial}p{number}") in names:
        number += 1
    names.add(name)
    return name
