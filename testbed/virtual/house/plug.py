"""Plugs under test: WeMo Insight, Koogeek, TP-Link HS110.

Their LAN side is plaintext between phone and plug; their cloud side is
a few small encrypted messages, the same for on and off.
"""

from numpy.random import Generator

from testbed.virtual.house import payloads
from testbed.virtual.house.act import Act, app_handling_s, app_request
from testbed.virtual.house.hosts import PHONE, address
from testbed.virtual.house.talk import Talk
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange

CLOUDS = {
    "wemo_insight": "api.wemo.example",
    "koogeek_plug": "api.koogeek.example",
    "tplink_hs110": "api.tplink.example",
}
_PORTS = {
    "wemo_insight": payloads.WEMO_PORT,
    "koogeek_plug": payloads.HTTP_PORT,
    "tplink_hs110": payloads.KASA_PORT,
}


def script(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    """Return what plug and phone send for one activity."""
    cloud = CLOUDS[unit.device]
    touch_s = app_handling_s(rng) if act.channel == "phone" else 0.002
    if act.network == "wan":
        at_s = touch_s + 0.15
        first: tuple[Exchange, ...] = (app_request(cloud, rng, at_s=touch_s),)
        first += (_pushed(unit, cloud, rng, at_s),)
    elif act.channel == "api":
        first = ()  # the controller makes its calls itself
    else:
        first = (_on_lan(unit, act, rng, touch_s),)
    if act.activity == "read_state":
        return first
    report_s = touch_s + unit.lasting(0.4, rng, 0.4)
    return *first, *reports(unit, cloud, rng, report_s)


def reports(
    unit: Unit, cloud: str, rng: Generator, at_s: float
) -> tuple[Exchange, ...]:
    """Return what the cloud is told: the new state, and a reading some time later."""
    talk = Talk(unit.device, cloud, at_s=at_s, connection="cloud")
    talk.up(unit.sized(185, rng, 0.08)).down(64, after_s=0.05)
    if rng.random() < 0.5:
        talk.up(unit.sized(100, rng, 0.1), after_s=float(rng.uniform(0.2, 2.0)))
    later_s = unit.lasting(12.0, rng, 0.17)
    reading = Talk(unit.device, cloud, at_s=at_s + later_s, connection="cloud")
    reading.up(unit.sized(140, rng, 0.15)).down(48, after_s=0.05)
    return talk.done(), reading.done()


def _on_lan(unit: Unit, act: Act, rng: Generator, at_s: float) -> Exchange:
    on = act.state.get("switch") == "on"
    if act.activity != "read_state":
        on = act.activity == "turn_on"
    host = address(unit.device)
    match unit.device:
        case "wemo_insight":
            turns = payloads.wemo(act.activity, on, host, rng, act.instant_ns)
        case "koogeek_plug":
            turns = payloads.koogeek(act.activity, on, host, rng)
        case _:
            turns = payloads.kasa(act.activity, on, rng)
    return payloads.conversation(
        PHONE,
        unit.device,
        _PORTS[unit.device],
        turns,
        rng,
        at_s=at_s,
        answer_s=0.035,
    )


def _pushed(unit: Unit, cloud: str, rng: Generator, at_s: float) -> Exchange:
    talk = Talk(unit.device, cloud, at_s=at_s, connection="cloud")
    return talk.down(unit.sized(170, rng, 0.08)).up(90, after_s=0.05).done()
