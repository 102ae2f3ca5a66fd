"""When users do things: Poisson rates by hour of the day, weekday and weekend."""

import zlib
from collections import Counter
from collections.abc import Iterator

import numpy as np

from testbed.model.references import hours_of
from testbed.model.scenario import Habit, Scenario, User

DAY_S = 86_400.0
_FIRST_WEEKEND_DAY = 5  # day 0 of a scenario is a Monday


def rates_per_hour(habit: Habit, day: int) -> tuple[float, ...]:
    """Return the 24 rates (events per hour) of a habit on a day; day 0 is a Monday.

    Without `weekend` the weekday's rates hold on all days.
    """
    weekend = day % 7 >= _FIRST_WEEKEND_DAY
    table = habit.weekend if weekend and habit.weekend else habit.weekday
    rates = [0.0] * 24
    for key, rate in table.items():
        for hour in hours_of(key):
            rates[hour] = rate
    return tuple(rates)


def habit_times(scenario: Scenario) -> Iterator[tuple[float, User, Habit]]:
    """Yield (seconds after the first midnight, user, habit) in order of time.

    Events of a habit in one hour are Poisson distributed and uniform within it. What
    the scenario begins too late for is left out.
    """
    drawn: list[tuple[float, int, User, Habit]] = []
    for user in scenario.users:
        for day in range(user.first_day, scenario.days):
            for habit, random in _streams(scenario.seed, user, day):
                for hour, rate in enumerate(rates_per_hour(habit, day)):
                    for second in random.uniform(0, 3600, random.poisson(rate)):
                        at_s = day * DAY_S + hour * 3600 + float(second)
                        if at_s >= scenario.begins:
                            drawn.append((round(at_s, 3), len(drawn), user, habit))
    for at_s, _, user, habit in sorted(drawn, key=lambda x: x[:2]):
        yield at_s, user, habit


def _streams(
    seed: int, user: User, day: int
) -> Iterator[tuple[Habit, np.random.Generator]]:
    """Yield each habit of a user with its draws of one day.

    Every user, habit and day has a stream of its own: one more of any of them changes
    the draws of no other. Habits of the same act have one each, in their order.
    """
    same: Counter[str] = Counter()
    for habit in user.habits:
        what = f"{habit.device} {habit.activity} {habit.channel} {habit.network}"
        name = f"{user.name} {what} {same[what]}"
        same[what] += 1
        yield habit, np.random.default_rng([seed, zlib.crc32(name.encode()), day])
