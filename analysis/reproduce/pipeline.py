"""From raw captures to every table and figure, step by step, and the comparison.

reproduce(request, watcher)
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from analysis.dataset import load_campaign
from analysis.errors import DatasetError, RequestError
from analysis.labelling import label_campaign, labelled_as
from analysis.packets import find_raw, make_tables
from analysis.packets.make import run_here
from analysis.reproduce.compare import Comparison, compare_files
from analysis.reproduce.environment import others
from analysis.reproduce.ledger import MADE, Ledger, alone_in, digest_of, files_below
from analysis.reproduce.model import Reproduced, Request, Watcher
from analysis.reproduce.numbers import Rule
from analysis.reproduce.recipe import NAME as RECIPE
from analysis.reproduce.recipe import Recipe, load_recipe

# what is read of a campaign; raw captures as well
_TEXTS = ("campaign.yaml", "activities.csv", "journal.jsonl", "MANIFEST.sha256")
_MADE_OF = ("labelled", "packets", "flows", "packets.json")


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
        found = {RECIPE: self.data / RECIPE} if self.recipe else {}
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

    What differs is told in what is returned. Raises DatasetError for a dataset that
    cannot be read or a recipe that cannot be followed, RequestError for a folder that
    holds something else, CaptureError for a damaged capture. After an interruption,
    the next call goes on; when the dataset changed meanwhile, it begins anew.
    """
    dataset = _opened(request.dataset)
    _refuse_inside(request.out, request.dataset)
    told = _told(dataset, request)
    for sentence in told:
        watcher.tell(sentence)
    rule = Rule(exact=not told and dataset.recipe is not None, rel=request.tolerance)
    with alone_in(request.out):
        inputs = digest_of(dataset.inputs(), request.makers.code)
        made = request.out / MADE
        _make(dataset, made, Ledger(request.out, inputs), request, watcher)
        watcher.begin("compare", 0)
        found = compare_files(dataset.data, made, _compared(dataset), rule)
        watcher.end("compare", f"{found.n_files} files")
    return _reproduced(request, dataset, told, rule, found)


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


def _told(dataset: _Dataset, request: Request) -> tuple[str, ...]:
    if dataset.recipe is None:
        return ()
    return others(dataset.recipe, request.makers.surroundings())


def _make(
    dataset: _Dataset,
    made: Path,
    ledger: Ledger,
    request: Request,
    watcher: Watcher,
) -> None:
    """Make everything that is not made yet."""
    folders = []
    for name in dataset.campaigns:
        folder = _opened_again(dataset.folder(name), made / "campaigns" / name)
        folders.append(folder)
        raw_b = sum(path.stat().st_size for path in files_below(folder / "raw"))
        with _moved(made, dataset.data):
            label = partial(_label, folder, dataset.folder(name), watcher)
            _step(
                ledger, watcher, f"label {name}", (folder / "labelled",), label, raw_b
            )
            tabulate = partial(_tabulate, folder, request, watcher)
            places = tuple(folder / each for each in _MADE_OF[1:])
            _step(ledger, watcher, f"packets {name}", places, tabulate, raw_b)
    with _moved(made, dataset.data):
        tables = partial(request.makers.tables, folders, made)
        places = (made / "tables", made / "splits.json")
        _step(ledger, watcher, "tables", places, tables, 0)
        for name in dataset.recipe.campaigns if dataset.recipe else ():
            out = made / "results" / name
            results = partial(_results, dataset, request, folders, out)
            _step(ledger, watcher, f"results {name}", (out,), results, 0)


def _step(
    ledger: Ledger,
    watcher: Watcher,
    name: str,
    places: tuple[Path, ...],
    make: partial[None],
    total_b: int,
) -> None:
    watcher.begin(name, total_b)
    note = ledger.step(name, places, make)
    watcher.end(name, note or "made")


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


def _label(folder: Path, source: Path, watcher: Watcher) -> None:
    overlap, widen = labelled_as(source)
    label_campaign(folder, overlap=overlap, widen=widen, progress=watcher.read)


def _tabulate(folder: Path, request: Request, watcher: Watcher) -> None:
    make_tables(
        folder,
        find_raw(folder),
        load_campaign(folder).devices,
        run=partial(run_here, workers=request.jobs),
        progress=watcher.read,
    )


def _results(
    dataset: _Dataset, request: Request, folders: Sequence[Path], out: Path
) -> None:
    recipe = dataset.recipe
    folder = next(each for each in folders if each.name == out.name)
    if recipe is not None:
        request.makers.results(recipe, folder, out)


@contextmanager
def _moved(made: Path, data: Path) -> Iterator[None]:
    """Let errors of the analysis name files where they were published."""
    try:
        yield
    except DatasetError as exc:
        raise DatasetError(str(exc).replace(str(made), str(data))) from exc


def _compared(dataset: _Dataset) -> tuple[str, ...]:
    """Return what is made again, as paths of files and folders within the payload."""
    folders = [f"campaigns/{c}/{m}" for c in dataset.campaigns for m in _MADE_OF]
    return (*folders, "tables", "splits.json", "results")


def _reproduced(
    request: Request,
    dataset: _Dataset,
    told: tuple[str, ...],
    rule: Rule,
    found: Comparison,
) -> Reproduced:
    not_made = []
    if dataset.recipe is None:
        not_made.append("results: none were published")
    not_made.append("papers, metadata and manifests: `testbed verify` looks at them")
    return Reproduced(
        dataset=request.dataset,
        folder=request.out,
        told=told,
        exact=rule.exact,
        tolerance=rule.rel,
        counts=found.counts(),
        by_data=tuple(found.by_data),
        differences=tuple(found.differences),
        n_differences=found.n_differences,
        not_made=tuple(not_made),
    )
