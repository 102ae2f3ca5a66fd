"""Traffic of one device over time, with the label windows drawn over it and named."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator

from analysis.dataset import Times
from analysis.features.model import Float64, Int64
from analysis.packets import PacketTable
from analysis.report import words
from analysis.report.drawing import (
    ACTIVITY_COLOURS,
    INK,
    MUTED,
    STEEL,
    Picture,
    as_svg,
    house_style,
    new_figure,
)
from analysis.report.tables import Table
from analysis.windows import Windows

_EXCERPT_NS = 600 * 10**9  # ten minutes: more windows would not be legible
_MARGIN_NS = 8 * 10**9
_BINS = 600
_BIN_WIDTHS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120)
_LINEAR_B = 200.0  # below this rate, the vertical scale is linear


@dataclass(frozen=True, slots=True, kw_only=True)
class _Excerpt:
    """A stretch of time: bytes per second of each bin, and the windows in it.

    rows  (m,) int64, which label windows;  whole  True when nothing is left out
    """

    device: str
    start_ns: int
    bin_s: float
    edges_s: Float64
    out_b: Float64
    in_b: Float64
    rows: Int64
    whole: bool


def draw_timeline(table: PacketTable, windows: Windows) -> Picture | None:
    """Draw one session, or its densest ten minutes; None when there is no window."""
    if not len(windows):
        return None
    excerpt = _excerpt(table, windows)
    with house_style():
        figure = new_figure(10.4, 2.9)
        axes = figure.subplots()
        _draw_bytes(axes, excerpt)
        _draw_windows(axes, windows, excerpt)
        svg = as_svg(figure)
    shown, total = excerpt.rows.size, len(windows)
    known = windows.times is Times.RECORDED
    densest = "the densest ten minutes, " if known else ""
    begin = f", from {words.stamp(excerpt.start_ns)} UTC" if known else ""
    if windows.times is Times.DATES:
        begin = (
            f", of {words.stamp(int(windows.start_ns[excerpt.rows[0]]), '%Y-%m-%d')}"
        )
    what = (
        ("1 label window" if total == 1 else f"all {total} label windows")
        if excerpt.whole
        else f"an excerpt: {densest}{shown} of {total} label windows"
    )
    return Picture(
        name=f"timeline_{table.device}",
        title=f"{table.device}: {what}{begin}",
        alt=f"bytes per second sent and received by {table.device}, with {shown} "
        "named label windows",
        svg=svg,
        data=_table(windows, excerpt),
    )


def _excerpt(table: PacketTable, windows: Windows) -> _Excerpt:
    rows = _densest(windows)
    start_ns = int(windows.start_ns[rows].min()) - _MARGIN_NS
    end_ns = int(windows.end_ns[rows].max()) + _MARGIN_NS
    span_s = (end_ns - start_ns) / 1e9
    widths = [w for w in _BIN_WIDTHS_S if span_s / w <= _BINS]
    bin_s = widths[0] if widths else span_s / _BINS
    edges_s = np.arange(np.ceil(span_s / bin_s) + 1) * bin_s
    low, high = np.searchsorted(table.time_ns, [start_ns, end_ns])
    at_s = (table.time_ns[low:high] - start_ns) / 1e9
    size_b = table.length_b[low:high].astype(np.float64)
    out = table.outbound[low:high]
    out_b, _ = np.histogram(at_s[out], edges_s, weights=size_b[out])
    in_b, _ = np.histogram(at_s[~out], edges_s, weights=size_b[~out])
    return _Excerpt(
        device=table.device,
        start_ns=start_ns,
        bin_s=bin_s,
        edges_s=edges_s,
        out_b=out_b / bin_s,
        in_b=in_b / bin_s,
        rows=rows,
        whole=rows.size == len(windows),
    )


def _densest(windows: Windows) -> Int64:
    """Return the rows of the ten minutes of one session that hold most windows."""
    best = np.zeros(0, dtype=np.int64)
    for first in range(len(windows)):
        held = (
            (windows.session == windows.session[first])
            & (windows.start_ns >= windows.start_ns[first])
            & (windows.end_ns <= windows.start_ns[first] + _EXCERPT_NS)
        )
        rows = np.flatnonzero(held)
        kinds, most = (np.unique(windows.activity[r]).size for r in (rows, best))
        if (rows.size, kinds) > (best.size, most):
            best = rows
    return best if best.size else np.zeros(1, dtype=np.int64)


def _draw_bytes(axes: Axes, excerpt: _Excerpt) -> None:
    axes.stairs(excerpt.out_b, excerpt.edges_s, fill=True, color=INK, zorder=2)
    axes.stairs(-excerpt.in_b, excerpt.edges_s, fill=True, color=STEEL, zorder=2)
    axes.axhline(0, color="white", linewidth=0.8, zorder=3)
    axes.set_yscale("symlog", linthresh=_LINEAR_B, linscale=0.5)
    top = 2.5 * max(excerpt.out_b.max(), excerpt.in_b.max(), 1000.0)
    axes.set_ylim(-top, top)
    powers = range(3, int(np.floor(np.log10(top))) + 1)
    ticks = [s * 10.0**p for s in (-1, 1) for p in powers]
    axes.set_yticks(sorted([0.0, *ticks]))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _rate(abs(v))))
    span_s = float(excerpt.edges_s[-1])
    tick_s = next((t for t in _TICKS_S if span_s / t <= 12), span_s / 10)
    axes.xaxis.set_major_locator(MultipleLocator(tick_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _clock(v)))
    axes.set_xlim(0, excerpt.edges_s[-1])
    axes.set_xlabel("minutes : seconds", loc="right")
    axes.grid(axis="y")
    for y, text, colour in ((0.75, "sent", INK), (0.25, "received", STEEL)):
        axes.text(
            -0.062,
            y,
            text,
            color=colour,
            fontweight="bold",
            fontsize=8.5,
            rotation=90,
            transform=axes.transAxes,
            ha="right",
            va="center",
        )


def _draw_windows(axes: Axes, windows: Windows, excerpt: _Excerpt) -> None:
    above = axes.get_xaxis_transform()
    names = np.unique(windows.activity)
    for row in excerpt.rows:
        number = int(np.searchsorted(names, windows.activity[row]))
        colour = ACTIVITY_COLOURS[number % len(ACTIVITY_COLOURS)]
        start_s = (int(windows.start_ns[row]) - excerpt.start_ns) / 1e9
        end_s = (int(windows.end_ns[row]) - excerpt.start_ns) / 1e9
        axes.axvspan(start_s, end_s, color=colour, alpha=0.2, linewidth=0, zorder=0)
        axes.plot(
            [start_s, end_s],
            [1.0, 1.0],
            color=colour,
            linewidth=5,
            solid_capstyle="butt",
            transform=above,
            clip_on=False,
            zorder=4,
        )
        axes.text(
            start_s,
            1.035,
            words.plain(str(windows.activity[row])),
            rotation=32,
            ha="left",
            va="bottom",
            rotation_mode="anchor",
            fontsize=8.5,
            color=INK,
            transform=above,
        )
    axes.tick_params(colors=MUTED)


def _rate(value: float) -> str:
    if value < 1000:
        return f"{value:.0f} B"
    return f"{value / 1e3:g} kB" if value < 1e6 else f"{value / 1e6:g} MB"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _table(windows: Windows, excerpt: _Excerpt) -> Table:
    known = windows.times is Times.RECORDED
    left_s = excerpt.edges_s[:-1]
    start_ns = excerpt.start_ns + np.rint(left_s * 1e9).astype(np.int64)
    zero_ns = 0 if known else excerpt.start_ns
    inside = np.full(start_ns.size, "", dtype=object)
    for row in excerpt.rows:
        held = start_ns >= windows.start_ns[row] - round(excerpt.bin_s * 1e9)
        inside[held & (start_ns < windows.end_ns[row])] = str(windows.activity[row])
    rows = zip(start_ns, excerpt.out_b, excerpt.in_b, inside, strict=True)
    return Table(
        name=f"timeline_{excerpt.device}",
        columns=(
            "bin_start_ns" if known else "since_start_ns",
            *("out_b_per_s", "in_b_per_s", "activity"),
        ),
        rows=tuple(
            (int(t) - zero_ns, round(o, 1), round(i, 1), str(a)) for t, o, i, a in rows
        ),
    )
