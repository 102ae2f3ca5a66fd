"""Changes whose manifests were made again: only what files mean can tell of them."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
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


def test_a_row_that_was_taken_out_of_a_table_is_found(dataset):
    table = dataset.data / "tables/activities.parquet"
    whole = pl.read_parquet(table)
    whole.filter(pl.col("trial") != "0005").write_parquet(table)
    faults = faults_of(dataset, "tables/activities", quick=True)
    assert "data/tables/activities.csv: has 9 rows, but activities.parquet has 8" in (
        faults
    )
    lacks = "activities.parquet: lacks trial 0005, attempt 1"
    assert any(lacks in each for each in faults)
    write_frame(whole.filter(pl.col("trial") != "0005"), table.with_suffix(""))
    faults = faults_of(dataset, "tables/activities", quick=True)
    assert len(faults) == 1
    assert lacks in faults[0]


def test_a_row_that_was_taken_out_of_the_log_is_found(dataset):
    dataset.edit(dataset.campaign / LOG, row_of(dataset, "0005") + "\n", "")
    faults = faults_of(dataset, f"{LOG}: lacks attempt 1 of trial 0005", quick=True)
    assert len(faults) == 1


def test_a_comment_that_was_edited_is_found_by_its_frame(dataset):
    path = dataset.campaign / "labelled/koogeek_plug.pcapng"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"label=turn_off", b"label=turn_ofF", 1))
    (fault,) = faults_of(dataset, "labelled/koogeek_plug.pcapng")
    assert "frame " in fault
    assert "turn_ofF" in fault


def test_a_changed_device_table_is_found(dataset):
    table = dataset.data / "tables/devices.parquet"
    frame = pl.read_parquet(table).with_columns(firmware=pl.lit("9.9"))
    write_frame(frame, table.with_suffix(""))
    faults = faults_of(dataset, "tables/devices.parquet", quick=True)
    assert len(faults) == 3
    assert "row 1: firmware: is '9.9', but campaign" in faults[0]


def test_a_value_of_a_packet_table_is_found_by_its_row(dataset):
    (path,) = dataset.campaign.glob("packets/device=echo_dot/*.parquet")
    table = pq.read_table(path)
    lengths = table.column("length_b").to_pylist()
    lengths[99] += 1
    at = table.schema.get_field_index("length_b")
    field = table.schema.field("length_b")
    changed = table.set_column(at, field, pa.array(lengths, field.type))
    pq.write_table(changed, path)
    faults = faults_of(dataset, path.name)
    was = lengths[99] - 1
    assert any(
        f"row 100: length_b: is {was + 1}, but raw captures give {was}" in each
        for each in faults
    )


def test_a_row_of_a_flow_table_and_a_count_of_the_index_are_found(dataset):
    (path,) = dataset.campaign.glob("flows/device=echo_dot/*.parquet")
    pq.write_table(pq.read_table(path).slice(1), path)

    def lie(index):
        index["captures"][0]["devices"]["koogeek_plug"]["n_packets"] += 1

    dataset.edit_json(dataset.campaign / "packets.json", lie)
    faults = faults_of(dataset, "")
    assert any("has 3 rows, but raw captures give 4" in each for each in faults)
    where = "packets.json: captures[0].devices.koogeek_plug.n_packets: is 100"
    assert any(where in each for each in faults)


def test_packets_of_a_raw_capture_that_were_changed_are_found(dataset):
    path = dataset.campaign / "raw/lan-00001.pcapng"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # of a payload or a head: labels and tables hold it
    path.write_bytes(data)
    faults = faults_of(dataset, "")
    assert any("differs from the SHA-256 in raw/receipt.json" in f for f in faults)
    assert any("packets.json: captures[0].digest" in each for each in faults)


def test_splits_that_were_edited_are_found(dataset):
    path = dataset.data / "splits.json"

    def edit(splits):
        row = splits["splits"][0]
        row |= {
            "use": "recommended",
            "digest": "0" * 12,
            "folds": [{"train": ["0001", "0007"], "test": ["0007"]}],
        }
        splits["splits"][1]["why"] = "no reason"
        splits["splits"].pop()

    dataset.edit_json(path, edit)
    faults = faults_of(dataset, "splits.json")
    for what in (
        "splits[0]: fold 0: train: trial 0001 has no label in the log",
        "splits[0]: fold 0: trial 0007 is on both sides",
        "splits[0]: fold 0: session '2026-01-05-01' is on both sides",
        "splits[0]: digest: is '000000000000'",
        'splits[0].use: is "recommended"',
        'splits[1].why: is "no reason"',
        "lacks split s0_holdout of tplink_hs110",
    ):
        assert any(what in each for each in faults), what


def test_an_audit_that_was_not_passed_and_a_paper_that_is_gone_are_found(dataset):
    def confess(about):
        about["audit"]["findings"] = 2
        about["policy"]["beacons"] = "kept"

    dataset.edit_json(dataset.data / "anonymisation.json", confess)
    (dataset.data / "CITATION.cff").unlink()
    faults = faults_of(dataset, "", quick=True)
    assert (
        "data/anonymisation.json: audit.findings: 2 identifiers were still found"
        in (faults)
    )
    assert any("policy.beacons: beacons" in each for each in faults)
    assert "data/CITATION.cff: is not there" in faults


def test_metadata_that_lies_is_found(dataset):
    sums = {"sha256": "0" * 64, "contentSize": "1"}

    def lie(crate):
        (entry,) = [e for e in crate["@graph"] if e["@id"] == "tables/hosts.csv"]
        entry |= sums

    dataset.sign()
    dataset.edit_json(dataset.data / "ro-crate-metadata.json", lie)
    faults = dataset.faults(quick=True)
    where = "data/ro-crate-metadata.json: tables/hosts.csv: has another SHA-256"
    assert any(each.startswith(where) for each in faults)
