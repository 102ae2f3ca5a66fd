"""When the people of each home use its device: households of the simulated population.

The same people as those of the behaviour studies; of each kind those are taken that
have such a device, in the order of the population.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import NamedTuple

from testbed.errors import ConfigError
from testbed.model.acts import Act, draw_acts
from testbed.model.scenario import Scenario
from testbed.model.types import Channel
from testbed.virtual.homes.places import USERS, Home
from testbed.virtual.homes.span import Span, local_ns
from testbed.virtual.people import population

_AT_MOST = 64  # households of a kind that are looked at for one with the device
_LEAST = 0.5  # acts a day: a household that has the device uses it
_DAY_S = 86_400.0


class Use(NamedTuple):
    """One act of somebody: when, which activity, by which channel, phone where."""

    time_ns: int
    activity: str
    channel: str
    network: str | None


def households(
    homes: Sequence[Home], device: str, span: Span, seed: int
) -> tuple[tuple[Use, ...], ...]:
    """Return what the people of each home do with the device, by time.

    Raises ConfigError where too few households have one.
    """
    monday = span.start - timedelta(days=span.start.weekday() + 7)
    days = (span.start - monday).days + span.days + 1
    candidates = _candidates(seed, days)
    waiting: dict[str, list[tuple[Act, ...]]] = {user: [] for user in USERS}
    found = []
    for home in homes:
        while not waiting[home.user]:
            scenario = next(candidates, None)
            if scenario is None:
                raise ConfigError(
                    f"{device}: too few simulated households have one; take fewer homes"
                )
            acts = tuple(a for a in draw_acts(scenario) if a.device == device)
            if len(acts) >= _LEAST * days:
                kind = scenario.scenario.rpartition("_")[0]
                waiting[kind].append(acts)
        acts = waiting[home.user].pop(0)
        uses = (_use(act, monday.toordinal(), home.zone) for act in acts)
        inside = (
            use
            for act, use in zip(acts, uses, strict=True)
            if span.start_ns <= use.time_ns < span.end_ns
            and act.channel is not Channel.POWER
        )
        found.append(tuple(sorted(inside, key=itemgetter(0))))
    return tuple(found)


def _candidates(seed: int, days: int) -> Iterator[Scenario]:
    """Yield the households of a population, which are the same however many."""
    seen, n = 0, len(USERS)
    while n <= len(USERS) * _AT_MOST:
        yield from population(seed, n, None, days)[seen:]
        seen, n = n, 2 * n


def _use(act: Act, monday: int, zone: str) -> Use:
    day, second = divmod(act.at_s, _DAY_S)
    at_ns = local_ns(monday + int(day), second / 3600.0, zone)
    network = act.network.value if act.network is not None else None
    if act.channel is Channel.PHONE and network is None:
        network = "lan"
    return Use(at_ns, act.activity, act.channel.value, network)
