import pytest

from analysis.errors import DatasetError
from analysis.flows import FlowRecords
from analysis.flows.files import csv_lines
from analysis.flows.stream import csv_records


def plain(records):
    """The records without texts that hold an end of line."""
    names = ("home", "device", "model", "device_address", "remote_address")
    return records.replaced(**dict.fromkeys((*names, "server_name"), records.end))


def test_each_line_is_a_record_as_soon_as_it_is_there(records):
    made = plain(records(20))
    lines = iter("".join(csv_lines([made])).splitlines(keepends=True))
    first = next(csv_records(lines))
    assert sum(1 for _ in lines) == 19  # nothing is read ahead
    assert first.bytes_out.tolist() == made.bytes_out.tolist()[:1]


def test_all_records_come_back(records, assert_same):
    made = records(50)
    lines = "".join(csv_lines([made])).splitlines(keepends=True)
    assert_same(FlowRecords.joined(list(csv_records(lines))), made)


def test_nothing_gives_nothing():
    assert list(csv_records([])) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("true", "yes"), ("false", "no"), (",6", ",-6"), ('"idle"', '"late"'), (",", "")],
)
def test_a_line_that_cannot_be_is_refused_by_its_number(old, new, records):
    head, *lines = "".join(csv_lines([plain(records(30))])).split("\n")
    at = next(k for k, line in enumerate(lines) if old in line)
    lines[at] = lines[at].replace(old, new)
    found = csv_records([head, *lines[: at + 1]], name="pipe")
    with pytest.raises(DatasetError, match=f"pipe: line {at + 2}: "):
        list(found)


def test_other_columns_are_refused():
    with pytest.raises(DatasetError, match="does not begin with the columns"):
        list(csv_records(["a,b\n", "1,2\n"]))
