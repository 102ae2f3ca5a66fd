"""One picture per device: by how much which number changed, and where it is drift."""

import io
import re
import warnings
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.compare.model import ALL, MEASURES, Comparison, Tested, Verdict

# from less to more, in colours that people with any colour vision can tell apart
_COLOURS = LinearSegmentedColormap.from_list(
    "less to more", ["#0072B2", "#ffffff", "#D55E00"]
)
_INK, _MUTED = "#1d2733", "#5b6875"
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "svg.fonttype": "none",
    "svg.hashsalt": "compare",  # ids that do not change from run to run
}


def device_chart(comparison: Comparison, device: str) -> str:
    """Return the SVG of one device, the same for the same comparison."""
    tests = [t for t in comparison.tests if t.device == device]
    names = [m.name for m in MEASURES]
    rows = list(dict.fromkeys(t.activity for t in tests if t.measure in names))
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(9.5, 1.7 + 0.34 * len(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _draw(axes, tests, rows, names)
        axes.set_title(f"{device}: Cliff's delta, B against A", loc="left", fontsize=10)
        figure.supxlabel(
            "+1: every trial of B is larger; framed: drift; grey: cannot be told",
            fontsize=8,
            color=_MUTED,
        )
        return _svg(figure)


def _draw(
    axes: Axes, tests: Sequence[Tested], rows: Sequence[str], names: Sequence[str]
) -> None:
    values = np.full((len(rows), len(names)), np.nan)
    for each in tests:
        if each.measure in names:
            at = rows.index(each.activity), names.index(each.measure)
            values[at] = each.effect.delta
            _mark(axes, each, at)
    axes.imshow(values, cmap=_COLOURS, vmin=-1, vmax=1, aspect="auto")
    words = [name.removesuffix("_s").replace("_", " ") for name in names]
    axes.set_xticks(range(len(names)), words, rotation=25, ha="right")
    axes.set_yticks(range(len(rows)), [row or "all windows" for row in rows])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _mark(axes: Axes, test: Tested, at: tuple[int, int]) -> None:
    row, column = at
    drift = test.verdict is Verdict.DRIFT
    axes.text(
        column,
        row,
        f"{test.effect.delta:+.2f}",
        ha="center",
        va="center",
        fontsize=8,
        fontweight="bold" if drift else "normal",
        color=_MUTED if test.verdict is Verdict.UNTOLD else _INK,
    )
    if drift:
        frame = Rectangle(
            (column - 0.48, row - 0.46),
            0.96,
            0.92,
            fill=False,
            linewidth=1.8,
            edgecolor=_INK,
        )
        axes.add_patch(frame)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # text stays text: the font of the page has the glyph, or shows that it has not
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # trailing blanks mean nothing and differ between versions
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue())


def caption(test: Tested) -> str:
    """Return what a test is about, in words."""
    where = "all windows" if test.activity == ALL else test.activity
    return f"{test.device}, {where}: {test.measure}"
