"""What a look at a lab found: checks, verdicts, measured values, remedies."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from testbed.clock import Clock
from testbed.errors import ConfigError, DriverError, TestbedError

# Where one of these is bad, nobody can tell whether a campaign uses the instruments.
STOPPING = ("here.journal", "here.writable", "here.held")
SCHEMA = 1  # of `Examination.plain`
# in the order of the report
PARTS = ("files", "here", "router", "clock", "phone", "plugs", "voice")
Value = str | int | float | bool | list[str]
T = TypeVar("T")


class Verdict(StrEnum):
    """What a check says. BAD stops a campaign, WARNING does not."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"
    NOT_LOOKED = "not_looked"  # nobody looked; `said` tells why


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The outcome of one look, in words and numbers.

    remedy  what to do about it; '' where all is well
    """

    said: str
    verdict: Verdict = Verdict.OK
    measured: Mapping[str, Value] = field(default_factory=dict)
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check of one target ('' where there is only one), and how long it took.

    late  whether the look was not over in time, and may still go on
    """

    check: str
    target: str
    said: Said
    took_s: float = 0.0
    late: bool = False

    @property
    def part(self) -> str:
        """Return which part of the lab the check is about."""
        return self.check.partition(".")[0]

    @property
    def name(self) -> str:
        """Return check and target as one word."""
        return f"{self.check}:{self.target}" if self.target else self.check

    def plain(self) -> dict[str, object]:
        """Return plain values for JSON."""
        said = self.said
        return {
            "check": self.check,
            "target": self.target,
            "part": self.part,
            "verdict": said.verdict.value,
            "said": said.said,
            "measured": dict(said.measured),
            "remedy": said.remedy,
            "took_s": round(self.took_s, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """All findings about a lab, in the order of the report."""

    lab: str
    scenario: str
    findings: tuple[Finding, ...]
    took_s: float

    def count(self, verdict: Verdict) -> int:
        """Return how many checks ended so."""
        return sum(f.said.verdict is verdict for f in self.findings)

    @property
    def ok(self) -> bool:
        """Say whether nothing would stop a campaign."""
        return not self.count(Verdict.BAD)

    @property
    def exit_code(self) -> int:
        """Return 0, 2 where a file is bad, or 3 where the lab is not ready."""
        return self.exit_code_but(())

    def exit_code_but(self, forgiven: Sequence[str]) -> int:
        """Return the exit code; checks that are forgiven do not count."""
        bad = [
            f.part
            for f in self.findings
            if f.said.verdict is Verdict.BAD and f.check not in forgiven
        ]
        if "files" in bad:
            return ConfigError.exit_code
        return 3 if bad else 0

    def plain(self) -> dict[str, object]:
        """Return plain values for JSON; the keys are documented in docs/doctor.md."""
        return {
            "schema": SCHEMA,
            "lab": self.lab,
            "scenario": self.scenario,
            "ok": self.ok,
            "exit_code": self.exit_code,
            "counts": {v.value: self.count(v) for v in Verdict},
            "took_s": round(self.took_s, 3),
            "findings": [f.plain() for f in self.findings],
        }


class Examiner:
    """Does looks, each with its deadline, and keeps what they said.

    only   the parts that are looked at
    noted  called with each finding as it is made
    """

    def __init__(
        self,
        clock: Clock,
        only: Sequence[str] = PARTS,
        noted: Callable[[Finding], None] = lambda _: None,
    ) -> None:
        self.clock = clock
        self._only = frozenset(only)
        self._noted = noted
        self._findings: list[Finding] = []
        self._turn = threading.Lock()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what was found so far, part by part."""
        with self._turn:
            found = list(self._findings)
        return tuple(sorted(found, key=lambda f: PARTS.index(f.part)))

    def is_late(self, *checks: str) -> bool:
        """Say whether a look of these (parts or checks) did not end in time.

        It may still go on: nobody else should use its instrument.
        """
        with self._turn:
            late = [f for f in self._findings if f.late]
        return any({f.part, f.check} & set(checks) for f in late)

    def wants(self, part: str) -> bool:
        """Say whether a part of the lab is to be looked at."""
        return part in self._only

    def look(
        self,
        check: str,
        act: Callable[[], tuple[Said, T]],
        *,
        deadline_s: float,
        target: str = "",
    ) -> T | None:
        """Do one look; return what it got hold of, None when it did not succeed.

        What the look raises on purpose is its verdict: bad, with the remedy. A look
        that is not over in time is bad, too, and its thread is left to its own
        deadlines; `is_late` tells.
        """
        late = False
        start_s = self.clock.monotonic_s()
        pool = ThreadPoolExecutor(1, thread_name_prefix=check)
        try:
            said, got = pool.submit(act).result(deadline_s)
        except LateError:
            said, got, late = _late(deadline_s), None, True
        except TestbedError as exc:
            said, got = trouble(exc), None
        finally:
            pool.shutdown(wait=False)
        took_s = self.clock.monotonic_s() - start_s
        found = Finding(check=check, target=target, said=said, took_s=took_s, late=late)
        self.note(found)
        return got

    def say(
        self,
        check: str,
        act: Callable[[], Said],
        *,
        deadline_s: float,
        target: str = "",
    ) -> bool:
        """Do one look that gets hold of nothing; say whether it is not bad."""

        def both() -> tuple[Said, bool]:
            said = act()
            return said, said.verdict is not Verdict.BAD

        return bool(self.look(check, both, deadline_s=deadline_s, target=target))

    def skip(self, check: str, why: str, target: str = "") -> None:
        """Note that nobody looked, and why."""
        said = Said(said=why, verdict=Verdict.NOT_LOOKED)
        self.note(Finding(check=check, target=target, said=said))

    def note(self, finding: Finding) -> None:
        """Keep a finding, unless its part is not wanted.

        What keeps all instruments from being looked at is kept always.
        """
        stops = finding.check in STOPPING and finding.said.verdict is Verdict.BAD
        if not (self.wants(finding.part) or stops):
            return
        with self._turn:
            self._findings.append(finding)
        self._noted(finding)


def trouble(exc: TestbedError, verdict: Verdict = Verdict.BAD) -> Said:
    """Return what an error says, with its remedy apart."""
    text = exc.reason if isinstance(exc, DriverError) else str(exc)
    said, _, remedy = text.partition("; ")
    return Said(said=said, verdict=verdict, remedy=remedy)


def _late(deadline_s: float) -> Said:
    return Said(
        said=f"no answer within {deadline_s:g} s",
        verdict=Verdict.BAD,
        remedy="look whether it is on and reachable; then try again",
    )
