"""What activities do to a device's state, how soon, and what its app then shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.random import Generator

from testbed.virtual.house.act import Act

_INITIAL: dict[str, dict[str, str]] = {
    "echo_dot": {"volume": "4"},
    "home_mini": {"volume": "4"},
    "samsung_tv": {"switch": "off", "volume": "8"},
    "wemo_insight": {"switch": "off"},
    "iview_bulb": {"switch": "off", "colour": "white", "brightness": "100"},
    "koogeek_plug": {"switch": "off"},
    "tplink_hs110": {"switch": "off"},
}
_STATUS = {
    "stream_video": "Live",
    "record_video": "Recording",
    "take_snapshot": "Snapshot saved",
    "open_settings": "Settings",
    "launch_app": "App started",
    "play": "Playing",
}
# Seconds from cause to effect; what is not named takes the last.
_DELAY_S = {
    "stream_video": (0.9, 2.4),
    "record_video": (0.8, 2.0),
    "take_snapshot": (1.2, 3.0),
    "launch_app": (0.8, 2.2),
    "play": (0.6, 1.8),
}
_USUAL_DELAY_S = (0.2, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How a device's state changes, after which delay, and what its app then shows."""

    delay_s: float
    status: str
    changes: Mapping[str, str]


def initial(device: str) -> dict[str, str]:
    """Return the state in which a device is found when nobody says otherwise."""
    return {"power": "on", "status": "Ready"} | _INITIAL.get(device, {})


def effect(act: Act, rng: Generator) -> Effect:
    """Return what an activity does to a device that is in `act.state`."""
    delay_s = float(rng.uniform(*_DELAY_S.get(act.activity, _USUAL_DELAY_S)))
    status, changes = _outcome(act)
    return Effect(delay_s=delay_s, status=status, changes=changes)


def _outcome(act: Act) -> tuple[str, Mapping[str, str]]:
    match act.activity:
        case "turn_on":
            return "On", {"switch": "on"}
        case "turn_off":
            return "Off", {"switch": "off"}
        case "read_state":
            return f"State: {act.state.get('switch', 'off')}", {}
        case "set_colour":
            colour = act.parameters.get("colour", "white")
            return f"Colour {colour}", {"colour": colour}
        case "set_brightness":
            percent = act.parameters.get("brightness", "100")
            return f"Brightness {percent}", {"brightness": percent}
        case "volume_up" | "volume_down":
            return _volume(act)
        case "power_on" | "power_off":
            return _power(act)
        case _:
            return _STATUS.get(act.activity, "Ready"), {}


def _power(act: Act) -> tuple[str, Mapping[str, str]]:
    on = act.activity == "power_on"
    changes = {"power": "on" if on else "off"}
    if "switch" in act.state:
        changes["switch"] = "off"
    return "Ready" if on else "Device offline", changes


def _volume(act: Act) -> tuple[str, Mapping[str, str]]:
    step = 1 if act.activity == "volume_up" else -1
    volume = int(act.state.get("volume", "4")) + step
    # A person would not go on at the end of the scale; the lab starts over.
    volume = 1 if volume > 30 else max(0, volume)
    return f"Volume {volume}", {"volume": str(volume)}
