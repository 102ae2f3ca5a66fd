"""A published dataset, read by what others read it with."""

import json
import logging
import re
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

ACTIVITIES = "tables/activities.parquet"
FAULTS = ("_ws.malformed", *(f"{k}.checksum.status" for k in ("ip", "tcp", "udp")))
PACKETS = "campaigns/*/packets/*/*.parquet"


@pytest.fixture(scope="module")
def data(published):
    return published / "data"


def test_bagit_finds_it_valid(published):
    import bagit

    bag = bagit.Bag(str(published))
    bag.validate()
    assert bag.version_info == (1, 0)
    assert bag.info["Bagging-Date"] == "2026-01-05"  # of the recording, not of today


def test_every_file_of_the_payload_is_in_the_crate_and_has_its_digest(data):
    from rocrate.rocrate import ROCrate

    crate = ROCrate(str(data))
    files = [e for e in crate.get_entities() if e.type == "File"]
    told = {each.id.replace("%3D", "="): each["sha256"] for each in files}
    there = {
        path.relative_to(data).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in data.rglob("*")
        if path.is_file() and path.name != "ro-crate-metadata.json"
    }
    assert told == there


def test_the_action_of_a_campaign_has_instrument_object_and_result(data):
    from rocrate.rocrate import ROCrate

    crate = ROCrate(str(data))
    (action,) = crate.get_by_type("CreateAction")
    assert action["instrument"]["name"] == "smarthome-testbed"
    assert action["instrument"]["version"]
    assert action["startTime"] == "2026-01-05T10:00:49Z"
    assert action["endTime"] == "2026-01-05T10:02:54Z"
    names = [each["name"] for each in action["object"]]
    assert names == [
        *("example", "echo_dot", "koogeek_plug", "tplink_hs110", "campaign.yaml"),
    ]
    results = {each.id for each in action["result"]}
    assert any(name.endswith("raw/lan-00001.pcapng") for name in results)
    assert not any(name.endswith("campaign.yaml") for name in results)
    assert crate.root_dataset["author"].id == "https://orcid.org/0000-0002-1825-0097"


def test_croissant_names_every_file_but_itself_and_the_crate(data):
    about = json.loads((data / "croissant.json").read_text())
    told = {each["@id"] for each in about["distribution"] if "contentUrl" in each}
    there = {p.relative_to(data).as_posix() for p in data.rglob("*") if p.is_file()}
    assert there - told == {"croissant.json", "ro-crate-metadata.json"}
    assert told <= there


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlcroissant_iterates_all_records_without_a_network(data, caplog):
    import mlcroissant

    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=str(data / "croissant.json"))
        found = {
            name: list(dataset.records(f"{name}-records"))
            for name in ("activities", "devices", "hosts", "packets", "flows")
        }
    assert caplog.records == []
    log = pl.read_parquet(data / ACTIVITIES)
    assert len(found["activities"]) == log.height == 9
    told = [each["activities-records/t_ns"] for each in found["activities"]]
    assert told == log["t_ns"].to_list()
    packets = pl.read_parquet(data / PACKETS, hive_partitioning=True)
    devices = [each["packets-records/device"].decode() for each in found["packets"]]
    assert sorted(devices) == sorted(packets["device"].to_list())
    assert len(found["devices"]) == 3


def test_duckdb_polars_and_pandas_read_the_same_rows(data):
    import duckdb
    import pandas as pd

    sql = (
        "SELECT device, count(*) FROM read_parquet($1, hive_partitioning = true) "
        "GROUP BY device ORDER BY device"
    )
    by_duckdb = duckdb.execute(sql, [str(data / PACKETS)]).fetchall()
    frame = pl.read_parquet(data / PACKETS, hive_partitioning=True)
    by_polars = frame.group_by("device").len().sort("device").rows()
    assert by_duckdb == by_polars
    assert sum(n for _, n in by_polars) == 700
    log = pd.read_parquet(data / ACTIVITIES)
    text = pd.read_csv(data / "tables/activities.csv", dtype={"trial": str})
    assert log["t_ns"].tolist() == text["t_ns"].tolist()
    assert log["trial"].tolist() == text["trial"].tolist()


def test_pcapml_reads_the_samples_of_every_device(data):
    import pcapml

    for path in sorted(data.glob("campaigns/*/labelled/*.pcapng")):
        samples = [s for s in pcapml.sampler(str(path)) if s.sample_id is not None]
        log = pl.read_parquet(data / ACTIVITIES)
        mine = log.filter(pl.col("device") == path.stem)
        assert len(samples) == mine.height, path.name


def test_tshark_finds_no_fault_that_was_not_recorded(data):
    recorded = Path(__file__).parents[4] / "captures/example/raw/lan-00001.pcapng"
    (published,) = data.glob("campaigns/*/raw/lan-00001.pcapng")
    before, after = faults_in(recorded), faults_in(published)
    assert after["packets"] == before["packets"] - 29  # beacons
    assert {k: after[k] for k in FAULTS} == {k: before[k] for k in FAULTS}


def faults_in(capture):
    checked = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    columns = ("frame.number", "_ws.malformed", *FAULTS[1:])
    words = [
        *("tshark", "-r", capture, "-T", "fields"),
        *(word for option in checked for word in ("-o", option)),
        *(word for column in columns for word in ("-e", column)),
    ]
    read = subprocess.run(words, capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in read.stdout.splitlines()]
    bad = dict.fromkeys(FAULTS, 0)
    for row in rows:
        bad["_ws.malformed"] += bool(row[1])
        for name, status in zip(FAULTS[1:], row[2:], strict=True):
            bad[name] += status.startswith("0")
    return {"packets": len(rows), **bad}


def test_archive_parts_are_small_and_unpack_to_the_bag(published, tmp_path):
    parts = published.with_name("set.parts")
    told = (parts / "parts.sha256").read_text().splitlines()
    names = [line.split("  ")[1] for line in told]
    assert names == [*sorted(path.name for path in parts.glob("*.zip")), "README.txt"]
    for line in told[:-1]:
        digest, name = line.split("  ")
        raw = (parts / name).read_bytes()
        assert sha256(raw).hexdigest() == digest
        assert len(raw) <= 1 << 20
        with zipfile.ZipFile(parts / name) as archive:
            assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            archive.extractall(tmp_path)
    made = {p.relative_to(tmp_path / "set") for p in (tmp_path / "set").rglob("*")}
    assert made == {p.relative_to(published) for p in published.rglob("*")}


def test_no_original_address_is_in_any_table(data):
    originals = ("44:65:0d:7b:20:13", "bc:dd:c2:18:44:18", "10.77.0.")
    for path in data.rglob("*"):
        if path.suffix in (".csv", ".json", ".md", ".yaml", ".jsonl", ".cff"):
            text = path.read_text(encoding="utf-8")
            assert not [each for each in originals if each in text], path.name


def test_the_papers_say_what_is_known_and_mark_what_is_not(data):
    sheet = (data / "datasheet.md").read_text(encoding="utf-8")
    assert sheet.count("TO FILL") >= 8
    assert "9 labelled activities" in sheet
    assert "All of it is of a virtual lab" in sheet
    read_me = (data / "README.md").read_text(encoding="utf-8")
    assert "| example-20261121T221930.567Z (simulated) |" in read_me
    assert "SPDX-License-Identifier: CC-BY-4.0" in (data / "LICENSE.txt").read_text()
    cited = (data / "CITATION.cff").read_text(encoding="utf-8")
    assert "orcid: https://orcid.org/0000-0002-1825-0097" in cited


def test_what_was_replaced_is_told_without_an_original(data):
    told = json.loads((data / "anonymisation.json").read_text())
    assert told["captures"]["beacons"] == 29
    assert told["captures"]["replaced"]["mac"] > 0
    assert told["audit"]["findings"] == 0
    assert told["audit"]["looked_at"]["files"] > 20


def test_the_examples_for_strangers_run(published, data, monkeypatch):
    import duckdb

    text = (data / "README.md").read_text(encoding="utf-8")
    shell, tshark, *_ours = re.findall(r"```sh\n(.+?)```", text, re.DOTALL)
    (python,) = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    (sql,) = re.findall(r"```sql\n(.+?)```", text, re.DOTALL)
    told = ["sh", "-c", shell.replace("cd set", f"cd {published}")]
    assert subprocess.run(told, check=True, capture_output=True).stdout == b""
    monkeypatch.chdir(data)
    shown = ["sh", "-c", tshark]
    lines = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
    assert len(lines.splitlines()) == 444  # of echo_dot
    names = {}
    exec(compile(python, "README.md", "exec"), names)  # noqa: S102
    assert names["packets"].height == 700
    assert duckdb.sql(sql).fetchall()[0][1] > 0
