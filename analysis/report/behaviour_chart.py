"""The paper's Figure 3: hour of day against events in that hour, and who they are."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from analysis.detectors.kmeans_paper import Clusters
from analysis.features.model import Float64
from analysis.report import words
from analysis.report.behaviour import Hours, Watch
from analysis.report.drawing import (
    GREEN,
    INK,
    RED,
    Picture,
    as_svg,
    house_style,
    new_figure,
)
from analysis.report.tables import Table, file_stem


def draw_hours(watch: Watch) -> Picture:
    """Draw benign and anomalous dots, the centres as X, and the boundary.

    The detector must have learnt. A dot is as large as the number of such hours.
    """
    if watch.detector is None:
        raise ValueError(f"nothing was learnt about {watch.device} {watch.activity}")
    benign = np.vstack((watch.train.points(), watch.fresh.points()))
    anomalous = watch.malicious.points()
    with house_style():
        figure = new_figure(5.2, 3.5)
        axes = figure.subplots()
        _draw_boundary(axes, watch.detector)
        _draw_points(axes, benign, GREEN, "o", "benign activity")
        _draw_points(axes, anomalous, RED, "D", "anomalous activity")
        axes.scatter(
            watch.detector.centres[:, 0],
            watch.detector.centres[:, 1],
            marker="X",
            s=110,
            color=INK,
            edgecolor="white",
            linewidth=1.2,
            label="cluster centre",
            zorder=5,
        )
        _finish(axes, np.vstack((benign, anomalous)))
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside upper left",
            ncols=3,
            handletextpad=0.2,
            columnspacing=1.2,
        )
        svg = as_svg(figure)
    what = f"{watch.device}: {words.plain(watch.activity)}"
    return Picture(
        name=file_stem(f"behaviour_{watch.device}_{watch.activity}"),
        title=f"{what}, from logged activities",
        alt=f"{what}: hour of day against events in that hour; {len(benign)} benign "
        f"and {len(anomalous)} anomalous hours, {len(watch.detector.centres)} centres",
        svg=svg,
        data=_table(watch),
    )


def _draw_boundary(axes: Axes, detector: Clusters) -> None:
    """Shade what is inside: circles, which the scales of the axes make ellipses."""
    for centre, radius in zip(detector.centres, detector.radii, strict=True):
        place = (float(centre[0]), float(centre[1]))
        axes.add_patch(Circle(place, radius, facecolor=GREEN, alpha=0.08, linewidth=0))
        axes.add_patch(
            Circle(
                place,
                radius,
                fill=False,
                edgecolor=GREEN,
                alpha=0.7,
                linewidth=0.9,
                linestyle=(0, (4, 3)),
            )
        )


def _draw_points(
    axes: Axes, points: Float64, colour: str, marker: str, label: str
) -> None:
    if not len(points):
        return
    place, times = np.unique(points, axis=0, return_counts=True)
    axes.scatter(
        place[:, 0],
        place[:, 1],
        s=24 + 14 * (times - 1),
        color=colour,
        marker=marker,
        edgecolor="white",
        linewidth=0.7,
        alpha=0.9,
        label=label,
        zorder=3 if marker == "o" else 4,
    )


def _finish(axes: Axes, points: Float64) -> None:
    axes.set_xlim(-0.8, 23.8)
    axes.set_ylim(0, points[:, 1].max() * 1.15 + 0.6)
    axes.set_xticks(range(0, 24, 3), [f"{h:02d}:00" for h in range(0, 24, 3)])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("hour of day (UTC)")
    axes.set_ylabel("events in that hour")
    axes.grid()


def _table(watch: Watch) -> Table:
    rows: list[tuple[str, int, int, int, float, bool]] = []
    kinds: tuple[tuple[str, Hours], ...] = (
        ("training", watch.train),
        ("new benign", watch.fresh),
        ("malicious", watch.malicious),
    )
    for kind, hours in kinds:
        if not len(hours) or watch.detector is None:
            continue
        scores = watch.detector.score(hours.points())
        rows += [
            (kind, int(hour) // 24, int(hour) % 24, int(n), float(s), bool(s > 1))
            for hour, n, s in zip(hours.hour, hours.count, scores, strict=True)
        ]
    return Table(
        name=file_stem(f"behaviour_{watch.device}_{watch.activity}"),
        columns=("kind", "day", "hour", "events", "score", "alarm"),
        rows=tuple(rows),
    )
