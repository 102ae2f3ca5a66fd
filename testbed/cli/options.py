"""Options and arguments that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.labelling import Overlap

CampaignFolder = Annotated[Path, typer.Argument(help="Campaign folder.")]
Fast = Annotated[
    bool, typer.Option("--fast", help="Virtual lab without network, virtual time.")
]
ScenarioSeed = Annotated[
    int | None, typer.Option("--seed", help="Instead of the scenario's own.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
OverlapPolicy = Annotated[
    str,
    typer.Option(
        "--overlap",
        help="When two windows of one device overlap: refuse, cut the earlier where "
        "the later begins, or drop both.",
    ),
]
CleaningRules = Annotated[
    list[str] | None,
    typer.Option(
        "--clean",
        help="Which packets to remove first: errors, retransmissions, out_of_order, "
        "keep_alives, or none; may be repeated; by default the first two.",
    ),
]

DeviceNames = Annotated[
    list[str] | None,
    typer.Option("--device", help="Only this device; may be repeated."),
]
Label = Annotated[
    str,
    typer.Option("--by", help="What makes a class: activity, or activity+channel."),
]
Idle = Annotated[
    int,
    typer.Option(
        "--idle", min=0, help="Draw so many windows of a device without an activity."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is random.")]

Window = Annotated[
    str,
    typer.Option(
        "--window",
        help="One length for all windows of a device: a duration as '20 s', or longest "
        "for the longest δ that it has and that fits between its acts, of which a few "
        "that follow too soon are left out; by default each activity's own, which "
        "gives part of the answer away.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", min=0, help="Processes side by side; 0 for one per core."),
]

_NO_RULE = "none"


def overlap_of(text: str) -> "Overlap":
    """Return the policy that `--overlap` names. Raises ConfigError."""
    from analysis.labelling import Overlap

    try:
        return Overlap(text)
    except ValueError as exc:
        reason = f"must be refuse, cut or drop, got {text!r}"
        raise ConfigError(f"--overlap: {reason}") from exc


def rules_of(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the cleaning rules that `--clean` names, each once. Raises ConfigError."""
    from analysis.packets.cleaning import CLEANING_RULES, DEFAULT_RULES

    if not names:
        return DEFAULT_RULES
    if _NO_RULE in names:
        if set(names) != {_NO_RULE}:
            raise ConfigError(f"--clean: {_NO_RULE} stands alone")
        return ()
    for name in names:
        if name not in CLEANING_RULES:
            known = ", ".join((*CLEANING_RULES, _NO_RULE))
            raise ConfigError(f"--clean: must be one of {known}, got {name!r}")
    return tuple(dict.fromkeys(names))


def label_options(by: str, overlap: str, clean: list[str] | None) -> dict[str, Any]:
    """Return what --by, --overlap and --clean ask for. Raises ConfigError."""
    from analysis.evaluate.samples import By

    try:
        label = By(by)
    except ValueError as exc:
        reason = f"must be activity or activity+channel, got {by!r}"
        raise ConfigError(f"--by: {reason}") from exc
    return {"by": label, "overlap": overlap_of(overlap), "rules": rules_of(clean)}


def pairs_of(given: Sequence[str], what: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs that `--as` names. Raises ConfigError.

    what  the two of a pair are, behind 'a device'
    """
    made = []
    for text in given:
        one, equals, two = text.partition("=")
        if not (one.strip() and equals and two.strip()):
            raise ConfigError(f"--as {text}: must be NAME=NAME, a device {what}")
        made.append((one.strip(), two.strip()))
    return tuple(made)


def window_of(text: str) -> float | None:
    """Return the length that --window names in seconds, 0 for the longest."""
    if not text:
        return None
    if text == "longest":
        return 0.0
    from analysis.importers.stamps import parse_duration

    try:
        return parse_duration(text) / 1e9
    except ValueError as exc:
        raise ConfigError(f"--window: {exc} or longest, got {text!r}") from exc
