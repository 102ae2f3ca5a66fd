"""What all people of a scenario do, benign and malicious: activities, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.model.attacks import Case, Strike, strikes
from testbed.model.habits import DAY_S, Doing, doings, stream
from testbed.model.scenario import Scenario
from testbed.model.types import Channel, Network
from testbed.model.users import Attack, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that one user does.

    at_s     seconds after the midnight at which day 0, a Monday, begins
    network  where the phone is, where the scenario says it
    episode  which episode of the user's attack it belongs to, from 1; 0 outside attacks
    """

    at_s: float
    user: str
    device: str
    activity: str
    channel: Channel
    network: Network | None
    malicious: bool
    episode: int = 0


def draw_acts(scenario: Scenario, seed: int | None = None) -> tuple[Act, ...]:
    """Draw the acts of all users in order of time; a plan holds the same.

    What the household does is the same with and without an intruder, but for what an
    attack puts in its place.

    seed  the scenario's own by default
    """
    chosen = scenario.seed if seed is None else seed
    done = doings(scenario, chosen)
    household = [d for d in done if not d.user.malicious]
    struck: list[tuple[User, Strike]] = []
    for user in scenario.users:
        if user.attack is not None:
            case = case_of(scenario, user, user.attack, (household, chosen))
            struck += [(user, s) for s in strikes(case) if fits(scenario, s)]
    prevented = {id(s.instead_of) for _, s in struck if s.instead_of is not None}
    acts = [_benign(d) for d in done if id(d) not in prevented]
    acts += [_malicious(user, strike) for user, strike in struck]
    return tuple(sorted(acts, key=lambda a: a.at_s))


def fits(scenario: Scenario, strike: Strike) -> bool:
    """Say whether it lies within the days of the scenario."""
    return scenario.begins <= strike.at_s < scenario.days * DAY_S


def case_of(
    scenario: Scenario,
    user: User,
    attack: Attack,
    among: tuple[Sequence[Doing], int],
) -> Case:
    """Return what an attack starts from.

    among  what the household does, and the seed
    """
    household, seed = among
    own = [d for d in household if not attack.of or d.user.name in attack.of]
    before = [d for d in own if d.at_s < user.first_day * DAY_S]
    return Case(
        attack=attack,
        days=user.days(scenario.days),
        doings=own,
        known=before or own,
        random=stream(seed, f"{user.name} attack {attack.kind}"),
    )


def _benign(doing: Doing) -> Act:
    action = doing.action
    return Act(
        at_s=doing.at_s,
        user=doing.user.name,
        device=action.device,
        activity=action.activity,
        channel=action.channel,
        network=action.network,
        malicious=doing.user.malicious,
    )


def _malicious(user: User, strike: Strike) -> Act:
    action = strike.action
    return Act(
        at_s=round(strike.at_s, 3),
        user=user.name,
        device=action.device,
        activity=action.activity,
        channel=action.channel,
        network=action.network,
        malicious=True,
        episode=strike.episode,
    )
