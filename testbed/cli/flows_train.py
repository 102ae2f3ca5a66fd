"""`flows train`: learn what is usual over homes with identical devices."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.bar import shown_progress
from testbed.cli.options import AsJson
from testbed.cli.reading import counted, size
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.detectors.cadesh.rows import Home, Rows
    from analysis.evaluate.fits import Told
    from analysis.flows import FlowRecords

_FEWEST = 3  # homes: of two, each sees one other, which alone makes nothing known
_ENOUGH = 4  # homes: smaller pools were measured to miss most
_DAY_NS = 86_400 * 10**9
_WEEK_DAYS = 7  # in which habits of a home form
_MOST = 4_000_000  # flow records, of which a million takes about 1 GiB

Sources = Annotated[
    list[Path],
    typer.Argument(
        help="Folders of homes, as of `lab homes`; or files of flow records, .parquet "
        "or .csv, each of one home or with the homes in the column home.",
    ),
]
ModelOut = Annotated[Path, typer.Option("--out", help="The model to write; new, .npz.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="A home to leave out. May be repeated."),
]
Until = Annotated[
    float | None,
    typer.Option(
        help="Learn only from this many days after the first flow of all homes."
    ),
]
WarmUp = Annotated[
    float, typer.Option(help="First days that only fill the pool; at most a third.")
]
Method = Annotated[
    str, typer.Option(help="How step 2 tells what is known: knn, hdbscan, dbscan.")
]
Backend = Annotated[
    str, typer.Option(help="Of the autoencoder: sklearn, or torch (extra deep).")
]
Least = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Homes that make something known; 2, and 3 of seven homes or more.",
    ),
]
Seed = Annotated[int, typer.Option(help="Same seed, same model.")]
Secret = Annotated[
    str, typer.Option(help="Key of the hashes of names; kept in the model.")
]


def train(
    sources: Sources,
    out: ModelOut,
    without: Without = None,
    until: Until = None,
    warm_up: WarmUp = 3.0,
    method: Method = "knn",
    backend: Backend = "sklearn",
    least: Least = None,
    seed: Seed = 0,
    secret: Secret = "",
    as_json: AsJson = False,
) -> None:
    """Learn what is usual over homes with identical devices, CADeSH-style."""
    _check(out, until, warm_up, method, backend)
    from analysis.detectors.cadesh.detector import Choices, FlowDetector
    from analysis.detectors.cadesh.store import FlowModel, save

    choices = Choices(step_two=method, backend=backend, least=least or 0, seed=seed)
    with shown_progress() as told:
        found = read_homes(sources, without or (), until, told)
        _check_pool(found, least)
        homes = found.ready(secret, told)
        learnt = {n: _warm(rows, warm_up) for n, rows in _rows(homes, told).items()}
        _say_short(homes, warm_up)
        told("learning", 0, 1)
        detector = FlowDetector(choices).fit(learnt)
    model = FlowModel(
        detector=detector,
        pool={name: home.tables for name, home in homes.items()},
        secret=secret,
        models=tuple(sorted(found.models)),
    )
    size_b = save(model, out)
    n = sum(len(rows) for rows in learnt.values())
    if as_json:
        about = {"out": str(out), "homes": list(homes), "flows": n, "bytes": size_b}
        print(json.dumps(about))
    else:
        words = f"{counted(len(homes), 'home')}, {counted(n, 'flow record')}"
        print(f"{out}: {words}, {size(size_b)}")


def warn(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(f"warning: {sentence}", file=sys.stderr)


@dataclass(slots=True)
class Found:
    """Flow records by home, and the models of the devices that they are of."""

    homes: "dict[str, FlowRecords]" = field(default_factory=dict)
    models: set[str] = field(default_factory=set)

    def ready(self, secret: str, told: "Told") -> "dict[str, Home]":
        """Return the homes with keys and what they share, in the place of records."""
        from analysis.detectors.cadesh.rows import home_of

        made = {}
        for k, name in enumerate(list(self.homes)):
            told("keys", k, k + len(self.homes))
            made[name] = home_of(self.homes.pop(name), secret)
        return made


def read_homes(
    sources: Sequence[Path],
    without: Sequence[str],
    until: float | None,
    told: "Told",
) -> Found:
    """Read flow records of homes; until so many days after the first of them all.

    Raises ConfigError for what cannot be learnt from.
    """
    found, n = Found(), 0
    missing = set(without)
    for k, (name, records) in enumerate(_by_home(sources)):
        told("reading", k, k + 1)
        missing.discard(name)
        if name in without or not len(records):
            continue
        if name in found.homes:
            raise ConfigError(f"{name}: two sources are of this home; name each once")
        n += len(records)
        if n > _MOST:
            raise ConfigError(
                f"there are more than {_MOST:,} flow records, which take about 1 GiB "
                "a million; name fewer homes or days"
            )
        _check_device(name, records)
        found.homes[name] = records
        found.models |= {model for model in records.model.used().names if model}
    if missing:
        raise ConfigError(f"--without {', '.join(sorted(missing))}: no such home")
    if len(found.models) > 1:
        raise ConfigError(
            f"the homes have different devices, {', '.join(sorted(found.models))}; "
            "learn from one model at a time"
        )
    if until is not None and found.homes:
        _cut(found.homes, until)
    return found


def _cut(homes: "dict[str, FlowRecords]", until: float) -> None:
    """Keep what begins within days of the first flow of all homes."""
    first_ns = min(int(records.start_ns.min()) for records in homes.values())
    last_ns = first_ns + round(until * _DAY_NS)
    for name in list(homes):
        records = homes[name]
        kept = records.take(records.start_ns < last_ns)
        if len(kept):
            homes[name] = kept
        else:
            warn(f"{name} has no flow in the first {until:g} days, and is left out")
            del homes[name]


def _check(
    out: Path, until: float | None, warm_up: float, method: str, backend: str
) -> None:
    """Raise ConfigError for what cannot be, before anything is read."""
    if out.exists():
        raise ConfigError(f"{out}: is there already; name a new file")
    if out.suffix != ".npz":
        raise ConfigError(f"--out: must end in .npz, got {str(out)!r}")
    if not out.parent.is_dir():
        raise ConfigError(f"--out: {out.parent} is no folder; name one that is there")
    if until is not None and not 0 < until < float("inf"):
        raise ConfigError(f"--until: must be a number of days above 0, got {until:g}")
    if not 0 <= warm_up < float("inf"):
        raise ConfigError(f"--warm-up: must be days, 0 or more, got {warm_up:g}")
    from analysis.detectors.cadesh.autoencoder import network
    from analysis.detectors.cadesh.known import METHODS

    if method not in METHODS:
        raise ConfigError(
            f"--method: must be one of {', '.join(METHODS)}, got {method!r}"
        )
    network(backend, seed=0, epochs=1)


def _check_pool(found: Found, least: int | None) -> None:
    """Raise ConfigError for a pool that makes nothing known; say so of a small one."""
    n = len(found.homes)
    if n < _FEWEST:
        raise ConfigError(
            f"there {'is' if n == 1 else 'are'} {counted(n, 'home')} to learn from; "
            f"one other home alone makes nothing known, so give {_FEWEST} or more"
        )
    if n < _ENOUGH:
        warn(
            f"a pool of {counted(n, 'home')} misses most attacks; learn from {_ENOUGH} "
            "homes or more"
        )
    if least is not None and least >= n:
        raise ConfigError(
            f"--least {least}: a home of {n} sees {n - 1} others, so that nothing "
            f"would be known; give {n - 1} or fewer"
        )


def _check_device(name: str, records: "FlowRecords") -> None:
    """Raise ConfigError for flows of which nobody knows whose they are."""
    if not any(records.device.used().names) and not any(records.model.used().names):
        raise ConfigError(
            f"{name}: its flows name neither device nor model, so they may be of any "
            "host; name the device when they are made (`flows extract --device`)"
        )


def _say_short(homes: "Mapping[str, Home]", warm_up: float) -> None:
    """Say where there is too little time to learn from."""
    spans = [home.flows.start_ns[[0, -1]] for home in homes.values()]
    days = max(int(last - first) for first, last in spans) / _DAY_NS
    if days < _WEEK_DAYS:
        warn(
            f"the pool has {days:.1f} days: what comes once a week is new, and habits "
            "of a home take a week to form"
        )
    if warm_up > days / 3:
        warn(f"--warm-up {warm_up:g}: at most a third, the first {days / 3:.1f} days")


def _rows(homes: "Mapping[str, Home]", told: "Told") -> "dict[str, Rows]":
    """Return the features of each home beside the others."""
    from analysis.detectors.cadesh.rows import rows_of

    made = {}
    for k, (name, home) in enumerate(homes.items()):
        told(f"features of {name}", k, len(homes))
        others = [each.tables for other, each in homes.items() if other != name]
        made[name] = rows_of(home, others)
    return made


def _by_home(sources: Sequence[Path]) -> "Iterator[tuple[str, FlowRecords]]":
    """Yield each home's flows: of folders by their names, of files by their column."""
    from analysis.flows import read_flows
    from analysis.flows.homes import homes_of

    for source in sources:
        if source.is_dir():
            for name, path in homes_of(source).items():
                yield name, read_flows(path)
        else:
            records = read_flows(source)
            for k, name in enumerate(records.home.names):
                own = records.take(records.home.number == k)
                if len(own):
                    yield name or source.stem, own


def _warm(rows: "Rows", warm_up: float) -> "Rows":
    """Leave out the first days of a home, at most a third of its time."""
    if not len(rows):
        return rows
    first, last = int(rows.start_ns[0]), int(rows.start_ns[-1])
    begin = first + min(round(warm_up * _DAY_NS), (last - first) // 3)
    return rows.take(rows.start_ns >= begin)
