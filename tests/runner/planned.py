"""The lab of the scripted instruments, its devices, and small plans for them."""

from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.model.types import Channel, Network

PROFILES = {
    "lamp": {
        "vendor": "V",
        "model": "M",
        "category": "light",
        "mac": "02:00:00:00:00:01",
        "app": {"package": "com.lamp", "version": "1"},
        "initial": {"power": "off", "switch": "off"},
        "activities": {
            "power_on": {
                "delta": "4 s",
                "gives": {"power": "on"},
                "power": {"set": "on", "check": {"power_w": {"above": "3"}}},
            },
            "turn_on": {
                "delta": "5 s",
                "needs": {"power": "on"},
                "gives": {"switch": "on"},
                "parameters": {"level": "60"},
                "phone": {
                    "steps": [
                        {"open_app": "com.lamp"},
                        {"tap": {"text": "On"}},
                        {"wait_for": {"text": "On"}},
                    ],
                    "check": {"see": {"text": "On"}, "within": "3 s"},
                },
            },
            "look": {
                "delta": "5 s",
                "phone": [{"open_app": "com.lamp"}, {"tap": {"text": "State"}}],
            },
        },
    },
    "speaker": {
        "vendor": "V",
        "model": "M",
        "category": "speaker",
        "mac": "02:00:00:00:00:02",
        "app": {"package": "com.speaker"},
        "activities": {
            "ask_time": {
                "delta": "6 s",
                "voice": {
                    "say": "what time is it",
                    "check": {
                        "steps": [{"open_app": "com.speaker"}],
                        "see": {"text": "heard what time is it"},
                        "within": "3 s",
                    },
                },
            },
        },
    },
    "bulb": {
        "vendor": "V",
        "model": "M",
        "category": "light",
        "mac": "02:00:00:00:00:04",
        "app": {"package": "com.bulb"},
        "initial": {"switch": "off"},
        "activities": {
            "turn_on": {
                "delta": "5 s",
                "needs": {"switch": "off"},
                "gives": {"switch": "on"},
                "phone": {
                    "steps": [{"open_app": "com.bulb"}, {"tap": {"text": "On"}}],
                    "check": {"see": {"text": "On"}, "within": "3 s"},
                },
            },
            "turn_off": {
                "delta": "5 s",
                "needs": {"switch": "on"},
                "gives": {"switch": "off"},
                "phone": {
                    "steps": [{"open_app": "com.bulb"}, {"tap": {"text": "Off"}}],
                    "check": {"see": {"text": "Off"}, "within": "3 s"},
                },
            },
        },
    },
    "relay": {
        "vendor": "V",
        "model": "M",
        "category": "plug",
        "mac": "02:00:00:00:00:05",
        "initial": {"switch": "off"},
        "activities": {
            "turn_on": {
                "delta": "3 s",
                "needs": {"switch": "off"},
                "gives": {"switch": "on"},
                "api": {"set": "on", "check": {"power": "on"}},
            },
            "turn_off": {
                "delta": "3 s",
                "needs": {"switch": "on"},
                "gives": {"switch": "off"},
                "api": {"set": "off", "check": {"power": "off"}},
            },
        },
    },
    "wemo": {
        "vendor": "V",
        "model": "M",
        "category": "plug",
        "mac": "02:00:00:00:00:03",
        "activities": {
            "turn_on": {"delta": "3 s", "api": {"set": "on", "check": {"power": "on"}}},
            "turn_off": {
                "delta": "3 s",
                "api": {"set": "off", "check": {"power": "off"}},
            },
        },
    },
}


LAB = {
    "lab": "bench",
    "phone": {"serial": "x"},
    "voice": {},
    "plugs": {
        "plug_lamp": {"host": "h", "udn": "u", "feeds": "lamp"},
        "plug_dut": {"host": "h", "udn": "u", "is_device": "wemo"},
        "plug_relay": {"host": "h", "udn": "u", "is_device": "relay"},
    },
    "router": {"host": "r", "interface": "br-lan", "beacon": "10.77.0.1:47777"},
    "limits": {"free_mb": "1"},
}


def planned(number, device, activity, channel, **changes):
    profile = DeviceProfile.model_validate({"device": device, **PROFILES[device]})
    described = profile.activities[activity]
    values = {
        "trial": f"{number:04d}",
        "session": 0,
        "device": device,
        "activity": activity,
        "channel": Channel(channel),
        "network": Network.LAN if channel is Channel.PHONE else None,
        "delta_s": profile.delta_s(activity),
        "rest_s": 1.0,
        "parameters": dict(described.parameters),
        "needs": dict(described.needs),
        "gives": dict(described.gives),
    }
    return PlannedTrial(**(values | changes))


def small_plan(**changes):
    trials = (
        planned(1, "lamp", "power_on", Channel.POWER),
        planned(2, "speaker", "ask_time", Channel.VOICE),
        planned(3, "lamp", "turn_on", Channel.PHONE),
        planned(4, "wemo", "turn_on", Channel.API),
        planned(5, "lamp", "look", Channel.PHONE),
        planned(6, "wemo", "turn_off", Channel.API),
    )
    values = {
        "scenario": "small",
        "seed": 7,
        "interleave": True,
        "idle_s": 2.0,
        "trials": trials,
    }
    return Plan(**(values | changes))
