"""The TV: control from the app through the cloud, content over TLS.

No public anchor is at hand; volumes are guesses between cameras and speakers.
"""

from numpy.random import Generator

from testbed.virtual.house.act import Act, app_handling_s, app_request
from testbed.virtual.house.talk import Talk, stream
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange

_APP, _OSB, _CDN = (
    "api.smartthings.example",
    "osb.samsungtv.example",
    "cdn.samsungtv.example",
)
_NAME = "samsung_tv"


def script(unit: Unit, act: Act, rng: Generator) -> tuple[Exchange, ...]:
    """Return what TV and phone send for one activity over the app."""
    touch_s = app_handling_s(rng)
    app = app_request(_APP, rng, at_s=touch_s)
    at_s = touch_s + 0.12 + float(rng.gamma(2.0, 0.04))
    control = _control(unit, rng, at_s)
    match act.activity:
        case "turn_on":
            return app, control, *_start(unit, rng, at_s + 0.6)
        case "launch_app":
            return app, control, _fetch(unit, rng, at_s + 0.5, 420_000, 6.0, 0.5)
        case "play":
            return app, control, _fetch(unit, rng, at_s + 0.5, 1_150_000, 11.0, 0.4)
        case "turn_off":
            if rng.random() < 0.2:  # it says so later, when it wakes up
                return app, control
            return app, control, _log(unit, rng, at_s + 0.5, 5_200)
        case _:
            return app, control


def _control(unit: Unit, rng: Generator, at_s: float) -> Exchange:
    talk = Talk(_NAME, _APP, at_s=at_s, connection="control")
    talk.down(unit.sized(420, rng, 0.06)).up(unit.sized(510, rng, 0.06), after_s=0.09)
    for _ in range(2 + int(rng.poisson(1.5))):
        talk.up(unit.sized(340, rng, 0.3), after_s=unit.lasting(0.7, rng, 0.5))
        talk.down(unit.sized(70, rng, 0.3), after_s=0.05)
    return talk.done()


def _start(unit: Unit, rng: Generator, at_s: float) -> tuple[Exchange, ...]:
    """Return the calls home of a TV that wakes up: programme guide, ads, log."""
    guide = _fetch(unit, rng, at_s + 0.4, 160_000, 4.0, 0.3)
    advert = _fetch(unit, rng, at_s + unit.lasting(2.5, rng, 0.3), 60_000, 1.5, 0.6)
    return guide, advert, _log(unit, rng, at_s + 1.2, 14_000)


def _fetch(
    unit: Unit, rng: Generator, at_s: float, size_b: int, span_s: float, sigma: float
) -> Exchange:
    talk = Talk(_NAME, _CDN, at_s=at_s)
    talk.up(unit.sized(850, rng, 0.1)).wait(0.12)
    stream(
        talk,
        rng,
        total_b=unit.sized(size_b, rng, sigma),
        chunk_b=22_000,
        duration_s=unit.lasting(span_s, rng, 0.2),
        upstream=False,
    )
    return talk.done()


def _log(unit: Unit, rng: Generator, at_s: float, size_b: int) -> Exchange:
    talk = Talk(_NAME, _OSB, at_s=at_s)
    return talk.up(unit.sized(size_b, rng, 0.3)).down(310, after_s=0.08).done()
