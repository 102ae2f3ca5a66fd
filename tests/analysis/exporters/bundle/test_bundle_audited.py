from types import SimpleNamespace

import pytest

from analysis.exporters.anonymise import Policy
from analysis.exporters.bundle.audited import Audited
from analysis.exporters.bundle.ledger import Ledger
from analysis.exporters.bundle.work import Work

SEEN = {"findings": [], "looked_at": {"files": 1}, "notes": []}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lan.pcapng"
    path.write_bytes(b"12345")
    return path


@pytest.fixture
def audited(tmp_path):
    """Return what a publication remembers that is opened anew."""

    def _audited(**inputs):
        request = SimpleNamespace(key=bytes(32), policy=Policy(), shift=False)
        return Audited(Work(request, Ledger(tmp_path), None), inputs)

    return _audited


def test_what_a_unit_saw_is_found_again_by_the_next_call(audited, file):
    audited(manifest="a").save("lan", [file], SEEN)
    assert audited(manifest="a").load("lan", [file]) == SEEN


def test_it_is_forgotten_when_the_file_or_anything_before_it_is_another(audited, file):
    audited(manifest="a").save("lan", [file], SEEN)
    assert audited(manifest="b").load("lan", [file]) is None
    assert audited(manifest="a").load("other", [file]) is None
    file.write_bytes(b"123456")
    assert audited(manifest="a").load("lan", [file]) is None
