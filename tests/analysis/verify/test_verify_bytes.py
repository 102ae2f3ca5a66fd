"""Bytes of a published dataset: whatever is flipped, renamed, removed or added."""

import random
import shutil

import pytest

from analysis.errors import RequestError
from analysis.verify import verify
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


@pytest.mark.parametrize("what", ["a digest", "a name", "no digest at all"])
def test_a_manifest_that_was_changed_is_told_first_and_no_file_is_blamed(dataset, what):
    path = dataset.path / "manifest-sha256.txt"
    text = path.read_text()
    (line,) = [each for each in text.splitlines() if each.endswith("data/README.md")]
    changed = {
        "a digest": ("0" if line[0] != "0" else "1") + line[1:],
        "a name": line.replace("README", "REBDME"),
        "no digest at all": f"g{line[1:]}",
    }
    path.write_text(text.replace(line, changed[what]))
    first, *others = bag_faults(dataset.path)
    assert first == (
        "manifest-sha256.txt: differs from tagmanifest-sha256.txt: it was changed or "
        "is damaged"
    )
    assert any("README.md" in each for each in others)
    for each in others:
        assert "renamed" not in each
        assert "was changed or is damaged" not in each
        assert "was added" not in each
    told = "which has a fault itself, as told above"
    assert any(told in each for each in others)
    if what == "a name":
        assert others[0].endswith("data/README.md has the SHA-256 that it should have")


def test_names_of_checks_say_which_of_them_compares(dataset, watcher):
    notes = {}
    watcher.end = notes.__setitem__
    dataset.raw.write_bytes(dataset.raw.read_bytes()[:-1])
    verify(dataset.path, watcher, quick=True)
    assert list(notes)[:2] == ["reading", "bytes and names"]
    assert notes["reading"] == "no fault"
    assert notes["bytes and names"] != "no fault"
