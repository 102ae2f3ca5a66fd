"""From raw captures to every table and figure, step by step, and the comparison.

reproduce(request, watcher)
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from analysis.dataset import load_campaign
from analysis.errors import (
    AnalysisError,
    DatasetError,
    RequestError,
    WorkspaceError,
)
from analysis.labelling import label_campaign, labelled_as
from analysis.packets import find_raw, make_tables
from analysis.packets.make import run_here
from analysis.pcap.errors import CaptureError
from analysis.reproduce.compare import (
    Comparison,
    compare_files,
    pass_over_others,
)
from analysis.reproduce.environment import other_code, others
from analysis.reproduce.ledger import MADE, Ledger, alone_in, digest_of, files_below
from analysis.reproduce.model import Reproduced, Request, Watcher
from analysis.reproduce.numbers import Rule
from analysis.reproduce.recipe import NAME as RECIPE
from analysis.reproduce.recipe import Recipe, load_recipe
from analysis.workspace import refuse_without_room, room_told

# what is read of a campaign; raw captures as well
_TEXTS = ("campaign.yaml", "activities.csv", "journal.jsonl", "MANIFEST.sha256")
_MADE_OF = ("labelled", "packets", "flows", "packets.json")
_ELSEWHERE = "by --out or TMPDIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dataset:
    """A published dataset: its payload, campaigns in their order, recipe."""

    data: Path
    campaigns: tuple[str, ...]
    recipe: Recipe | None

    def folder(self, name: str) -> Path:
        return self.data / "campaigns" / name

    def inputs(self) -> dict[str, Path]:
        """Return all files that anything is made of, by name."""
        recipe = self.data / RECIPE
        found = {RECIPE: recipe} if recipe.is_file() else {}
        for name in self.campaigns:
            folder = self.folder(name)
            # how they were labelled is no result: it is asked for
            texts = [folder / each for each in (*_TEXTS, "labelled/labels.json")]
            for path in (*texts, *files_below(folder / "raw")):
                if path.is_file():
                    found[path.relative_to(self.data).as_posix()] = path
        return found


def reproduce(request: Request, watcher: Watcher) -> Reproduced:
    """Make everything of a dataset again in `request.out`, and compare.

    What differs, or cannot be made, is told in what is returned. Raises DatasetError
    for a folder that is no dataset and a recipe that cannot be followed, RequestError
    for an `out` that holds something else. After an interruption the next call goes
    on; when the dataset changed meanwhile, it begins anew.
    """
    dataset = _opened(request.dataset)
    _refuse_inside(request.out, request.dataset)
    told, rule = _rule(dataset, request)
    for sentence in told:
        watcher.tell(sentence)
    with alone_in(request.out):
        inputs = dataset.inputs()
        digest = digest_of(inputs, made_by(request))
        made, places = request.out / MADE, _compared(dataset)
        with room_told(request.out, _ELSEWHERE):
            work = _Work(dataset, request, watcher, Ledger(request.out, digest))
            _refuse_without_room(dataset, made, places)
        work.make()
        watcher.begin("compare", _size_b(dataset.data, places))
        found = Comparison(progress=watcher.read)
        for name, reason in work.failed:
            found.tell(name, iter([("", f"cannot be made anew: {reason}", "", "")]))
        compare_files(found, dataset.data, made, places, rule)
        pass_over_others(found, dataset.data, places, inputs)
        watcher.end("compare", f"{found.n_files} files")
    return _reproduced(request, told, rule, found)


def _opened(path: Path) -> _Dataset:
    data = path / "data" if (path / "data").is_dir() else path
    place = data / "campaigns"
    names = sorted(p.name for p in place.glob("*") if p.is_dir())
    if not names:
        raise DatasetError(f"{path}: is no dataset that was published: no {place}")
    recipe = load_recipe(data)
    if recipe is not None and set(recipe.campaigns) - set(names):
        lost = ", ".join(sorted(set(recipe.campaigns) - set(names)))
        raise DatasetError(
            f"{data / RECIPE}: names campaigns that are not there: {lost}"
        )
    order = (*(recipe.campaigns if recipe else ()), *_as_listed(data))
    ranks = {name: rank for rank, name in reversed(list(enumerate(order)))}
    names.sort(key=lambda name: (ranks.get(name, len(order)), name))
    return _Dataset(data=data, campaigns=tuple(names), recipe=recipe)


def _as_listed(data: Path) -> list[str]:
    """Return campaigns in the order of the table of devices, none without it."""
    try:
        rows = pl.read_csv(data / "tables" / "devices.csv", columns=["campaign"])
    except (OSError, pl.exceptions.PolarsError):
        return []  # the comparison tells of it
    return [str(name) for name in rows["campaign"].to_list()]


def _refuse_inside(out: Path, dataset: Path) -> None:
    place, inside = dataset.resolve(), out.resolve()
    if place in (inside, *inside.parents):
        raise RequestError(f"{out}: lies in the dataset, which is only read")


def made_by(request: Request) -> str:
    """Return what decides what comes out, besides the dataset.

    Where a library was upgraded since an interrupted call, what that call made is of
    the older one: it would be compared as if it were of this.
    """
    here = json.dumps(request.makers.surroundings(), sort_keys=True)
    return f"{request.makers.code} {here}"


def _rule(dataset: _Dataset, request: Request) -> tuple[tuple[str, ...], Rule]:
    """Return what is other here, and how numbers are compared therefore."""
    recipe = dataset.recipe
    if recipe is None:
        return (), Rule(exact=False, rel=request.tolerance)
    told = others(recipe, request.makers.surroundings())
    rule = Rule(exact=not told, rel=request.tolerance)
    return (*told, *other_code(recipe, request.makers.code)), rule


def _refuse_without_room(dataset: _Dataset, made: Path, places: Sequence[str]) -> None:
    """Raise WorkspaceError where there is less room than was published."""
    lacking_b = _size_b(dataset.data, places) - _size_b(made, places)
    refuse_without_room(made.parent, lacking_b, _ELSEWHERE)


def _size_b(root: Path, places: Sequence[str]) -> int:
    files = (path for place in places for path in files_below(root / place))
    return sum(path.stat().st_size for path in files)


class _Work:
    """Makes everything that is not made yet.

    failed  what could not be made, and why
    """

    def __init__(
        self, dataset: _Dataset, request: Request, watcher: Watcher, ledger: Ledger
    ) -> None:
        self.failed: list[tuple[str, str]] = []
        self._dataset = dataset
        self._request = request
        self._watcher = watcher
        self._ledger = ledger
        self._made = request.out / MADE

    def make(self) -> None:
        """Make it, in the order in which one comes of the other."""
        request, dataset, read = self._request, self._dataset, self._watcher.read
        folders, all_b = [], 0
        for name in dataset.campaigns:
            source = dataset.folder(name)
            folder = _opened_again(source, self._made / "campaigns" / name)
            folders.append(folder)
            raw_b = sum(path.stat().st_size for path in files_below(folder / "raw"))
            all_b += raw_b
            label = partial(_label, folder, source, read)
            self._step(f"label {name}", (folder / "labelled",), label, raw_b)
            places = tuple(folder / each for each in _MADE_OF[1:])
            tabulate = partial(_tabulate, folder, request.jobs, read)
            self._step(f"packets {name}", places, tabulate, raw_b)
        places = (self._made / "tables", self._made / "splits.json")
        tables = partial(request.makers.tables, folders, self._made, read)
        self._step("tables", places, tables, all_b)
        if dataset.recipe is not None:
            for folder in folders:
                if folder.name in dataset.recipe.campaigns:
                    self._results(dataset.recipe, folder)

    def _results(self, recipe: Recipe, folder: Path) -> None:
        out = self._made / "results" / folder.name
        results = partial(self._request.makers.results, recipe, folder, out)
        self._step(f"results {folder.name}", (out,), results)

    def _step(
        self,
        name: str,
        places: tuple[Path, ...],
        make: Callable[[], None],
        total_b: int = 0,
    ) -> None:
        """Do a step; what cannot be made is a difference, not the end."""
        self._watcher.begin(name, total_b)
        note = "stopped"
        place = places[0].relative_to(self._made).as_posix()
        try:
            with room_told(self._request.out, _ELSEWHERE):
                note = self._ledger.step(name, places, make)
        except (RequestError, WorkspaceError):
            raise  # the recipe asks for what is not there, or there is no room
        except (AnalysisError, CaptureError) as exc:
            reason = str(exc).replace(f"{self._made}/", "")
            self.failed.append((place, reason))
            note = "failed"
        finally:
            self._watcher.end(name, note)


def _opened_again(source: Path, folder: Path) -> Path:
    """Make a campaign folder whose inputs are those of the dataset, by reference."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in (*_TEXTS, "raw"):
        place, wanted = folder / each, (source / each).resolve()
        if place.is_symlink():
            place.unlink()
        if wanted.exists():
            place.symlink_to(wanted)
    return folder


def _label(folder: Path, source: Path, read: Callable[[int], None]) -> None:
    overlap, widen = labelled_as(source)
    label_campaign(folder, overlap=overlap, widen=widen, progress=read)


def _tabulate(folder: Path, jobs: int, read: Callable[[int], None]) -> None:
    make_tables(
        folder,
        find_raw(folder),
        load_campaign(folder).devices,
        run=partial(run_here, workers=jobs),
        progress=read,
    )


def _compared(dataset: _Dataset) -> tuple[str, ...]:
    """Return what is made again, as paths of files and folders within the payload."""
    folders = [f"campaigns/{c}/{m}" for c in dataset.campaigns for m in _MADE_OF]
    return (*folders, "tables", "splits.json", "results")


def _reproduced(
    request: Request, told: tuple[str, ...], rule: Rule, found: Comparison
) -> Reproduced:
    return Reproduced(
        dataset=request.dataset,
        folder=request.out,
        told=told,
        exact=rule.exact,
        tolerance=rule.rel,
        counts=found.counts(),
        differences=tuple(found.differences),
        n_differences=found.n_differences,
        not_compared=tuple(found.not_compared),
    )
