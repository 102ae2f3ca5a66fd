"""`verify`: look at a published dataset, or a campaign, and tell every fault."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.datasets import refuse_others
from testbed.cli.interrupting import says_when_interrupted
from testbed.cli.options import AsJson
from testbed.cli.reading import StepsTold, counted, size, tell_next
from testbed.cli.starting import keep_little, load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.verify import Fault, Verified

_NOTHING_KEPT = "nothing is kept; call it again, with --no-readers it takes less time"
_SHOWN = 5  # faults of one file that say alike
_VALUE = re.compile(r"'[^']*'|\d+")
_PREFIX = re.compile(r"^sha-?256\s*[:=]?\s*", re.IGNORECASE)

Where = Annotated[
    Path,
    typer.Argument(
        help="A dataset that was published, or the folder of a closed campaign.",
        readable=False,  # what cannot be read is told below, in our words
    ),
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Leave out what decodes captures: labels, tables and splits made again, "
        "other readers. Bytes are still compared with the manifests.",
    ),
]


Readers = Annotated[
    bool,
    typer.Option(
        "--readers/--no-readers",
        help="Let readers of others open it as well, those that are installed: tshark, "
        "pcapml, DuckDB, bagit, rocrate, mlcroissant. They take most of the time.",
    ),
]


Digest = Annotated[
    str,
    typer.Option(
        "--digest",
        metavar="SHA256",
        help="That it must have, as told where it was published: SHA-256 of "
        "tagmanifest-sha256.txt, of a campaign that of MANIFEST.sha256.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(verify)


def verify(
    where: Where,
    quick: Quick = False,
    readers: Readers = True,
    digest: Digest = "",
    as_json: AsJson = False,
) -> None:
    """Look at a dataset or a campaign and tell every fault; exit 1 when there is one.

    Nothing is written there: labels and tables are made again in a folder for
    temporary files (TMPDIR), and compared.
    """
    refuse_others(where)
    digest = _digest(digest)
    with says_when_interrupted(lambda: _NOTHING_KEPT), StepsTold() as watcher:
        load_kernels()
        keep_little()
        from analysis.verify import verify as look_at

        found = look_at(where, watcher, quick=quick, readers=readers, digest=digest)
    if as_json:
        asked = {"quick": quick, "readers": readers and not quick}
        print(json.dumps(_as_json(found) | asked, indent=1))
    else:
        _tell(found)
    if found.faults:
        raise typer.Exit(1)


def _digest(text: str) -> str:
    """Return the digits of a digest, in lower case. Raises ConfigError."""
    bare = _PREFIX.sub("", text.strip()).lower()
    if text and not re.fullmatch("[0-9a-f]{64}", bare):
        raise ConfigError(
            "--digest: must be 64 hexadecimal digits, with `sha256:` before them or "
            f"without, got {len(bare)} characters: {text!r:.80}"
        )
    return bare


def folded(faults: "Sequence[Fault]") -> Iterator[str]:
    """Yield a line per fault; of those of a file that say alike, the first few."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for each in faults:
        alike = each.file, _VALUE.sub("#", each.what)
        groups.setdefault(alike, []).append(each)
    for (file, _), group in groups.items():
        yield from map(str, group[:_SHOWN])
        if len(group) > _SHOWN:
            yield f"{file}: {len(group) - _SHOWN} more like these; --json tells them"


def _tell(found: "Verified") -> None:
    for line in folded(found.faults):
        print(line)
    for text in found.remarks:
        print(f"remark: {text}", file=sys.stderr)
    for text in found.unchecked:
        print(f"not checked: {text}", file=sys.stderr)
    if found.digest:
        print(f"digest: {found.digest}", file=sys.stderr)
    told = counted(len(found.faults), "fault") if found.faults else "no fault"
    files = f"{counted(found.files, 'file')}, {size(found.size_b)}"
    n = len(found.unchecked)
    left_out = f"; {counted(n, 'thing')} not checked, as told above" if n else ""
    print(f"{found.path}: {found.kind} of {files}: {told}{left_out}")
    if not found.faults and found.kind == "dataset":
        tell_next("reproduce", found.path)


def _as_json(found: "Verified") -> dict[str, Any]:
    return {
        "verified": str(found.path),
        "kind": found.kind,
        "digest": found.digest,
        "files": found.files,
        "size_b": found.size_b,
        "checks": list(found.checks),
        "faults": [asdict(fault) for fault in found.faults],
        "not_checked": list(found.unchecked),
        "remarks": list(found.remarks),
    }
