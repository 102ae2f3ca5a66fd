"""`compare`: what drifted between two campaigns, and what it costs."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.errors import AnalysisError
from analysis.pcap.errors import CaptureError
from testbed.cli.datasets import find_campaign
from testbed.cli.folders import (
    refuse_replacing,
    refuse_unwritable,
    refuse_without_tables,
)
from testbed.cli.interrupting import says_when_interrupted
from testbed.cli.options import AsJson, Seed, pairs_of
from testbed.cli.reading import CLEARED, Pace, counted
from testbed.cli.starting import keep_little, load_kernels
from testbed.clock import SystemClock
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.compare import Asked, Comparison
    from analysis.compare.model import Share, Tested, Transfer

_MARK = "drift.json"
_WRITTEN = ("index.html", "tests.csv", "hosts.csv", "transfer.csv", "facts.csv")
_MOST_SHOWN = 20
_CODES = {"no drift found": 0, "drift": 1, "cannot be told": 5}

First = Annotated[
    Path,
    typer.Argument(
        metavar="A",
        help="Campaign or dataset to compare with.",
        readable=False,  # what cannot be read is told in our words
    ),
]
Second = Annotated[
    Path,
    typer.Argument(
        metavar="B", help="Campaign or dataset that may have drifted.", readable=False
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for page, tables (CSV, JSON) and pictures."),
]
Alpha = Annotated[
    float,
    typer.Option(
        "--alpha",
        help="Chance of any drift reported where there is none, over all tests.",
    ),
]
Classifiers = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier",
        help="For transfer, by default rf; may be repeated; none leaves transfer out.",
    ),
]


Renamed = Annotated[
    list[str] | None,
    typer.Option(
        "--as",
        metavar="NAME=NAME",
        help="A device of A, and what it is called in B; may be repeated. A twin is "
        "compared with what it was learnt of by itself.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(compare)


def compare(
    a: First,
    b: Second,
    out: Out = None,
    alpha: Alpha = 0.05,
    classifier: Classifiers = None,
    renamed: Renamed = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Tell what drifted from campaign A to campaign B: timing, hosts, sizes, scores.

    Exit 0: no drift found; 1: drift; 2: they cannot be compared; 5: cannot be told,
    there are too few days of them.
    """
    folders = find_campaign(a).folder, find_campaign(b).folder
    for folder in folders:
        refuse_without_tables(folder)
    if not 0 < alpha < 1:
        raise ConfigError(f"--alpha: must be between 0 and 1, got {alpha:g}")
    if out is not None:
        refuse_unwritable(out, "--out")
        refuse_replacing(out, _WRITTEN, _MARK, "--out")
    aliases = pairs_of(renamed or (), "of A and what it is called in B")
    wanted = classifier or ["rf"]
    names = () if wanted == ["none"] else tuple(wanted)
    with says_when_interrupted(lambda: "nothing is kept; call it again"):
        load_kernels()
        keep_little()
        from analysis.compare import Asked, as_plain, write

        asked = Asked(alpha=alpha, seed=seed, classifiers=names, renamed=aliases)
        found = _compared(folders, asked)
    if out is not None:
        with says_when_interrupted(lambda: f"{out} is not whole; call it again"):
            write(found, out)
    if as_json:
        print(json.dumps(as_plain(found), indent=1))
    else:
        for line in _lines(found):
            print(line)
        if out is not None:
            print(out / "index.html")
    if _CODES[found.outcome]:
        raise typer.Exit(_CODES[found.outcome])


def _compared(folders: tuple[Path, Path], asked: "Asked") -> "Comparison":
    """Compare; what cannot be read is bad input here, whatever is wrong with it."""
    from analysis.compare import compare as compare_both

    clock = SystemClock()
    pace = Pace(clock.monotonic_s())

    def told(what: str) -> None:
        if sys.stderr.isatty():
            print(f"{CLEARED}{what}", end="", file=sys.stderr, flush=True)
        elif what and pace.is_due(clock.monotonic_s()):
            print(f"compare: {what}", file=sys.stderr, flush=True)

    try:
        return compare_both(*folders, asked, told)
    except (AnalysisError, CaptureError) as exc:
        raise ConfigError(str(exc)) from exc
    finally:
        told("")


def _lines(found: "Comparison") -> Iterator[str]:
    from analysis.compare import how_of, power_lines, verdict_of

    yield f"A: {found.a}"
    yield f"B: {found.b}"
    yield from (f"differs: {f.what}: {f.a or '-'} -> {f.b or '-'}" for f in found.facts)
    yield from (f"not compared: {text}" for text in found.only)
    drifted = sorted(found.drifted, key=lambda t: -abs(t.effect.delta))
    yield from (f"drift: {_told(t)}" for t in drifted[:_MOST_SHOWN])
    if len(drifted) > _MOST_SHOWN:
        yield f"drift: and {len(drifted) - _MOST_SHOWN} more; --out or --json has all"
    for host in found.hosts:
        if host.state != "both":
            windows = counted(max(host.n_a, host.n_b), "window")
            yield f"host: {host.device}: {host.state}: {host.host}, {windows}"
    yield from _transfers(found.transfers)
    yield from (f"remark: {text}" for text in found.remarks)
    if found.outcome != "cannot be told" and not found.identical:
        yield from (f"would be found: {line}" for line in power_lines(found))
    yield f"tests: {how_of(found)}"
    yield verdict_of(found)


def _told(test: "Tested") -> str:
    effect = test.effect
    where = test.activity or "all windows"
    text = f"{test.device}, {where}: {test.measure}"
    if effect.median_a is not None or effect.median_b is not None:
        text += f" {_number(effect.median_a)} -> {_number(effect.median_b)}"
    if effect.ratio is not None:
        text += f" (x{effect.ratio:.3g}"
        if effect.ratio_low is not None and effect.ratio_high is not None:
            text += f", {effect.ratio_low:.3g} to {effect.ratio_high:.3g}"
        text += ")"
    return f"{text}, {_size(test)}, p {test.p_adjusted:.3g}"


def _size(test: "Tested") -> str:
    if test.kind in ("shape", "fingerprint"):
        return f"{test.effect.delta:.0%} of them are others"
    word = "share" if test.kind == "host" else "Cliff's delta"
    return f"{word} {test.effect.delta:+.2f}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _transfers(found: Iterable["Transfer"]) -> Iterator[str]:
    """Tell of each classifier that was tried, and why others were not, by reason."""
    untold: dict[str, list[str]] = {}
    for each in found:
        if each.across is None:
            untold.setdefault(each.note, []).append(each.device)
        else:
            yield f"transfer: {_told_transfer(each, each.across)}"
    for note, devices in untold.items():
        yield f"transfer: {note}: {', '.join(dict.fromkeys(devices))}"


def _told_transfer(each: "Transfer", across: "Share") -> str:
    text = f"{each.device}, {each.classifier}, {each.direction}: {_share(across)}"
    if each.within is not None and each.loss is not None:
        text += f", within {_share(each.within)}, lost {_share(each.loss)}"
    return f"{text} ({each.note})" if each.note else text


def _share(share: "Share") -> str:
    if share.low is None or share.high is None:
        return f"{share.value:.1%}"
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"
