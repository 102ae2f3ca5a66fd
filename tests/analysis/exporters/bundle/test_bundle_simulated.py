"""What is simulated says so, in each paper and whatever people call it."""

import json
from types import SimpleNamespace

import pytest
import yaml

from analysis.dataset import Times
from analysis.exporters.bundle import About, facts
from analysis.exporters.bundle.datasheet import QUESTIONS


def a_campaign(**form):
    return facts.CampaignFacts(
        **{
            **{"name": "c", "path": "campaigns/c", "devices": ("lamp",), "sessions": 2},
            **{"first_ns": 0, "last_ns": 1, "outcomes": {}, "activities": {}},
            **{"channels": ("phone",), "captures": (), "packets": 1, "scenario": {}},
            **{"profiles": {}, "versions": {}, "widened": False},
            **{"times": Times.RECORDED, "simulated": False, "form": "live", **form},
        }
    )


VIRTUAL = a_campaign(simulated=True)
REAL = a_campaign()
IMPORTED = a_campaign(form="imported")


@pytest.fixture
def facts_for(monkeypatch, tmp_path, request_for):
    """Return what is told of campaigns with a title."""

    def _facts(campaigns, title=""):
        monkeypatch.setattr(facts, "_campaign", lambda _work, source: source)
        request = request_for(tmp_path / "set", about=About(title=title))
        return facts.facts_of(SimpleNamespace(request=request), campaigns)

    return _facts


@pytest.mark.parametrize(
    ("campaigns", "title", "gist"),
    [
        ((VIRTUAL,), "Labelled simulated network traffic of 1", "Simulated network"),
        (
            (REAL, VIRTUAL),
            "Labelled partly simulated network traffic of 1",
            "Recorded and simulated network",
        ),
        (
            (IMPORTED, VIRTUAL),
            "Labelled partly simulated network traffic of 1",
            "Imported and simulated network",
        ),
        ((REAL,), "Labelled network traffic of 1", "Recorded network"),
        ((IMPORTED,), "Labelled network traffic of 1", "Imported network"),
    ],
)
def test_a_title_that_nobody_gave_says_what_is_simulated(
    facts_for, campaigns, title, gist
):
    made = facts_for(campaigns)
    assert made.title == made.cited_title == f"{title} smart-home device"
    assert made.gist.startswith(f"{gist} traffic")
    assert ("simulated" in made.keywords) == (VIRTUAL in campaigns)


def test_a_title_of_its_makers_stays_and_is_cited_with_what_it_hides(facts_for):
    made = facts_for((VIRTUAL,), "A kitchen")
    assert (made.title, made.cited_title) == ("A kitchen", "A kitchen (simulated)")
    assert facts_for((REAL,), "A kitchen").cited_title == "A kitchen"
    told = "A simulated kitchen"
    assert facts_for((VIRTUAL,), told).cited_title == told


def test_each_paper_of_a_simulated_dataset_says_so_under_any_title(published):
    data = published / "data"
    crate = json.loads((data / "ro-crate-metadata.json").read_text())
    (root,) = [each for each in crate["@graph"] if each["@id"] == "./"]
    croissant = json.loads((data / "croissant.json").read_text())
    cited = yaml.safe_load((data / "CITATION.cff").read_text())
    for title in (root["name"], croissant["alternateName"], cited["title"]):
        assert title == "Three devices"
    for gist in (root["description"], croissant["description"], cited["abstract"]):
        assert gist.startswith("Simulated network traffic")
    assert "(simulated)" in croissant["citeAs"]
    for keywords in (root["keywords"], croissant["keywords"], cited["keywords"]):
        assert "simulated" in keywords
    sheet = (data / "datasheet.md").read_text()
    assert "All of it is of a virtual lab, simulated: no person" in sheet
    assert "It is simulated: figures on a simulation say" in sheet
    assert "\nSimulated network traffic of" in (data / "README.md").read_text()
    assert "Simulated network" in (published / "bag-info.txt").read_text()
    assert all(question in sheet for question in QUESTIONS)
