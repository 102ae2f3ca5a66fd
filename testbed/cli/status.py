"""`status`: what a campaign has come to, once or again and again."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from testbed.cli.options import AsJson
from testbed.cli.places import OutFolder, Place, journal_of, latest_campaign
from testbed.cli.plan import LAB, LabFile
from testbed.cli.reading import counted, duration
from testbed.cli.timing import controller_clock, wall_clock
from testbed.errors import ConfigError
from testbed.model.load import load_lab
from testbed.model.profile import DeviceProfile
from testbed.runner.campaigns.folder import ACTIVITIES, load_frozen, load_inputs
from testbed.runner.campaigns.status import Status, status_of, status_of_log
from testbed.runner.journal.fold import CampaignState, fold
from testbed.runner.journal.lab_lease import leased
from testbed.runner.journal.store import Journal, JournalStore, open_to_read
from testbed.runner.journal.vacancy import is_run

_EVERY_S = 1.0  # between two looks of --watch on a terminal
_QUIET_S = 5.0  # plain lines come no faster
_OVER = ("closed", "not run here")
_WIDE = 110


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(status)


def status(
    campaign: Annotated[
        str | None, typer.Argument(help="Name or folder; by default the latest.")
    ] = None,
    lab: LabFile = LAB,
    out: OutFolder = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again until it is closed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a campaign has come to: outcomes, coverage, time left."""
    if campaign is None:
        campaign = latest_campaign(lab, out)
    folder = _folder(campaign, lab, out)
    journal = journal_of(folder, lab, out)
    if journal is None:
        _show_log(folder, as_json=as_json)
        return
    with _looking(folder, journal) as look:
        if watch:
            _watch(look, as_json=as_json)
        elif as_json:
            print(json.dumps(look.now().plain(), indent=2))
        else:
            _print(look.now(), look)


@dataclass(slots=True, kw_only=True)
class Look:
    """Looks at one campaign, without changing a thing.

    What was read of the journal is kept: another look reads what is new.
    """

    folder: Path
    form: str
    leased: str
    profiles: dict[str, DeviceProfile]
    store: JournalStore
    _journal: Journal = field(init=False)
    _state: CampaignState = field(init=False, default_factory=CampaignState)
    _last: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        self._journal = Journal(self.store, self.folder.name)

    def now(self) -> Status:
        """Return what the campaign has come to by now."""
        clock = controller_clock()
        name = self.folder.name
        held = is_run(self.store, self.leased, name, wall_clock())
        if new := self._journal.read(self._last):
            self._last = new[-1].seq
            self._state = fold(self._journal.read())
        return status_of(
            name,
            self._state,
            self.profiles,
            is_held=held,
            now_ns=clock.now_ns() if held and self.form == "live" else None,
        )


@contextmanager
def _looking(folder: Path, journal: str) -> Iterator[Look]:
    the_lab, profiles = load_frozen(folder)
    form = str(load_inputs(folder)["form"])
    with open_to_read(journal, controller_clock()) as store:
        yield Look(
            folder=folder,
            form=form,
            leased=leased(form, folder.name, the_lab.lab),
            profiles=profiles,
            store=store,
        )


def _folder(campaign: str, lab: Path, out: Path | None) -> Path:
    folder = Path(campaign)
    if folder.is_dir():
        return folder.resolve()
    captures = Place.of(load_lab(lab), out).captures
    if not (captures / campaign).is_dir():
        known = sorted(p.parent.name for p in captures.glob("*/campaign.yaml"))
        there = f"; there are: {', '.join(known[-5:])}" if known else ""
        raise ConfigError(f"{campaign!r} is not a campaign in {captures}{there}")
    return (captures / campaign).resolve()


def _show_log(folder: Path, *, as_json: bool) -> None:
    """Show a campaign that no journal here knows, by its activity log."""
    frozen = load_inputs(folder)
    found = status_of_log(
        str(frozen["campaign"]),
        folder / ACTIVITIES,
        simulated=bool(frozen.get("simulated", False)),
    )
    if as_json:
        print(json.dumps(found.plain(), indent=2))
        return
    if frozen.get("form") == "imported":
        why = "was imported, nothing was run"
    else:
        why = "was run elsewhere, no journal here knows it"
    done = counted(found.n_done, "trial")
    print(f"{found.campaign}: {why}; {folder / ACTIVITIES} holds {done}")
    if found.cells:
        _console().print(_table(found))


def _watch(look: Look, *, as_json: bool) -> None:
    """Look again and again until the campaign is closed."""
    clock = controller_clock()
    if as_json or not sys.stdout.isatty():
        last = ""
        while True:
            found = look.now()
            words = " ".join(_lines(found, look))
            line = json.dumps(found.plain()) if as_json else words
            if line != last:
                print(line, flush=True)
            last = line
            if found.state in _OVER:
                return
            clock.sleep(_QUIET_S)
    with Live(console=_console(), auto_refresh=False) as live:
        while True:
            found = look.now()
            table = _table(found)
            table.title = "\n".join(_lines(found, look))
            live.update(table, refresh=True)
            if found.state in _OVER:
                return
            clock.sleep(_EVERY_S)


def _print(found: Status, look: Look) -> None:
    for line in _lines(found, look):
        print(line)
    _console().print(_table(found))


def _lines(found: Status, look: Look) -> list[str]:
    trials = counted(found.n_trials, "trial")
    said = f"{found.campaign}: {found.state}, {found.n_done} of {trials}"
    if found.n_void:
        said += f", {found.n_void} voided and done again"
    lines = [said]
    for one in found.paused:
        target = f" {one.target}" if one.target else ""
        lines.append(f"waiting: {one.condition}{target}: {one.detail}")
    for remark in found.remarks:
        what = "used a lower rung" if remark.kind == "fallback" else "closed a pop-up"
        lines.append(
            f"warning: {remark.device} {remark.activity}: {what} ({remark.n} x): "
            f"{remark.said}"
        )
    if found.left_s:
        virtual = " of virtual time" if look.form == "fast" else ""
        lines.append(f"time left: about {duration(found.left_s)}{virtual}")
    if found.state == "interrupted":
        lines.append(f"testbed resume {look.folder} goes on")
    return lines


def _table(found: Status) -> Table:
    table = Table(title_justify="left", title_style="")
    for name in ("device", "activity", "channel"):
        table.add_column(name)
    for name in ("needed", "labelled", "no effect", "failed", "aborted"):
        table.add_column(name, justify="right")
    for cell in found.cells:
        way = f"{cell.channel} ({cell.network})" if cell.network else cell.channel
        outcomes = ("no_effect", "failed", "aborted")
        table.add_row(
            cell.device,
            cell.activity,
            way,
            str(cell.needed or ""),
            str(cell.labelled),
            *(str(cell.outcomes.get(o) or "") for o in outcomes),
        )
    return table


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDE)
