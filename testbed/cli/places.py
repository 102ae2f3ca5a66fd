"""Where campaigns and their journal are."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.timing import controller_clock
from testbed.errors import ConfigError
from testbed.model.lab import Lab
from testbed.model.load import load_lab
from testbed.runner.bench import expand
from testbed.runner.campaigns.folder import load_frozen, load_inputs
from testbed.runner.journal.store import open_to_read

JOURNAL = "journal.sqlite"

OutFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder of campaigns and their journal.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder of campaigns, and the journal as a path or a database URL.

    out  the folder that was named instead of the lab file's, or None
    """

    captures: Path
    journal: str
    out: Path | None = None

    def has_journal(self) -> bool:
        """Say whether the journal is there; a database of a server is taken to be."""
        path = Path(self.journal).expanduser()
        return "://" in self.journal or path.exists()

    @classmethod
    def of(cls, lab: Lab, out: Path | None) -> "Place":
        """Return the place that the lab file names, or `out` with a journal inside."""
        if out is not None:
            return cls(captures=out, journal=str(out / JOURNAL), out=out)
        return cls(captures=Path(lab.captures), journal=expand(lab.journal))

    @classmethod
    def of_campaign(
        cls, campaign: str, lab_file: Path, out: Path | None
    ) -> tuple["Place", Path]:
        """Return where a campaign is, and its folder.

        Raises ConfigError when there is no such folder, or no journal knows it.
        """
        folder = Path(campaign)
        if not folder.is_dir():
            captures = cls.of(load_lab(lab_file), out).captures
            folder = captures / campaign
            if not folder.is_dir():
                known = sorted(p.parent.name for p in captures.glob("*/campaign.yaml"))
                there = f"; there are: {', '.join(known[-5:])}" if known else ""
                raise ConfigError(
                    f"{campaign!r} is not a campaign in {captures}{there}"
                )
        folder = folder.resolve()
        journal = journal_of(folder, lab_file, out)
        if journal is not None:
            return cls(captures=folder.parent, journal=journal), folder
        if load_inputs(folder).get("form") == "imported":
            raise ConfigError(
                f"{folder.name} was imported; there is nothing of it to run"
            )
        raise ConfigError(
            f"no journal knows {folder.name}; name its lab file with --lab, or the "
            f"folder of its journal with --out"
        )


def journal_of(folder: Path, lab_file: Path, out: Path | None) -> str | None:
    """Return the journal that knows a campaign, or None; nothing is changed."""
    for journal in _journals(folder, lab_file, out):
        if folder.name in _campaigns(journal):
            return journal
    return None


def latest_campaign(lab_file: Path, out: Path | None) -> str:
    """Return the folder of the campaign that did something last.

    Raises ConfigError when there is none.
    """
    place = Place.of(load_lab(lab_file), out)
    latest = None
    if place.has_journal():
        with open_to_read(place.journal, controller_clock()) as store:
            latest = store.latest()
    if latest is None:
        raise ConfigError("the journal holds no campaign yet; run a scenario")
    return str(place.captures / latest)


def _journals(folder: Path, lab_file: Path, out: Path | None) -> Iterator[str]:
    """Yield where the journal of a campaign may be, the likeliest first."""
    if out is not None:
        yield str(out / JOURNAL)
    if load_inputs(folder).get("form") == "imported":
        return  # nobody ran it
    frozen, _ = load_frozen(folder)
    yield expand(frozen.journal)
    yield str(folder.parent / JOURNAL)
    if lab_file.exists():
        yield expand(load_lab(lab_file).journal)


def _campaigns(journal: str) -> list[str]:
    """List the campaigns of a journal; one that is not there is not made."""
    if "://" not in journal and not Path(journal).expanduser().exists():
        return []
    with open_to_read(journal, controller_clock()) as store:
        return list(store.campaigns())
