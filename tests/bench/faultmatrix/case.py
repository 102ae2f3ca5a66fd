"""What one row of the matrix is: faults, when they strike, and what must come of it."""

from dataclasses import dataclass, field
from enum import StrEnum

FOR_GOOD = 1e6


class Form(StrEnum):
    """In which form of the virtual lab a case is run."""

    FAST = "fast"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`after_s` after the `n`-th fact of a kind; '' for the start of the lab.

    when  in words, for the table
    """

    when: str
    kind: str = ""
    n: int = 1
    after_s: float = 0.0


BEFORE = Moment(when="before the first trial")
DURING = Moment(when="during the stimulus", kind="stimulus_issued", n=2, after_s=0.1)
WINDOW = Moment(when="in the window", kind="stimulus_returned", n=2, after_s=2.5)
BETWEEN = Moment(when="between trials", kind="trial_ended", n=1, after_s=0.2)
FETCHING = Moment(when="while fetching", kind="capture_file_fetched")
LABELLING = Moment(when="while labelling", kind="session_ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault: what, where, and for how long.

    kind    of docs/virtual-lab.md; 'disk_here' fills this machine's disk up to `value`
            megabytes
    again   whether it comes back in each run of the campaign, as one for good does
    """

    kind: str
    moment: Moment
    target: str = ""
    value: str = ""
    lasts_s: float = FOR_GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row.

    exits     codes of `run` and of each `resume` after it
    shows     what must be seen in the journal, so that the fault is known to have
              struck: an outcome, 'voided', 'restarted', 'dropped', 'fallback',
              'interrupt', 'suspended CONDITION', or 'untouched' for none of these;
              'A or B' where it depends on who looks first
    outcomes  final outcomes of trials, beside confirmed
    devices   lines of the scenario
    limits    of lab.yaml, beside the usual ones
    """

    name: str
    form: Form
    strikes: tuple[Strike, ...]
    expected: str
    shows: tuple[str, ...]
    exits: tuple[int, ...] = (0,)
    outcomes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    limits: dict[str, str] = field(default_factory=dict)

    @property
    def fault(self) -> str:
        """What strikes, in words."""
        return " + ".join(
            f"{s.kind}{f' of {s.target}' if s.target else ''}"
            f"{f' ({s.value})' if s.value else ''}"
            for s in self.strikes
        )

    @property
    def when(self) -> str:
        """When it strikes, in words."""
        return "; ".join(dict.fromkeys(s.moment.when for s in self.strikes))
