"""`flows train | detect`: learn over homes with one device, tell of unknown flows."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.options import AsJson
from testbed.cli.reading import counted, size
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.detectors.cadesh.rows import Home
    from analysis.detectors.cadesh.store import FlowModel
    from analysis.flows import FlowRecords

_STDIN = "-"
_READ_B = 1 << 20
_ENOUGH = 4  # homes: smaller pools were measured to miss most

Sources = Annotated[
    list[Path],
    typer.Argument(
        help="Folders of homes, as of `lab homes`; or files of flow records, .parquet "
        "or .csv, each of one home or with the homes in the column home.",
    ),
]
ModelOut = Annotated[Path, typer.Option("--out", help="The model to write; new.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="A home to leave out. May be repeated."),
]
Until = Annotated[
    float | None,
    typer.Option(help="Learn only from this many days after the first flow."),
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
ModelIn = Annotated[Path, typer.Argument(help="A model of `flows train`.")]
Asked = Annotated[
    list[str],
    typer.Argument(
        help="Files of flow records of one home, by time; or - for CSV on standard "
        "input, as `flows extract --out -` writes it, told as it comes.",
    ),
]
Past = Annotated[
    list[Path] | None,
    typer.Option(
        "--past", help="Earlier flows of this home, which are not told of again."
    ),
]
Pool = Annotated[
    list[Path] | None,
    typer.Option(
        "--pool",
        help="What other homes did up to now, folders or files as for `flows train`: a "
        "pool that goes on. Replaces what the model keeps of these homes.",
    ),
]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Leave with 1 where there is an alarm.")
]


def add(topic: typer.Typer) -> None:
    """Add the commands to those of `flows`."""
    topic.command()(train)
    topic.command()(detect)


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
    if out.exists():
        raise ConfigError(f"{out}: is there already; name a new file")
    from analysis.detectors.cadesh.detector import Choices, FlowDetector
    from analysis.detectors.cadesh.rows import rows_of_all
    from analysis.detectors.cadesh.store import FlowModel, save

    homes, models = _homes(sources, without or (), until, secret)
    choices = Choices(step_two=method, backend=backend, least=least or 0, seed=seed)
    _warn_of_few(len(homes))
    learnt = {n: _warm(rows, warm_up) for n, rows in rows_of_all(homes).items()}
    detector = FlowDetector(choices).fit(learnt)
    model = FlowModel(
        detector=detector,
        pool={name: home.tables for name, home in homes.items()},
        secret=secret,
        models=models,
    )
    size_b = save(model, out)
    n = sum(len(rows) for rows in learnt.values())
    if as_json:
        about = {"out": str(out), "homes": list(homes), "flows": n, "bytes": size_b}
        print(json.dumps(about))
    else:
        told = f"{counted(len(homes), 'home')}, {counted(n, 'flow record')}"
        print(f"{out}: {told}, {size(size_b)}")


def detect(
    model: ModelIn,
    flows: Asked,
    past: Past = None,
    pool: Pool = None,
    exit_code: ExitCode = False,
    as_json: AsJson = False,
) -> None:
    """Tell which flows of a home are neither frequent nor known in the pool.

    A flow is compared with what the pool had shared before it, and with this home's
    own past: without one, all that a home does is new. What the pool shares ends with
    what the model learnt from, unless --pool says how it went on.
    """
    from analysis.detectors.cadesh.live import Watch
    from analysis.detectors.cadesh.store import load
    from analysis.flows import FlowRecords, read_flows

    known = _going_on(load(model), pool or ())
    before = FlowRecords.joined([read_flows(path) for path in past or ()])
    homes = set(before.home.used().names)
    watch = Watch(model=known, past=before.by_time())
    count = _Count(show=_as_json if as_json else _as_line)
    for source in flows:
        for records in _pieces(source):
            _refuse_other(records, known)
            _refuse_more(homes, records)
            for piece, scored in watch.told(records):
                count.add(piece, scored)
    if not as_json:
        count.close()
    if exit_code and count.alarms:
        raise typer.Exit(1)


@dataclass(slots=True)
class _Count:
    """Shows alarms, and counts what was told."""

    show: Any
    flows: int = 0
    rare: int = 0
    alarms: int = 0
    servers: set[str] = field(default_factory=set)

    def add(self, piece: "FlowRecords", scored: Any) -> None:
        """Show the alarms of a piece."""
        self.flows += len(piece)
        self.rare += int(scored.infrequent.sum())
        for row in scored.alarm.nonzero()[0].tolist():
            self.alarms += 1
            about = _about(piece, row, float(scored.score[row]))
            self.servers.add(str(about["remote"]))
            print(self.show(about), flush=True)

    def close(self) -> None:
        """Say how many there were."""
        told = f"{counted(self.flows, 'flow record')}, {self.rare} infrequent"
        of = f"with {counted(len(self.servers), 'remote host')}" if self.alarms else ""
        print(f"{told}, {counted(self.alarms, 'alarm')} {of}".rstrip(), file=sys.stderr)


def _about(piece: "FlowRecords", row: int, score: float) -> Mapping[str, object]:
    """Return what is told of one flow."""
    texts = {
        name: getattr(piece, name).names[getattr(piece, name).number[row]]
        for name in ("home", "device", "remote_address", "server_name")
    }
    begun = datetime.fromtimestamp(int(piece.start_ns[row]) / 1e9, UTC)
    return {
        "start": begun.isoformat(timespec="milliseconds"),
        "home": texts["home"],
        "device": texts["device"],
        "remote": texts["remote_address"],
        "server_name": texts["server_name"],
        "protocol": int(piece.protocol[row]),
        "device_port": int(piece.device_port[row]),
        "remote_port": int(piece.remote_port[row]),
        "bytes_out": int(piece.bytes_out[row]),
        "bytes_in": int(piece.bytes_in[row]),
        "score": round(score, 3),
    }


def _as_json(about: Mapping[str, object]) -> str:
    return json.dumps(about)


def _as_line(about: Mapping[str, object]) -> str:
    from analysis.dissection import printable

    named = f" ({about['server_name']})" if about["server_name"] else ""
    kind = {6: "TCP", 17: "UDP", 1: "ICMP"}.get(int(str(about["protocol"])), "IP")
    who = " ".join(str(about[k]) for k in ("home", "device") if about[k])
    return printable(
        f"{about['start']} {who}: {kind} {about['device_port']} with "
        f"{about['remote']}:{about['remote_port']}{named}, {about['bytes_out']} B out, "
        f"{about['bytes_in']} B in: neither frequent nor known in the pool, "
        f"score {about['score']}"
    )


# reading


def _homes(
    sources: Sequence[Path],
    without: Sequence[str],
    until: float | None,
    secret: str,
) -> "tuple[dict[str, Home], tuple[str, ...]]":
    from analysis.detectors.cadesh.rows import home_of

    homes: dict[str, Home] = {}
    models: set[str] = set()
    missing = set(without)
    for name, records in _by_home(sources):
        missing.discard(name)
        if name in without or not len(records):
            continue
        if name in homes:
            raise ConfigError(f"{name}: two sources are of this home; name each once")
        if until is not None:
            last_ns = int(records.start_ns.min()) + round(until * 86_400e9)
            records = records.take(records.start_ns < last_ns)
        homes[name] = home_of(records, secret)
        models |= set(records.model.tolist()[:1])
    if missing:
        raise ConfigError(f"--without {', '.join(sorted(missing))}: no such home")
    if len(models) > 1:
        raise ConfigError(
            f"the homes have different devices, {', '.join(sorted(models))}; "
            "learn from one model at a time"
        )
    return homes, tuple(models)


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


def _warm(rows: Any, warm_up: float) -> Any:
    """Leave out the first days of a home, at most a third of its time."""
    if not len(rows):
        return rows
    first, last = int(rows.start_ns[0]), int(rows.start_ns[-1])
    begin = first + min(round(warm_up * 86_400e9), (last - first) // 3)
    return rows.take(rows.start_ns >= begin)


def _warn_of_few(n_homes: int) -> None:
    """Say on standard error that so few homes make too little known."""
    if n_homes < _ENOUGH:
        print(
            f"warning: a pool of {counted(n_homes, 'home')} misses most attacks; learn "
            f"from {_ENOUGH} homes or more",
            file=sys.stderr,
        )


def _going_on(model: "FlowModel", sources: Sequence[Path]) -> "FlowModel":
    """Return a model whose pool knows what homes did after it was learnt."""
    if not sources:
        return model
    later, models = _homes(sources, (), None, model.secret)
    _refuse_model(set(models), model)
    tables = {name: home.tables for name, home in later.items()}
    return replace(model, pool={**model.pool, **tables})


def _pieces(source: str) -> "Iterable[FlowRecords]":
    from analysis.flows import iter_flows

    return _streamed() if source == _STDIN else iter_flows(Path(source))


def _streamed() -> "Iterator[FlowRecords]":
    """Yield records of standard input as their lines come."""
    from analysis.flows.files import stream_csv

    number = sys.stdin.fileno()
    chunks = iter(lambda: os.read(number, _READ_B), b"")
    yield from stream_csv(chunks, "standard input")


def _refuse_other(records: "FlowRecords", model: "FlowModel") -> None:
    """Raise ConfigError for flows of another model of device."""
    _refuse_model(set(records.model.tolist()), model)


def _refuse_model(names: set[str], model: "FlowModel") -> None:
    own = {name for name in names if name}
    known = {name for name in model.models if name}
    if own and known and not own <= known:
        raise ConfigError(
            f"the flows are of {', '.join(sorted(own))}, the model was learnt from "
            f"{', '.join(sorted(known))}; train one for this device"
        )


def _refuse_more(homes: set[str], records: "FlowRecords") -> None:
    """Raise ConfigError for flows of a second home, whose past is another.

    homes  seen so far; is added to
    """
    homes |= {name for name in records.home.used().names if name}
    if len(homes - {""}) > 1:
        raise ConfigError(
            f"the flows are of several homes, {', '.join(sorted(homes - {''}))}; ask "
            "about one at a time"
        )
