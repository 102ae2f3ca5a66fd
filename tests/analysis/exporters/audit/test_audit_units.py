"""An audit in units: side by side, in parts, and gone on with after a kill."""

import pytest

from analysis.exporters.audit import audit, units
from analysis.exporters.identifiers import Identifier

NAME = "Vinterljus-77"
TOLD = (Identifier(kind="ssid", value=NAME),)


class Remembered(dict):
    """Keeps what units saw; ends everything after so many."""

    def __init__(self, most=1 << 30):
        super().__init__()
        self.most = most
        self.loaded = []

    def load(self, unit, files):
        self.loaded += [unit] * (unit in self)
        return self.get(unit)

    def save(self, unit, files, seen):
        if len(self) == self.most:
            raise KeyboardInterrupt
        self[unit] = seen


@pytest.fixture
def folder(tmp_path, house_of):
    for number in range(2):
        house = house_of()
        for k in range(400):
            text = b"%d: %s" % (k, NAME.encode() if k % 50 == 7 * number else b"-")
            house.udp("192.0.2.1", "192.0.2.2", (4000 + k, 7000), text)
        house.tcp("192.0.2.1", "192.0.2.2", (5000, 7000), b"Vinter", b"ljus-77")
        house.write(tmp_path / f"lan-{number}.pcapng", comment="", names=b"")
    (tmp_path / "notes.txt").write_text(f"called {NAME}")
    return tmp_path


@pytest.fixture
def _small(monkeypatch):
    """Make units of what is small."""
    monkeypatch.setattr(units, "_UNIT_B", 1 << 14)
    monkeypatch.setattr(units, "_PART_B", 10_000)
    monkeypatch.setattr(units, "_WORTH_IT_B", 0)


@pytest.fixture
def whole(folder, monkeypatch):
    """Return what is found in one go; tshark, which takes the longest, is not there."""
    monkeypatch.setenv("PATH", str(folder))
    return audit(folder, TOLD)


def names(folder):
    paths = sorted(folder.rglob("*.*"))
    return [unit.name for unit in units.units_of(folder, paths)]


@pytest.mark.usefixtures("_small")
def test_a_large_capture_is_searched_in_parts_as_if_it_was_whole(folder, whole):
    assert "lan-0.pcapng from byte 10000" in names(folder)
    assert names(folder)[-1] == "notes.txt"
    parted = audit(folder, TOLD)
    assert parted.findings == whole.findings
    assert parted.looked_at.packets == whole.looked_at.packets
    assert any("packet 8, byte" in found.place for found in parted.findings)


@pytest.mark.usefixtures("_small")
def test_side_by_side_it_finds_the_same(folder, whole):
    steps = []
    result = audit(folder, TOLD, jobs=2, progress=lambda *each: steps.append(each))
    assert result.findings == whole.findings
    size_b = sum(path.stat().st_size for path in folder.rglob("*.*"))
    assert steps[-1] == (size_b, size_b)
    assert steps == sorted(steps)


@pytest.mark.usefixtures("_small")
def test_what_was_looked_at_before_a_kill_is_not_looked_at_again(folder, whole):
    kept = Remembered(most=5)
    with pytest.raises(KeyboardInterrupt):
        audit(folder, TOLD, kept=kept)
    kept.most, steps = 1 << 30, []
    result = audit(
        folder, TOLD, kept=kept, progress=lambda *each: steps.append(each[0])
    )
    # without tshark packets are not looked at as they should: that is tried again
    searched = [name for name in names(folder) if "from byte" in name]
    assert kept.loaded == searched[:5]
    assert result.findings == whole.findings
    assert result.looked_at == audit(folder, TOLD).looked_at
    assert steps[-1] == sum(path.stat().st_size for path in folder.rglob("*.*"))


def test_bytes_are_told_as_they_are_looked_at_each_once(folder, whole):
    steps = []
    audit(folder, TOLD, progress=lambda *each: steps.append(each[0]))
    assert steps == sorted(set(steps))
    assert len(steps) > 5
