"""`flows detect`: tell of flows that a pool of homes does not know."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from testbed.cli.bar import shown_progress
from testbed.cli.flows_train import read_homes, train, warn
from testbed.cli.options import AsJson
from testbed.cli.reading import counted
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.detectors.cadesh.live import Watch
    from analysis.detectors.cadesh.store import FlowModel
    from analysis.flows import FlowRecords

_STDIN = "-"
_PIPE = "standard input"
_READ_B = 1 << 20
_TOGETHER = 10_000  # flows of which the watch makes one piece
_DAY_NS = 86_400 * 10**9
_HOUR_NS = 3_600 * 10**9

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

    loaded = load(model)
    same = _Same(models={name for name in loaded.models if name})
    _check_order([same.span_of(path) for path in past or ()], flows, same)
    known = _going_on(loaded, pool or ())
    before = FlowRecords.joined([read_flows(path) for path in past or ()])
    watch = Watch(model=known, past=before.by_time())
    count = _Count(show=_as_json if as_json else _as_line)
    span = _Span.of_pool(known)
    for source in flows:
        row = 0
        for records in _pieces(source):
            same.take(records)
            span.warn_of(records)
            _tell(watch, records, count, (source, row))
            row += len(records)
    if not count.flows:
        raise ConfigError(f"{', '.join(flows)}: there is no flow record to ask about")
    count.close()
    if exit_code and count.alarms:
        raise typer.Exit(1)


def _tell(
    watch: "Watch", records: "FlowRecords", count: "_Count", at: tuple[str, int]
) -> None:
    """Show the alarms of some records.

    at  their source, and the number of the first of them in it
    """
    source, row = at
    for first in range(0, len(records), _TOGETHER):
        some = records.take(slice(first, first + _TOGETHER))
        order = np.argsort(some.start_ns, kind="stable")  # in which they are told
        for piece, scored in watch.told(some):
            count.add(piece, scored, source, row + first + order)


@dataclass(slots=True)
class _Count:
    """Shows alarms, and counts what was told."""

    show: Any
    flows: int = 0
    rare: int = 0
    alarms: int = 0
    servers: set[str] = field(default_factory=set)

    def add(
        self, piece: "FlowRecords", scored: Any, source: str, number: np.ndarray
    ) -> None:
        """Show the alarms of a piece, of records of these numbers in a source."""
        self.flows += len(piece)
        self.rare += int(scored.infrequent.sum())
        for row in scored.alarm.nonzero()[0].tolist():
            self.alarms += 1
            about = _about(piece, row, float(scored.score[row]))
            self.servers.add(str(about["remote"]))
            where = {"source": source, "row": int(number[row])}
            print(self.show({**about, **where}), flush=True)

    def close(self) -> None:
        """Say how many there were."""
        told = f"{counted(self.flows, 'flow record')}, {self.rare} infrequent"
        of = f"with {counted(len(self.servers), 'remote host')}" if self.alarms else ""
        print(f"{told}, {counted(self.alarms, 'alarm')} {of}".rstrip(), file=sys.stderr)


def _about(piece: "FlowRecords", row: int, score: float) -> Mapping[str, object]:
    """Return what is told of one flow."""
    named = ("home", "device", "device_address", "remote_address", "server_name")
    texts = {
        name: getattr(piece, name).names[getattr(piece, name).number[row]]
        for name in named
    }
    start_ns = int(piece.start_ns[row])
    begun = datetime.fromtimestamp(start_ns / 1e9, UTC)
    return {
        "start": begun.isoformat(timespec="milliseconds"),
        "start_ns": start_ns,
        "home": texts["home"],
        "device": texts["device"],
        "device_address": texts["device_address"],
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


@dataclass(slots=True, kw_only=True)
class _Span:
    """From when to when something knows flows, ns UTC; what lies far off is told once.

    name  of what it is of;  last_ns  after which nothing begins
    """

    name: str
    first_ns: int
    last_ns: int
    told: bool = False

    @classmethod
    def of_pool(cls, model: "FlowModel") -> "_Span":
        """Return the time of all that homes shared."""
        hours = [t.hour for each in model.pool.values() for t in each.values()]
        every = np.concatenate([np.zeros(0, dtype=np.int64), *hours])
        if not every.size:
            return cls(name="the pool", first_ns=0, last_ns=0)
        first_ns, last_ns = int(every.min()) * _HOUR_NS, int(every.max() + 1) * _HOUR_NS
        return cls(name="the pool", first_ns=first_ns, last_ns=last_ns)

    def warn_of(self, records: "FlowRecords") -> None:
        """Say where flows lie more than a day before or after."""
        if self.told or not len(records):
            return
        at = records.start_ns
        late = int((at > self.last_ns + _DAY_NS).sum())
        early = int((at < self.first_ns - _DAY_NS).sum())
        if not (late or early):
            return
        self.told = True
        far, at_ns = ("after the last", self.last_ns)
        if not late:
            far, at_ns = ("before the first", self.first_ns)
        day = datetime.fromtimestamp(at_ns / 1e9, UTC).date()
        warn(
            f"flows lie more than a day {far} flow of {self.name}, {day}: it knows "
            "nothing of their time, and finds most of them infrequent; say by --pool "
            "what other homes did, or train again"
        )


@dataclass(slots=True, kw_only=True)
class _Same:
    """All flows must be of one home, and of the model that was learnt from.

    models  learnt from;  homes  seen so far
    """

    models: set[str]
    homes: set[str] = field(default_factory=set)
    warned: bool = False

    def span_of(self, path: Path) -> _Span:
        """Read through a file before anything is told; return its time."""
        from analysis.flows import iter_flows

        if path.is_dir():
            raise ConfigError(f"{path}: is a folder; name a file of flow records in it")
        ends = []
        for records in iter_flows(path):
            self.take(records)
            if len(records):
                ends += [int(records.start_ns.min()), int(records.start_ns.max())]
        return _Span(
            name=str(path), first_ns=min(ends, default=0), last_ns=max(ends, default=0)
        )

    def take(self, records: "FlowRecords") -> None:
        """Raise ConfigError for flows of another home, or another model of device."""
        self.homes |= {name for name in records.home.used().names if name}
        if len(self.homes) > 1:
            raise ConfigError(
                f"the flows are of several homes, {', '.join(sorted(self.homes))}; ask "
                "about one at a time"
            )
        named = {name for name in records.model.used().names if name}
        refuse_models(named, self.models)
        if len(records) and not named and not self.warned:
            self.warned = True
            warn(
                "flows without a model of device may be of any host; name it when "
                "they are made (`flows extract --device --model`)"
            )


def refuse_models(names: set[str], known: set[str]) -> None:
    """Raise ConfigError for devices that are not of the model that was learnt from."""
    if names and known and not names <= known:
        raise ConfigError(
            f"the flows are of {', '.join(sorted(names))}, the model was learnt from "
            f"{', '.join(sorted(known))}; train one for this device"
        )


def _check_order(past: Sequence[_Span], flows: Sequence[str], same: _Same) -> None:
    """Raise ConfigError where files are not one after the other."""
    if _STDIN in flows and len(flows) > 1:
        raise ConfigError("- stands alone: standard input is all that is asked about")
    asked = [same.span_of(Path(each)) for each in flows if each != _STDIN]
    earlier = sorted((s for s in past if s.last_ns), key=lambda s: s.first_ns)
    spans = [*earlier, *(span for span in asked if span.last_ns)]
    for one, other in pairwise(spans):
        if other.first_ns <= one.last_ns:
            raise ConfigError(
                f"{other.name}: begins before {one.name} ends; name files by time, "
                "each once"
            )


def _going_on(model: "FlowModel", sources: Sequence[Path]) -> "FlowModel":
    """Return a model whose pool knows what homes did after it was learnt."""
    if not sources:
        return model
    with shown_progress() as told:
        found = read_homes(sources, (), None, told)
        refuse_models(found.models, {name for name in model.models if name})
        later = found.ready(model.secret, told)
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
    yield from stream_csv(chunks, _PIPE)
