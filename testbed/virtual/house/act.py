"""One activity, as the traffic models are told of it, and the phone's part in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from numpy.random import Generator

from testbed.virtual.house.hosts import PHONE
from testbed.virtual.house.talk import Talk
from testbed.virtual.traffic import Exchange

SOME_DAY_NS = 1_767_571_200 * 10**9  # 2026-01-05, where nobody says when
# From touch-down until the app's first packet leaves: a guess for a phone of 2018.
_HANDLING_S = (0.05, 0.15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is done to a device: activity, way, values, and the state before.

    instant_ns  when, as clocks of devices and apps tell it in what they say, ns UTC
    """

    activity: str
    channel: str
    network: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    instant_ns: int = SOME_DAY_NS


def app_handling_s(rng: Generator) -> float:
    """Draw how long an app takes from a touch to its first packet."""
    return float(rng.uniform(*_HANDLING_S))


def app_request(
    host: str, rng: Generator, *, at_s: float, up_b: int = 700, down_b: int = 520
) -> Exchange:
    """Return the phone's request to the cloud of an app, on the app's connection."""
    talk = Talk(PHONE, host, at_s=at_s, connection=f"app {host}")
    talk.up(round(up_b * float(rng.lognormal(0.0, 0.12))))
    answer_s = 0.06 + float(rng.gamma(2.0, 0.02))
    return talk.down(
        round(down_b * float(rng.lognormal(0.0, 0.2))), after_s=answer_s
    ).done()
