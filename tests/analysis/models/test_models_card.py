"""The card says what is kept with the model, and nothing in it is taken for markup."""

import dataclasses

import pytest
from markdown_it import MarkdownIt

from analysis.models.card import card_of, escaped

SIZES_B = {"camera": 1234, "plug": 5678}
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PLAIN = {"text", "softbreak"}
HOSTILE = [
    "a|b",
    "*a* _b_ __c__",
    "<img src=x onerror=alert(1)>",
    "[x](http://example.org)",
    "![x](y)",
    "`code` ~~gone~~",
    "two\nlines\r\n# heading",
    "&amp; &lt; \\*",
    "```",
    "| --- |",
]


def cells(card, head):
    """Return the rows of the first table whose head begins with `head`."""
    lines = card.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {head} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


@pytest.fixture(scope="module")
def card(model):
    return card_of(model, SIZES_B)


def test_the_card_says_of_which_data_the_model_is(card, model):
    assert "**It was trained on simulated data**" in card
    assert "All data are simulated" in card
    assert model.origin.data_digest in card
    camera, plug = cells(card, "device")
    assert camera == [
        *("camera", "-", "1.10", "4", "4, 2026-05-28 to 2026-05-31", "48", "8", "1234")
    ]
    assert plug[-1] == "5678"


def test_captured_data_are_not_called_simulated(model):
    origin = dataclasses.replace(model.origin, simulated=False)
    card = card_of(dataclasses.replace(model, origin=origin), SIZES_B)
    assert "It was trained on captured data." in card
    assert "imulated" not in card


def test_the_figures_on_the_card_are_those_of_the_held_out_sessions(card, model):
    s1, s2, _s6 = model.devices["camera"].facts.scores
    rows = cells(card, "split")
    assert rows[0][0] == "S1 by session"
    assert rows[0][1].startswith(f"{s1.accuracy:.3f} ({s1.interval[0]:.3f}")
    assert rows[1][-2:] == [str(s2.n_trials), str(s2.n_sessions)]
    by_activity = {row[0]: row for row in cells(card, "activity")}
    stream = next(a for a in s1.activities if a.activity == "stream")
    assert by_activity["stream"][1:6] == [
        *("8.0", "16", f"{stream.precision:.3f}", f"{stream.recall:.3f}", "16")
    ]
    assert by_activity["idle"][1] == "-"


def test_a_split_without_a_score_says_why(model):
    camera = model.devices["camera"]
    none = dataclasses.replace(camera.facts.scores[0], reason="no session is new")
    facts = dataclasses.replace(camera.facts, scores=(none,))
    odd = {"camera": dataclasses.replace(camera, facts=facts)}
    card = card_of(dataclasses.replace(model, devices=odd), SIZES_B)
    assert cells(card, "split")[0][1] == "none: no session is new"


def test_the_card_says_how_thresholds_fared_that_were_learnt_elsewhere(card, model):
    made = model.devices["plug"]
    _camera, plug = cells(card, "device | learnt from")
    assert plug[:2] == ["plug", "56 windows, 4 sessions"]
    assert plug[2] == f"{made.decision.strange_from:.3f}"
    found = made.facts.tried
    assert plug[3:5] == [f"{found.answered:.3f}", f"{found.right:.3f}"]
    assert plug[5:] == [f"{found.covered:.3f}", f"{found.set_size:.2f}"]


def test_the_card_promises_of_sets_no_more_than_cross_conformal_ones_keep(card):
    text = " ".join(card.split())
    assert "The thresholds are *cross-conformal*" in text
    assert "an aim and no guarantee" in text
    assert "the estimators that gave the answers of the other folds had learnt" in text
    assert "neither the estimator nor the thresholds had seen" not in text


def test_the_card_shows_activities_that_no_part_of_a_fold_had_seen(card, model):
    found = model.devices["plug"].facts.strange
    _camera, plug = cells(card, "device | never learnt: refused")
    assert plug[1:3] == [
        f"{found.refused:.3f} of {found.n_windows}",
        f"{found.answered:.3f} of {found.n_known}",
    ]
    assert plug[3].startswith(f"{found.auroc:.3f} ({found.interval[0]:.3f}")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_is_shown_as_itself_whatever_is_in_it(text, model):
    line = f"Campaign {escaped(text)}: x"
    (_open, inline, _close) = MARKDOWN.parse(line)
    assert {token.type for token in inline.children} <= PLAIN
    assert inline.children[0].content == f"Campaign {' '.join(text.split())}: x"
    origin = dataclasses.replace(model.origin, campaign=text)
    tokens = MARKDOWN.parse(card_of(dataclasses.replace(model, origin=origin), SIZES_B))
    assert not [t for t in tokens if t.type == "html_block"]
    assert len([t for t in tokens if t.type == "table_open"]) == 7
    assert len([t for t in tokens if t.type == "heading_open"]) == 8
