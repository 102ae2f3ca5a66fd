"""From a campaign to events in a capture of another day."""

import dataclasses
import io
import itertools
import re
import shutil
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import DatasetError, ModelError
from analysis.evaluate.patterns.events import Happening, score_events
from analysis.packets import find_raw, make_tables
from analysis.pcap.stream import open_capture_stream
from analysis.streaming.captures import in_order_of_time
from analysis.streaming.classify import Watch, classify_captures
from analysis.streaming.live import AtHand, live_events
from analysis.streaming.store import PART, of_parts, to_parts

S = 10**9


@pytest.fixture(scope="module")
def events(learnt, other_day):
    return list(classify_captures([other_day[0]], learnt))


def scored(events, acts):
    happened = [
        Happening(device="plug", activity=name, start_ns=at, end_ns=at + 8 * S)
        for at, name in acts
    ]
    detected = [
        Happening(
            device=e.device,
            activity=e.activity,
            start_ns=e.start_ns,
            end_ns=e.end_ns,
            told_ns=e.told_ns,
        )
        for e in events
    ]
    return score_events(happened, detected)


def test_each_activity_of_another_day_is_one_event_and_nothing_else_is(
    events, other_day
):
    found = scored(events, other_day[1])
    assert found.f1 == 1.0
    assert found.onset_error_s(0.95) < 0.2


def test_an_event_is_told_by_the_packet_after_its_end(events, other_day):
    with open_capture_stream(other_day[0]) as stream:
        stamps = [int(t) for batch in stream for t in batch.time_ns]
    for event in events:
        following = next(t for t in stamps if t >= event.end_ns - S)
        assert event.told_ns <= max(following, event.end_ns + S)


def test_what_is_told_does_not_depend_on_how_packets_come_together(
    learnt, other_day, events
):
    watch, found = Watch(learnt), []
    with open_capture_stream(other_day[0]) as stream:
        for batch in stream:
            bounds = [*range(0, len(batch), 37), len(batch)]
            for first, last in itertools.pairwise(bounds):
                part = {
                    name: getattr(batch, name)[first:last]
                    for name in ("start", "captured_b", "length_b", "time_ns", "link")
                }
                found += watch.take(dataclasses.replace(batch, **part))
                assert watch.n_kept < 2_000
    found += watch.finish()
    assert found == events


def test_what_is_kept_gives_the_same_events(learnt, other_day, events):
    again = of_parts(to_parts(learnt))
    assert list(classify_captures([other_day[0]], again)) == events


def test_a_model_without_streaming_or_with_a_part_missing_is_refused(learnt):
    with pytest.raises(ModelError, match="--streaming"):
        of_parts({})
    parts = to_parts(learnt)
    with pytest.raises(ModelError, match="another version"):
        of_parts(parts | {PART: parts[PART].replace(b'"format": 2', b'"format": 9')})
    with pytest.raises(ModelError, match="not among the files"):
        of_parts({PART: parts[PART]})
    cut = {name: data[:99] for name, data in parts.items() if name != PART}
    with pytest.raises(ModelError, match=r"watcher\.skops: is damaged"):
        of_parts({PART: parts[PART]} | cut)
    with pytest.raises(ModelError, match="cannot be understood"):
        of_parts({PART: b'{"format": 1'})


def forged(learnt, **stage_fields):
    """Return the parts of a model in which one stage has other fields."""
    plug = learnt["plug"]
    stages = (dataclasses.replace(plug.stages[0], **stage_fields), *plug.stages[1:])
    return to_parts({"plug": dataclasses.replace(plug, stages=stages)})


@pytest.mark.parametrize("width", [3, 20_050])
@pytest.mark.parametrize("part", ["watcher", "namer"])
def test_estimators_that_look_at_other_columns_than_windows_have_are_refused(
    learnt, part, width
):
    from sklearn.ensemble import ExtraTreesClassifier

    x = np.random.default_rng(3).normal(size=(12, width))
    y = np.array(["idle", "stream", "toggle"] * 4)
    other = ExtraTreesClassifier(2, random_state=0).fit(x, y)
    with pytest.raises(ModelError, match="another width"):
        of_parts(forged(learnt, **{part: other}))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (r'"event_from": [^,]*', '"event_from": NaN', "no number"),
        (r'"known_from": [^,]*', '"known_from": Infinity', "no number"),
        (r'"length_ns": (\d+),\s*"reads"', r'"length_ns": -\1, "reads"', "no window"),
        (r'"timings": \{.*?\}\s*\}', '"timings": {}', "no activity shows"),
        (r'("reads": "\w+",\s*"groups": \[\s*\[\s*)"\w+"', r'\1"sing"', "not known"),
        (r'("reads": "\w+",\s*"groups": \[\s*)', r"\1[], ", "is empty"),
    ],
)
def test_numbers_and_names_that_mean_nothing_are_refused(learnt, old, new, reason):
    parts = to_parts(learnt)
    text, n_changed = re.subn(old, new, parts[PART].decode(), flags=re.DOTALL)
    assert n_changed
    with pytest.raises(ModelError, match=f"cannot be understood .*{reason}"):
        of_parts(parts | {PART: text.encode()})


class Here:
    """A clock that goes as far as each look at it; stamps are of now."""

    def __init__(self, now_ns):
        self._now_ns, self._passed_s = now_ns, 0.0

    def now_ns(self):
        return self._now_ns

    def monotonic_s(self):
        self._passed_s += 1.0
        return self._passed_s


def test_a_pipe_is_answered_without_another_packet_and_the_same_as_a_file(
    learnt, other_day, events, monkeypatch
):
    monkeypatch.setattr("analysis.streaming.live._TICK_S", 0.001)
    data, first = other_day[0].read_bytes(), events[0]
    with open_capture_stream(other_day[0]) as stream:
        batch = next(iter(stream))
        row = int((batch.time_ns < first.end_ns - S).sum())
        cut = int(batch.block[row])
    waits, is_told, told = iter([data[:cut]]), threading.Event(), []

    def read(_most_b):
        piece = next(waits, b"")
        if not piece:
            is_told.wait(60)  # the pipe stays open, and nothing comes
        return piece

    clock = Here(first.end_ns)
    for event in live_events(read, Watch(learnt), clock):
        told.append(event)
        is_told.set()
    assert [e.activity for e in told] == [first.activity]
    assert abs(told[0].start_ns - first.start_ns) < S


def test_pieces_of_any_size_are_the_capture(learnt, other_day, events):
    data = other_day[0].read_bytes()
    pieces = iter([data[at : at + 5_003] for at in range(0, len(data), 5_003)])
    clock = Here(0)  # the capture is of the past: no time passes between packets
    found = live_events(lambda most_b: next(pieces, b""), Watch(learnt), clock)
    assert [(e.start_ns, e.activity) for e in found] == [
        (e.start_ns, e.activity) for e in events
    ]


@pytest.mark.parametrize("piece_b", [7_919, 65_536, 10**9])
def test_a_capture_larger_than_any_buffer_is_read_to_its_end(piece_b):
    # a file gives as much as is asked for, so that a buffer may be just full
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
    packet = struct.pack("<IIII", 1, 1, 984, 984) + bytes(984)
    file = io.BytesIO(head + packet * 4_000)
    at_hand = AtHand(lambda most_b: file.read(min(most_b, piece_b)))
    with open_capture_stream(Path("-"), at_hand) as stream:
        assert sum(len(batch) for batch in stream) == 4_000
        assert stream.truncated_at is None


@pytest.mark.parametrize("fault", [RuntimeError("the link was lost"), MemoryError()])
def test_reading_that_fails_is_no_end_whatever_the_error_is(
    learnt, other_day, events, fault
):
    data = other_day[0].read_bytes()
    pieces, found = iter([data[:-1]]), []

    def read(_most_b):
        for piece in pieces:
            return piece
        raise fault

    with pytest.raises(type(fault)) as raised:
        found.extend(live_events(read, Watch(learnt), Here(0)))
    assert raised.value is fault


def test_captures_are_learnt_in_order_of_time_and_overlap_is_refused(
    campaign, tmp_path
):
    names = [path.name for path in in_order_of_time(campaign)]
    assert names == ["b.pcapng", "d.pcapng", "a.pcapng", "c.pcapng"]
    folder = tmp_path / "twins"
    shutil.copytree(campaign / "raw", folder / "raw")
    shutil.copy(campaign / "raw" / "a.pcapng", folder / "raw" / "e.pcapng")
    make_tables(folder, [folder / "raw" / "a.pcapng"], ())
    with pytest.raises(DatasetError, match="has no tables"):
        in_order_of_time(folder)
    make_tables(folder, find_raw(folder), ())
    with pytest.raises(DatasetError, match=r"e\.pcapng: begins \d+ s before"):
        in_order_of_time(folder)
