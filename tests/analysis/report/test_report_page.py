import csv
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from analysis.report.drawing import as_svg, house_style, new_figure

EVIL = "<script>alert('model')</script>"


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.places, self.ids = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href"):
                self.places.append(value)
            if name == "id":
                self.ids.add(value)


def read(page):
    links = Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


def table(page, campaign, name):
    with (page.parent / "data" / campaign / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_needs_nothing_from_elsewhere(make, write, tmp_path):
    page = write([make.trained()], tmp_path / "out")
    links = read(page)
    assert "script" not in links.tags
    assert "link" not in links.tags
    assert "url(" not in page.read_text(encoding="utf-8")
    for place in links.places:
        if place.startswith("#"):
            assert place[1:] in links.ids
        elif not place.startswith("data:image/svg+xml;base64,"):
            assert (page.parent / place).is_file(), place


def test_what_a_campaign_says_is_text_and_never_markup(make, write, tmp_path):
    rows = [make.row(1, make.monday_ns, activity=EVIL, channel="<b>")]
    folder = make.folder(
        "house",
        rows,
        profiles={"lamp": {"vendor": "<img src=x>", "model": EVIL}},
        scenario={"scenario": "<i>x</i>", "description": EVIL},
        versions={"<u>": "<s>"},
    )
    make.traffic(folder, rows)
    page = write([folder], tmp_path / "out")
    links = read(page)
    assert not {"script", "i", "u", "s"} & set(links.tags)
    assert "&lt;b&gt; (lan)" in page.read_text(encoding="utf-8")
    assert "x" not in links.places
    assert EVIL in table(page, "house", "devices")[0]["model"]


NOT_XML = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"


def test_control_characters_in_names_are_written_as_their_numbers(
    make, write, tmp_path
):
    rows = [make.row(1, make.monday_ns, activity="off\x1b[2J\x9b")]
    page = write([make.folder("house", rows)], tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert r"off\x1b[2J\x9b" in text
    assert not re.search(NOT_XML, text)


def test_a_picture_with_control_characters_in_names_is_well_formed():
    with house_style():
        figure = new_figure(2, 2)
        axes = figure.subplots()
        axes.set_xticks([0, 1], ["off\x1b[2J", "on\x0b\x9b"])
        axes.set_title("a < b")
        drawn = as_svg(figure)
    ElementTree.fromstring(drawn)  # noqa: S314 - our own
    assert r"off\x1b[2J" in drawn
    assert not re.search(NOT_XML, drawn)


def test_a_user_activity_cannot_choose_where_its_files_land(make, write, tmp_path):
    rows = [
        make.row(
            n, make.monday_ns + n * 3600 * 10**9, activity="../../out", user="owner"
        )
        for n in range(8)
    ]
    folder = make.folder("week", rows)
    page = write([], tmp_path / "a/b/out", [folder])
    found = list((tmp_path / "a").rglob("behaviour_*.svg"))
    assert len(found) == 1
    assert found[0].parent == page.parent / "pictures" / "behaviour"


def test_the_same_input_and_seed_give_the_same_bytes(make, write, tmp_path):
    folder = make.trained()
    runs = []
    for name in ("one", "two"):
        page = write([folder], tmp_path / name)
        files = sorted(p for p in page.parent.rglob("*") if p.is_file())
        runs.append({p.relative_to(page.parent): p.read_bytes() for p in files})
    assert len(runs[0]) > 10
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("simulated", "form", "origin"),
    [
        (False, "live", "captured"),
        (False, "imported", "captured"),
        (True, "live", "simulated, live form"),
        (True, "fast", "simulated, fast form"),
    ],
)
def test_every_table_says_where_its_data_come_from(
    make, write, tmp_path, simulated, form, origin
):
    folder = make.trained(sessions=1, repeats=5, simulated=simulated, form=form)
    text = write([folder], tmp_path / "out").read_text()
    heads = text.count("<h4>") + text.count("<figcaption>")
    assert heads > 5
    assert text.count(f'<span class="tag">{origin}</span>') == heads


def test_two_campaigns_are_two_chapters_with_their_own_files(make, write, tmp_path):
    live = make.trained("one/house", repeats=1, form="live")
    fast = make.trained("two/house", repeats=1, form="fast")
    page = write([live, fast], tmp_path / "out")
    assert {p.name for p in (page.parent / "data").iterdir()} == {"house", "house-2"}
    assert {"house", "house-2"} <= read(page).ids


def test_csv_and_json_hold_the_same_records(make, write, tmp_path):
    page = write([make.trained()], tmp_path / "out")
    for path in (page.parent / "data").rglob("*.csv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        records = json.loads(path.with_suffix(".json").read_text())
        assert len(rows) == len(records)
        shown = [
            {k: "" if v is None else str(v) for k, v in record.items()}
            for record in records
        ]
        assert rows == shown
