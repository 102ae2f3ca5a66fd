import pytest

from testbed.model.load import load_lab
from testbed.model.source import FaultyFilesError

LAB = """\
lab: bench
journal: {journal}
router:
  host: r
  interface: br-lan
  beacon: 10.77.0.1:47777
  key_env: KEY
  host_key_file: keys
"""


@pytest.mark.parametrize(
    "journal",
    [
        "postgresql://me:secret@db/journal",
        "postgresql://me:se@cret@db/journal",
        "postgresql://db/journal?user=me&password=secret",
        "postgresql://db/journal?sslpassword=secret",
    ],
)
def test_a_password_in_the_place_of_the_journal_is_refused(tmp_path, journal):
    path = tmp_path / "lab.yaml"
    path.write_text(LAB.format(journal=journal))
    with pytest.raises(FaultyFilesError, match="line 2  journal: must not hold a pass"):
        load_lab(path)


@pytest.mark.parametrize(
    "journal",
    [
        "captures/journal.sqlite",
        "postgresql://db/journal",
        "postgresql://me@db:5432/journal",
        "postgresql://me:${PASSWORD}@db/journal",
        "postgresql://db/journal?user=me&password=${PASSWORD}",
    ],
)
def test_a_place_without_a_password_or_with_its_name_is_taken(tmp_path, journal):
    path = tmp_path / "lab.yaml"
    path.write_text(LAB.format(journal=journal))
    assert load_lab(path).journal == journal
