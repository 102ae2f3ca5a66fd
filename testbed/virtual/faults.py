"""Which faults of the virtual lab are active: by the lab file's script, or by hand."""

from collections.abc import Sequence
from pathlib import Path

from testbed.clock import Clock
from testbed.model.lab import Fault


class FaultScript:
    """A `fault` of the house: its times count from `begin`.

    by_hand  folder in which a file KIND, or KIND.TARGET, is a fault for as long as it
             is there, and its text the fault's value; None for no such folder

    Until `begin`, only faults without a time are active.
    """

    def __init__(
        self, faults: Sequence[Fault], clock: Clock, by_hand: Path | None = None
    ) -> None:
        self._faults = tuple(faults)
        self._clock = clock
        self._by_hand = by_hand
        self._begun_ns: int | None = None

    def begin(self) -> None:
        """Let the times of the script count from now: the lab is up."""
        self._begun_ns = self._clock.now_ns()

    def __call__(self, kind: str, target: str) -> str | None:
        """Return the value of an active fault of this kind and target, else None."""
        fault = self._scripted(kind, target)
        return self._given(kind, target) if fault is None else fault.value

    def since_ns(self, kind: str, target: str) -> int | None:
        """Return when an active scripted fault began; None where there is none."""
        fault = self._scripted(kind, target)
        if fault is None or self._begun_ns is None:
            return None
        return self._begun_ns + round(fault.at * 1e9)

    def _scripted(self, kind: str, target: str) -> Fault | None:
        begun_ns = self._begun_ns
        elapsed_s = 0.0 if begun_ns is None else (self._clock.now_ns() - begun_ns) / 1e9
        for fault in self._faults:
            if fault.kind != kind or fault.target not in (None, target):
                continue
            over = fault.until is not None and elapsed_s >= fault.until
            if fault.at <= elapsed_s and not over:
                return fault
        return None

    def _given(self, kind: str, target: str) -> str | None:
        if self._by_hand is None:
            return None
        for name in (kind, f"{kind}.{target}"):
            try:
                return (self._by_hand / name).read_text(encoding="utf-8").strip()
            except OSError:
                continue
        return None
