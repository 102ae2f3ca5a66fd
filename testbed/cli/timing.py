"""The clock of this controller: the one place in which it is chosen.

All stamps of one run come from one start, so that they cannot jump. The variable
TESTBED_CONTROLLER_SKEW ("offset_s,ppm" or "offset_s,ppm,since_ns") makes them wrong, to
show that nothing depends on this machine's clock being right.
"""

import os
import threading

from testbed.clock import Clock, SkewedClock, SteadyClock, SystemClock
from testbed.errors import ConfigError

SKEW = "TESTBED_CONTROLLER_SKEW"


def controller_clock(
    wake: threading.Event | None = None, like: SteadyClock | None = None
) -> SteadyClock:
    """Return the clock of this controller; `sleep` ends early when `wake` is set.

    like  a clock of the same run, with which the stamps must agree

    Raises ConfigError for a skew that cannot be read.
    """
    return SteadyClock(_skewed(SystemClock(wake)), like)


def wall_clock() -> Clock:
    """Return the time of this controller as it is now, steps and all.

    For what other processes compare with theirs: a steady clock would keep the time of
    its start. Raises ConfigError for a skew that cannot be read.
    """
    return _skewed(SystemClock())


def _skewed(clock: Clock) -> Clock:
    text = os.environ.get(SKEW, "")
    if not text:
        return clock
    parts = text.split(",")
    try:
        offset_s, drift_ppm = float(parts[0]), float(parts[1])
        since_ns = int(parts[2]) if len(parts) > 2 else None
    except (IndexError, ValueError) as exc:
        raise ConfigError(
            f"{SKEW}: must be 'offset_s,ppm' such as '-49,200', got {text!r}"
        ) from exc
    return SkewedClock(clock, offset_s, drift_ppm, since_ns)
