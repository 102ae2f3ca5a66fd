"""The clock of the router against ours, over one helper that stays connected.

One SSH channel carries a line there and a stamp back, many times. The true offset lies
within half of each round trip, so it lies in what all of them have in common: often
less than half of the shortest, since delays fall now on this way and now on the other.
One command per sample would err by 100 ms (the start of a shell, all on one side).
"""

import shlex
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.clock import Clock
from testbed.errors import DriverGarbledError, DriverRefusedError, DriverTimeoutError
from testbed.model.protocols import ClockSample

if TYPE_CHECKING:
    import paramiko

    from testbed.drivers.router_link import SshLink

SAMPLES = 60
REQUEST = "tell the time"
_FASTEST = 500e-6  # no clock that works runs off faster

# python3 answers within 0.15 ms; date forks, 0.7 ms. The date of busybox knows no %N,
# and a busybox shell may prefer it to a better one in PATH, unless that is named whole.
HELPER = """\
if python3 -c '' 2>/dev/null; then
  exec python3 -u -c 'import sys,time
while sys.stdin.readline(): print(time.time_ns(),flush=True)'
fi
IFS=:
for folder in $PATH; do
  date=$folder/date
  case $("$date" +%s%N 2>/dev/null) in
    ''|*[!0-9]*|??????????) ;;
    *) while read -r _; do "$date" +%s%N; done; exit ;;
  esac
done
echo none"""


def common(samples: Sequence[ClockSample]) -> ClockSample:
    """Return what measurements of one moment have in common, n >= 1.

    The shortest trip says when that is. Where they contradict each other, because a
    clock was just stepped, it alone counts.
    """
    best = min(samples, key=lambda s: s.error_ns)
    low_ns, high_ns = best.offset_ns - best.error_ns, best.offset_ns + best.error_ns
    for one in samples:
        error_ns = one.error_ns + round(abs(one.at_ns - best.at_ns) * _FASTEST)
        low_ns = max(low_ns, one.offset_ns - error_ns)
        high_ns = min(high_ns, one.offset_ns + error_ns)
    if low_ns > high_ns:
        return best
    return ClockSample(
        at_ns=best.at_ns,
        offset_ns=(low_ns + high_ns) // 2,
        error_ns=max((high_ns - low_ns + 1) // 2, 1),
    )


class ClockHelper:
    """A program on the router that answers each line with its time in ns."""

    def __init__(self, link: "SshLink", clock: Clock, instrument: str) -> None:
        self._link = link
        self._clock = clock
        self._instrument = instrument
        self._channel: paramiko.Channel | None = None
        self._rest = b""
        self._asking = threading.Lock()

    def sample(self, n_samples: int = SAMPLES) -> ClockSample:
        """Return the offset by what `n_samples` round trips have in common."""
        with self._asking:
            try:
                return self._sample(n_samples)
            except (OSError, EOFError):
                self._stop()  # the link was lost since; once more over a new one
            try:
                return self._sample(n_samples)
            except (OSError, EOFError) as exc:
                self._stop()
                raise DriverTimeoutError(
                    self._instrument, REQUEST, "its clock helper says nothing"
                ) from exc

    def close(self) -> None:
        """End the helper."""
        with self._asking:
            self._stop()

    def _sample(self, n_samples: int) -> ClockSample:
        if self._channel is None:
            self._channel = self._link.helper(
                f"exec sh -c {shlex.quote(HELPER)}", REQUEST
            )
            self._rest = b""
        channel = self._channel
        self._ask(channel)  # the first answer includes the start of the helper
        return common([self._ask(channel) for _ in range(n_samples)])

    def _ask(self, channel: "paramiko.Channel") -> ClockSample:
        # in this order a pause between the two readings widens the bound
        asked_s, asked_ns = self._clock.monotonic_s(), self._clock.now_ns()
        channel.sendall(b"\n")
        answer = self._line(channel)
        trip_ns = round((self._clock.monotonic_s() - asked_s) * 1e9)
        half_ns = (trip_ns + 1) // 2
        return ClockSample(
            at_ns=asked_ns + half_ns,
            offset_ns=self._stamp(answer) - (asked_ns + half_ns),
            error_ns=max(half_ns, 1),
        )

    def _line(self, channel: "paramiko.Channel") -> str:
        while b"\n" not in self._rest:
            piece = channel.recv(4096)
            if not piece:
                raise EOFError("the helper ended")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("ascii", "replace").strip()

    def _stamp(self, answer: str) -> int:
        if answer == "none":
            self._stop()
            raise DriverRefusedError(
                self._instrument,
                REQUEST,
                "it has neither python3 nor a `date` that knows %N; install one of "
                "them (on OpenWrt: `opkg install coreutils-date`)",
            )
        if not answer.isdecimal():
            self._stop()
            raise DriverGarbledError(
                self._instrument, REQUEST, f"its clock helper answered {answer!r}"
            )
        return int(answer)

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = None
