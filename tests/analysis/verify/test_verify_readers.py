"""Readers of others open a published dataset, and what they find is told."""

import importlib.util

from analysis.verify import readers, verify
from analysis.verify.model import Findings


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
