"""Pictures of how far scores can be believed: splits, calibration, curves, open set."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.evaluate.study import Result
from analysis.evaluate.trust.curves import CurvePoint
from analysis.report.drawing import (
    ACTIVITY_COLOURS,
    INK,
    LOOK,
    MUTED,
    STEEL,
    Picture,
    as_svg,
    house_style,
    new_figure,
)
from analysis.report.tables import Table

_ACROSS = 3
_LEGEND_IN = 1.55  # width of one entry of a legend
# hollow where rows of one session are on both sides
_SPLIT_LOOK = {"s0_folds": ("o", "none"), "s1": ("s", None), "s2": ("^", None)}
_LINES = ("-", "--", ":", "-.")


def draw_splits(
    results: Sequence[Result], titles: Mapping[str, str], heads: Mapping[str, str]
) -> Picture:
    """Draw S0, S1 and S2 side by side: how much of a score the split makes.

    results  at least one;  titles  classifier -> title;  heads  split -> title
    """
    devices = list(dict.fromkeys(r.device for r in results))
    classifiers = list(dict.fromkeys(r.classifier for r in results))
    with house_style():
        across = min(_ACROSS, len(classifiers))
        down = -(-len(classifiers) // across)
        height = 0.5 + down * (0.8 + 0.34 * len(devices))
        figure = new_figure(1.6 + 2.9 * across, height)
        panels = np.ravel(figure.subplots(down, across, sharey=True, squeeze=False))
        for axes in panels[len(classifiers) :]:
            axes.set_visible(False)
        for i, (axes, name) in enumerate(zip(panels, classifiers, strict=False)):
            mine = [r for r in results if r.classifier == name]
            _draw_split_panel(axes, mine, devices, heads, LOOK[i % len(LOOK)][0])
            axes.set_title(titles.get(name, name), fontweight="bold")
        _legend(figure, panels[0])
        svg = as_svg(figure)
    return Picture(
        name="splits",
        title="Accuracy by split, and by chance",
        alt="accuracy per device and classifier under splits S0, S1 and S2",
        svg=svg,
        data=Table(
            name="splits",
            columns=("device", "classifier", "split", "accuracy", "null_accuracy"),
            rows=tuple(
                (r.device, r.classifier, r.split.name, r.accuracy, r.null_accuracy)
                for r in results
            ),
        ),
    )


def _draw_split_panel(
    axes: Axes,
    results: Sequence[Result],
    devices: Sequence[str],
    heads: Mapping[str, str],
    colour: str,
) -> None:
    place = {device: len(devices) - 1 - i for i, device in enumerate(devices)}
    for device, row in place.items():
        found = [r.accuracy for r in results if r.device == device]
        if found:
            axes.plot([min(found), max(found)], [row, row], color=STEEL, linewidth=1)
    for split, (marker, face) in _SPLIT_LOOK.items():
        mine = [r for r in results if r.split.name == split]
        axes.scatter(
            [r.accuracy for r in mine],
            [place[r.device] for r in mine],
            marker=marker,
            s=90 if face else 36,  # around what it may hide
            facecolor=face or colour,
            edgecolor=colour,
            label=heads.get(split, split),
            zorder=3,
            clip_on=False,
        )
    last = {r.device: r.null_accuracy for r in results}
    axes.scatter(
        list(last.values()),
        [place[d] for d in last],
        marker="|",
        color=MUTED,
        s=60,
        label="shuffled labels",
    )
    axes.set_yticks(list(place.values()), list(place))
    axes.set_ylim(-0.6, len(devices) - 0.4)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=9)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def draw_reliability(
    results: Sequence[Result], titles: Mapping[str, str], split: str
) -> Picture:
    """Draw how often answers of one confidence are right, a panel per device.

    results  with a calibration, of one split;  split  as the title says it
    """

    def panel(axes: Axes, device: str) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
        for i, r in enumerate(r for r in results if r.device == device):
            if r.calibration is None:
                continue
            colour, marker = LOOK[i % len(LOOK)]
            axes.plot(
                [p.confidence for p in r.calibration.points],
                [p.accuracy for p in r.calibration.points],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1.2,
                label=titles.get(r.classifier, r.classifier),
            )
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xlabel("probability that was given", color=MUTED)

    devices = list(dict.fromkeys(r.device for r in results))
    rows = tuple(
        (r.device, r.classifier, p.confidence, p.accuracy, p.n, r.calibration.ece)
        for r in results
        if r.calibration is not None
        for p in r.calibration.points
    )
    return Picture(
        name="reliability",
        title=f"Share of right answers by their probability: {split}",
        alt="reliability diagram per device and classifier; the diagonal is honest",
        svg=_small_multiples(devices, panel),
        data=Table(
            name="reliability",
            columns=("device", "classifier", "confidence", "accuracy", "n", "ece"),
            rows=rows,
        ),
    )


def draw_curve(points: Sequence[CurvePoint], of: str, title: str, axis: str) -> Picture:
    """Draw accuracy against how much was learnt from or seen, a line per device.

    points  of one classifier and split, at least one counts `of`
    """
    mine = [p for p in points if p.of == of]
    devices = list(dict.fromkeys(p.device for p in mine))
    with house_style():
        figure = new_figure(5.0, 3.1)
        axes = figure.subplots()
        for i, device in enumerate(devices):
            line = sorted(
                (p for p in mine if p.device == device), key=lambda p: p.value
            )
            axes.plot(
                [p.value for p in line],
                [p.accuracy for p in line],
                color=ACTIVITY_COLOURS[i % len(ACTIVITY_COLOURS)],
                linestyle=_LINES[i // len(ACTIVITY_COLOURS) % len(_LINES)],
                marker=LOOK[i % len(LOOK)][1],
                markersize=4,
                linewidth=1.3,
                label=device,
            )
        _count_axis(axes, [p.value for p in mine])
        axes.set_ylim(0, 1.04)
        axes.set_xlabel(axis, color=MUTED)
        axes.grid()
        axes.legend(loc="lower right", ncols=2 if len(devices) > 4 else 1)
        svg = as_svg(figure)
    name = f"accuracy_by_{of}"
    return Picture(
        name=name,
        title=title,
        alt=f"{title}, a line per device",
        svg=svg,
        data=Table(
            name=name,
            columns=("device", "classifier", "split", of, "accuracy", "low", "high"),
            rows=tuple(_curve_row(p) for p in mine),
        ),
    )


def _count_axis(axes: Axes, values: Sequence[float]) -> None:
    axes.set_xscale("log")
    ticks = sorted(set(values))
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks], minor=False)
    axes.minorticks_off()


def _curve_row(p: CurvePoint) -> tuple[str | float | None, ...]:
    low = p.interval.low if p.interval else None
    high = p.interval.high if p.interval else None
    return p.device, p.classifier, p.split, p.value, p.accuracy, low, high


def draw_open_set(results: Sequence[Result], titles: Mapping[str, str]) -> Picture:
    """Draw how well activities that were never learnt are told from known ones.

    results  with an open set
    """
    devices = list(dict.fromkeys(r.device for r in results))
    place = {device: len(devices) - 1 - i for i, device in enumerate(devices)}
    classifiers = list(dict.fromkeys(r.classifier for r in results))
    with house_style():
        figure = new_figure(5.4, 1.3 + 0.4 * len(devices))
        axes = figure.subplots()
        for i, name in enumerate(classifiers):
            colour, marker = LOOK[i % len(LOOK)]
            apart = 0.16 * ((len(classifiers) - 1) / 2 - i)
            for r in results:
                if r.classifier != name or r.open_set is None:
                    continue
                row, found = place[r.device] + apart, r.open_set
                ends = [found.interval.low, found.interval.high]
                axes.plot(ends, [row, row], color=colour, linewidth=1.2)
                axes.scatter(found.auroc, row, color=colour, marker=marker, zorder=3)
            axes.scatter([], [], color=colour, marker=marker, label=titles.get(name))
        axes.axvline(0.5, color=MUTED, linewidth=0.8, linestyle=":")
        axes.set_yticks(list(place.values()), list(place))
        axes.set_ylim(-0.6, len(devices) - 0.4)
        axes.set_xlim(0.3, 1)
        axes.set_xlabel("AUROC; 0.5 is chance", color=MUTED)
        axes.tick_params(axis="y", labelcolor=INK, labelsize=9)
        axes.grid(axis="x")
        _legend(figure, axes)
        svg = as_svg(figure)
    return Picture(
        name="open_set",
        title="Activities that were never learnt, told by the probability given",
        alt="area under the ROC curve per device, with intervals over sessions",
        svg=svg,
        data=Table(
            name="open_set",
            columns=("device", "classifier", "auroc", "low", "high", "accepted"),
            rows=tuple(_open_row(r) for r in results),
        ),
    )


def _open_row(r: Result) -> tuple[str | float | None, ...]:
    found = r.open_set
    if found is None:
        return r.device, r.classifier, None, None, None, None
    low, high = found.interval.low, found.interval.high
    return r.device, r.classifier, found.auroc, low, high, found.accepted


def _small_multiples(devices: Sequence[str], draw: Callable[[Axes, str], None]) -> str:
    """Draw a panel per device, with one legend for all."""
    # one panel alone would be drawn as wide as the page
    across = min(_ACROSS, max(2, len(devices)))
    down = -(-len(devices) // across)
    with house_style():
        figure = new_figure(0.6 + 3.3 * across, 0.9 + 2.3 * down)
        panels = np.ravel(figure.subplots(down, across, sharey=True, squeeze=False))
        for axes, device in zip(panels, devices, strict=False):
            draw(axes, device)
            axes.set_title(device, fontweight="bold")
            axes.grid()
        for axes in panels[len(devices) :]:
            axes.set_visible(False)
        _legend(figure, panels[0])
        return as_svg(figure)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    room = max(1, int(figure.get_figwidth() / _LEGEND_IN))
    columns = min(len(labels), room)
    figure.legend(handles, labels, loc="outside upper right", ncols=columns)
