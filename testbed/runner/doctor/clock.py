"""The router's clock against ours: how well a stamp can be put on the capture's."""

from collections.abc import Sequence

import numpy as np

from testbed.model.events import ClockMeasured
from testbed.runner.doctor.findings import Said, Value, Verdict
from testbed.runner.recording.clockwork import fit


def clock_quality(
    samples: Sequence[ClockMeasured],
    beacons: Sequence[tuple[int, int]],
    limit_s: float,
) -> Said:
    """Judge a few seconds of measurements.

    beacons  (sent ns by our clock, captured ns by the capture's) each
    limit_s  `limits.clock_uncertainty`: above it no label may be made
    """
    measured = _measured(samples, beacons)
    last_ns = max(s.at_ns for s in samples)
    line = fit(samples, beacons)
    uncertainty_ms = line.to_capture(last_ns).uncertainty_ns / 1e6
    measured["uncertainty_ms"] = round(uncertainty_ms, 3)
    measured["limit_ms"] = round(limit_s * 1000, 3)
    offset_s = float(str(measured["offset_ms"])) / 1000
    said = f"{offset_s:+.3f} s off, known to {uncertainty_ms:.2f} ms"
    if uncertainty_ms > limit_s * 1000:
        return Said(
            said=f"{said}; limits.clock_uncertainty is {limit_s * 1000:g} ms",
            verdict=Verdict.BAD,
            measured=measured,
            remedy="is the link to the router busy, or its clock being set (ntpd)?",
        )
    if line.steps:
        jump_s = line.steps[0].jump_ns / 1e9
        return Said(
            said=f"a clock jumped by {jump_s:+.3f} s while it was measured",
            verdict=Verdict.WARNING,
            measured=measured,
            remedy="let the clocks settle (ntpd, chronyd) before a campaign",
        )
    if uncertainty_ms > limit_s * 500:
        return Said(
            said=f"{said}, more than half of limits.clock_uncertainty",
            verdict=Verdict.WARNING,
            measured=measured,
            remedy="take a quieter link to the router",
        )
    return Said(said=said, measured=measured)


def _measured(
    samples: Sequence[ClockMeasured], beacons: Sequence[tuple[int, int]]
) -> dict[str, Value]:
    """Return offset, error, jitter, drift and the way of beacons, all in numbers.

    The drift of so few seconds is known to about its error, both in ppm.
    """
    at_s = np.array([s.at_ns - samples[0].at_ns for s in samples]) / 1e9
    offset_ms = np.array([s.offset_ns for s in samples], dtype=np.float64) / 1e6
    error_ms = np.array([s.error_ns for s in samples]) / 1e6
    facts: dict[str, Value] = {
        "samples": len(samples),
        "offset_ms": round(float(np.median(offset_ms)), 3),
        "error_ms": round(float(error_ms.min()), 3),
        "jitter_ms": round(float(np.ptp(offset_ms)), 3),
    }
    if len(samples) >= 3:
        base_ms = offset_ms - offset_ms[0]  # a slope of large numbers loses digits
        slope = float(np.polyfit(at_s, base_ms, 1)[0])
        facts["drift_ppm"] = round(slope * 1000, 1)
        span_s = float(np.ptp(at_s))
        facts["drift_error_ppm"] = round(2000 * float(error_ms.max()) / span_s, 1)
    if beacons:
        line = fit(samples)
        ways = [got - line.to_capture(sent).capture_ns for sent, got in beacons]
        facts["beacon_way_ms"] = round(float(np.median(ways)) / 1e6, 3)
    return facts
