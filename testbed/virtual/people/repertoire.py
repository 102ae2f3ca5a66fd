"""What people do with the devices of the house, and at which part of their day."""

from dataclasses import dataclass
from enum import StrEnum

from testbed.model.types import Channel


class Part(StrEnum):
    """A part of a person's own day, whatever the clock says."""

    MORNING = "morning"
    AWAY = "away"
    EVENING = "evening"
    LATE = "late"
    WAKING = "waking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An activity, by which channel, when, and about how often a day."""

    device: str
    activity: str
    channel: Channel
    part: Part
    per_day: float


def _things(device: str, channel: Channel, table: str) -> tuple[Thing, ...]:
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(
        Thing(
            device=device,
            activity=activity,
            channel=channel,
            part=Part(part),
            per_day=float(per_day),
        )
        for activity, part, per_day in rows
    )


_SPEAKER = """
ask_weather morning 1.1
ask_time waking 0.9
set_timer evening 1.0
tell_joke evening 0.5
play_music evening 1.6
stop evening 1.0
volume_up evening 0.8
ask_commute morning 0.7
"""
_PLUG = """
turn_on morning 0.9
turn_off late 0.9
read_state away 0.5
"""

THINGS = (
    *_things(
        "arlo_q",
        Channel.PHONE,
        """
        stream_video away 1.5
        take_snapshot away 0.7
        record_video evening 0.4
        open_settings waking 0.2
        """,
    ),
    *_things(
        "omna_180",
        Channel.PHONE,
        """
        stream_video away 1.1
        take_snapshot evening 0.6
        record_video away 0.4
        """,
    ),
    *_things("echo_dot", Channel.VOICE, _SPEAKER + "set_alarm late 0.6\n"),
    *_things("home_mini", Channel.VOICE, _SPEAKER + "volume_down evening 0.7\n"),
    *_things(
        "samsung_tv",
        Channel.PHONE,
        """
        turn_on evening 1.1
        turn_off late 1.0
        launch_app evening 1.0
        play evening 0.9
        volume_up evening 1.2
        """,
    ),
    *_things(
        "iview_bulb",
        Channel.PHONE,
        """
        turn_on evening 1.2
        turn_off late 1.2
        set_colour evening 0.3
        set_brightness evening 0.6
        """,
    ),
    *_things("wemo_insight", Channel.PHONE, _PLUG),
    *_things("koogeek_plug", Channel.PHONE, _PLUG),
    *_things("tplink_hs110", Channel.PHONE, _PLUG),
)

SPEAKERS = ("echo_dot", "home_mini")
CAMERAS = ("arlo_q", "omna_180")
PLUGS = ("wemo_insight", "koogeek_plug", "tplink_hs110")

# Steps of routines, for a household that has the device and knows the activity.
LEAVING = (
    "speaker ask_weather",
    "speaker ask_commute",
    "camera take_snapshot",
    "iview_bulb turn_off",
    "plug turn_on",
    "camera stream_video",
)
COMING = (
    "iview_bulb turn_on",
    "speaker play_music",
    "samsung_tv turn_on",
    "samsung_tv launch_app",
    "speaker volume_up",
    "iview_bulb set_brightness",
    "plug read_state",
)
SLEEPING = (
    "samsung_tv turn_off",
    "speaker stop",
    "speaker set_alarm",
    "plug turn_off",
    "camera stream_video",
    "iview_bulb turn_off",
    "speaker ask_time",
)
