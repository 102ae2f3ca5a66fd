"""Device profiles: what a device under test is and can be made to do."""

from typing import Literal

from pydantic import Field, model_validator

from testbed.model.interrupts import ALLOW_PERMISSIONS
from testbed.model.steps import Selector, Step
from testbed.model.types import Channel, Mac, Network, Seconds, Slug, Strict, Truth


class PowerAbove(Strict):
    """Bounds on electrical power in watts."""

    above: float | None = None
    below: float | None = None


class Check(Strict):
    """The observation that the activity took effect, within a deadline.

    see      a selector on the phone, after `steps` (which open the right screen)
    power_w  bounds on what the plug measures
    power    state that the plug reports
    """

    steps: tuple[Step, ...] = ()
    see: Selector | None = None
    power_w: PowerAbove | None = None
    power: Literal["on", "off"] | None = None
    within: Seconds = 8.0

    @model_validator(mode="after")
    def _something(self) -> "Check":
        if self.see is None and self.power_w is None and self.power is None:
            raise ValueError("must observe something: see, power_w or power")
        return self


class PhoneStimulus(Strict):
    """Steps on the phone. The shorthand is the list of steps alone."""

    steps: tuple[Step, ...] = Field(min_length=1)
    networks: tuple[Network, ...] = (Network.LAN,)
    check: Check | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"steps": value} if isinstance(value, list | tuple) else value


class VoiceStimulus(Strict):
    """A spoken sentence. The shorthand is the sentence alone."""

    say: str = Field(min_length=1)
    check: Check | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"say": value} if isinstance(value, str) else value


class SwitchStimulus(Strict):
    """Switch mains (`power`) or the device's own API (`api`). Shorthand: on or off."""

    set: Literal["on", "off"]
    check: Check | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"set": value} if isinstance(value, str) else value


class Activity(Strict):
    """A named change that a user can cause, by one or more channels.

    delta  δ of the label window [t, t + δ): a duration or a name in `delta_groups`
    needs  device state in which the activity makes sense
    gives  device state afterwards
    """

    delta: str
    needs: dict[Slug, str] = Field(default_factory=dict)
    gives: dict[Slug, str] = Field(default_factory=dict)
    parameters: dict[Slug, str] = Field(default_factory=dict)
    phone: PhoneStimulus | None = None
    voice: VoiceStimulus | None = None
    power: SwitchStimulus | None = None
    api: SwitchStimulus | None = None
    check: Check | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """List the channels by which this activity can be caused."""
        return tuple(c for c in Channel if getattr(self, c.value) is not None)

    def check_for(self, channel: Channel) -> Check | None:
        """Return the check of a channel: its own, else the activity's, else None."""
        stimulus = getattr(self, channel.value)
        return stimulus.check if stimulus.check is not None else self.check


class App(Strict):
    """The companion app that the selectors were written for."""

    package: str
    version: str = ""


class DeviceProfile(Strict):
    """Identity and activities of one device under test.

    anchor       where the sizes and timings of its virtual twin come from
    settle       how long it goes on talking after a label window
    interrupts   pop-ups of the app to close when they are in the way
    permissions  what Android is told when it asks for one on behalf of the app
    """

    device: Slug
    vendor: str
    model: str
    category: Literal["camera", "speaker", "tv", "plug", "light", "hub", "other"]
    mac: Mac
    unit: str = "1"
    firmware: str = ""
    app: App | None = None
    plaintext: Truth = False
    anchor: str = ""
    rest: Seconds = 2.0
    settle: Seconds = 0.0
    initial: dict[Slug, str] = Field(default_factory=dict)
    delta_groups: dict[Slug, Seconds] = Field(default_factory=dict)
    interrupts: tuple[Step, ...] = ()
    permissions: Literal["deny", "allow"] = "deny"
    activities: dict[Slug, Activity] = Field(min_length=1)

    @property
    def expected(self) -> tuple[Step, ...]:
        """Return the interrupts, with the answer to a request for a permission."""
        allow = (ALLOW_PERMISSIONS,) if self.permissions == "allow" else ()
        return (*self.interrupts, *allow)

    def delta_s(self, activity: str) -> float:
        """Return δ of an activity in seconds, through its group where it has one."""
        from testbed.model.types import parse_seconds

        delta = self.activities[activity].delta
        group = self.delta_groups.get(delta)
        return group if group is not None else parse_seconds(delta)
