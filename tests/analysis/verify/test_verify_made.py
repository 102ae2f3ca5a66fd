"""What is made of captures and log, changed by who made all manifests again."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.exporters.bundle.tables import write_frame
from analysis.verify import verify

pytestmark = pytest.mark.usefixtures("without_others")


def faults_of(dataset, name, **options):
    dataset.sign()
    found = dataset.faults(**options)
    assert found
    return [fault for fault in found if name in fault]


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


def test_a_host_that_was_renamed_is_found(dataset):
    table = dataset.data / "tables/hosts.parquet"
    frame = pl.read_parquet(table)
    assert frame.height
    names = ["elsewhere.example", *frame["name"].to_list()[1:]]
    write_frame(frame.with_columns(name=pl.Series(names)), table.with_suffix(""))
    told, lacking = faults_of(dataset, "tables/hosts.parquet")
    assert told.endswith("row 1: is not what raw captures tell")
    assert lacking.endswith(": is not there, but raw captures tell it")


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


def test_an_address_that_is_written_in_two_ways_is_found(dataset):
    table = dataset.data / "tables/hosts.parquet"
    frame = pl.read_parquet(table)
    one, two = frame["address"].unique(maintain_order=True)[:2]
    lied = frame.head(2).with_columns(
        address=pl.Series([one, two]), written=pl.lit("10.9.8.7")
    )
    write_frame(pl.concat([frame, lied]), table.with_suffix(""))
    faults = faults_of(dataset, "written: ", quick=True)
    assert any("is '10.9.8.7', else" in e and f" for {one}" in e for e in faults)
    assert any(f"'10.9.8.7' is that of {one}, too" in each for each in faults)


def test_a_payload_that_was_changed_with_all_that_follows_is_remarked(dataset, watcher):
    data = bytearray(dataset.raw.read_bytes())
    at = data.index(b"HTTP/1.1 204")
    data[at + 9] ^= 1
    dataset.raw.write_bytes(data)
    dataset.derive()
    dataset.sign()
    found = verify(dataset.path, watcher)
    assert found.faults == ()
    (remark,) = [each for each in found.remarks if "checksum" in each]
    assert "koogeek_plug: packets whose checksum does not add up" in remark
    assert remark.endswith(": 1")
