"""Pictures of scores: precision and recall per device, and confusion matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from analysis.evaluate.study import Result
from analysis.features.model import Int64
from analysis.report import words
from analysis.report.drawing import (
    INK,
    LOOK,
    MUTED,
    Picture,
    as_svg,
    bare,
    house_style,
    new_figure,
)
from analysis.report.tables import Table


def draw_precision_recall(
    results: Sequence[Result], titles: Mapping[str, str], name: str, split: str
) -> Picture:
    """Draw macro precision and recall per device, one mark per classifier.

    results  at least one, of one split;  titles  classifier -> what the legend says
    split    the split as the title says it
    """
    devices = list(dict.fromkeys(r.device for r in results))
    with house_style():
        figure = new_figure(10.4, 1.15 + 0.36 * len(devices))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, what in zip(panels, ("precision", "recall"), strict=True):
            _draw_panel(axes, results, devices, titles, what)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
        svg = as_svg(figure)
    return Picture(
        name=name,
        title=f"Precision and recall, mean over activities: {split}",
        alt="mean precision and recall over activities, per device and classifier",
        svg=svg,
        data=Table(
            name=name,
            columns=("device", "classifier", "split", "precision", "recall", "f1"),
            rows=tuple(
                (r.device, r.classifier, r.split.name, r.precision, r.recall, r.f1)
                for r in results
            ),
        ),
    )


def _draw_panel(
    axes: Axes,
    results: Sequence[Result],
    devices: Sequence[str],
    titles: Mapping[str, str],
    what: str,
) -> None:
    place = {device: len(devices) - 1 - i for i, device in enumerate(devices)}
    classifiers = list(dict.fromkeys(r.classifier for r in results))
    for row in place.values():
        axes.axhspan(row - 0.36, row + 0.36, color="#f5f7f9", linewidth=0, zorder=0)
    for i, classifier in enumerate(classifiers):
        mine = [r for r in results if r.classifier == classifier]
        colour, marker = LOOK[i % len(LOOK)]
        axes.scatter(
            [float(getattr(r, what)) for r in mine],
            [place[r.device] + _apart(i, len(classifiers)) for r in mine],
            s=44,
            color=colour,
            marker=marker,
            edgecolor="white",
            linewidth=0.8,
            label=titles.get(classifier, classifier),
            zorder=2,
            clip_on=False,
        )
    axes.set_title(what.capitalize(), fontweight="bold")
    axes.set_yticks(list(place.values()), list(place))
    axes.set_ylim(-0.6, len(devices) - 0.4)
    axes.set_xlim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.tick_params(axis="y", labelcolor=INK, labelsize=9)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _apart(number: int, of: int) -> float:
    """Move marks a little up or down, so that equal scores do not hide each other."""
    return 0.18 * ((of - 1) / 2 - number)


def draw_confusion(result: Result, classifier: str) -> Picture:
    """Draw counts over shares: rows are true activities, columns predicted ones."""
    matrix, names = result.matrix, [a.replace("_", " ") for a in result.activities]
    n, name = len(names), f"confusion_{result.device}"
    with house_style():
        figure = new_figure(1.65 + 0.3 * n, 1.3 + 0.27 * n)
        axes = figure.subplots()
        _draw_matrix(axes, matrix, names)
        svg = as_svg(figure)
    return Picture(
        name=name,
        title=f"{result.device}: {classifier}, {words.score(result.accuracy)}",
        alt=f"confusion matrix of {result.device}: {result.accuracy:.2f} of "
        f"{result.n_trials} trials on the diagonal",
        svg=svg,
        data=Table(
            name=name,
            columns=("true", *(f"predicted_{a}" for a in result.activities)),
            rows=tuple(
                (a, *(int(v) for v in matrix[i]))
                for i, a in enumerate(result.activities)
            ),
        ),
    )


def _draw_matrix(axes: Axes, matrix: Int64, names: Sequence[str]) -> None:
    share, n = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), len(names)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for row, column in np.argwhere(matrix > 0):
        axes.text(
            column,
            row,
            str(matrix[row, column]),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share[row, column] > 0.6 else INK,
        )
    axes.set_xticks(range(n), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n), names)
    axes.set_xticks(np.arange(n - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(n - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    bare(axes)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("predicted", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
