"""The life of one campaign: run, killed, resumed, killed again, until it is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed.clock import SystemClock
from testbed.runner.journal.store import open_store
from tests.bench.torture.hands import Hands, Over, Start
from tests.bench.torture.judge import ORPHAN, WRONG, Label, Verdict, judge
from tests.bench.torture.moments import FULL
from tests.bench.torture.sabotage import SABOTAGE

MOST_RESUMES = 12
_UNSAFE = 4  # exit code: the record is not safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One way to die: at a moment, or from outside after some seconds."""

    at: str = ""
    after_s: float | None = None
    cold: bool = False

    @property
    def is_full_disk(self) -> bool:
        """Say whether it is no kill, but a disk that is full from then on."""
        return self.at.startswith(FULL)

    def __str__(self) -> str:
        started = " of a cold start" if self.cold else ""
        return self.at or f"after {self.after_s:.2f} s{started}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one campaign lives; its lab file is beside it.

    journal  path or database URL
    options   what `run` gets beside the scenario, and `resume` does not
    sabotage  how the product is broken, to see that it is found (sabotage.py)
    """

    folder: Path
    journal: str
    scenario: Path
    lab_file: Path
    options: Sequence[str]
    sabotage: str = ""

    @property
    def captures(self) -> Path:
        """Return the folder of campaigns, of which there is one."""
        return self.folder / "captures"

    @property
    def log(self) -> Path:
        """Return what all its controllers said."""
        return self.folder / "log"

    def campaign(self) -> Path | None:
        """Return the campaign that the journal knows, or None."""
        if "://" not in self.journal and not Path(self.journal).exists():
            return None
        with open_store(self.journal, SystemClock()) as store:
            known = set(store.campaigns())
        found = [p for p in self.captures.glob("*") if p.name in known]
        return found[0] if found else None


@dataclass(slots=True, kw_only=True)
class Told:
    """How a campaign came through. landed: the kills that hit; missed: the others."""

    verdict: Verdict = field(default_factory=Verdict)
    landed: list[Kill] = field(default_factory=list)
    missed: list[Kill] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)


def live_through(hands: Hands, place: Place, kills: Iterator[Kill]) -> Told:
    """Run a campaign and kill its controllers; judge nothing yet."""
    told = Told()
    for number in range(MOST_RESUMES):
        kill = next(kills, None) if number < MOST_RESUMES - 2 else None
        over = hands.do(start_of(place, kill))
        told.took_s.append(over.took_s)
        for words in over.left:
            told.verdict.add(ORPHAN, f"a controller has left a process: {words}")
        if kill is not None:
            hit = over.was_killed or (kill.is_full_disk and over.status == _UNSAFE)
            (told.landed if hit else told.missed).append(kill)
            if hit and kill.is_full_disk:
                continue
        if over.was_killed:
            if kill is None:
                told.verdict.add(WRONG, "a controller was killed that nobody killed")
            continue
        if _is_wrong(place, over, told.verdict):
            break
        return told
    else:
        told.verdict.add(WRONG, "it never came to its end")
    return told


def judged(place: Place, told: Told, wanted: frozenset[Label] | None) -> Told:
    """Judge a campaign that has come to its end."""
    folder = place.campaign()
    if folder is None:
        told.verdict.add(WRONG, "the journal does not know the campaign")
        return told
    others = [p.name for p in place.captures.glob("[!.]*") if p != folder]
    for name in others:  # killed before its plan was journalled: nothing happened
        if not _is_empty(place.captures / name):
            told.verdict.add(ORPHAN, f"{name} holds data of no campaign")
    try:
        found = judge(folder, place.journal, wanted)
    except Exception as exc:  # whatever it is, the campaign is not right
        told.verdict.add(WRONG, f"it cannot be judged: {type(exc).__name__}: {exc}")
        return told
    found.faults += told.verdict.faults
    told.verdict = found
    return told


def _is_empty(folder: Path) -> bool:
    files = {p.name for p in folder.rglob("*") if p.is_file()}
    return files <= {"campaign.yaml", ".campaign.yaml.part"}


def start_of(
    place: Place, kill: Kill | None = None, trace: Path | None = None
) -> Start:
    """Return how a campaign is begun, or gone on with where the journal knows it."""
    folder = place.campaign()
    lab = ["--lab", str(place.lab_file)]
    if folder is None:
        argv = ["run", str(place.scenario), *lab, *place.options]
    else:
        argv = ["resume", str(folder), *lab]
    with place.log.open("a") as log:
        log.write(f"--- {argv[0]}, {kill or 'not killed'}\n")
    return Start(
        argv=argv,
        log=place.log,
        folder=place.folder,
        at=kill.at if kill else "",
        after_s=kill.after_s if kill else None,
        cold=kill.cold if kill else False,
        trace=trace,
        env={"TMPDIR": str(place.folder / "tmp"), SABOTAGE: place.sabotage},
    )


def _is_wrong(place: Place, over: Over, verdict: Verdict) -> bool:
    if over.status == 0:
        return False
    said = place.log.read_text(errors="replace").strip().splitlines()
    verdict.add(WRONG, f"it ended with code {over.status}: {said[-1] if said else ''}")
    return True
