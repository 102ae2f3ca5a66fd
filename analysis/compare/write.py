"""A comparison as files: JSON, a CSV per table, a picture per device, and a page."""

import csv
import html
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.compare.chart import device_chart
from analysis.compare.exchange import units_needed
from analysis.compare.model import (
    Comparison,
    Kind,
    Outcome,
    Share,
    Tested,
    Transfer,
    Verdict,
)

_TEST_COLUMNS = (
    "device",
    "activity",
    "kind",
    "measure",
    "unit",
    "n_a",
    "n_b",
    "units_a",
    "units_b",
    "median_a",
    "median_b",
    "ratio",
    "ratio_low",
    "ratio_high",
    "cliffs_delta",
    "p",
    "p_adjusted",
    "verdict",
    "detectable_delta",
)


_NUMBERS = (Kind.TIMING, Kind.SIZE)  # the kinds whose tests are of one number
_DRIFT = {Outcome.DRIFT: True, Outcome.NO_DRIFT: False, Outcome.UNTOLD: None}


def as_plain(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as values that JSON holds."""
    asked = asdict(comparison.asked)
    return {
        "a": comparison.a,
        "b": comparison.b,
        "outcome": str(comparison.outcome),
        "said": verdict_of(comparison),
        "drift": _DRIFT[comparison.outcome],
        "cannot_be_told": list(comparison.blind),
        "least_detectable": powers_of(comparison),
        "n_tests": len(comparison.tests),
        "n_drifted": len(comparison.drifted),
        "correction": "family-wise over all tests: Westfall and Young's step-down maxT",
        "exchanged": str(comparison.unit),
        "units_a": comparison.units_a,
        "units_b": comparison.units_b,
        "n_exchanges": comparison.n_exchanges,
        "exact": comparison.exact,
        **{name: asked[name] for name in ("alpha", "seed")},
        "tests": [_test(t) for t in comparison.tests],
        "hosts": [asdict(h) for h in comparison.hosts],
        "transfer": [asdict(t) for t in comparison.transfers],
        "facts": [asdict(f) for f in comparison.facts],
        "only": list(comparison.only),
        "remarks": list(comparison.remarks),
    }


def _test(test: Tested) -> dict[str, Any]:
    effect = test.effect
    values = {
        "activity": test.activity or "all",
        "median_a": effect.median_a,
        "median_b": effect.median_b,
        "ratio": effect.ratio,
        "ratio_low": effect.ratio_low,
        "ratio_high": effect.ratio_high,
        "cliffs_delta": effect.delta,
        "detectable_delta": test.detectable,
    }
    return {
        name: values[name] if name in values else getattr(test, name)
        for name in _TEST_COLUMNS
    }


def write(comparison: Comparison, out: Path) -> tuple[Path, ...]:
    """Write all files of a comparison into a folder, each whole; return them."""
    plain = as_plain(comparison)
    devices = list(dict.fromkeys(t.device for t in comparison.tests))
    pictures = {name: device_chart(comparison, name) for name in devices}
    texts = {
        "drift.json": json.dumps(plain, indent=1) + "\n",
        "tests.csv": _csv(_TEST_COLUMNS, plain["tests"]),
        "hosts.csv": _csv(
            ("device", "host", "n_a", "n_b", "state", "verdict"), plain["hosts"]
        ),
        "transfer.csv": _csv(*_transfer_table(comparison.transfers)),
        "facts.csv": _csv(("what", "a", "b"), plain["facts"]),
        **{f"{name}.svg": svg for name, svg in pictures.items()},
        "index.html": _page(comparison, pictures),
    }
    out.mkdir(parents=True, exist_ok=True)
    return tuple(_write(out / name, text) for name, text in texts.items())


def _write(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    return part.replace(path)


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(row[name]) for name in columns} for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def _transfer_table(
    transfers: Sequence[Transfer],
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    rows = []
    for each in transfers:
        row: dict[str, Any] = {
            "device": each.device,
            "classifier": each.classifier,
            "direction": each.direction,
            "n_trials": each.n_trials,
            "n_learnt": each.n_learnt,
        }
        for name in ("within", "across", "loss"):
            row |= _spread(name, getattr(each, name))
        rows.append(row | {"note": each.note})
    shares = [f"{name}{end}" for name in ("within", "across", "loss") for end in _ENDS]
    head = ("device", "classifier", "direction", "n_trials", "n_learnt")
    return (*head, *shares, "note"), rows


_ENDS = ("", "_low", "_high")


def _spread(name: str, share: Share | None) -> dict[str, float | None]:
    values = (None,) * 3 if share is None else (share.value, share.low, share.high)
    return {f"{name}{end}": v for end, v in zip(_ENDS, values, strict=True)}


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;"
    "padding:0 1rem;color:#1d2733}table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:.2rem .6rem;border-bottom:1px solid #d5dbe1;text-align:left}"
    "svg{max-width:100%;height:auto}"
)


def _page(comparison: Comparison, pictures: dict[str, str]) -> str:
    """Return one HTML page with pictures inside; it loads nothing from elsewhere."""
    drifted = comparison.drifted
    plain = as_plain(comparison)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>Drift: {_safe(comparison.b)}</title><style>{_STYLE}</style></head>",
        f"<body><h1>{comparison.outcome}</h1>",
        f"<p><strong>{_safe(verdict_of(comparison))}</strong></p>",
        f"<p>A: {_safe(comparison.a)}<br>B: {_safe(comparison.b)}</p>",
        f"<p>{_safe(how_of(comparison))}</p>",
        *_listed(comparison),
        *(f"<p>{_safe(text)}</p>" for text in comparison.remarks),
        *_section("Drift", _TEST_COLUMNS[:-1], [_test(t) for t in drifted]),
        "<h2>Devices</h2>",
        *(_inline(svg) for svg in pictures.values()),
        *_section(
            "Hosts that came or went",
            ("device", "host", "n_a", "n_b", "state", "verdict"),
            [h for h in plain["hosts"] if h["state"] != "both"],
        ),
        *_section("Transfer", *_transfer_table(comparison.transfers)),
        *_section("What they say of themselves", ("what", "a", "b"), plain["facts"]),
        *_section(
            "In one of them alone", ("what",), [{"what": t} for t in comparison.only]
        ),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def verdict_of(comparison: Comparison) -> str:
    """Return the outcome as one sentence."""
    told = [t for t in comparison.tests if t.verdict is not Verdict.UNTOLD]
    match comparison.outcome:
        case Outcome.DRIFT:
            n = len(comparison.drifted)
            devices = ", ".join(dict.fromkeys(t.device for t in comparison.drifted))
            blind = ", ".join(comparison.blind)
            more = f"; cannot be told of {blind}" if blind else ""
            return f"drift in {n} of {len(told)} tests: {devices}{more}"
        case Outcome.NO_DRIFT if comparison.identical:
            return "no drift: both have the very same captures and activities"
        case Outcome.NO_DRIFT:
            return f"no drift found in {len(told)} tests{_would_have(comparison)}"
    return f"cannot be told whether anything drifted: {_needed(comparison)}"


def powers_of(comparison: Comparison) -> list[dict[str, Any]]:
    """Return per device the least difference that would have been found."""
    made = []
    for device in dict.fromkeys(t.device for t in comparison.tests):
        found = _findable(comparison, device)
        best = _best(found)
        made.append(
            {
                "device": device,
                "activity": (best.activity or "all") if best else None,
                "measure": best.measure if best else None,
                "delta": best.detectable if best else None,
                "half_of_measures": _middle(comparison, device, found),
            }
        )
    return made


def _findable(comparison: Comparison, device: str) -> list[Tested]:
    """Return tests of measures that could have found something, the best first.

    Those of what is the same on all days would have found anything: 0.
    """
    own = [
        t
        for t in comparison.tests
        if t.device == device and t.kind in _NUMBERS and t.detectable is not None
    ]
    return sorted(own, key=lambda t: t.detectable or 0.0)


def _best(found: Sequence[Tested]) -> Tested | None:
    """Return the best of those that differ from day to day, which say more."""
    return next((t for t in found if t.detectable), found[0] if found else None)


def _middle(
    comparison: Comparison, device: str, found: Sequence[Tested]
) -> float | None:
    """Return the difference that half of a device's tests of measures would find."""
    blind = sum(
        t.device == device and t.detectable is None and t.kind in _NUMBERS
        for t in comparison.tests
    )
    at = (len(found) + blind) // 2
    return found[at].detectable if at < len(found) else None


def _would_have(comparison: Comparison) -> str:
    """Say in how many measures anything would have been found, and the least of it."""
    n = sum(t.kind in _NUMBERS for t in comparison.tests)
    devices = list(dict.fromkeys(t.device for t in comparison.tests))
    found = [t for device in devices for t in _findable(comparison, device)]
    best = _best(sorted(found, key=lambda t: t.detectable or 0.0))
    if best is None:
        return "; no difference however large would have been found in any measure"
    text = f"; 80 of 100 would find a difference at all in {len(found)} of {n} measures"
    least = f"{best.detectable:.2f} ({best.device}: {best.measure})"
    blind = [d for d in devices if not _findable(comparison, d)]
    none = f", and none of {', '.join(blind)}" if blind else ""
    return f"{text}, a Cliff's delta of {least} in the best{none}"


def power_lines(comparison: Comparison) -> list[str]:
    """Return a sentence per device: what difference would have been found in it."""
    made = []
    for power in powers_of(comparison):
        if power["delta"] is None:
            made.append(f"{power['device']}: no difference, however large")
            continue
        half = power["half_of_measures"]
        most = "fewer than half of its measures could find any"
        if half is not None:
            most = f"half of its measures: {half:.2f} or less"
        place = f"{power['measure']} ({power['activity']})"
        made.append(f"{power['device']}: {power['delta']:.2f} in {place}; {most}")
    return made


def _needed(comparison: Comparison) -> str:
    """Say why nothing can be told, and what would be needed."""
    unit, n = comparison.unit, units_needed(comparison.asked.alpha)
    held = f"A has {_count(comparison.units_a, unit)}"
    held += f", B {_count(comparison.units_b, unit)}"
    enough = min(comparison.units_a, comparison.units_b) >= n
    if enough:
        held = (
            f"of {', '.join(comparison.blind)} one of them has fewer than {n} {unit}s"
        )
    return (
        f"{held}; what differs from {unit} to {unit} cannot be told from drift; record "
        f"at least {n} {unit}s of each"
    )


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def how_of(comparison: Comparison) -> str:
    """Return in a sentence how the tests were made."""
    n, level = comparison.n_exchanges, comparison.asked.alpha
    if all(t.verdict is Verdict.UNTOLD for t in comparison.tests):
        return "nothing was tested; sizes of differences are as they were seen"
    every = "all " if comparison.exact else ""
    return (
        f"{every}{n:,} arrangements of {comparison.units_a} and {comparison.units_b} "
        f"{comparison.unit}s; the chance of any drift reported where there is none is "
        f"at most {level:.0%} over all tests (Westfall and Young's step-down maxT)"
    )


def _listed(comparison: Comparison) -> Iterator[str]:
    if comparison.outcome is Outcome.UNTOLD or comparison.identical:
        return
    yield "<p>What 80 of 100 such comparisons would find (Cliff's delta):</p><ul>"
    yield from (f"<li>{_safe(line)}</li>" for line in power_lines(comparison))
    yield "</ul>"


def _section(
    title: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]
) -> Iterator[str]:
    if not rows:
        return
    yield f"<h2>{_safe(title)}</h2><table><tr>"
    yield "".join(f"<th>{_safe(name.replace('_', ' '))}</th>" for name in columns)
    yield "</tr>"
    for row in rows:
        cells = "".join(f"<td>{_safe(_short(row[name]))}</td>" for name in columns)
        yield f"<tr>{cells}</tr>"
    yield "</table>"


def _short(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _inline(svg: str) -> str:
    return svg[svg.index("<svg") :]


def _safe(text: str) -> str:
    return html.escape(text)
