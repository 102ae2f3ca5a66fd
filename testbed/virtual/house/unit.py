"""One physical copy of a device model, as it behaves today.

Sizes and timings shift with the firmware version, between the copies of one model and
from session to session; a classifier that learnt one of them must not be perfect on
the next. What differs from trial to trial is drawn by the traffic models themselves.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

# Spread (sigma of log) of what firmware, copy and session do to sizes and durations.
# A guess, chosen so that training on one copy and testing on another loses about a
# third of the accuracy, as public data of two copies of one model show.
_FIRMWARE = (0.04, 0.05)
_COPY = (0.02, 0.04)
_SESSION = (0.025, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What makes this copy on this day differ from the model's median.

    size      factor on large payloads
    pace      factor on durations
    header_b  application bytes that its protocol headers have more (or less)
    """

    device: str
    unit: str = "1"
    firmware: str = ""
    session: int = 0
    size: float = 1.0
    pace: float = 1.0
    header_b: int = 0

    def sized(self, median_b: float, rng: Generator, sigma: float) -> int:
        """Draw a payload size around `median_b`, lognormal with `sigma`."""
        drawn = median_b * self.size * float(np.exp(rng.normal(0.0, sigma)))
        return max(1, round(drawn) + self.header_b)

    def lasting(self, median_s: float, rng: Generator, sigma: float) -> float:
        """Draw a duration around `median_s`, lognormal with `sigma`."""
        return median_s * self.pace * float(np.exp(rng.normal(0.0, sigma)))


def generator(*parts: object) -> Generator:
    """Return a generator that depends on all `parts` and on nothing else."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def draw_unit(
    device: str, *, unit: str, firmware: str, session: int, seed: int
) -> Unit:
    """Draw the copy `unit` of a device with this firmware in this session."""
    model = generator("firmware", device, firmware)
    copy = generator("unit", seed, device, unit)
    today = generator("session", seed, device, unit, session)
    size = pace = 0.0
    for rng, (size_sigma, pace_sigma) in (
        (model, _FIRMWARE),
        (copy, _COPY),
        (today, _SESSION),
    ):
        size += float(np.clip(rng.normal(0.0, size_sigma), -0.1, 0.1))
        pace += float(np.clip(rng.normal(0.0, pace_sigma), -0.2, 0.2))
    return Unit(
        device=device,
        unit=unit,
        firmware=firmware,
        session=session,
        size=float(np.exp(size)),
        pace=float(np.exp(pace)),
        header_b=int(model.integers(-6, 13)) + int(copy.integers(-2, 3)),
    )
