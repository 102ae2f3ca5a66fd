"""Campaign folders by themselves: log, receipt, journal, captures."""

import json
import shutil

import pytest

from analysis.packets.make import find_raw
from analysis.pcap.stream import open_capture_stream
from analysis.verify import verify

SECOND = 1_000_000_000


@pytest.fixture
def faults(campaign, watcher):
    """Return what looks at the campaign, its own manifest aside."""

    def _faults(*, quick=True):
        found = verify(campaign, watcher, quick=quick).faults
        return [str(each) for each in found if "MANIFEST" not in str(each)]

    return _faults


def lines(path):
    return path.read_text().splitlines(keepends=True)


def change(path, column, value, row=1):
    """Give a value of a CSV file another one; rows count from 1."""
    found = lines(path)
    names, values = found[0].strip().split(","), found[row].rstrip("\n").split(",")
    values[names.index(column)] = str(value)
    found[row] = ",".join(values) + "\n"
    path.write_text("".join(found))


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("outcome", "maybe", "outcome: must be one of confirmed, unchecked"),
        ("t_ns", "soon", "t_ns: must be a whole number, got 'soon'"),
        ("t_ns", "", "t_ns: is empty, but the outcome is confirmed"),
        ("delta_ns", "0", "delta_ns: must be more than 0"),
        ("t_uncertainty_ns", "-1", "t_uncertainty_ns: must not be less than 0"),
        ("device", "toaster", "device: 'toaster' is none of the devices"),
        ("firmware", "0.0", "firmware: is '0.0', but campaign.yaml says '1.2.6"),
        ("simulated", "false", "simulated: is False, but campaign.yaml says otherwise"),
        ("campaign", "other", "campaign: is 'other', but this is 'example"),
        ("trial", "0002", "attempt 1 of trial 0002 is there 2 times"),
        ("channel", "voice", "channel: is 'voice', but journal.jsonl says 'phone'"),
        ("outcome", "failed", "outcome: is 'failed', but journal.jsonl says 'confir"),
        ("parameters", "a=b", "parameters: is 'a=b', but journal.jsonl says ''"),
        ("delta_ns", 60 * SECOND, "its label window overlaps by "),
        ("t_uncertainty_ns", "1000", "t_uncertainty_ns: is 1000, less than 0.5 ms, as"),
        ("t_return_ns", "", "t_issue_ns, t_return_ns or t_uncertainty_ns: is empty"),
        ("t_return_ns", "1000", "t_issue_ns: is later than t_return_ns"),
        ("t_issue_ns", "1000", "session '2026-01-05-01' is longer than a day: it beg"),
    ],
)
def test_every_value_of_the_log_that_cannot_be_is_told_by_its_line(
    campaign, faults, column, value, what
):
    change(campaign / "activities.csv", column, value)
    told = [each for each in faults() if what in each]
    assert told
    assert told[0].startswith("activities.csv: line ")


def test_all_lines_with_faults_are_told_not_the_first_alone(campaign, faults):
    for row in (1, 4, 6):
        change(campaign / "activities.csv", "attempt", "one", row)
    told = [each for each in faults() if "attempt: must be a whole number" in each]
    assert [each.split(": ")[1] for each in told] == ["line 2", "line 5", "line 7"]


def test_a_trial_has_one_label_however_often_it_was_tried(campaign, faults):
    change(campaign / "activities.csv", "trial", "0001", row=2)
    change(campaign / "activities.csv", "attempt", "2", row=2)
    told = [each for each in faults() if "trial 0001 has 2 attempts with a l" in each]
    assert [each.split(": ")[1] for each in told] == ["line 2", "line 3"]


def test_drops_clock_and_files_of_the_receipt_are_looked_at(campaign, faults):
    path = campaign / "raw/receipt.json"
    receipt = json.loads(path.read_text())
    (capture,) = receipt["captures"]
    capture["dropped"] = 12
    capture["clock"][1]["error_ns"] = 90_000_000
    capture["clock"][2]["at_ns"] -= SECOND
    capture["clock"][3]["error_ns"] = -1
    capture["ready_ns"] = capture["stopped_ns"] + 1
    capture["files"][0]["size_b"] += 1
    capture["files"].append({"name": "lan-00002.pcapng", "size_b": 1, "sha256": ""})
    path.write_text(json.dumps(receipt))
    shutil.copy(campaign / "raw/lan-00001.pcapng", campaign / "raw/lan-00009.pcapng")
    told = faults()
    for what in (
        "capture c01: 12 of 1267 packets were dropped",
        "capture c01: clock measurement 2 is known to 90 ms only",
        "capture c01: clock measurement 3 is earlier than the one before",
        "capture c01: clock measurement 4 has an error below 0",
        "capture c01: stopped before it was ready",
        "raw/lan-00001.pcapng: has 477692 bytes, but raw/receipt.json says 477693",
        "raw/lan-00002.pcapng: is not there, but raw/receipt.json names it",
        "raw/lan-00009.pcapng: is not named by raw/receipt.json",
    ):
        assert any(what in each for each in told), what


def test_a_journal_out_of_order_or_cut_is_told(campaign, faults):
    path = campaign / "journal.jsonl"
    found = lines(path)
    found[8], found[20] = found[20], found[8]
    found[30] = "{\n"
    path.write_text("".join(found[:-1]))
    told = faults()
    for what in (
        "line 10: seq 10 does not follow 21",
        "line 10: is earlier than the event before",
        "line 31: is no event of a journal",
        "does not end with the close of the campaign",
    ):
        assert any(f"journal.jsonl: {what}" in each for each in told), what


def test_windows_outside_of_every_capture_are_told_by_line(
    campaign, faults, without_others
):
    # what was recorded after the sixth trial is lost
    (raw,) = find_raw(campaign)
    with open_capture_stream(raw) as stream:
        batch = next(iter(stream))
        at = int(batch.block[len(batch) // 2]) + batch.base
    raw.write_bytes(raw.read_bytes()[:at])
    told = faults(quick=False)
    assert any(
        "activities.csv: line 10: its label window lies in no" in t for t in told
    )
    assert any(
        "receipt.json: capture c01: says 1267 packets were rec" in t for t in told
    )


def test_a_damaged_capture_is_told_by_its_byte(campaign, faults, without_others):
    (raw,) = find_raw(campaign)
    data = bytearray(raw.read_bytes())
    with open_capture_stream(raw) as stream:
        at = int(next(iter(stream)).block[40])
    data[at + 4] ^= 0x7  # of a block's length
    raw.write_bytes(data)
    told = faults(quick=False)
    assert any(each.startswith("raw/lan-00001.pcapng: byte ") for each in told)


def test_an_open_campaign_has_no_manifest_yet(campaign, watcher):
    (campaign / "MANIFEST.sha256").unlink()
    (fault,) = verify(campaign, watcher, quick=True).faults
    assert str(fault).startswith("MANIFEST.sha256: is not there")


def test_what_is_not_looked_at_is_told(campaign, watcher):
    (campaign / "raw/receipt.json").unlink()
    (campaign / "journal.jsonl").unlink()
    told = verify(campaign, watcher, quick=True).unchecked
    assert any(each.startswith("raw/receipt.json: is not there") for each in told)
    assert any(each.startswith("journal.jsonl: is not there") for each in told)
    assert "captures: left out, as asked" in told
