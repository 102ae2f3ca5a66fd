"""`reproduce`: make everything of a published dataset again, and compare."""

import json
import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.datasets import FORMS, refuse_others
from testbed.cli.folders import refuse_unwritable
from testbed.cli.interrupting import lies_in, says_when_interrupted
from testbed.cli.options import AsJson
from testbed.cli.reading import StepsTold, counted, tell_next
from testbed.cli.starting import keep_little, load_kernels
from testbed.errors import ConfigError
from testbed.runner.campaigns.folder import load_inputs

if TYPE_CHECKING:
    from analysis.reproduce import Reproduced

_SHOWN = 20  # differences of one file; --json has more
_NOTHING_KEPT = "nothing is kept; with --out FOLDER the next call goes on"
_HEADS = ("equal", "different", "not compared")
_WIDE = 14

Dataset = Annotated[
    Path,
    typer.Argument(help="A dataset that was published. It is only read."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder to make everything in, and to keep; a call that was interrupted "
        "goes on there. By default one for temporary files (TMPDIR), removed at the "
        "end.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", min=1, help="Captures, and processes that learn, side by side."
    ),
]
Tolerance = Annotated[
    float,
    typer.Option(
        "--tolerance",
        min=0,
        help="Relative, of numbers that are no whole ones, where versions or platform "
        "are other than in the recipe. Where they are the same, it is 0.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(reproduce)


def reproduce(
    dataset: Dataset,
    out: Out = None,
    jobs: Jobs = 2,
    tolerance: Tolerance = 1e-6,
    as_json: AsJson = False,
) -> None:
    """Make labels, tables, features and figures of a dataset again, and compare them.

    Exit 1 when anything comes out otherwise than it was published.
    """
    refuse_others(dataset, "a dataset")
    if (dataset / "campaign.yaml").is_file():
        how = "`testbed publish` makes a dataset of it"
        raise ConfigError(f"{dataset}: is a campaign; {how}")
    if out is not None:
        refuse_unwritable(out, "--out")
    with says_when_interrupted(lies_in(out, _NOTHING_KEPT)), _place(out) as place:
        found = _reproduced(dataset, place, jobs, tolerance)
    if as_json:
        print(json.dumps(_as_json(found, kept=out is not None), indent=1))
    else:
        _tell(found)
        if out is not None:
            print(f"made anew in {out}")
    if not found.alike:
        raise typer.Exit(1)
    if not as_json:
        _tell_rerun(dataset)


def _place(out: Path | None) -> AbstractContextManager[Path]:
    """Return the folder to make everything in; by default one that goes again."""
    from analysis.workspace import working_folder

    return nullcontext(out) if out is not None else working_folder("reproduce-")


def _tell_rerun(dataset: Path) -> None:
    """Say how a campaign of it is run again, where one was run at all."""
    root = dataset / "data" if (dataset / "data").is_dir() else dataset
    folders = sorted(path.parent for path in root.glob("campaigns/*/campaign.yaml"))
    ran = [each for each in folders if load_inputs(each).get("form") in FORMS]
    if ran:
        which = ("--campaign", ran[0].name) if folders[1:] else ()
        tell_next("rerun", dataset, *which, "--check")


def _reproduced(
    dataset: Path, place: Path, jobs: int, tolerance: float
) -> "Reproduced":
    load_kernels()
    keep_little()
    from analysis.reproduce import Request
    from analysis.reproduce import reproduce as make_again
    from testbed.cli.results import Remaker

    request = Request(
        dataset=dataset,
        out=place,
        makers=Remaker(jobs),
        jobs=jobs,
        tolerance=tolerance,
    )
    with _Told() as watcher:
        return make_again(request, watcher)


class _Told(StepsTold):
    """Tells of each step, and of what is other here."""

    def tell(self, sentence: str) -> None:
        """Tell what is other here than where it was published."""
        print(f"other here: {sentence}", file=sys.stderr, flush=True)


def _tell(found: "Reproduced") -> None:
    print(_rule(found))
    width = max(len(each.kind) for each in found.counts)
    print(f"{'':{width}}" + "".join(f"{head:>{_WIDE}}" for head in _HEADS))
    for each in found.counts:
        numbers = (each.equal, each.different, each.not_compared)
        print(f"{each.kind:{width}}" + "".join(f"{n:>{_WIDE}}" for n in numbers))
    told: Counter[str] = Counter()
    for each_one in found.differences:
        told[each_one.file] += 1
        if told[each_one.file] <= _SHOWN:
            print(each_one)
    for file, n in told.items():
        if n > _SHOWN:
            print(f"{file}: {n - _SHOWN} differences more; --json tells them")
    for why, files in _by_reason(found).items():
        more = f" and {counted(len(files) - 1, 'file')} more" if files[1:] else ""
        print(f"not compared: {files[0]}{more}: {why}")
    print(f"{found.dataset}: {_sentence(found)}")


def _by_reason(found: "Reproduced") -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for each in found.not_compared:
        reasons.setdefault(each.why, []).append(each.file)
    return reasons


def _sentence(found: "Reproduced") -> str:
    """Return what came out; what was not compared is never passed over."""
    equal = sum(each.equal for each in found.counts)
    different = sum(each.different for each in found.counts)
    told = [f"{counted(equal, 'file')} equal"]
    if found.n_differences:
        n = counted(found.n_differences, "difference")
        told.append(f"{different} different ({n})")
    else:
        told.append("none different")
    told.append(f"{len(found.not_compared)} not compared")
    return ", ".join(told)


def _rule(found: "Reproduced") -> str:
    if found.exact:
        return "versions and platform are those of the recipe: numbers must be equal"
    why = "versions or platform are other" if found.told else "there is no recipe"
    return (
        f"{why}: whole numbers must be equal, others within {found.tolerance:g} of "
        "their size"
    )


def _as_json(found: "Reproduced", *, kept: bool) -> dict[str, Any]:
    return {
        "dataset": str(found.dataset),
        "made_in": str(found.folder) if kept else None,
        "other_here": list(found.told),
        "exact": found.exact,
        "tolerance": 0.0 if found.exact else found.tolerance,
        "counts": [
            asdict(each) | {"different": each.different} for each in found.counts
        ],
        "n_differences": found.n_differences,
        "differences": [asdict(each) for each in found.differences],
        "not_compared": [asdict(each) for each in found.not_compared],
    }
