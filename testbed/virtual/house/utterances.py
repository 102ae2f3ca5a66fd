"""A population of spoken commands: what sets one command's traffic apart.

Fitted to 500 public Echo traces of 100 commands: between commands the volumes vary by
lognormal laws with a few long answers; within one command less (see `speaker`). Any
number of commands can be drawn; the ten that the lab speaks are fixed members.
"""

import math
from dataclasses import dataclass

from numpy.random import Generator

from testbed.virtual.house.unit import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The medians of one spoken command.

    records    small audio records that follow the first burst
    burst_b    bytes of the first burst (wake word and what was buffered)
    answer_b   bytes of the spoken answer, music or other content
    notes      small messages each way beside the audio
    answer_s   how long the answer is spread
    """

    name: str
    records: float
    burst_b: float
    answer_b: float
    notes: float
    answer_s: float


def _fixed(
    name: str,
    records: float,
    burst_b: float,
    answer_b: float,
    notes: float,
    answer_s: float,
) -> Command:
    return Command(
        name=name,
        records=records,
        burst_b=burst_b,
        answer_b=answer_b,
        notes=notes,
        answer_s=answer_s,
    )


# Longer sentences send more records; the answers' lengths are guesses within the
# measured range, except that of volume_up, which is anchored.
NAMED: dict[str, Command] = {
    command.name: command
    for command in (
        _fixed("ask_weather", 112, 41_000, 88_000, 27, 2.9),
        _fixed("ask_time", 98, 36_000, 36_000, 23, 1.7),
        _fixed("set_timer", 124, 38_000, 42_000, 26, 1.9),
        _fixed("set_alarm", 128, 39_000, 47_000, 27, 2.0),
        _fixed("tell_joke", 104, 37_500, 96_000, 25, 3.4),
        _fixed("play_music", 100, 40_000, 168_000, 36, 4.6),
        _fixed("stop", 72, 10_600, 500, 4, 1.0),
        _fixed("volume_up", 77, 11_000, 500, 4, 1.4),
        _fixed("volume_down", 78, 11_100, 500, 4, 1.4),
        _fixed("ask_commute", 118, 40_000, 72_000, 26, 2.6),
    )
}


def draw_commands(n: int, seed: int) -> tuple[Command, ...]:
    """Draw `n` commands of the population; a longer draw begins with the shorter."""
    return tuple(_draw(generator("command", seed, i), f"command_{i}") for i in range(n))


def _draw(rng: Generator, name: str) -> Command:
    # Long sentences have long answers a little more often than not.
    shared = float(rng.normal(0.0, 1.0))
    long = math.exp(rng.uniform(0.7, 2.9)) if rng.random() < 0.06 else 1.0

    def around(median: float, sigma: float, with_shared: float) -> float:
        own = float(rng.normal(0.0, 1.0))
        mixed = with_shared * shared + (1.0 - with_shared**2) ** 0.5 * own
        return median * math.exp(sigma * mixed)

    return Command(
        name=name,
        records=around(122.0, 0.15, 0.5) * long**0.5,
        burst_b=around(37_000.0, 0.17, 0.3) * long**0.4,
        answer_b=around(47_000.0, 0.85, 0.5) * long**1.5,
        notes=around(36.0, 0.17, 0.5) * long**0.9,
        answer_s=around(0.75, 0.85, 0.6) * long,
    )
