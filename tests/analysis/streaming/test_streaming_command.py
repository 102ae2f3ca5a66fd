"""`testbed train --streaming` and `testbed classify`: what they print and refuse."""

import contextlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.cli import build
from testbed.errors import DriverTimeoutError

ROOT = Path(__file__).resolve().parents[3]


def command(*arguments, stdin=None):
    topics = build(("train", "classify"))
    return CliRunner().invoke(topics, [str(a) for a in arguments], input=stdin)


@pytest.fixture(scope="module")
def model(campaign, tmp_path_factory):
    """Return the folder of a model that both commands know."""
    from analysis.streaming import fit

    folder = tmp_path_factory.mktemp("kept") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "_N_TREES", 8)
        words = ("--classifier", "nb", "--streaming")
        done = command("train", campaign, "--out", folder, *words)
    assert (done.exit_code, done.exception) == (0, None)
    return folder


def test_each_event_is_one_line(model, other_day):
    done = command("classify", model, other_day[0])
    assert (done.exit_code, done.exception) == (0, None)
    lines = done.stdout.splitlines()
    assert len(lines) == len(other_day[1])
    for line, (_at, activity) in zip(lines, other_day[1], strict=True):
        assert line.startswith("2026-05-")
        assert f" s  plug  {activity}  " in line


def test_json_has_the_same_events_with_stamps(model, other_day):
    done = command("classify", model, other_day[0], "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["activity"] for each in events] == [a for _, a in other_day[1]]
    for event, (at_ns, _activity) in zip(events, other_day[1], strict=True):
        assert abs(event["start_ns"] - at_ns) < 10**9
        assert event["start_ns"] < event["end_ns"] <= event["told_ns"] + 10**9


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name captures, or - for standard input, or --live"),
        (("-", "x.pcap"), "- stands alone"),
        (("x.pcap", "--live"), "name captures"),
        (("-", "--device", "lamp"), "the model has no 'lamp'; it has plug"),
        (("-", "--device", "plug=here"), "must be NAME, NAME=MAC or NAME=IP"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(model, words, sentence):
    done = command("classify", model, *words)
    assert sentence in str(done.exception)
    assert done.exception.exit_code == 2


def test_captures_are_looked_at_before_the_model_is_loaded(tmp_path):
    missing, words = tmp_path / "missing.pcap", tmp_path / "words.pcap"
    words.write_text("no capture at all, but long enough to have a head")
    for path, sentence in (
        (missing, f"{missing}: is not there; name captures that are"),
        (tmp_path, f"{tmp_path}: is a folder; name the captures in it"),
        (words, f"{words}: byte 0: "),
    ):
        done = command("classify", tmp_path / "no_model", path)
        assert done.exception.exit_code == 2
        assert str(done.exception).startswith(sentence)


def test_another_copy_of_a_device_is_found_by_its_address(model, other_day):
    other = "plug=02:00:00:00:00:99"
    done = command("classify", model, other_day[0], "--device", other)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no packet of 02:00:00:00:00:99" in done.stderr
    own = command("classify", model, other_day[0], "--device", "plug=02-00-00-00-00-12")
    assert len(own.stdout.splitlines()) == len(other_day[1])


def test_a_capture_that_ends_inside_a_packet_is_read_up_to_there(
    model, other_day, tmp_path
):
    cut = tmp_path / "cut.pcapng"
    data = other_day[0].read_bytes()
    cut.write_bytes(data[: len(data) // 2 + 1])
    done = command("classify", model, cut)
    assert done.exit_code == 0
    assert 0 < len(done.stdout.splitlines()) < len(other_day[1])
    assert "ends inside a packet" in done.stderr


def test_damage_is_told_after_the_events_before_it(model, other_day, tmp_path):
    torn = tmp_path / "torn.pcapng"
    data = bytearray(other_day[0].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = b"\xee" * 4000
    torn.write_bytes(bytes(data))
    done = command("classify", model, torn)
    assert done.exception.exit_code == 2
    assert "torn.pcapng: byte" in str(done.exception)


def test_a_model_that_has_not_learnt_streaming_says_how(campaign, tmp_path, other_day):
    folder = tmp_path / "model"
    command("train", campaign, "--out", folder, "--classifier", "nb", "--idle", 6)
    done = command("classify", folder, other_day[0])
    assert "train the model again with --streaming" in str(done.exception)


def test_a_capture_that_begins_before_another_ends_is_refused(
    model, other_day, tmp_path
):
    twin = tmp_path / "twin.pcapng"
    twin.write_bytes(other_day[0].read_bytes())
    done = command("classify", model, other_day[0], twin)
    assert done.exception.exit_code == 2
    assert "before the one before it ends" in str(done.exception)
    assert len(done.stdout.splitlines()) == len(other_day[1])  # of the first


def test_a_link_that_is_lost_is_no_end_of_the_packets(
    model, other_day, tmp_path, monkeypatch
):
    pieces = iter([other_day[0].read_bytes()])

    class Lost:
        def read(self, most_b):
            for piece in pieces:
                return piece
            raise DriverTimeoutError("router", "capture live", "the link was lost")

    live = "testbed.drivers.router_live.open_live"
    monkeypatch.setattr(live, lambda at: contextlib.nullcontext(Lost()))
    monkeypatch.setattr("testbed.cli.classify._enter", lambda lab, devices: None)
    for name in ("TESTBED_LAB_STATE", "TESTBED_ROUTER_KEY", "USER"):
        monkeypatch.setenv(name, str(tmp_path))
    lab = ("--lab", ROOT / "lab.yaml", "--devices", ROOT / "devices")
    done = command("classify", model, "--live", *lab)
    assert "router: capture live: the link was lost" in str(done.exception)
    assert done.exception.exit_code == 3
    assert len(done.stdout.splitlines()) == len(other_day[1])
