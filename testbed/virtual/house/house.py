"""The house: one copy of each device, and what each does when somebody acts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from numpy.random import Generator

from testbed.model.profile import DeviceProfile
from testbed.virtual.house import background, catalogue, effects
from testbed.virtual.house.act import SOME_DAY_NS, Act
from testbed.virtual.house.hosts import CLOUD, DEVICES, PHONE, PLUGS
from testbed.virtual.house.unit import Unit, draw_unit, generator
from testbed.virtual.traffic import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What one activity makes happen.

    effect_s   seconds after the cause until the device has taken effect
    status     what its app shows from then on
    changes    device state from then on
    exchanges  traffic of the device, the phone and the controller; `at_s` after cause
    """

    device: str
    activity: str
    channel: str
    network: str | None
    effect_s: float
    status: str
    changes: Mapping[str, str]
    exchanges: tuple[Exchange, ...]


class House:
    """All devices under test. Same seed and same calls, same traffic.

    Draws of one device depend on the seed, the session and how often that device has
    been asked, not on what other devices do.

    run  changes what is drawn from trial to trial, but not the copies of the devices:
         a campaign that is resumed must not see the same trials again
    """

    def __init__(
        self,
        seed: int,
        profiles: Mapping[str, DeviceProfile] | None = None,
        *,
        run: str = "",
    ) -> None:
        self._run = run
        self._seed = seed
        self._profiles = dict(profiles or {})
        self.devices = DEVICES
        self.sources = (*DEVICES, PHONE, *PLUGS)  # what has a background
        self._units: dict[str, Unit] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self.start_session(0)

    def start_session(self, index: int) -> None:
        """Redraw what differs from session to session."""
        self._session = index
        self._counts.clear()
        self._units = {name: self._draw(name) for name in self.sources}

    def unit(self, device: str) -> Unit:
        """Return the copy of a device that stands in this house, as it is today."""
        return self._units[device]

    def initial(self, device: str) -> dict[str, str]:
        """Return the state in which a device is found."""
        state = effects.initial(device)
        if device in self._profiles:
            state.update(self._profiles[device].initial)
        return state

    def react(
        self,
        device: str,
        activity: str,
        *,
        channel: str,
        network: str | None,
        parameters: Mapping[str, str],
        state: Mapping[str, str],
        instant_ns: int = SOME_DAY_NS,
    ) -> Reaction | None:
        """Return what follows from an activity, or None when the device is dead.

        `state` is the device's state before, `instant_ns` when it happens. The
        controller's own calls to a device's LAN API are not among the exchanges: the
        controller makes them.
        """
        if state.get("power") == "off" and activity != "power_on":
            return None
        rng = self._generator("react", device)
        act = Act(
            activity=activity,
            channel=channel,
            network=network,
            parameters=parameters,
            state=state,
            instant_ns=instant_ns,
        )
        effect = effects.effect(act, rng)
        exchanges = catalogue.script(self.unit(device), act, rng)
        return Reaction(
            device=device,
            activity=activity,
            channel=channel,
            network=network,
            effect_s=effect.delay_s,
            status=effect.status,
            changes=effect.changes,
            exchanges=tuple(e for e in exchanges if crosses_lan(e, network)),
        )

    def boot(self, device: str) -> tuple[Exchange, ...]:
        """Return what a device sends after its power comes on."""
        return background.boot(self.unit(device), self._generator("boot", device))

    def background(self, device: str) -> Iterator[tuple[float, Exchange]]:
        """Yield what a device sends unasked: seconds from now, exchange; by time."""
        return background.background(
            self.unit(device), self._generator("background", device)
        )

    def _generator(self, purpose: str, device: str) -> Generator:
        count = self._next(purpose, device)
        return generator(purpose, self._seed, self._run, self._session, device, count)

    def _next(self, purpose: str, device: str) -> int:
        count = self._counts.get((purpose, device), 0)
        self._counts[purpose, device] = count + 1
        return count

    def _draw(self, device: str) -> Unit:
        profile = self._profiles.get(device)
        return draw_unit(
            device,
            unit=profile.unit if profile else "1",
            firmware=profile.firmware if profile else "",
            session=self._session,
            seed=self._seed,
        )


def crosses_lan(exchange: Exchange, network: str | None) -> bool:
    """Say whether an exchange is seen on br-lan with the phone on `network`."""
    return not (
        network == "wan" and exchange.client == "phone" and exchange.server in CLOUD
    )
