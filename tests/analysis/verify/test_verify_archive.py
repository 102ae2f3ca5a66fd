"""The archive beside a published dataset: whole, and of the same files."""

import shutil
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from analysis.verify import verify


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
    read_me = parts / "README.txt"
    read_me.write_text(read_me.read_text().replace("unzip -q", "unzip -o"))
    faults = [str(fault) for fault in verify(dataset.path, watcher, quick=True).faults]
    for name in (first.name, read_me.name):
        what = "differs from set.parts/parts.sha256: it was changed or is damaged"
        assert f"set.parts/{name}: {what}" in faults
    assert f"set.parts/{second.name}: is not there, but set.parts/parts.sha256 names " \
        "it" in faults  # fmt: skip


@pytest.mark.usefixtures("without_others")
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
