"""The activity log of a dataset, changed by who made all manifests again."""

import polars as pl
import pytest

from analysis.dataset import COLUMNS
from analysis.exporters.bundle.tables import write_frame
from analysis.labelling import label_campaign

LOG = "activities.csv"
SECOND = 1_000_000_000
pytestmark = pytest.mark.usefixtures("without_others")


def row_of(dataset, trial):
    """Return the line of a trial in the log of the campaign."""
    lines = (dataset.campaign / LOG).read_text().splitlines()
    (line,) = [each for each in lines if f",{trial},1," in each]
    return line


def set_value(dataset, trial, column, value):
    """Give a value of the log another one, in the campaign and in both tables."""
    line = row_of(dataset, trial)
    values = line.split(",")
    values[list(COLUMNS).index(column)] = str(value)
    dataset.edit(dataset.campaign / LOG, line, ",".join(values))
    table = dataset.data / "tables/activities.parquet"
    frame = pl.read_parquet(table).with_columns(
        pl.when(pl.col("trial") == trial)
        .then(pl.lit(value))
        .otherwise(pl.col(column))
        .alias(column)
    )
    write_frame(frame, table.with_suffix(""))


def value_of(dataset, trial, column):
    return row_of(dataset, trial).split(",")[list(COLUMNS).index(column)]


def faults_of(dataset, name, **options):
    dataset.sign()
    found = dataset.faults(**options)
    assert found
    return [fault for fault in found if name in fault]


def test_an_untouched_dataset_has_no_fault_even_signed_again(dataset):
    dataset.sign()
    assert dataset.faults() == []


def test_a_moved_label_is_found_in_table_journal_and_labelled_capture(dataset):
    moved = int(value_of(dataset, "0003", "t_ns")) + SECOND
    set_value(dataset, "0003", "t_ns", moved)
    dataset.sign()
    faults = dataset.faults()
    lies = [f for f in faults if "activities.csv: line 4: t_ns: lies" in f]
    assert any(each.endswith("ms from where journal.jsonl has it") for each in lies)
    assert any("after t_return_ns, widened" in each for each in lies)
    assert any("labelled/koogeek_plug.pcapng: frame " in fault for fault in faults)


def test_a_moved_label_is_found_when_all_that_follows_from_it_is_made_again(dataset):
    for column in ("t_ns", "t_issue_ns", "t_return_ns"):
        moved = int(value_of(dataset, "0003", column)) + SECOND
        set_value(dataset, "0003", column, moved)
    label_campaign(dataset.campaign, widen=False)
    (fault,) = faults_of(dataset, LOG)
    assert "line 4: t_issue_ns: lies +1000." in fault
    assert "the clock of the receipt" in fault


def test_swapped_activities_are_found_by_trial(dataset):
    set_value(dataset, "0001", "activity", "turn_off")
    set_value(dataset, "0002", "activity", "turn_on")
    faults = faults_of(dataset, "")
    for line, is_, was in ((2, "turn_off", "turn_on"), (3, "turn_on", "turn_off")):
        what = f"activity: is '{is_}', but journal.jsonl says '{was}'"
        assert any(f"activities.csv: line {line}: {what}" in each for each in faults)
    assert any("labelled/tplink_hs110.pcapng: frame" in each for each in faults)
    assert any("packets_by_activity" in each for each in faults)


def test_a_row_that_was_taken_out_of_the_log_is_found(dataset):
    dataset.edit(dataset.campaign / LOG, row_of(dataset, "0005") + "\n", "")
    faults = faults_of(dataset, f"{LOG}: lacks attempt 1 of trial 0005", quick=True)
    assert len(faults) == 1
