"""Which module knows which device, and what activities do to a device's state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from numpy.random import Generator

from testbed.virtual.house import camera
from testbed.virtual.house.talk import Talk
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How a device's state changes, after which delay, and what its app then shows."""

    delay_s: float
    status: str
    changes: Mapping[str, str]


def initial(device: str) -> dict[str, str]:
    """Return the state in which a device is found."""
    return {"power": "on"}


def effect(
    device: str,
    activity: str,
    parameters: Mapping[str, str],
    state: Mapping[str, str],
    rng: Generator,
) -> Effect:
    """Return what an activity does to a device."""
    return Effect(delay_s=float(rng.uniform(0.2, 1.0)), status="Live", changes={})


def script(
    unit: Unit,
    activity: str,
    channel: str,
    network: str | None,
    parameters: Mapping[str, str],
    rng: Generator,
) -> tuple[Exchange, ...]:
    """Return all traffic that an activity causes; see each device's module."""
    return camera.script(unit, activity, channel, network, parameters, rng)


def boot(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
    """Return what a device sends after its power comes on."""
    return ()


def background(unit: Unit, rng: Generator) -> Iterator[tuple[float, Exchange]]:
    """Yield what a device sends unasked, by time, without end."""
    at_s = 0.0
    while True:
        at_s += float(rng.uniform(10.0, 30.0))
        talk = Talk("arlo_q", "api.arlo.example", connection="control")
        yield at_s, talk.up(60).down(60, after_s=0.03).done()
