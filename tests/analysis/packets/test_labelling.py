import errno
import gzip
import json
import struct

import numpy as np
import pcapml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dataset import load_activities, load_campaign
from analysis.errors import LabelError
from analysis.labelling import (
    IDLE,
    Overlap,
    label_campaign,
    label_packets,
    label_windows,
    labelled_as,
)
from analysis.packets import find_raw, make_tables
from analysis.pcap.beacons import Beacon, encode
from analysis.pcap.blocks import Interface
from analysis.pcap.errors import CaptureError
from analysis.pcap.reader import read_frames
from analysis.pcap.rewrite import Rewriter

S = 10**9


def naive_label(time_ns, windows):
    """Look at every window for every packet."""
    out = []
    for t in time_ns:
        held = [k for k, (start, end) in enumerate(windows) if start <= t < end]
        assert len(held) <= 1
        out.append(held[0] if held else IDLE)
    return out


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=8),
    st.lists(st.integers(-5, 90), max_size=30),
)
def test_same_labels_as_the_naive_twin(gaps, time_ns):
    windows, at = [], 0
    for gap, length in gaps:
        windows.append((at + gap, at + gap + length))
        at += gap + length
    start, end = np.array(windows, dtype=np.int64).reshape(-1, 2).T
    fast = label_packets(np.array(time_ns, dtype=np.int64), start, end)
    assert fast.tolist() == naive_label(time_ns, windows)


def naive_policy(windows, policy):
    """Compare every window with every other."""
    kept = []
    for k, (start, end) in enumerate(windows):
        others = [w for j, w in enumerate(windows) if j != k]
        clash = any(s < end and start < e for s, e in others)
        if policy is Overlap.DROP and clash:
            continue
        later = [s for s, _e in windows[k + 1 :]]
        cut = min([end, *later]) if policy is Overlap.CUT else end
        if cut > start:
            kept.append((start, cut))
    return kept


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=7),
    st.sampled_from([Overlap.CUT, Overlap.DROP]),
)
def test_overlap_policies_are_those_of_the_naive_twin(
    tmp_path_factory, rows_file, spans, policy
):
    spans = sorted(spans, key=lambda span: span[0])
    folder = rows_file(tmp_path_factory.mktemp("log"), spans)
    windows = label_windows(load_activities(folder), "lamp", overlap=policy)
    got = list(zip(windows.start_ns.tolist(), windows.end_ns.tolist(), strict=True))
    expected = naive_policy([(s * S, (s + d) * S) for s, d in spans], policy)
    assert got == expected
    assert windows.log.frame["t_ns"].to_list() == [start for start, _end in got]


@pytest.fixture(scope="session")
def rows_file():
    from analysis.dataset import COLUMNS

    def _rows_file(folder, spans):
        fixed = {
            "device": "lamp",
            "activity": "turn_on",
            "attempt": "1",
            "outcome": "confirmed",
            "simulated": "true",
        }
        lines = [",".join(COLUMNS)]
        for at_s, delta_s in spans:
            row = fixed | {"t_ns": str(at_s * S), "delta_ns": str(delta_s * S)}
            lines.append(",".join(row.get(name, "") for name in COLUMNS))
        (folder / "activities.csv").write_text("\n".join(lines) + "\n")
        return folder

    return _rows_file


def test_a_clash_names_both_activities_and_the_way_out(campaign, craft):
    folder = campaign(
        [[(0, craft.arp())]], [(1, {}), (4, {"activity": "turn_off"}), (20, {})]
    )
    with pytest.raises(LabelError) as caught:
        label_campaign(folder)
    message = str(caught.value)
    for part in ("turn_on (line 2, trial 0001)", "turn_off (line 3, trial 0002)"):
        assert part in message
    assert "overlap by 2 s" in message
    assert "--overlap cut or drop" in message
    assert not (folder / "labelled").exists()


@pytest.fixture
def evening(campaign, craft):
    """Two devices, two raw files, a beacon, windows [10, 15) and [20, 25)."""
    beacon = Beacon(campaign="evening", trial="0001", attempt=1, phase="x", sent_ns=1)
    first = [
        (9.999999999, craft.udp4(b"before")),
        (10, craft.udp4(b"first")),
        (11, craft.beacon(encode(beacon))),
        (14.999999999, craft.udp4(b"last")),
        (15, craft.udp4(b"after")),
    ]
    second = [
        (21, craft.udp4(b"again")),
        (22, craft.udp4(b"unlabelled", src="02:00:00:00:00:77")),
        (30, craft.udp4(b"idle")),
        (22, craft.udp4(b"late in the file")),
    ]
    rows = [
        (10, {"parameters": "colour=red"}),
        (20, {"outcome": "unchecked", "activity": "a,b=c", "network": ""}),
        (26, {"outcome": "no_effect"}),
        (None, {"outcome": "failed", "delta_ns": ""}),
        (40, {"activity": "turn_off"}),
        (10, {"device": "plug"}),
        (25, {"activity": "turn_off"}),
    ]
    devices = (("lamp", craft.lamp), ("plug", "02:00:00:00:00:12"))
    return campaign([first, second], rows, devices)


def test_labels_are_half_open_and_only_of_confirmed_and_unchecked(evening, tshark):
    report = label_campaign(evening)
    lamp = report.devices[0]
    assert (lamp.windows, lamp.n_packets, lamp.n_labelled) == (3, 7, 4)
    assert lamp.empty == ("0007",)
    assert lamp.n_uncovered == 1
    assert lamp.packets_by_activity == {"a,b=c": 2, "turn_off": 0, "turn_on": 2}
    rows = tshark(evening / "labelled/lamp.pcapng", "frame.time_epoch", "frame.comment")
    comments = [row["frame.comment"] for row in rows]
    on = "s=evening-0001-1,device=lamp,label=turn_on,channel=phone,network=lan"
    on += ",attempt=1,session=s1"
    other = (
        "s=evening-0002-1,device=lamp,label=a;b:c,channel=phone,attempt=1,session=s1"
    )
    # in the order of the file, where one came late
    assert comments == ["", on, on, "", other, "", other]
    times = [row["frame.time_epoch"] for row in rows]
    assert times[1] == "1700000010.000000000"


def test_widened_windows_take_their_uncertainty_along(campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in (9.95, 10, 14.9, 15.05, 15.2)]
    folder = campaign([packets], [(10, {"t_uncertainty_ns": S // 10})])
    assert label_campaign(folder, widen=False).devices[0].n_labelled == 2
    assert label_campaign(folder).devices[0].n_labelled == 4


def test_pcapml_finds_as_many_samples_as_labelled_trials(evening):
    label_campaign(evening)
    path = str(evening / "labelled/lamp.pcapng")
    samples = [s for s in pcapml.samples(path) if s.sample_id is not None]
    # pcapML takes runs of packets for samples; a late packet is a run of its own
    assert [(s.sample_id, s.label, len(s)) for s in samples] == [
        ("evening-0001-1", "turn_on", 2),
        ("evening-0002-1", "a;b:c", 1),
        ("evening-0002-1", "a;b:c", 1),
    ]
    frame = pcapml.read_pcapml(path)
    assert len(frame) == 7
    assert set(frame["device"].dropna()) == {"lamp"}


def test_a_comment_is_one_line_whatever_the_table_holds(campaign, craft):
    odd = {"activity": "turn\r\non", "session": "a\nb"}
    folder = campaign([[(1, craft.udp4(b"x"))]], [(1, odd)])
    label_campaign(folder)
    written = (folder / "labelled/lamp.pcapng").read_bytes()
    assert b"label=turn on,channel=" in written
    assert b"session=a b" in written


def test_beacons_are_in_no_labelled_capture(evening, tshark, capinfos):
    label_campaign(evening)
    for path in (evening / "labelled").glob("*.pcapng"):
        assert tshark(path, "frame.number", display="udp.port == 47777") == []
        assert capinfos(path).returncode == 0
        assert b"TBB1" not in path.read_bytes()


def test_what_was_labelled_is_written_beside_the_captures(evening):
    report = label_campaign(evening, overlap=Overlap.CUT)
    written = json.loads((evening / "labelled/labels.json").read_text())
    assert written["simulated"] is True
    assert written["overlap"] == "cut"
    assert [d["n_labelled"] for d in written["devices"]] == [4, 0]
    assert report.n_windows == 4
    assert {p.name for p in (evening / "labelled").iterdir()} == {
        "lamp.pcapng",
        "plug.pcapng",
        "labels.json",
    }
    assert (
        "device plug: no capture holds a packet of 02:00:00:00:00:12"
        in (written["unseen"][0])
    )


def test_a_truncated_capture_is_labelled_up_to_there_and_reported(evening):
    raw = evening / "raw/router-00001.pcapng"
    raw.write_bytes(raw.read_bytes()[:-10])
    report = label_campaign(evening)
    assert report.devices[0].n_labelled == 3
    assert list(report.truncated) == ["router-00001.pcapng"]


def test_a_damaged_capture_writes_nothing(evening):
    (evening / "raw/router-00001.pcapng").write_bytes(b"nonsense")
    with pytest.raises(CaptureError, match="not a pcap"):
        label_campaign(evening)
    assert not (evening / "labelled").exists()


def test_every_device_gets_what_is_said_of_interfaces_and_names(campaign, craft, write):
    folder = campaign(
        [[(0, craft.udp4(b"x")), (1, craft.udp4(b"y", src="02:00:00:00:00:12"))]],
        [(0, {})],
        devices=(("lamp", craft.lamp), ("plug", "02:00:00:00:00:12")),
    )
    raw = folder / "raw/router-00000.pcapng"
    names = b"\x01\0\x05\0\x0a\x4d\0\x0bA\0\0\0" + bytes(4)
    block = struct.pack("<II", 4, 12 + len(names)) + names
    block += struct.pack("<I", 12 + len(names))
    with raw.open("ab") as file:
        file.write(block)
    label_campaign(folder)
    for device in ("lamp", "plug"):
        copy = (folder / f"labelled/{device}.pcapng").read_bytes()
        assert copy.endswith(block)
        about = f"campaign=evening,device={device},simulated=true"
        assert about.encode() in copy
        assert read_frames(folder / f"labelled/{device}.pcapng").interfaces == (
            read_frames(raw).interfaces
        )


@pytest.mark.parametrize("broken", [KeyboardInterrupt, MemoryError])
def test_what_ends_labelling_leaves_nothing_half_written(evening, monkeypatch, broken):
    def fails(*_args):
        raise broken

    monkeypatch.setattr("analysis.labelling.captures.beacon_rows", fails)
    with pytest.raises(broken):
        label_campaign(evening)
    assert not (evening / "labelled").exists()


def test_a_failed_labelling_keeps_the_one_before(evening, monkeypatch):
    label_campaign(evening)
    before = {p.name: p.read_bytes() for p in (evening / "labelled").iterdir()}
    (evening / "raw/router-00001.pcapng").write_bytes(b"nonsense")
    with pytest.raises(CaptureError):
        label_campaign(evening)
    after = {p.name: p.read_bytes() for p in (evening / "labelled").iterdir()}
    assert after == before


def test_what_is_ended_between_the_names_does_not_count_as_labelled(
    evening, monkeypatch
):
    label_campaign(evening)
    before = (evening / "labelled/plug.pcapng").stat().st_ino
    keep, kept = Rewriter.keep, []

    def keeps_one(writer):
        if kept:
            raise KeyboardInterrupt
        kept.append(writer)
        keep(writer)

    monkeypatch.setattr(Rewriter, "keep", keeps_one)
    with pytest.raises(KeyboardInterrupt):
        label_campaign(evening, overlap=Overlap.CUT)
    assert {p.name for p in (evening / "labelled").iterdir()} == {
        "lamp.pcapng",
        "plug.pcapng",
    }
    assert (evening / "labelled/plug.pcapng").stat().st_ino == before


def test_what_a_killed_run_left_goes_away(evening):
    (evening / "labelled").mkdir()
    (evening / "labelled/.gone.pcapng.part").write_bytes(b"half")
    label_campaign(evening)
    assert list((evening / "labelled").glob(".*")) == []


def test_windows_outside_all_captures_are_found_before_anything_is_read(
    evening, monkeypatch
):
    make_tables(evening, find_raw(evening), load_campaign(evening).devices)
    path = evening / "activities.csv"
    path.write_text(path.read_text().replace(",1700000", ",1600000"))

    def reads(*_args):
        raise AssertionError

    monkeypatch.setattr("analysis.labelling.captures._label_capture", reads)
    with pytest.raises(LabelError, match="no activity lies in a capture"):
        label_campaign(evening)
    assert not (evening / "labelled").exists()
    for damage in (b"{", b""):  # the labels do not need the tables
        (evening / "packets.json").write_bytes(damage)
        with pytest.raises(AssertionError):
            label_campaign(evening)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(evening, monkeypatch):
    def full(_fd, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("analysis.pcap.rewrite.os.write", full)
    with pytest.raises(OSError, match=r"No space left on device: .*lamp\.pcapng"):
        label_campaign(evening)
    assert not (evening / "labelled").exists()


def test_a_campaign_of_which_no_device_was_seen_is_refused(campaign, craft):
    folder = campaign(
        [[(0, craft.udp4(b"x"))]], [(0, {})], devices=(("lamp", "02:00:00:00:00:99"),)
    )
    with pytest.raises(LabelError) as told:
        label_campaign(folder)
    assert str(told.value) == (
        "device lamp: no capture holds a packet of 02:00:00:00:00:99; "
        "the most seen are 02:00:00:00:00:11 (1)"
    )
    assert not (folder / "labelled").exists()


def test_captures_of_a_link_type_that_is_not_understood_are_named(
    campaign, craft, write
):
    folder = campaign([[]], [(0, {})])
    links = (Interface(link=9),)
    write([(1, bytes(40))], name="evening/raw/router-00000.pcapng", interfaces=links)
    with pytest.raises(LabelError, match=r"packets of PPP \(link type 9\) only"):
        label_campaign(folder)


def test_without_labels_an_unseen_device_is_no_error(campaign, craft):
    folder = campaign(
        [[(0, craft.udp4(b"x"))]],
        [(0, {"outcome": "failed"})],
        devices=(("lamp", "02:00:00:00:00:99"),),
    )
    assert len(label_campaign(folder).unseen) == 1


def test_labelled_captures_of_pcap_and_packed_files(campaign, craft, tshark):
    folder = campaign([[(n, craft.udp4(b"x")) for n in range(9)]], [(2, {})])
    raw = folder / "raw/router-00000.pcapng"
    packed = gzip.compress(raw.read_bytes())
    (folder / "raw/router-00000.pcapng.gz").write_bytes(packed)
    frames = read_frames(raw)
    head = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for row, t in enumerate(frames.time_ns.tolist()):
        data = frames.frame(row)
        sizes = (len(data), len(data))
        head += struct.pack(">IIII", t // S, t % S // 1000, *sizes) + data
    (folder / "raw/router-00001.pcap").write_bytes(head)
    assert label_campaign(folder).devices[0].n_labelled == 15
    rows = tshark(folder / "labelled/lamp.pcapng", "frame.comment")
    assert [bool(row["frame.comment"]) for row in rows] == [
        2 <= n < 7 for _file in range(3) for n in range(9)
    ]
    path = str(folder / "labelled/lamp.pcapng")
    assert [len(s) for s in pcapml.samples(path) if s.sample_id] == [5, 5, 5]


def test_progress_is_told_in_bytes_of_the_captures(evening):
    told = []
    label_campaign(evening, progress=told.append)
    assert min(told) >= 0
    size_b = sum(path.stat().st_size for path in (evening / "raw").iterdir())
    assert sum(told) == size_b


def test_neighbours_that_overlap_by_what_is_unsure_alone_meet_in_the_middle(
    campaign, craft
):
    sure = {"t_uncertainty_ns": 3 * S}
    packets = [(t, craft.udp4(b"x")) for t in range(40)]
    folder = campaign([packets], [(10, sure), (16, sure), (30, sure)])
    windows = label_windows(load_activities(folder), "lamp")
    seconds = ((windows.start_ns - craft.start_ns) / S).tolist()
    assert seconds == [7, 15.5, 27]
    assert ((windows.end_ns - craft.start_ns) / S).tolist() == [15.5, 24, 38]


def test_later_steps_cut_as_the_captures_were_labelled(campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in range(20)]
    folder = campaign([packets], [(3, {"t_uncertainty_ns": S})])
    assert labelled_as(folder) == (Overlap.REFUSE, True)
    label_campaign(folder, overlap=Overlap.CUT, widen=False)
    assert labelled_as(folder) == (Overlap.CUT, False)
    (folder / "labelled" / "labels.json").write_text("{")
    assert labelled_as(folder) == (Overlap.REFUSE, True)
