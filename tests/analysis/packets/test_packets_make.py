import contextlib
import copy
import errno
import fcntl
import gzip
import itertools
import json
import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.dataset import Device, load_campaign
from analysis.errors import DatasetError
from analysis.packets import (
    CaptureJob,
    find_index,
    find_raw,
    is_current,
    iter_packets,
    load_packets,
    make_tables,
    runs,
    tabulate_capture,
)
from analysis.packets.flows import load_flows
from analysis.packets.index import Index, write_index
from analysis.packets.make import run_here
from analysis.packets.table import COLUMNS
from analysis.pcap.blocks import Interface
from analysis.pcap.errors import CaptureError
from analysis.pcap.source import digest_of
from analysis.pcap.writer import open_capture

WIRED_OVER_USB = 189  # a link type that is none of ours


@pytest.fixture
def lamp(craft):
    return Device(name="lamp", mac=craft.lamp)


def files_in(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )


def pairs(table):
    return list(zip(table.time_ns.tolist(), table.frame.tolist(), strict=True))


@settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(seconds=st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_stamps_in_any_order_come_out_sorted_and_none_is_lost(
    craft, write, lamp, tmp_path_factory, seconds
):
    folder = tmp_path_factory.mktemp("out")
    path = write([(s, craft.udp4(b"x")) for s in seconds])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "BUFFERED", 8)
        patch.setattr(runs, "_MOST_OPEN", 2)
        patch.setattr("analysis.packets.block._BLOCK", 1)
        patch.setattr("analysis.pcap.walk._BATCH", 3)
        patch.setattr("analysis.packets.parquet._BATCH", 5)
        patch.setattr("analysis.packets.parquet._SMALLEST_BATCH", 2)
        index = make_tables(folder, [path], [lamp])
        table = load_packets(folder, "lamp")
    start_ns = craft.start_ns
    expected = sorted((start_ns + s * 10**9, n) for n, s in enumerate(seconds, 1))
    assert sorted(pairs(table)) == expected
    assert table.time_ns.tolist() == [at for at, _frame in expected]
    (part,) = index.captures
    backwards = sum(b < a for a, b in itertools.pairwise(seconds))
    assert part.n_backwards == backwards


def test_a_clock_that_was_set_back_makes_a_second_run(craft, write, lamp, tmp_path):
    seconds = [*range(100, 140), *range(40)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "BUFFERED", 8)
        patch.setattr("analysis.packets.block._BLOCK", 1)
        patch.setattr("analysis.pcap.walk._BATCH", 3)
        path = write([(s, craft.udp4(b"x")) for s in seconds])
        (part,) = make_tables(tmp_path, [path], [lamp]).captures
    names = [file.name for file in part.devices["lamp"].files]
    assert names == [f"{path.name}.parquet", f"{path.name}.run1.parquet"]
    assert pairs(load_packets(tmp_path, "lamp"))[0] == (craft.start_ns, 41)


def test_pieces_follow_each_other_over_captures_that_overlap(
    craft, write, lamp, tmp_path
):
    paths = [
        write(
            [(s, craft.udp4(b"x")) for s in range(first, 90, 3)], name=f"{first}.pcap"
        )
        for first in (2, 0, 1)
    ]
    make_tables(tmp_path, paths, [lamp])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.packets.parquet._BATCH", 7)
        patch.setattr("analysis.packets.parquet._SMALLEST_BATCH", 7)
        pieces = list(iter_packets(tmp_path, "lamp"))
    assert len(pieces) > 3
    stamps = np.concatenate([piece.time_ns for piece in pieces])
    assert ((stamps - craft.start_ns) // 10**9).tolist() == list(range(90))
    whole = load_packets(tmp_path, "lamp")
    for name in COLUMNS:
        joined = np.concatenate([getattr(piece, name) for piece in pieces])
        assert np.array_equal(joined, getattr(whole, name)), name
    assert [whole.captures[k] for k in whole.capture[:3]] == [
        "0.pcap",
        "1.pcap",
        "2.pcap",
    ]


def test_a_flow_ends_with_its_capture(craft, write, lamp, tmp_path):
    paths = [write([(s, craft.udp4(b"x"))], name=f"{s}.pcapng") for s in range(3)]
    make_tables(tmp_path, paths, [lamp])
    assert load_packets(tmp_path, "lamp").flow.tolist() == [0, 1, 2]
    assert load_flows(tmp_path, "lamp").packets_out.tolist() == [1, 1, 1]


def test_what_did_not_change_is_not_made_again(craft, write, lamp, tmp_path):
    paths = [write([(s, craft.udp4(b"x"))], name=f"{s}.pcapng") for s in range(3)]
    made = []

    def run(jobs, progress):
        made.extend(job.path.name for job in jobs)
        return run_here(jobs, progress)

    make_tables(tmp_path, paths, [lamp], run=run)
    assert made == ["0.pcapng", "1.pcapng", "2.pcapng"]
    os.utime(paths[0])  # copied: another time, the same bytes
    write([(1, craft.udp4(b"longer"))], name="1.pcapng")
    made.clear()
    make_tables(tmp_path, paths, [lamp], run=run)
    assert made == ["1.pcapng"]
    assert load_packets(tmp_path, "lamp").payload_b.tolist() == [1, 6, 1]
    made.clear()
    make_tables(tmp_path, paths, [replace(lamp, every_packet=True)], run=run)
    assert len(made) == 3


def test_what_is_done_is_kept_when_the_power_fails(craft, write, lamp, tmp_path):
    paths = [write([(s, craft.udp4(b"x"))], name=f"{s}.pcapng") for s in range(20)]
    kept = []

    def run(jobs, progress):
        for number, job in enumerate(jobs):
            kept.append((number, len(find_index(tmp_path).captures)))
            yield tabulate_capture(job)

    make_tables(tmp_path, paths, [lamp], run=run)
    assert all(captures >= done - done // 8 for done, captures in kept)


def test_tables_that_were_taken_away_are_made_again(craft, write, lamp, tmp_path):
    path = write([(1, craft.udp4(b"x"))])
    make_tables(tmp_path, [path], [lamp])
    for kind in ("packets", "flows"):
        table = tmp_path / kind / "device=lamp" / f"{path.name}.parquet"
        table.unlink()
        make_tables(tmp_path, [path], [lamp])
        assert table.exists()


def test_a_damaged_capture_spoils_no_other(craft, write, lamp, tmp_path):
    paths = [write([(s, craft.udp4(b"x"))], name=f"{s}.pcapng") for s in range(3)]
    with paths[1].open("ab") as file:
        file.write(bytes([6, 0, 0, 0, 13]) + bytes(60))
    out = tmp_path / "out"
    with pytest.raises(CaptureError, match=r"1\.pcapng: byte"):
        make_tables(out, paths, [lamp])
    index = find_index(out)
    names = [each.name for each in index.captures] if index else []
    assert "1.pcapng" not in names
    assert files_in(out) == sorted(
        [
            *(["packets.json"] if names else []),
            *(f"packets/device=lamp/{name}.parquet" for name in names),
            *(f"flows/device=lamp/{name}.parquet" for name in names),
        ]
    )


def test_an_interruption_leaves_no_half_written_table(
    craft, write, lamp, tmp_path, monkeypatch
):
    monkeypatch.setattr(runs, "BUFFERED", 8)
    path = write([(s, craft.udp4(b"x")) for s in range(50)])
    out = tmp_path / "out"

    def interrupt(_size_b):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_tables(out, [path], [lamp], progress=interrupt)
    assert list(out.iterdir()) == []


def test_what_a_kill_left_beside_whole_tables_goes_with_the_next_look(
    craft, write, lamp, tmp_path
):
    path = write([(1, craft.udp4(b"x"))])
    out = tmp_path / "out"
    make_tables(out, [path], [lamp])
    whole = sorted(out.rglob("*.parquet"))
    for table in whole:
        table.with_name(f"{table.name}.0123456789ab.part").write_bytes(b"half")
    make_tables(out, [path], [lamp])
    assert whole
    assert sorted(p for p in out.rglob("*.p*") if p.suffix != ".json") == whole


def test_a_table_that_cannot_even_be_closed_is_removed(
    craft, write, lamp, tmp_path, monkeypatch
):
    class Full(runs.pq.ParquetWriter):
        def write_table(self, *_table, **_options):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs.pq, "ParquetWriter", Full)
    out = tmp_path / "out"
    path = write([(1, craft.udp4(b"x"))])
    with pytest.raises(OSError, match="No space left"):
        tabulate_capture(CaptureJob(path=path, devices=(lamp,), folder=out))
    assert files_in(out) == []


def test_an_index_that_cannot_be_written_leaves_no_part(tmp_path, monkeypatch):
    def full(_path, _target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_index(tmp_path, Index(devices={}, captures=()))
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_a_capture_can_be_sent_to_another_process():
    sent = copy.copy(CaptureError("a.pcap", 7, "is odd"))  # as pickle does it
    assert (str(sent.path), sent.offset, sent.reason) == ("a.pcap", 7, "is odd")


def test_tables_that_nobody_names_are_removed(craft, write, lamp, tmp_path):
    folder = tmp_path / "packets" / "device=lamp"
    folder.mkdir(parents=True)
    for name in ("part-00000.parquet", "old.part"):
        (folder / name).write_bytes(b"of an older version")
    (folder / "notes.txt").write_text("mine")
    make_tables(tmp_path, [write([(0, craft.udp4(b"x"))], name="a.pcap")], [lamp])
    assert sorted(p.name for p in folder.iterdir()) == ["a.pcap.parquet", "notes.txt"]


def test_a_capture_that_was_taken_away_leaves_the_tables(craft, write, lamp, tmp_path):
    one, two = (write([(s, craft.udp4(b"x"))], name=f"{s}.pcap") for s in range(2))
    make_tables(tmp_path, [one, two], [lamp])
    index = make_tables(tmp_path, [two], [lamp])
    assert [each.name for each in index.captures] == ["1.pcap"]
    assert load_packets(tmp_path, "lamp").captures == ("1.pcap",)
    assert files_in(tmp_path / "packets") == ["device=lamp/1.pcap.parquet"]


def test_after_a_copy_a_capture_is_looked_at_once(
    craft, write, lamp, tmp_path, monkeypatch
):
    path = write([(0, craft.udp4(b"x"))])
    make_tables(tmp_path, [path], [lamp])
    os.utime(path, ns=(1, 1))
    before = (tmp_path / "packets.json").read_bytes()
    make_tables(tmp_path, [path], [lamp])  # a small one changes nothing
    assert (tmp_path / "packets.json").read_bytes() == before
    monkeypatch.setattr("analysis.packets.make._QUICKLY_B", 1)
    looked = []
    monkeypatch.setattr(
        "analysis.packets.index.digest_of",
        lambda path: looked.append(path) or digest_of(path),
    )
    for _ in range(3):
        make_tables(tmp_path, [path], [lamp])
    assert looked == [path]


def test_within_a_bag_looking_at_captures_changes_nothing(
    craft, write, lamp, tmp_path, monkeypatch
):
    monkeypatch.setattr("analysis.packets.make._QUICKLY_B", 1)
    folder = tmp_path / "bag" / "data" / "campaigns" / "march"
    path = write([(0, craft.udp4(b"x"))])
    make_tables(folder, [path], [lamp])
    os.utime(path, ns=(1, 1))
    before = (folder / "packets.json").read_bytes()
    (tmp_path / "bag" / "bagit.txt").touch()
    make_tables(folder, [path], [lamp])
    assert (folder / "packets.json").read_bytes() == before
    (tmp_path / "bag" / "bagit.txt").unlink()
    make_tables(folder, [path], [lamp])
    assert (folder / "packets.json").read_bytes() != before


def test_a_table_that_lost_its_end_is_made_again(craft, write, lamp, tmp_path):
    path = write([(0, craft.udp4(b"x"))], name="a.pcap")
    for kind in ("packets", "flows"):
        make_tables(tmp_path, [path], [lamp])
        table = tmp_path / kind / "device=lamp" / "a.pcap.parquet"
        whole = table.read_bytes()
        table.write_bytes(b"")
        make_tables(tmp_path, [path], [lamp])
        assert table.read_bytes() == whole


def test_two_makers_of_one_folder_do_not_meet(craft, write, lamp, tmp_path):
    path = write([(0, craft.udp4(b"x"))])
    place = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(place, fcntl.LOCK_EX)
    with pytest.raises(DatasetError, match="another process is making"):
        make_tables(tmp_path, [path], [lamp])
    os.close(place)
    make_tables(tmp_path, [path], [lamp])


def test_tables_of_an_older_reader_can_be_read_and_are_not_current(campaign, craft):
    folder = campaign([[(0, craft.udp4(b"x"))]], [(3, {})])
    devices = load_campaign(folder).devices
    make_tables(folder, find_raw(folder), devices)
    path = folder / "packets.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "reader": 1}))
    assert len(load_packets(folder, devices[0].name)) == 1
    assert not is_current(folder, devices)
    shutil.rmtree(folder / "raw")
    assert is_current(folder, devices)
    path.write_text(json.dumps({**data, "format": 1}))
    with pytest.raises(DatasetError, match="run testbed packets"):
        load_packets(folder, devices[0].name)


def test_all_damaged_captures_are_named(craft, write, lamp, tmp_path):
    paths = [write([(s, craft.udp4(b"x"))], name=f"{s}.pcapng") for s in range(2)]
    for path in paths:
        path.write_bytes(path.read_bytes() + bytes([6, 0, 0, 0, 13]) + bytes(60))
    started = threading.Barrier(2)

    def together(jobs, progress):
        def told(size_b):
            with contextlib.suppress(threading.BrokenBarrierError):
                started.wait(60)
            progress(size_b)

        return run_here(jobs, told)

    with pytest.raises(DatasetError) as caught:
        make_tables(tmp_path / "out", paths, [lamp], run=together)
    assert all(f"{n}.pcapng: byte" in str(caught.value) for n in range(2))


def test_a_table_names_only_the_endpoints_of_its_device(craft, write, tmp_path):
    other = "02:00:00:00:00:12"
    frames = [craft.udp4(b"x"), craft.ether(0x86DD, craft.ipv6(17, b""), src=other)]
    path = write(list(enumerate(frames)))
    devices = [Device(name="lamp", mac=craft.lamp), Device(name="plug", mac=other)]
    make_tables(tmp_path, [path], devices)
    remotes = [load_packets(tmp_path, each.name).remotes for each in devices]
    assert [len(each) for each in remotes] == [1, 1]
    assert remotes[0] != remotes[1]


def test_a_mac_of_zeros_is_no_mac(craft, tmp_path):
    path = tmp_path / "a.pcapng"
    with open_capture(path, interfaces=[Interface(link=101)]) as capture:
        capture.packet(1, craft.udp4(b"x")[14:])
        capture.packet(2, craft.ipv4(17, craft.udp(b"y"), src="10.9.9.9"))
    lamp = Device(name="lamp", mac="00:00:00:00:00:00", ip="10.77.0.11")
    make_tables(tmp_path, [path], [lamp])
    assert load_packets(tmp_path, "lamp").outbound.tolist() == [True]


def test_two_captures_of_one_name_are_refused(craft, write, lamp, tmp_path):
    path = write([(0, craft.udp4(b"x"))])
    with pytest.raises(DatasetError, match="have one name; rename one"):
        make_tables(tmp_path, [path, path], [lamp])
    run = write([(0, craft.udp4(b"x"))], name=f"{path.name}.run1")
    with pytest.raises(DatasetError, match="would have one table; rename one"):
        make_tables(tmp_path, [path, run], [lamp])


@pytest.mark.parametrize(
    ("pack", "suffix"),
    [(gzip.compress, ".gz"), (zstandard.ZstdCompressor().compress, ".zst")],
)
def test_packed_captures_give_the_same_table(
    craft, write, lamp, tmp_path, pack, suffix
):
    path = write([(s, craft.tcp4(bytes(s), seq=s)) for s in range(50)])
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(pack(path.read_bytes()))
    tables = []
    for number, capture in enumerate((path, packed)):
        make_tables(tmp_path / str(number), [capture], [lamp])
        tables.append(load_packets(tmp_path / str(number), "lamp"))
    for name in COLUMNS:
        assert np.array_equal(*(getattr(table, name) for table in tables)), name


def test_a_capture_of_another_link_type_is_refused_by_its_number(craft, lamp, tmp_path):
    path = tmp_path / "usb.pcapng"
    links = [Interface(link=WIRED_OVER_USB), Interface(link=1)]
    with open_capture(path, interfaces=links) as capture:
        capture.packet(1, bytes(64), interface=0)
    with pytest.raises(CaptureError, match="link type 189"):
        make_tables(tmp_path / "out", [path], [lamp])
    with open_capture(path, interfaces=links) as capture:
        capture.packet(1, bytes(64), interface=0)
        capture.packet(2, craft.udp4(b"x"), interface=1)
    (part,) = make_tables(tmp_path / "out", [path], [lamp]).captures
    assert (part.n_foreign, part.n_frames) == (1, 2)
