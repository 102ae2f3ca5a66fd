"""Which faults of the virtual lab are active: by the lab file's script, or by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.clock import Clock
from testbed.model.lab import Fault
from testbed.model.types import parse_seconds

FOR_EVER_NS = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """When a scripted fault holds: [begin_ns, end_ns)."""

    begin_ns: int
    end_ns: int
    value: str


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

    def spells(self, kind: str, target: str) -> list[Spell]:
        """Return when the faults of a kind hold by the script; none before `begin`."""
        begun_ns = self._begun_ns
        if begun_ns is None:
            return []
        return [
            Spell(
                begin_ns=begun_ns + round(fault.at * 1e9),
                end_ns=FOR_EVER_NS
                if fault.until is None
                else begun_ns + round(fault.until * 1e9),
                value=fault.value,
            )
            for fault in self._faults
            if fault.kind == kind and fault.target in (None, target)
        ]

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


def step_s(value: str) -> float:
    """Return by how much a `clock_step` goes; '-3 s' goes back."""
    text = value.strip() or "1 s"
    size_s = parse_seconds(text.removeprefix("-").strip())
    return -size_s if text.startswith("-") else size_s
