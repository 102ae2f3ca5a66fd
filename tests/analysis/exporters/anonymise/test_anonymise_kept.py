"""What a campaign, its sessions and its closed lists are called is free text, too."""

import pytest

from analysis.exporters.anonymise import Kept


def told(*texts):
    kept = Kept()
    for field, text in texts:
        kept.text(field, text, text)
    return kept.found()


@pytest.mark.parametrize("session", ["2026-01-05-01", "2026-01-05-12", "s1", "s12"])
def test_what_the_testbed_calls_campaigns_and_sessions_is_not_told(session):
    name = "example-20261121T221930.567Z"
    texts = (("campaign", name), ("session", session), ("scenario", "example"))
    assert told(*texts) == {"scenario": ["example"]}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("campaign", "tplink_plug"),
        ("campaign", "lindqvist-20261121T221930.567Z"),  # of no scenario that is told
        ("campaign", "example-20261121T221930.567Z-maja"),
        ("session", "maja_lindqvist_monday"),
        ("session", "2026-01-05-maja"),
        ("trial", "maja_7"),
        ("firmware", "Build of Maja"),
        ("category", "Speaker of Lindqvist"),
        ("channel", "maja's phone"),
        ("network", "lindqvist_wifi"),
    ],
)
def test_a_name_that_somebody_gave_is_told(field, text):
    assert told((field, text), ("scenario", "example")) == {
        field: [text],
        "scenario": ["example"],
    }


@pytest.mark.parametrize(
    ("field", "text"),
    [("category", "speaker"), ("network", "lan"), ("event", "beacon_sent")],
)
def test_values_of_closed_lists_are_not_told(field, text):
    assert told((field, text)) == {}
