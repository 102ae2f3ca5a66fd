"""From a planned trial to acts on instruments: what prepares, what triggers.

The trigger is the one act whose instant is the label. It is never repeated here; what
comes before it only leads to the screen on which it makes sense.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from testbed.errors import LabError
from testbed.model.plan import PlannedTrial
from testbed.model.profile import Activity
from testbed.model.protocols import Bracket, Phone, Voice
from testbed.model.steps import Step
from testbed.model.types import Channel, Network
from testbed.runner.trials.arbiter import PHONE, ROOM
from testbed.runner.trials.site import Site

# What a phone remarks about a step that went another way than the profile describes.
REMARKS = ("fallback", "interrupt")


def _nothing() -> None:
    """Do nothing: most channels need no preparation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """The acts of one attempt. `holds` names what is held meanwhile."""

    holds: str
    trigger: Callable[[], Bracket]
    prepare: Callable[[], None] = _nothing
    finish: Callable[[], None] = _nothing


class PhonePlace:
    """Remembers where the phone is, so that it is moved only when it must be."""

    def __init__(self) -> None:
        self._network: Network | None = None

    def move(self, phone: Phone, network: Network | None) -> None:
        """Put the phone on a network; the caller holds the phone."""
        if network is None or network is self._network:
            return
        self._network = None  # unknown while, and if, it fails
        phone.set_network(network.value)
        self._network = network

    def forget(self) -> None:
        """Assume nothing any more: the phone failed."""
        self._network = None


def stimulus_for(site: Site, place: PhonePlace, trial: PlannedTrial) -> Stimulus:
    """Return the acts that cause the activity of `trial` once."""
    profile = site.profiles[trial.device]
    activity = profile.activities[trial.activity]
    match trial.channel:
        case Channel.PHONE:
            return _on_phone(site, place, trial)
        case Channel.VOICE:
            return _spoken(site, activity)
        case Channel.POWER | Channel.API:
            return _switched(site, trial, activity)


def split_steps(
    steps: Sequence[Step],
) -> tuple[tuple[Step, ...], Step, tuple[Step, ...]]:
    """Return the steps before the trigger, the trigger, and the steps after it.

    The trigger is the step that is marked, else the last one that does not only wait.
    """
    marked = [i for i, step in enumerate(steps) if step.trigger]
    acting = [i for i, step in enumerate(steps) if step.act != "wait_for"]
    index = (marked or acting or [len(steps) - 1])[-1]
    return tuple(steps[:index]), steps[index], tuple(steps[index + 1 :])


def _on_phone(site: Site, place: PhonePlace, trial: PlannedTrial) -> Stimulus:
    profile = site.profiles[trial.device]
    described = profile.activities[trial.activity].phone
    if described is None:
        raise LabError(f"{trial.device} has no phone steps for {trial.activity}")
    before, trigger, after = split_steps(described.steps)
    phone = site.phone
    marked = trigger.model_copy(update={"trigger": True})
    on_the_way: list[Bracket] = []

    def prepare() -> None:
        place.move(phone, trial.network)
        phone.expect(profile.expected)
        on_the_way[:] = perform_all(phone, before)

    def finish() -> None:
        perform_all(phone, after)

    return Stimulus(
        holds=PHONE,
        prepare=prepare,
        trigger=lambda: _with_remarks(phone.perform(marked), on_the_way),
        finish=finish,
    )


def perform_all(phone: Phone, steps: Sequence[Step]) -> list[Bracket]:
    """Do steps that only lead somewhere; return their brackets."""
    return [phone.perform(step) for step in steps]


def _with_remarks(bracket: Bracket, before: Sequence[Bracket]) -> Bracket:
    """Add what the steps on the way had to fall back on and to close."""
    detail = dict(bracket.detail)
    for key in REMARKS:
        told = [b.detail[key] for b in (*before, bracket) if key in b.detail]
        if told:
            detail[key] = "; ".join(dict.fromkeys(told))
    return replace(bracket, detail=detail)


def _spoken(site: Site, activity: Activity) -> Stimulus:
    if activity.voice is None:
        raise LabError("the plan has a voice trial of an activity without a sentence")
    sentence = activity.voice.say
    voice = site.voice

    def trigger() -> Bracket:
        # from the cache: it was just rendered
        return voice.play(voice.render(sentence))

    return Stimulus(
        holds=ROOM, prepare=lambda: _rendered(voice, sentence), trigger=trigger
    )


def _rendered(voice: Voice, sentence: str) -> None:
    voice.render(sentence)


def _switched(site: Site, trial: PlannedTrial, activity: Activity) -> Stimulus:
    channel = trial.channel
    described = activity.power if channel is Channel.POWER else activity.api
    if described is None:
        raise LabError(f"{trial.device} has no {channel} switch for {trial.activity}")
    name = site.plug_name(trial.device, channel)
    plug = site.bench.plugs[name]
    on = described.set == "on"
    return Stimulus(holds=f"plug {name}", trigger=lambda: plug.set_power(on))
