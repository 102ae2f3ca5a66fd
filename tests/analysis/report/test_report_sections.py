import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.report.facts import cleaning
from analysis.report.recording import read_recording, shares_of
from analysis.report.timeline import draw_timeline

UNSURE_NS = 600_000  # t_uncertainty_ns of what `make` makes


def records(page, campaign, name):
    return json.loads((page.parent / "data" / campaign / f"{name}.json").read_text())


def test_every_split_and_classifier_is_in_the_accuracy_table(make, write, tmp_path):
    page = write([make.trained()], tmp_path / "out", classifiers=("rf", "knn", "nb"))
    rows = records(page, "house", "accuracy")
    places = {(r["split"], r["classifier"]) for r in rows}
    assert len(places) == len(rows) == 9
    assert {r["leaky"] for r in rows if r["split"] == "s0_folds"} == {True}
    forest = [r for r in rows if r["classifier"] == "random_forest"]
    assert all(r["accuracy"] > 0.9 > 0.75 > r["null_accuracy"] for r in forest)
    assert all(r["n_trials"] and r["n_sessions"] for r in rows)
    assert all(r["low"] <= r["accuracy"] <= r["high"] for r in rows if r["low"])


def test_one_repeat_in_one_session_is_refused_in_one_sentence(make, write, tmp_path):
    page = write([make.trained(sessions=1, repeats=1)], tmp_path / "out")
    text = page.read_text()
    assert "Nothing is learnt from this campaign alone" in text
    assert "Table 1" not in text
    assert not (page.parent / "data" / "house" / "accuracy.csv").exists()


def test_what_only_some_splits_allow_is_named_by_reason(make, write, tmp_path):
    page = write([make.trained(sessions=1, repeats=6)], tmp_path / "o")
    text = page.read_text()
    assert "S1 by session refused for lamp: one session only" in text
    assert "Confusion matrices: Naive Bayes, S0 random, 5 folds" in text
    refused = [r for r in records(page, "house", "accuracy") if not r["classifier"]]
    assert {r["split"] for r in refused} == {"s1", "s2"}


def test_a_campaign_without_packets_says_so(make, write, tmp_path):
    folder = make.folder("week", [make.row(1, make.monday_ns)])
    text = write([folder], tmp_path / "out").read_text()
    assert "holds no packets" in text
    assert "has no receipt" in text


def test_a_campaign_without_any_activity_is_no_accident(make, write, tmp_path):
    folder = make.folder("empty", [])
    assert write([folder], tmp_path / "out").is_file()


def test_a_trial_counts_by_its_last_attempt(make, write, tmp_path):
    rows = [
        make.row(1, make.monday_ns, outcome="failed"),
        make.row(1, make.monday_ns + 60 * 10**9, attempt=2),
        make.row(2, make.monday_ns + 120 * 10**9, outcome="no_effect"),
    ]
    page = write([make.folder("house", rows)], tmp_path / "out")
    (row,) = records(page, "house", "outcomes")
    assert (row["confirmed"], row["failed"], row["no_effect"]) == (1, 0, 1)
    assert (row["trials"], row["repeated_attempts"]) == (2, 1)
    (covered,) = records(page, "house", "coverage")
    assert (covered["trials"], covered["labelled"]) == (2, 1)


def test_the_receipt_gives_drops_hashes_and_the_clock(make, write, tmp_path):
    folder = make.trained()
    (folder / "raw").mkdir()
    clock = [{"offset_ns": 49_000_000_000 + i, "error_ns": 30_000 + i} for i in (0, 4)]
    capture = {
        "capture": "c01",
        "session": "s0",
        "tool": "tshark",
        "received": 1465,
        "dropped": 3,
        "n_beacons": 29,
        "first_beacon": {"captured_ns": make.monday_ns},
        "files": [{"name": "lan-1.pcapng", "size_b": 681_800, "sha256": "ab" * 32}],
        "clock": clock,
    }
    receipt = json.dumps({"captures": [capture]})
    (folder / "raw" / "receipt.json").write_text(receipt)
    page = write([folder], tmp_path / "out")
    (row,) = records(page, "house", "captures")
    assert (row["dropped"], row["received"], row["size_b"]) == (3, 1465, 681_800)
    assert row["first_beacon_ns"] == make.monday_ns
    assert row["last_beacon_ns"] is None
    assert row["clock_offset_median_ns"] == 49_000_000_002
    assert row["clock_error_worst_ns"] == 30_004
    assert "abababababababab<" in page.read_text()
    assert "<b>3</b><span>packets dropped" in page.read_text()


def test_windows_that_overlap_are_cut_and_it_is_said(make, write, tmp_path):
    rows = [make.row(n, make.monday_ns + n * 5 * 10**9) for n in (1, 2, 3)]
    folder = make.folder("house", rows)
    make.traffic(folder, rows)
    text = write([folder], tmp_path / "out").read_text()
    assert "label windows overlap; the earlier one was cut short" in text


def test_labelled_and_removed_packets_are_counted(make, write, tmp_path):
    folder = make.trained(sessions=1, repeats=1)
    page = write([folder], tmp_path / "out")
    (row,) = records(page, "house", "cleaning")
    assert row["packets"] == row["in_a_label_window"] == 6 + 12 + 3
    assert (row["windows"], row["empty_windows"], row["kept"]) == (3, 0, 21)


def test_every_cleaning_rule_is_shown_with_its_count(make, quiet, tmp_path):
    folder = make.trained(sessions=1, repeats=1)
    share = shares_of(read_recording(folder))[0]
    found = {"errors": 1, "retransmissions": 2, "out_of_order": 3, "keep_alives": 4}
    section = cleaning([replace(share, found=found)])
    (grid,) = section.blocks
    (row,) = grid.data.rows
    named = dict(zip(grid.data.columns, row, strict=True))
    assert [named[key] for key in list(named)[2:6]] == [1, 2, 3, 4]
    assert list(named)[2:6] == [
        "errors_removed",
        "retransmissions_removed",
        "out_of_order_left",
        "keep_alives_left",
    ]
    assert section.lead == (
        "Removed before learning: errors, retransmissions. Counted and left in: out of "
        "order, keep alives. A packet may be counted by more than one rule."
    )
    (rest,) = cleaning([shares_of(read_recording(folder))[0]]).blocks
    assert rest.data.rows[0][2:6] == (0, 0, 0, 0)


@pytest.fixture
def dense(make):
    """Two sessions; the second has more windows within ten minutes."""
    starts = [0, 300, 86_400, 86_460, 86_520, 88_000]
    rows = [
        make.row(n, make.monday_ns + s * 10**9, session="s1" if s < 86_400 else "s2")
        for n, s in enumerate(starts)
    ]
    folder = make.folder("house", rows)
    make.traffic(folder, rows)
    (share,) = shares_of(read_recording(folder))
    return share


def test_a_long_campaign_is_shown_by_its_densest_ten_minutes(dense, make):
    picture = draw_timeline(dense.table, dense.cut.windows)
    assert "densest ten minutes, 3 of 6 label windows" in picture.title
    first_ns = picture.data.rows[0][0]
    assert first_ns == make.monday_ns + (86_400 - 8) * 10**9 - UNSURE_NS


def test_the_timeline_loses_no_byte_of_its_excerpt(dense):
    picture = draw_timeline(dense.table, dense.cut.windows)
    starts = [row[0] for row in picture.data.rows]
    bin_s = (starts[1] - starts[0]) / 1e9
    drawn = sum(row[1] + row[2] for row in picture.data.rows) * bin_s
    inside = (dense.table.time_ns >= starts[0]) & (
        dense.table.time_ns < starts[-1] + bin_s * 1e9
    )
    assert drawn == pytest.approx(float(dense.table.length_b[inside].sum()), rel=1e-3)
    assert inside.sum() == np.count_nonzero(inside) > 0


def test_an_excerpt_never_reaches_over_two_sessions(make):
    starts = {0: "s1", 60: "s1", 120: "s2", 180: "s2", 240: "s2"}
    rows = [
        make.row(n, make.monday_ns + s * 10**9, session=name)
        for n, (s, name) in enumerate(starts.items())
    ]
    folder = make.folder("house", rows)
    make.traffic(folder, rows)
    (share,) = shares_of(read_recording(folder))
    picture = draw_timeline(share.table, share.cut.windows)
    assert picture.data.rows[0][0] == make.monday_ns + (120 - 8) * 10**9 - UNSURE_NS


def test_a_device_without_a_window_has_no_timeline(dense):
    windows = dense.cut.windows
    none = windows.take(np.zeros(len(windows), dtype=bool))
    assert draw_timeline(dense.table, none) is None
