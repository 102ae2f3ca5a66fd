"""Archive parts: small enough, complete, and put together as their README says."""

import re
import subprocess

import pytest

from analysis.exporters.bundle.parts import LEAST_B, _entries, write_parts


@pytest.fixture
def bag(tmp_path):
    folder = tmp_path / "bag"
    for name, size_b in (("a.txt", 10), ("data/large file", 3 << 20), ("data/z", 5000)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(k * size_b % 251 for k in range(size_b)))
    return folder


def files_of(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def test_what_is_larger_than_a_part_comes_back_by_the_commands_shown(bag, tmp_path):
    target, read = tmp_path / "parts", []
    made = write_parts(bag, "Ada's set", target, LEAST_B, read.append)
    zips = [path for path in made if path.suffix == ".zip"]
    assert len(zips) == 5
    assert max(path.stat().st_size for path in zips) <= LEAST_B
    written_b = (3 << 20) + 5010
    assert sum(read) == written_b + sum(path.stat().st_size for path in zips)
    commands = re.findall(r"^    (.+)$", (target / "README.txt").read_text(), re.M)
    script = "\n".join(commands).replace(
        'unzip -q "$part"', 'python3 -m zipfile -e "$part" .'
    )
    subprocess.run(["sh", "-ec", script], cwd=target, check=True, capture_output=True)
    assert files_of(target / "Ada's set") == files_of(bag)


def test_slices_are_in_order_of_letters_however_many(bag):
    names = [name for _, name, *_ in _entries(bag, "set", 7000)]
    slices = [name for name in names if "large file" in name]
    assert len(slices) > 999
    assert slices == sorted(slices)


def test_parts_are_alike_and_nothing_is_left_of_an_attempt(bag, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    (two / "set-99.zip").write_bytes(b"half")
    for target in (one, two):
        write_parts(bag, "set", target, LEAST_B, lambda _size_b: None)
    assert files_of(one) == files_of(two)
