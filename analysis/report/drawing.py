"""How every picture looks, and how a figure becomes an SVG that is always the same.

Figures are made without pyplot, so there is no global state and nothing to close.
Colours are those of Okabe and Ito, which people with any colour vision can tell apart;
no picture relies on colour alone.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.report.tables import Table
from analysis.report.words import legible

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
INK, MUTED, LINE, STEEL = "#1d2733", "#5b6875", "#d5dbe1", "#8797a8"
# one colour and mark per classifier
LOOK = (
    (BLUE, "o"),
    (ORANGE, "s"),
    (GREEN, "^"),
    (PURPLE, "D"),
    (SKY, "v"),
    (RED, "P"),
)
# Okabe and Ito, then Tol's muted scheme for devices with many activities
ACTIVITY_COLOURS = (
    BLUE,
    ORANGE,
    GREEN,
    RED,
    PURPLE,
    SKY,
    "#332288",
    "#999933",
    "#882255",
    "#44AA99",
    "#DDCC77",
    "#661100",
)

_PAGE_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e8ecf0",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",  # text stays text and takes the font of the page
    "svg.hashsalt": "report",  # ids that do not change from run to run
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawn figure and the numbers behind it.

    alt   what it shows, for those who cannot see it
    svg   the drawing;  data  every number in it
    """

    name: str
    title: str
    alt: str
    svg: str
    data: Table


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the report while the context lasts."""
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that belongs to nobody else."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_svg(figure: Figure) -> str:
    """Return the figure as SVG text, the same for the same drawing."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # text stays text: the font of the page has the glyph, or shows that it has not
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return legible(buffer.getvalue()).replace("'DejaVu Sans'", _PAGE_FONT)


def bare(axes: Axes) -> None:
    """Take the frame and the ticks off."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
