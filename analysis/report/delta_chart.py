"""A picture of accuracy against δ: a panel per device, a line per classifier."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from analysis.evaluate.delta.scores import DeltaScore
from analysis.report.drawing import (
    INK,
    LOOK,
    MUTED,
    Picture,
    as_svg,
    house_style,
    new_figure,
)
from analysis.report.tables import Table

_ACROSS = 3
_RULES = {"profile": "P", "group": "G", "estimated": "E", "longest": "L"}
_KEY = (
    "letters: δ by rule, at its mean: P profile, G group, E estimated, L longest; "
    "dotted: knowing a window's length alone"
)
_COLUMNS = (
    "device",
    "classifier",
    "split",
    "rule",
    "seconds",
    "accuracy",
    "low",
    "high",
    "f1",
    "length_only",
    "n_trials",
    "n_idle",
    "n_sessions",
)


def draw_delta(
    scores: Sequence[DeltaScore], titles: Mapping[str, str], name: str, split: str
) -> Picture:
    """Draw accuracy by seconds of δ, and letters where the rules are.

    scores  at least one, of one split;  titles  classifier -> what the legend says
    split   as the title says it
    """
    devices = list(dict.fromkeys(s.device for s in scores))
    across = min(_ACROSS, max(2, len(devices)))
    down = -(-len(devices) // across)
    with house_style():
        figure = new_figure(0.6 + 3.3 * across, 0.9 + 2.2 * down)
        panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        for axes, device in zip(panels, devices, strict=False):
            _draw_panel(axes, [s for s in scores if s.device == device], titles)
            axes.set_title(device, fontweight="bold")
        for axes in panels[len(devices) :]:
            axes.set_visible(False)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
        figure.supxlabel(_KEY, fontsize=8, color=MUTED, x=0.01, ha="left")
        svg = as_svg(figure)
    return Picture(
        name=name,
        title=f"Accuracy against δ: {split}",
        alt="accuracy by the length of label windows, per device and classifier",
        svg=svg,
        data=Table(
            name=name,
            columns=_COLUMNS,
            rows=tuple(_row(each) for each in scores),
        ),
    )


def _draw_panel(
    axes: Axes, scores: Sequence[DeltaScore], titles: Mapping[str, str]
) -> None:
    for i, classifier in enumerate(dict.fromkeys(s.classifier for s in scores)):
        mine = [s for s in scores if s.classifier == classifier]
        colour, marker = LOOK[i % len(LOOK)]
        line = sorted((s for s in mine if s.rule == "seconds"), key=_seconds)
        at_s = [s.seconds for s in line]
        if all(s.interval is not None for s in line):
            low = [s.interval.low for s in line if s.interval]
            high = [s.interval.high for s in line if s.interval]
            axes.fill_between(at_s, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(
            at_s,
            [s.accuracy for s in line],
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.4,
            label=titles.get(classifier, classifier),
        )
        for each in mine:
            if each.rule in _RULES:
                _mark(axes, each, colour)
    majority = max((s.length_only for s in scores if s.rule == "seconds"), default=None)
    if majority is not None:
        axes.axhline(majority, color=MUTED, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 40, 60) if t <= _longest(scores) * 1.1]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks], minor=False)
    axes.minorticks_off()
    axes.set_ylim(0, 1.04)
    axes.set_xlabel("δ in seconds", color=MUTED)
    axes.grid()


def _mark(axes: Axes, each: DeltaScore, colour: str) -> None:
    axes.text(
        each.seconds,
        each.accuracy,
        _RULES[each.rule],
        ha="center",
        va="center",
        fontsize=7,
        color=INK,
        bbox={"boxstyle": "circle,pad=0.18", "facecolor": "white", "edgecolor": colour},
        zorder=4,
    )


def _seconds(score: DeltaScore) -> float:
    return score.seconds


def _longest(scores: Sequence[DeltaScore]) -> float:
    return max(s.seconds for s in scores)


def _row(s: DeltaScore) -> tuple[str | float | int | None, ...]:
    return (
        s.device,
        s.classifier,
        s.split,
        s.rule,
        s.seconds,
        s.accuracy,
        s.interval.low if s.interval else None,
        s.interval.high if s.interval else None,
        s.f1,
        s.length_only,
        s.n_trials,
        s.n_idle,
        s.n_sessions,
    )
