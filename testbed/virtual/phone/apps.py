"""The companion apps that the virtual phone has, as data.

One app per device under test. Resource ids are `<package>:id/<name>`; a button that
causes an activity is `btn_<activity>`, followed by the value where the activity has a
parameter (`btn_set_colour_red`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_TEXTS = {
    "stream_video": "Live",
    "record_video": "Record",
    "take_snapshot": "Snapshot",
    "open_settings": "Settings",
    "launch_app": "Netflix",
    "read_state": "Refresh",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button that causes one activity with fixed parameters."""

    activity: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name in the resource id, without the package."""
        return "_".join(("btn", self.activity, *self.parameters.values()))

    @property
    def text(self) -> str:
        """Return what a person reads on the button: 'Turn on', 'Red', '60 %'."""
        if "brightness" in self.parameters:
            return f"{self.parameters['brightness']} %"
        plain = " ".join(self.parameters.values()) or self.activity.replace("_", " ")
        return _TEXTS.get(self.activity, plain.capitalize())


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A companion app for one device.

    home_tile  whether it opens on a list of devices with a tile to tap
    history    whether it lists what the speaker heard
    """

    device: str
    package: str
    title: str
    buttons: tuple[Button, ...]
    home_tile: bool = False
    history: bool = False

    @property
    def tile(self) -> str:
        """Return the name of the tile on the app's home screen."""
        return f"tile_{self.device}"


def _buttons(*activities: str) -> tuple[Button, ...]:
    return tuple(Button(activity=a) for a in activities)


def _choices(activity: str, key: str, *values: str) -> tuple[Button, ...]:
    return tuple(Button(activity=activity, parameters={key: v}) for v in values)


APPS = (
    App(
        device="arlo_q",
        package="com.netgear.android",
        title="Arlo Q",
        buttons=_buttons(
            "stream_video", "record_video", "take_snapshot", "open_settings"
        ),
        home_tile=True,
    ),
    App(
        device="omna_180",
        package="com.dlink.omna",
        title="Omna 180",
        buttons=_buttons("stream_video", "record_video", "take_snapshot"),
    ),
    App(
        device="echo_dot",
        package="com.amazon.dee.app",
        title="Echo Dot",
        buttons=_buttons("volume_up"),
        history=True,
    ),
    App(
        device="home_mini",
        package="com.google.android.apps.chromecast.app",
        title="Home Mini",
        buttons=_buttons("volume_up"),
        history=True,
    ),
    App(
        device="samsung_tv",
        package="com.samsung.android.oneconnect",
        title="Living room TV",
        buttons=_buttons("turn_on", "turn_off", "launch_app", "volume_up", "play"),
        home_tile=True,
    ),
    App(
        device="wemo_insight",
        package="com.belkin.wemoandroid",
        title="WeMo Insight",
        buttons=_buttons("turn_on", "turn_off", "read_state"),
    ),
    App(
        device="iview_bulb",
        package="com.iview.smart",
        title="iView bulb",
        buttons=(
            *_buttons("turn_on", "turn_off"),
            *_choices("set_colour", "colour", "red", "green", "blue"),
            *_choices("set_brightness", "brightness", "20", "60", "100"),
        ),
    ),
    App(
        device="koogeek_plug",
        package="com.koogeek.home",
        title="Koogeek plug",
        buttons=_buttons("turn_on", "turn_off", "read_state"),
    ),
    App(
        device="tplink_hs110",
        package="com.tplink.kasa_android",
        title="Kasa HS110",
        buttons=_buttons("turn_on", "turn_off", "read_state"),
    ),
)
