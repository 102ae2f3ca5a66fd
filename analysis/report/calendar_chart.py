"""A calendar of strangeness: days below each other, hours from left to right.

Colour says how strange an hour is, a frame that it is an alarm, and a dot, where a
simulation knows it, that an intruder acted in it.
"""

from datetime import date, timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from analysis.detectors.model import Float64
from analysis.evaluate.watched.verdicts import Verdict
from analysis.report.drawing import (
    BLUE,
    INK,
    RED,
    Picture,
    as_svg,
    bare,
    house_style,
    new_figure,
)
from analysis.report.tables import Table, file_stem

_EPOCH = date(1970, 1, 1)
_DARKEST = 6.0  # -log10 of the p-value that gets the full colour
_ROW_IN = 0.19
_COLOURS = LinearSegmentedColormap.from_list("strange", ("#f3f6f9", BLUE))
_EMPTY = "#ffffff"


def draw_calendar(found: Verdict, malicious: np.ndarray, title: str) -> Picture:
    """Draw the hours that were scored; two hours of one name share a cell.

    malicious  (h,) bool, hours in which an intruder acted; all False where nobody knows
    """
    days = np.unique(found.hours.day)
    strange = _grid(found, days, np.minimum(-np.log10(found.p), _DARKEST))
    with house_style():
        figure = new_figure(7.2, 1.25 + _ROW_IN * days.size)
        axes = figure.subplots()
        _draw_cells(axes, strange)
        _draw_alarms(axes, _cells(found, days, found.alarms))
        _draw_dots(axes, _cells(found, days, malicious))
        _finish(axes, days, found.hours.events.zone)
        figure.legend(
            handles=_legend(bool(malicious.any())), loc="outside upper left", ncols=3
        )
        svg = as_svg(figure)
    n_alarms, n_bad = int(found.alarms.sum()), int(malicious.sum())
    return Picture(
        name=file_stem(f"calendar_{title}_{found.detector}"),
        title=f"{title}: {found.title}",
        alt=f"{title}, {days.size} days by 24 hours: {n_alarms} alarms of "
        f"{found.title}, {n_bad} hours in which an intruder acted",
        svg=svg,
        data=_table(found, malicious, title),
    )


def _cells(
    found: Verdict, days: np.ndarray, chosen: np.ndarray
) -> set[tuple[int, int]]:
    """Return (hour of day, row) of the chosen hours."""
    row = np.searchsorted(days, found.hours.day[chosen])
    return set(zip(found.hours.hour[chosen].tolist(), row.tolist(), strict=True))


def _grid(found: Verdict, days: np.ndarray, values: Float64) -> Float64:
    """Return (days, 24) float64, NaN where there is no such hour."""
    grid = np.full((days.size, 24), np.nan)
    row = np.searchsorted(days, found.hours.day)
    there = np.where(found.hours.total > 0, values, 0.0)
    np.fmax.at(grid, (row, found.hours.hour), there)
    return grid


def _draw_cells(axes: Axes, strange: Float64) -> None:
    colours = _COLOURS.with_extremes(bad=_EMPTY)
    edges = np.arange(25) - 0.5, np.arange(strange.shape[0] + 1) - 0.5
    axes.pcolormesh(
        *edges,
        np.ma.masked_invalid(strange),
        cmap=colours,
        vmin=0,
        vmax=_DARKEST,
        edgecolors="white",
        linewidth=0.8,
    )


def _draw_alarms(axes: Axes, cells: set[tuple[int, int]]) -> None:
    for hour, row in sorted(cells):
        corner = (hour - 0.44, row - 0.42)
        axes.add_patch(
            Rectangle(corner, 0.88, 0.84, fill=False, edgecolor=RED, linewidth=1.3)
        )


def _draw_dots(axes: Axes, cells: set[tuple[int, int]]) -> None:
    if cells:
        x, y = zip(*sorted(cells), strict=True)
        axes.scatter(x, y, s=11, color=INK, edgecolor="white", linewidth=0.6, zorder=3)


def _finish(axes: Axes, days: np.ndarray, zone: str) -> None:
    axes.set_xlim(-0.5, 23.5)
    axes.set_ylim(days.size - 0.5, -0.5)
    axes.set_xticks(range(0, 24, 3), [f"{h:02d}:00" for h in range(0, 24, 3)])
    names = [f"{_EPOCH + timedelta(days=int(day)):%a %d %b}" for day in days]
    axes.set_yticks(range(days.size), names)
    axes.set_xlabel(f"hour of day ({zone})")
    bare(axes)


def _legend(with_truth: bool) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=BLUE, label="like one usual hour in a million, or fewer"),
        Patch(facecolor="none", edgecolor=RED, label="alarm"),
    ]
    if with_truth:
        handles.append(
            Line2D([], [], marker="o", color=INK, linestyle="", ms=4, label="intruder")
        )
    return handles


def _table(found: Verdict, malicious: np.ndarray, title: str) -> Table:
    hours = found.hours
    rows = zip(
        [f"{_EPOCH + timedelta(days=int(day))}" for day in hours.day],
        hours.hour.tolist(),
        hours.total.tolist(),
        found.scores.tolist(),
        found.p.tolist(),
        found.alarms.tolist(),
        malicious.tolist(),
        strict=True,
    )
    return Table(
        name=file_stem(f"calendar_{title}_{found.detector}"),
        columns=("day", "hour", "events", "score", "p", "alarm", "malicious"),
        rows=tuple(rows),
    )
