"""Which module knows the traffic of which device, and by which word it wakes."""

from collections.abc import Callable, Mapping

from numpy.random import Generator

from testbed.virtual.house import camera, light, plug, speaker, tv
from testbed.virtual.house.act import Act
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange

Script = Callable[[Unit, Act, Generator], tuple[Exchange, ...]]

WAKE_WORDS = {"echo_dot": "alexa", "home_mini": "hey google"}

_SCRIPTS: Mapping[str, Script] = {
    "arlo_q": camera.script,
    "omna_180": camera.script,
    "echo_dot": speaker.script,
    "home_mini": speaker.script,
    "samsung_tv": tv.script,
    "wemo_insight": plug.script,
    "iview_bulb": light.script,
    "koogeek_plug": plug.script,
    "tplink_hs110": plug.script,
}


def script(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    """Return all traffic that an activity causes: device, phone, controller.

    A change of power is not traffic by itself: `background.boot` says what follows.
    """
    if act.channel == "power":
        return ()
    return _SCRIPTS[unit.device](unit, act, rng)
