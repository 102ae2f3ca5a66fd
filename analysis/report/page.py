"""Chapters as one HTML page that needs nothing else, and every figure as files."""

import base64
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.report.blocks import Chapter
from analysis.report.drawing import Picture
from analysis.report.tables import write_table
from analysis.report.words import legible

_HERE = Path(__file__).parent


def write_page(chapters: Sequence[Chapter], out: Path) -> Path:
    """Write index.html, data/ and pictures/ into `out`; return the page."""
    for chapter in chapters:
        data, pictures = out / "data" / chapter.key, out / "pictures" / chapter.key
        for grid in chapter.grids():
            write_table(grid.data, data)
        for picture in chapter.pictures():
            write_table(picture.data, data)
            pictures.mkdir(parents=True, exist_ok=True)
            path = pictures / f"{picture.name}.svg"
            path.write_text(picture.svg, encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    path = out / "index.html"
    path.write_text(render(chapters), encoding="utf-8")
    return path


def render(chapters: Sequence[Chapter]) -> str:
    """Return the page; every text of a campaign is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = _inline
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    # the sheet is ours, and no text of a campaign is in it
    sheet = Markup(style)  # noqa: S704
    template = environment.get_template("page.html.j2")
    return legible(template.render(chapters=chapters, style=sheet))


def _inline(picture: Picture) -> str:
    """Return a picture as a data URI: as an image it cannot clash with the page."""
    svg = picture.svg[picture.svg.index("<svg") :]
    code = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return f"data:image/svg+xml;base64,{code}"
