"""Options and arguments that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
