"""Arlo Q and Omna 180: cameras that stream to a cloud or to the phone."""

from collections.abc import Mapping

from numpy.random import Generator

from testbed.virtual.house.talk import Talk, stream
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange


def script(
    unit: Unit,
    activity: str,
    channel: str,
    network: str | None,
    parameters: Mapping[str, str],
    rng: Generator,
) -> tuple[Exchange, ...]:
    """Return what camera and phone send for one activity."""
    control = Talk("arlo_q", "api.arlo.example", connection="control", at_s=0.3)
    control.down(420).up(unit.sized(380, rng, 0.1), after_s=0.05)
    media = Talk("arlo_q", "media.arlo.example", at_s=0.6)
    stream(
        media,
        rng,
        total_b=unit.sized(880_000, rng, 0.03),
        chunk_b=9_000,
        duration_s=15.0,
        upstream=True,
    )
    return control.done(), media.done()
