"""The iView bulb: framed JSON on the LAN, small encrypted reports to the cloud.

On, off, colour and brightness look nearly alike on the cloud side.
"""

from collections.abc import Mapping

from numpy.random import Generator

from testbed.virtual.house import payloads
from testbed.virtual.house.act import Act, app_handling_s
from testbed.virtual.house.hosts import PHONE
from testbed.virtual.house.plug import reports
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange

CLOUD = "api.iview.example"
_COLOURS = {"red": "ff0000", "green": "00ff00", "blue": "0000ff"}


def script(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    """Return what bulb and phone send for one activity."""
    touch_s = app_handling_s(rng)
    turns = payloads.iview(act.activity, _points(act), rng, act.instant_ns)
    lan = payloads.conversation(
        PHONE,
        unit.device,
        payloads.TUYA_PORT,
        turns,
        rng,
        at_s=touch_s,
        answer_s=0.03,
    )
    report_s = touch_s + unit.lasting(0.4, rng, 0.4)
    return lan, *reports(unit, CLOUD, rng, report_s)


def _points(act: Act) -> Mapping[str, object]:
    """Return the data points of the bulb's protocol that an activity sets."""
    match act.activity:
        case "turn_on" | "turn_off":
            return {"1": act.activity == "turn_on"}
        case "set_colour":
            value = _COLOURS.get(act.parameters.get("colour", ""), "ffffff")
            return {"2": "colour", "5": f"{value}0000ffff"}
        case _:
            percent = int(act.parameters.get("brightness", "100"))
            return {"2": "white", "3": round(25 + percent * 2.3)}
