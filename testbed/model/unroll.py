"""A scenario unrolled into a plan: which trial, in what order, fixed by the seed.

Preconditions are reached by trials of their own: where an activity needs a state that
the device is not in, the trial that gives the state is put before it, marked as a
preparation. At the end each device is brought back to its initial state.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from testbed.model.acts import Act, draw_acts
from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.model.scenario import Scenario, Selection
from testbed.model.types import Channel, Network
from testbed.model.wired import EVERYWHERE, Wired, selections

_REACH = 3  # preparations in a row that may lead to a state


@dataclass(frozen=True, slots=True, kw_only=True)
class _Want:
    """One (activity, channel, network) of one device, and in which session."""

    activity: str
    channel: Channel
    network: Network | None
    session: int = 0
    user: str = ""
    malicious: bool = False
    not_before_s: float | None = None
    preparation: bool = False


def unroll(
    scenario: Scenario,
    profiles: Mapping[str, DeviceProfile],
    wired: Wired = EVERYWHERE,
) -> Plan:
    """Return the plan of a scenario; what no plug of the lab serves is left out."""
    if scenario.users:
        queues = _queues_of_users(scenario, profiles, wired)
    else:
        queues = _queues_of_matrix(scenario, profiles, wired)
    trials: list[PlannedTrial] = []
    random = _generator(scenario, "order")
    for wanted in _merged(scenario, queues, random):
        trials.append(_trial(scenario, profiles, len(trials), *wanted, random))
    return Plan(
        scenario=scenario.scenario,
        seed=scenario.seed,
        interleave=scenario.interleave,
        idle_s=scenario.idle,
        trials=tuple(trials),
        attempts=scenario.attempts,
        begins_s=scenario.begins,
        late_s=scenario.late,
    )


def reach(
    profile: DeviceProfile,
    goal: Mapping[str, str],
    state: Mapping[str, str],
    channel: Channel | None = None,
) -> tuple[tuple[str, Channel, Network | None], ...]:
    """Return the (activity, channel, network) that lead from `state` to `goal`.

    Empty when the goal holds already, and when nothing leads there.
    """
    steps = _reach(profile, goal, state, channel)
    return tuple((step.activity, step.channel, step.network) for step in steps)


def _generator(scenario: Scenario, purpose: str) -> np.random.Generator:
    # Each purpose has a stream of its own, so that one more device or repeat does not
    # change the draws of all others.
    return np.random.default_rng([scenario.seed, zlib.crc32(purpose.encode())])


def _queues_of_matrix(
    scenario: Scenario,
    profiles: Mapping[str, DeviceProfile],
    wired: Wired,
) -> dict[str, list[_Want]]:
    wanted: dict[str, list[_Want]] = {}
    for selection in selections(scenario):
        kinds = list(_kinds(profiles[selection.device], selection, wired))
        if not kinds:
            continue
        repeats = selection.repeats or scenario.repeats
        own = wanted.setdefault(selection.device, [])
        for repeat in range(repeats):
            session = repeat * scenario.sessions // repeats
            shift = repeat if scenario.order == "counterbalanced" else 0
            own += [
                replace(kind, session=session)
                for kind in (*kinds[shift % len(kinds) :], *kinds[: shift % len(kinds)])
            ]
    return {
        device: _in_order(scenario, profiles[device], wants)
        for device, wants in wanted.items()
    }


def _kinds(
    profile: DeviceProfile,
    selection: Selection,
    wired: Wired,
) -> Iterator[_Want]:
    for name in selection.activities or profile.activities:
        activity = profile.activities[name]
        for channel in activity.channels:
            if selection.channels and channel not in selection.channels:
                continue
            if not wired.serves(profile.device, channel):
                continue
            for network in _networks(profile, name, channel):
                if not selection.networks or network in (None, *selection.networks):
                    yield _Want(activity=name, channel=channel, network=network)


def _networks(
    profile: DeviceProfile, activity: str, channel: Channel
) -> Sequence[Network | None]:
    phone = profile.activities[activity].phone
    if channel is Channel.PHONE and phone is not None:
        return phone.networks
    return (None,)


def _in_order(
    scenario: Scenario, profile: DeviceProfile, wants: Sequence[_Want]
) -> list[_Want]:
    """Order one device's trials session by session, preconditions reached."""
    random = _generator(scenario, profile.device)
    state = dict(profile.initial)
    ordered: list[_Want] = []
    for session in sorted({w.session for w in wants}):
        left = [w for w in wants if w.session == session]
        if scenario.order == "shuffled":
            random.shuffle(left)
        while left:
            choice = next((w for w in left if _holds(profile, w, state)), None)
            if choice is None:
                way = _way(profile, left[0], state)
                ordered += [replace(w, session=session) for w in way]
                for step in way:
                    state.update(profile.activities[step.activity].gives)
                choice = left[0]
            left.remove(choice)
            ordered.append(choice)
            state.update(profile.activities[choice.activity].gives)
        back = _way_back(profile, state)
        ordered += [replace(w, session=session) for w in back]
        state = dict(profile.initial)
    return ordered


def _holds(profile: DeviceProfile, want: _Want, state: Mapping[str, str]) -> bool:
    needs = profile.activities[want.activity].needs
    return all(state.get(key) == value for key, value in needs.items())


def _way(
    profile: DeviceProfile, want: _Want, state: Mapping[str, str]
) -> tuple[_Want, ...]:
    """Find the shortest preparations after which `want` makes sense, or none."""
    needs = profile.activities[want.activity].needs
    return _reach(profile, needs, state, want.channel)


def _way_back(profile: DeviceProfile, state: Mapping[str, str]) -> tuple[_Want, ...]:
    changed = {k: v for k, v in profile.initial.items() if state.get(k) != v}
    found = _reach(profile, profile.initial, state, None) if changed else ()
    if changed and not found and "power" in changed:
        return _reach(profile, {"power": profile.initial["power"]}, state, None)
    return found


def _reach(
    profile: DeviceProfile,
    goal: Mapping[str, str],
    state: Mapping[str, str],
    channel: Channel | None,
) -> tuple[_Want, ...]:
    """Search breadth first for preparations that lead from `state` to `goal`."""
    front: list[tuple[tuple[_Want, ...], dict[str, str]]] = [((), dict(state))]
    for _ in range(_REACH + 1):
        following = []
        for path, reached in front:
            if all(reached.get(k) == v for k, v in goal.items()):
                return path
            for step in _preparations(profile, reached, channel):
                gives = profile.activities[step.activity].gives
                following.append(((*path, step), {**reached, **gives}))
        front = following
    return ()


def _preparations(
    profile: DeviceProfile, state: Mapping[str, str], channel: Channel | None
) -> Iterator[_Want]:
    for name, activity in profile.activities.items():
        if not activity.gives:
            continue
        channels = activity.channels
        own = channel if channel in channels else channels[0]
        network = _networks(profile, name, own)[0]
        want = _Want(activity=name, channel=own, network=network, preparation=True)
        if _holds(profile, want, state):
            yield want


def _queues_of_users(
    scenario: Scenario, profiles: Mapping[str, DeviceProfile], wired: Wired
) -> dict[str, list[_Want]]:
    """Draw what users do; an act that makes no sense then (lamp is on) is not done."""
    queues: dict[str, list[_Want]] = {}
    free_s: dict[str, float] = {}
    states: dict[str, dict[str, str]] = {}
    for act in draw_acts(scenario):
        profile = profiles[act.device]
        state = states.setdefault(act.device, dict(profile.initial))
        want = _want_of(act, profile, scenario.begins, free_s.get(act.device, 0.0))
        is_served = wired.serves(act.device, act.channel)
        if not is_served or not _holds(profile, want, state):
            continue
        start_s = want.not_before_s or 0.0
        free_s[act.device] = start_s + profile.delta_s(act.activity) + 30.0
        state.update(profile.activities[act.activity].gives)
        queues.setdefault(act.device, []).append(want)
    return queues


def _want_of(act: Act, profile: DeviceProfile, begins_s: float, free_s: float) -> _Want:
    network = None
    if act.channel is Channel.PHONE:
        network = act.network or _networks(profile, act.activity, act.channel)[0]
    return _Want(
        activity=act.activity,
        channel=act.channel,
        network=network,
        session=int(act.at_s // 86400),
        user=act.user,
        malicious=act.malicious,
        not_before_s=max(act.at_s - begins_s, free_s),
    )


def _merged(
    scenario: Scenario,
    queues: Mapping[str, Sequence[_Want]],
    random: np.random.Generator,
) -> Iterable[tuple[str, _Want]]:
    """Merge the devices' queues; the order within a device is kept."""
    tagged = [(d, i, w) for d, queue in queues.items() for i, w in enumerate(queue)]
    if scenario.users:
        tagged.sort(key=lambda x: (x[2].not_before_s or 0.0, x[0]))
        return [(d, w) for d, _, w in tagged]
    if scenario.order == "fixed":
        tagged.sort(key=lambda x: (x[2].session, x[1]))
        return [(d, w) for d, _, w in tagged]
    # Each trial gets a random place in its device's share of the session: devices mix
    # evenly, whatever their number of trials.
    keys: dict[tuple[str, int], float] = {}
    for device, queue in queues.items():
        for session in {w.session for w in queue}:
            own = [i for i, w in enumerate(queue) if w.session == session]
            for i, share in zip(own, np.sort(random.random(len(own))), strict=True):
                keys[device, i] = session + float(share)
    tagged.sort(key=lambda x: keys[x[0], x[1]])
    return [(d, w) for d, _, w in tagged]


def _trial(
    scenario: Scenario,
    profiles: Mapping[str, DeviceProfile],
    index: int,
    device: str,
    want: _Want,
    random: np.random.Generator,
) -> PlannedTrial:
    profile = profiles[device]
    activity = profile.activities[want.activity]
    rest = scenario.rest.uniform if scenario.rest else (profile.rest, profile.rest)
    return PlannedTrial(
        trial=f"{index + 1:04d}",
        session=want.session,
        device=device,
        activity=want.activity,
        channel=want.channel,
        network=want.network,
        delta_s=profile.delta_s(want.activity),
        rest_s=round(float(random.uniform(*rest)), 3),
        parameters=dict(activity.parameters),
        needs=dict(activity.needs),
        gives=dict(activity.gives),
        user=want.user,
        malicious=want.malicious,
        not_before_s=want.not_before_s,
        preparation=want.preparation,
        settle_s=profile.settle if scenario.settle is None else scenario.settle,
    )
