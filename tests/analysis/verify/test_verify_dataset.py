"""A published dataset that is tampered with: no change is left unfound.

Bytes first, then changes whose manifests were made again, then readers of others. One
file, since each that looks at a dataset has to publish one.
"""

import importlib.util
import random
import shutil
import zipfile
from hashlib import sha256
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.dataset import COLUMNS
from analysis.errors import RequestError
from analysis.exporters.bundle.tables import write_frame
from analysis.labelling import label_campaign
from analysis.verify import readers, verify
from analysis.verify.bag import check_bag
from analysis.verify.model import Findings
from analysis.verify.sums import Digests

POSITIONS = 4  # of each file, besides its first and last byte


def nobody(_size_b):
    """Tell nobody."""


def bag_faults(path):
    """Return the faults that bytes alone tell."""
    found = Findings(path)
    digests = Digests(path, found)
    digests.read_all(nobody)
    check_bag(path, found, digests)
    return [str(fault) for fault in found.faults]


def test_a_dataset_has_no_fault_for_who_looks_at_bytes_alone(published):
    assert bag_faults(published) == []


def test_any_flipped_byte_of_any_file_is_found_and_the_file_is_named(dataset):
    rng = random.Random(7)
    files = sorted(path for path in dataset.path.rglob("*") if path.is_file())
    kinds = {path.suffix for path in files}
    assert {".pcapng", ".parquet", ".csv", ".json", ".svg", ".txt", ".sha256"} <= kinds
    found = Findings(dataset.path)
    digests = Digests(dataset.path, found)
    digests.read_all(nobody)
    for path in files:
        data = path.read_bytes()
        drawn = [rng.randrange(len(data)) for _ in range(POSITIONS)]
        name = path.relative_to(dataset.path).as_posix()
        for at in (0, len(data) - 1, *drawn):
            flipped = bytes([data[at] ^ 1 << rng.randrange(8)])
            path.write_bytes(data[:at] + flipped + data[at + 1 :])
            digests.read(path, nobody)
            of_this = Findings(dataset.path)
            check_bag(dataset.path, of_this, digests)
            assert any(name in str(fault) for fault in of_this.faults), (name, at)
        path.write_bytes(data)
        digests.read(path, nobody)
    check_bag(dataset.path, found, digests)
    assert found.faults == ()


def test_every_byte_of_the_papers_around_the_payload_counts(published, tmp_path):
    for path in published.glob("*.txt"):
        shutil.copy(path, tmp_path)
    # nothing else tells of the first: all of it
    steps = {"tagmanifest-sha256.txt": 1, "bagit.txt": 5, "bag-info.txt": 11}
    for name, step in steps.items():
        path = tmp_path / name
        data = path.read_bytes()
        for at in range(0, len(data), step):
            changed = bytes([data[at] ^ 1 << at % 8])
            path.write_bytes(data[:at] + changed + data[at + 1 :])
            faults = [fault for fault in bag_faults(tmp_path) if name in fault]
            assert faults, (name, at)
        path.write_bytes(data)


def test_a_file_that_is_renamed_removed_or_added_is_named(dataset):
    raw = dataset.campaign / "raw/lan-00001.pcapng"
    raw.rename(raw.with_name("lan-00002.pcapng"))
    (dataset.data / "tables/hosts.csv").unlink()
    (dataset.data / "notes.txt").write_text("mine\n")
    (dataset.path / "more.txt").write_text("mine\n")
    (dataset.data / "link.txt").symlink_to("README.md")
    raw = f"{dataset.campaign.relative_to(dataset.path).as_posix()}/raw/lan-0000"
    faults = bag_faults(dataset.path)
    named = "is not there, but manifest-sha256.txt names it"
    assert f"{raw}1.pcapng: {named}: it was renamed to {raw}2.pcapng" in faults
    assert f"data/tables/hosts.csv: {named}" in faults
    told = "is not named by manifest-sha256.txt: it was added since"
    assert f"data/notes.txt: {told}" in faults
    assert "more.txt: is not named by tagmanifest-sha256.txt: it was added since" in (
        faults
    )
    assert any(fault.startswith("data/link.txt: is a link") for fault in faults)
    assert any(fault.startswith("bag-info.txt: Payload-Oxum") for fault in faults)


@pytest.mark.parametrize("name", ["bagit.txt", "manifest-sha256.txt"])
def test_a_bag_without_its_papers_is_a_dataset_with_faults(dataset, name):
    (dataset.path / name).unlink()
    assert any(fault.startswith(f"{name}: ") for fault in bag_faults(dataset.path))


def test_lines_that_lead_out_or_come_twice_are_faults(dataset):
    path = dataset.path / "manifest-sha256.txt"
    first = path.read_text().splitlines()[0]
    with path.open("a") as file:
        file.write(f"{first}\n{'0' * 64}  data/../../etc/passwd\n{'0' * 64} data/x\n")
    n = len(path.read_text().splitlines())
    faults = bag_faults(dataset.path)
    assert f"manifest-sha256.txt: line {n - 2}: names {first[66:]} a second time" in (
        faults
    )
    for line in (n - 1, n):
        head = f"manifest-sha256.txt: line {line}: is not a SHA-256, two spaces"
        assert any(fault.startswith(head) for fault in faults)


def test_what_is_no_dataset_is_refused_with_a_hint(published, tmp_path):
    with pytest.raises(RequestError, match="neither a dataset nor a campaign"):
        verify(tmp_path, None)
    with pytest.raises(RequestError, match="no folder"):
        verify(tmp_path / "nowhere", None)
    with pytest.raises(RequestError, match=f"did you mean {published}"):
        verify(published / "data", None)


def test_a_damaged_archive_is_found(published, dataset, watcher):
    parts = Path(
        shutil.copytree(
            published.with_name("set.parts"), dataset.path.with_name("set.parts")
        )
    )
    assert [str(f) for f in verify(dataset.path, watcher, quick=True).faults] == []
    first, second = sorted(parts.glob("*.zip"))[:2]
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    second.unlink()
    faults = [str(fault) for fault in verify(dataset.path, watcher, quick=True).faults]
    assert f"set.parts/{first.name}: differs from set.parts/parts.sha256: it was " \
        "changed or is damaged" in faults  # fmt: skip
    assert f"set.parts/{second.name}: is not there, but set.parts/parts.sha256 names " \
        "it" in faults  # fmt: skip


LOG = "activities.csv"
SECOND = 1_000_000_000
alone = pytest.mark.usefixtures("without_others")


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


@alone
def test_an_untouched_dataset_has_no_fault_even_signed_again(dataset):
    dataset.sign()
    assert dataset.faults() == []


@alone
def test_a_moved_label_is_found_in_table_journal_and_labelled_capture(dataset):
    moved = int(value_of(dataset, "0003", "t_ns")) + SECOND
    set_value(dataset, "0003", "t_ns", moved)
    dataset.sign()
    faults = dataset.faults()
    lies = [f for f in faults if "activities.csv: line 4: t_ns: lies" in f]
    assert any(each.endswith("ms from where journal.jsonl has it") for each in lies)
    assert any("after t_return_ns, widened" in each for each in lies)
    assert any("labelled/koogeek_plug.pcapng: frame " in fault for fault in faults)


@alone
def test_a_moved_label_is_found_when_all_that_follows_from_it_is_made_again(dataset):
    for column in ("t_ns", "t_issue_ns", "t_return_ns"):
        moved = int(value_of(dataset, "0003", column)) + SECOND
        set_value(dataset, "0003", column, moved)
    label_campaign(dataset.campaign, widen=False)
    (fault,) = faults_of(dataset, LOG)
    assert "line 4: t_issue_ns: lies +1000." in fault
    assert "the clock of the receipt" in fault


@alone
def test_swapped_activities_are_found_by_trial(dataset):
    set_value(dataset, "0001", "activity", "turn_off")
    set_value(dataset, "0002", "activity", "turn_on")
    faults = faults_of(dataset, "")
    for line, is_, was in ((2, "turn_off", "turn_on"), (3, "turn_on", "turn_off")):
        what = f"activity: is '{is_}', but journal.jsonl says '{was}'"
        assert any(f"activities.csv: line {line}: {what}" in each for each in faults)
    assert any("labelled/tplink_hs110.pcapng: frame" in each for each in faults)
    assert any("packets_by_activity" in each for each in faults)


@alone
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


@alone
def test_a_row_that_was_taken_out_of_the_log_is_found(dataset):
    dataset.edit(dataset.campaign / LOG, row_of(dataset, "0005") + "\n", "")
    faults = faults_of(dataset, f"{LOG}: lacks attempt 1 of trial 0005", quick=True)
    assert len(faults) == 1


@alone
def test_a_comment_that_was_edited_is_found_by_its_frame(dataset):
    path = dataset.campaign / "labelled/koogeek_plug.pcapng"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"label=turn_off", b"label=turn_ofF", 1))
    (fault,) = faults_of(dataset, "labelled/koogeek_plug.pcapng")
    assert "frame " in fault
    assert "turn_ofF" in fault


@alone
def test_a_changed_device_table_is_found(dataset):
    table = dataset.data / "tables/devices.parquet"
    frame = pl.read_parquet(table).with_columns(firmware=pl.lit("9.9"))
    write_frame(frame, table.with_suffix(""))
    faults = faults_of(dataset, "tables/devices.parquet", quick=True)
    assert len(faults) == 3
    assert "row 1: firmware: is '9.9', but campaign" in faults[0]


@alone
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


@alone
def test_an_archive_that_holds_other_files_is_found(published, dataset):
    there = published.with_name("set.parts")
    parts = Path(shutil.copytree(there, dataset.path.with_name("set.parts")))
    assert dataset.faults() == []  # slices and all
    first = min(parts.glob("*.zip"))
    with zipfile.ZipFile(first) as archive:
        entries = [(each, archive.read(each)) for each in archive.infolist()]
    with zipfile.ZipFile(first, "w") as archive:
        for entry, data in entries[1:]:
            other = entry.filename.endswith("bagit.txt")
            archive.writestr(entry, b"other" if other else data)
    sums = parts / "parts.sha256"
    lines = sums.read_text().splitlines()[1:]
    digest = sha256(first.read_bytes()).hexdigest()
    sums.write_text("\n".join([f"{digest}  {first.name}", *lines, ""]))
    faults = dataset.faults()
    gone = entries[0][0].filename.removeprefix("set/")
    assert f"{gone}: is in no part of set.parts" in faults
    what = "set/bagit.txt: is another file than in the dataset"
    assert f"set.parts/{first.name}: {what}" in faults


@alone
def test_a_host_that_was_renamed_is_found(dataset):
    table = dataset.data / "tables/hosts.parquet"
    frame = pl.read_parquet(table)
    assert frame.height
    names = ["elsewhere.example", *frame["name"].to_list()[1:]]
    write_frame(frame.with_columns(name=pl.Series(names)), table.with_suffix(""))
    told, lacking = faults_of(dataset, "tables/hosts.parquet")
    assert told.endswith("row 1: is not what raw captures tell")
    assert lacking.endswith(": is not there, but raw captures tell it")


@alone
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


@alone
def test_packets_of_a_raw_capture_that_were_changed_are_found(dataset):
    path = dataset.campaign / "raw/lan-00001.pcapng"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # of a payload or a head: labels and tables hold it
    path.write_bytes(data)
    faults = faults_of(dataset, "")
    assert any("differs from the SHA-256 in raw/receipt.json" in f for f in faults)
    assert any("packets.json: captures[0].digest" in each for each in faults)


@alone
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


@alone
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


@alone
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


def test_others_read_the_published_dataset_and_count_the_same(published):
    (campaign,) = (published / "data/campaigns").iterdir()
    found = Findings(published)
    readers.check_with_others(published, found)
    readers.check_captures_with_others(campaign, found, str)
    assert [str(fault) for fault in found.faults] == []
    assert found.unchecked == []


def test_others_tell_of_what_they_find(dataset):
    def lie(labels):
        labels["devices"] = labels["devices"][:1]
        labels["devices"][0]["windows"] += 1
        labels["devices"][0]["n_labelled"] += 1

    dataset.edit_json(dataset.campaign / "labelled/labels.json", lie)
    (path,) = dataset.campaign.glob("packets/device=echo_dot/*.parquet")
    path.unlink()
    found = Findings(dataset.path)
    readers.check_captures_with_others(dataset.campaign, found, str)
    told = [str(fault) for fault in found.faults]
    assert any("echo_dot.pcapng: pcapml finds 1 samples" in each for each in told)
    assert any("echo_dot.pcapng: tshark reads 444 labels" in each for each in told)
    assert any("duckdb counts 0 rows of echo_dot, packets.json" in t for t in told)


def test_a_reader_that_is_not_installed_is_named(campaign, watcher, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        readers, "find_spec", lambda name: None if name == "pcapml" else find(name)
    )
    monkeypatch.setattr(readers.shutil, "which", lambda _: None)
    monkeypatch.setattr(readers, "_duckdb", lambda *_: None)
    found = verify(campaign, watcher)
    assert found.faults == ()
    for name in ("pcapml", "tshark"):
        assert f"{name}: not installed: not checked" in found.unchecked


def test_nothing_is_written_where_the_dataset_lies(dataset, watcher, without_others):
    before = _state(dataset.path)
    for path in sorted(dataset.path.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert verify(dataset.path, watcher).faults == ()
    assert _state(dataset.path) == before
    for path in (dataset.path, *dataset.path.rglob("*")):
        path.chmod(0o755)  # so that it can be removed


def _state(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
