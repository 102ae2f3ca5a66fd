"""Bring devices back to where a campaign left them, when it goes on.

A trial that was voided, or a lab whose devices were reset, may leave a device in
another state than the next trial needs. What leads there is put into the plan as trials
of its own, marked as preparations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.model.unroll import reach


def with_preparations(
    plan: Plan,
    left: Sequence[PlannedTrial],
    known: Mapping[str, Mapping[str, str]],
    profiles: Mapping[str, DeviceProfile],
) -> Plan:
    """Return the plan, with preparations before trials whose needs would not hold.

    left   the trials still to be done, in the order of the plan
    known  device -> its state now, as far as it is known

    The plan itself is returned when nothing is missing, or nothing would help.
    """
    states = {device: dict(state) for device, state in known.items()}
    names = {t.trial for t in plan.trials}
    before: dict[str, list[PlannedTrial]] = {}
    for trial in left:
        state = states.setdefault(trial.device, {})
        missing = {k: v for k, v in trial.needs.items() if state.get(k, v) != v}
        if missing:
            way = _way(trial, profiles[trial.device], state, names)
            before[trial.trial] = way
            for step in way:
                state.update(step.gives)
        state.update(trial.gives)
    if not any(before.values()):
        return plan
    trials = [one for t in plan.trials for one in (*before.get(t.trial, ()), t)]
    return replace(plan, trials=tuple(trials))


def _way(
    trial: PlannedTrial,
    profile: DeviceProfile,
    state: Mapping[str, str],
    names: set[str],
) -> list[PlannedTrial]:
    way = []
    for name, channel, network in reach(profile, trial.needs, state, trial.channel):
        activity = profile.activities[name]
        way.append(
            replace(
                trial,
                trial=_free_name(trial.trial, names),
                activity=name,
                channel=channel,
                network=network,
                delta_s=profile.delta_s(name),
                parameters=dict(activity.parameters),
                needs=dict(activity.needs),
                gives=dict(activity.gives),
                user="",
                preparation=True,
            )
        )
    return way


def _free_name(trial: str, names: set[str]) -> str:
    number = 1
    while (name := f"{trial}p{number}") in names:
        number += 1
    names.add(name)
    return name
