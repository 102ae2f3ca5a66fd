import gzip
import io
import os
import random
import re
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pcap import source
from analysis.pcap.decode import decode_batch
from analysis.pcap.errors import CaptureError
from analysis.pcap.link import DECODED
from analysis.pcap.links import name_of
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.zstd_frames import FrameWalk

DEADLINE_S = 5  # of processor time: the machine may be busy
FIELDS = ("time_ns", "captured_b", "length_b", "interface", "link")


def read(path, data=None):
    """Read all of a capture; return its columns, its packets and the stream."""
    columns = {name: [] for name in FIELDS}
    packets = []
    others = []
    file = None if data is None else io.BytesIO(data)
    with open_capture_stream(path, file) as stream:
        for batch in stream:
            assert batch.first_frame == len(packets)
            for name in FIELDS:
                columns[name] += getattr(batch, name).tolist()
            for at, size in zip(batch.start, batch.captured_b, strict=True):
                packets.append(batch.data[at : at + size].tobytes())
            others += [(batch.first_frame + row, block) for row, block in batch.others]
            assert len(decode_batch(batch)) == len(batch)
    return columns, packets, others, stream


@pytest.fixture
def odd(from_bench):
    """Return a maker of seeded captures of odd packets, of a format."""
    made = from_bench("tests.bench.odd")
    seeds = from_bench("tests.bench.seeds")

    def _odd(form, n, seed=1):
        rng = random.Random(seed)
        if form == "pcapng":
            return b"".join(made.odd_capture(rng, n, order=rng.choice("<>")))
        frames = made.OddFrames(rng)
        data = [frames.frame(1) for _ in range(n)]
        return seeds.pcap(rng.choice("<>"), (0xA1B2C3D4, 10**6), data, 1)

    return _odd


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    st.sampled_from(["pcap", "pcapng"]),
    st.integers(64, 5000),
    st.integers(0, 3000),
    st.integers(1, 50),
)
def test_any_size_of_chunks_gives_the_same_packets(
    odd_file, form, chunk_b, room_b, batch
):
    path, whole = odd_file[form]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(source, "CHUNK_B", chunk_b)
        patched.setattr(source, "_ROOM_B", room_b)
        patched.setattr("analysis.pcap.walk._BATCH", batch)
        columns, packets, others, stream = read(path)
    assert packets == whole[1]
    assert columns == whole[0]
    assert others == whole[2]
    assert (stream.digest, stream.size_b) == (whole[3].digest, path.stat().st_size)
    assert stream.truncated_at is None


@pytest.fixture(scope="module")
def odd_file(tmp_path_factory, from_bench):
    odd, seeds = from_bench("tests.bench.odd"), from_bench("tests.bench.seeds")
    rng = random.Random(7)
    frames = odd.OddFrames(rng)
    ethernet = [frames.frame(1) for _ in range(300)]
    data = {
        "pcapng": b"".join(odd.odd_capture(rng, 300, ">")),
        "pcap": seeds.pcap("<", (0xA1B23C4D, 10**9), ethernet, 1),
    }
    files = {}
    for form, content in data.items():
        path = tmp_path_factory.mktemp("odd") / f"a.{form}"
        path.write_bytes(content)
        files[form] = path, read(path)
        assert len(files[form][1][1]) == 300
    return files


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_packet_larger_than_a_chunk_is_put_together(from_bench, monkeypatch, form):
    seeds = from_bench("tests.bench.seeds")
    frames = [bytes([n]) * size for n, size in enumerate((9, 200_000, 3, 90_001, 0))]
    magic = (0xA1B2C3D4, 10**6)
    data = (
        seeds.pcap("<", magic, frames, 1)
        if form == "pcap"
        else seeds.pcapng(">", frames, 1)
    )
    for chunk_b in (4096, 50_000, 200_016):
        monkeypatch.setattr(source, "CHUNK_B", chunk_b)
        monkeypatch.setattr(source, "_ROOM_B", 1000)
        assert read(Path("a"), data)[1] == frames


def packed(kind, *parts):
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress}[kind]
    return b"".join(pack(part) for part in parts)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_members_of_a_packed_file_follow_each_other(odd, kind, form):
    whole = odd(form, 50)
    plain = read(Path("a"), whole)
    for cut in (1, 24, 100, len(whole) - 1):
        columns, packets, _others, stream = read(
            Path("a"), packed(kind, whole[:cut], whole[cut : cut + 7], whole[cut + 7 :])
        )
        assert (columns, packets) == plain[:2]
        assert stream.packed == kind
        assert stream.truncated_at is None
        assert stream.size_b != len(whole)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_packed_file_that_is_cut_gives_what_came_before_and_says_so(odd, kind):
    whole = odd("pcap", 400)
    plain = read(Path("a"), whole)[1]
    first_b = 24 + sum(16 + len(packet) for packet in plain[:30])  # ends with a packet
    data = packed(kind, whole[:first_b], whole[first_b:])
    end = len(packed(kind, whole[:first_b]))
    for size in [*range(end - 3, end + 20), *range(end + 20, len(data), 97)]:
        if kind == "zstd" and size < end:
            continue  # nothing comes out of a part of a block
        _columns, packets, _others, stream = read(Path("a"), data[:size])
        assert packets == plain[: len(packets)]
        assert len(packets) >= 30 or size < end
        assert (stream.truncated_at is None) == (size == end), size


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_packed_file_of_which_nothing_comes_out_is_one_sentence(odd, kind):
    data = packed(kind, odd("pcap", 40))
    for size in (4, 5, 8, 12):
        with pytest.raises(CaptureError) as caught:
            read(Path("a"), data[:size])
        reason = f"is packed with {kind} and ends before the capture begins"
        assert str(caught.value) == f"a: byte {size}: {reason}"
    with pytest.raises(CaptureError, match=f"is packed with {kind} and holds nothing"):
        read(Path("a"), packed(kind, b""))


@pytest.mark.parametrize("level", [1, 19])
@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("size_known", [False, True])
def test_the_end_of_zstd_frames_is_told(level, checksum, size_known):
    rng = random.Random(level)
    noise = rng.randbytes(300_000)
    pack = zstandard.ZstdCompressor(
        level=level, write_checksum=checksum, write_content_size=size_known
    )
    skippable = struct.pack("<II", 0x184D2A53, 5) + b"aside"
    made = [pack.compress(part) for part in (b"a" * 500_000, noise, b"short", b"")]
    ends = {0}
    data = b""
    for part in (*made, skippable):
        data += part
        ends.add(len(data))
    for size in sorted(ends | {end - 1 for end in ends if end} | {7, len(data) // 2}):
        walk = FrameWalk()
        for at in range(0, size, 1001):
            walk.feed(memoryview(data)[at : min(at + 1001, size)])
        assert walk.complete == (size in ends)


def test_damage_inside_of_a_packed_file_is_one_sentence(odd):
    for kind in ("gzip", "zstd"):
        data = bytearray(packed(kind, odd("pcap", 400)))
        data[len(data) // 2] ^= 0xFF
        data[len(data) // 2 + 9] ^= 0xFF
        with pytest.raises(CaptureError, match=f"{kind} is damaged|cannot be"):
            read(Path("a"), bytes(data))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("decimals", [0, 3, 6, 9, 12, 0x80, 0x94, 0x9E, 0xA0])
def test_stamps_of_any_resolution_are_those_of_tshark(
    tmp_path, from_bench, tshark, order, decimals
):
    seeds = from_bench("tests.bench.seeds")
    per_s = 2 ** (decimals & 127) if decimals & 128 else 10**decimals
    offset = struct.pack(order + "q", -7200)
    data = seeds.section(order)
    data += seeds.interface(order, 1, [(9, bytes([decimals]))])
    data += seeds.interface(order, 1, [(9, bytes([decimals])), (14, offset)])
    second = 1_700_000_000 if decimals != 12 else 1_700_000
    expected = []
    for n in range(20):
        ticks = second * per_s + n * (per_s // 21) + min(n, per_s - 1)
        data += seeds.packet(order, n % 2, ticks, bytes(60))
        expected.append(ticks * 10**9 // per_s - (7200 * 10**9 if n % 2 else 0))
    path = tmp_path / "a.pcapng"
    path.write_bytes(data)
    rows = tshark(path, "frame.time_epoch")
    theirs = [int(row["frame.time_epoch"].replace(".", "")) for row in rows]
    assert read(path)[0]["time_ns"] == expected
    if decimals != 12:  # there tshark 4.0 multiplies beyond 64 bits
        assert theirs == expected


def test_simple_and_old_packet_blocks_are_as_in_tshark(tmp_path, from_bench, tshark):
    seeds = from_bench("tests.bench.seeds")
    frames = [bytes([n]) * (n * 13) for n in range(1, 9)]
    for order in "<>":
        path = tmp_path / "a.pcapng"
        path.write_bytes(seeds.simple_and_old(order, frames))
        columns = read(path)[0]
        rows = tshark(path, "frame.cap_len", "frame.len", "frame.time_epoch")
        for name, of in (("captured_b", "frame.cap_len"), ("length_b", "frame.len")):
            assert columns[name] == [int(row[of]) for row in rows]
        stamps = [row["frame.time_epoch"].replace(".", "") or "0" for row in rows]
        assert columns["time_ns"] == [int(stamp) for stamp in stamps]


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
@pytest.mark.parametrize("zeros", [1, 15, 16, 17, 31, 32, 4096, 3_000_000])
def test_zeros_at_the_end_are_said_to_be_cut_off(odd, form, zeros):
    whole = odd(form, 20)
    _columns, packets, _others, stream = read(Path("a"), whole + bytes(zeros))
    if form == "pcap" and zeros in (16, 17, 31):  # an empty packet of 1970 looks so
        assert len(packets) == 21
        assert stream.truncated_at == (None if zeros == 16 else len(whole) + 16)
        return
    assert len(packets) == 20
    assert stream.truncated_at == len(whole)


def test_what_is_no_file_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(CaptureError, match="cannot be read: Is a directory"):
        read(tmp_path)
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(CaptureError, match="is empty"):
        read(empty)
    with pytest.raises(CaptureError, match="ends inside the file header"):
        read(Path("a"), b"\xd4\xc3\xb2\xa1")

    def forbidden(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(CaptureError, match="cannot be read: Permission denied"):
        read(empty)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_file_of_somebody_else_is_one_sentence(tmp_path, odd):
    path = tmp_path / "secret.pcap"
    path.write_bytes(odd("pcap", 3))
    path.chmod(0)
    code = (
        "import os, sys; from pathlib import Path;"
        "from analysis.pcap.stream import open_capture_stream as o;"
        "from analysis.pcap.errors import CaptureError;"
        "file = Path(sys.argv[1]); os.chdir(file.parent); os.setuid(65534)\n"
        "try: o(Path(file.name)).__enter__()\n"
        "except CaptureError as exc: sys.exit(str(exc))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "secret.pcap: cannot be read: Permission denied\n"


def test_a_pipe_is_read_while_it_is_written(tmp_path, odd):
    whole = odd("pcapng", 500)
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write():
        with path.open("wb", buffering=0) as file:
            for at in range(0, len(whole), 1000):
                file.write(whole[at : at + 1000])

    thread = threading.Thread(target=write)
    thread.start()
    columns, packets, _others, stream = read(path)
    thread.join()
    plain = read(Path("a"), whole)
    assert (columns, packets) == plain[:2]
    assert stream.size_b == len(whole)


CAPTURE = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1")
CAPTURE += (b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a")


def first_bytes(path):
    with path.open("rb") as file:
        return file.read(4)


def counts_of_capinfos(paths):
    command = ["capinfos", "-T", "-r", "-c", "-M", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (line.split("\t") for line in done.stdout.splitlines())
    counts = {Path(name): int(count) for name, count in lines}
    complained = {Path(name) for name in re.findall(r'"([^"]+)"', done.stderr)}
    return counts, complained


def test_public_captures_meant_to_break_readers(public_data):
    paths = sorted(
        path
        for path in (public_data / "pcap-robustness").rglob("*")
        if path.is_file() and first_bytes(path) in CAPTURE
    )
    assert len(paths) > 250
    counts, _complained = counts_of_capinfos(paths)
    unlike, faults, foreign = [], {}, set()
    for path in paths:
        begun = time.process_time()
        n, fault, links = 0, "", set()
        try:
            with open_capture_stream(path) as stream:
                for batch in stream:
                    decode_batch(batch)
                    n += len(batch)
                    links |= set(np.unique(batch.link).tolist())
                if stream.truncated_at is not None:
                    fault = f"cut at {stream.truncated_at}"
        except CaptureError as exc:
            fault = str(exc).removeprefix(f"{path}: ")
        assert time.process_time() - begun < DEADLINE_S, path
        foreign |= links - DECODED
        if fault:
            assert re.match(r"(byte|cut at) \d+", fault), fault
            faults[path.name] = fault
        # capinfos says nothing of link types that it does not know
        elif path in counts and counts[path] != n:
            unlike.append((path.name, counts[path], n))
    assert unlike == []
    assert all("unknown" not in name_of(link) for link in foreign - {132}), foreign
    assert len(faults) < len(paths) // 20, faults


def test_frames_of_nothing_but_chance_are_decoded_within_their_bytes(from_bench):
    seeds = from_bench("tests.bench.seeds")
    rng = random.Random(3)
    for link in [*sorted(DECODED), 9, 999]:
        frames = [rng.randbytes(rng.randrange(120)) for _ in range(200)]
        data = seeds.pcap("<", (0xA1B2C3D4, 10**6), frames, link)
        assert read(Path("a"), data)[1] == frames


def test_many_interfaces_and_sections_cost_no_more_each_than_a_few(from_bench):
    seeds = from_bench("tests.bench.seeds")
    links = [1, 101, 113] * 10_000
    data = seeds.section("<") + b"".join(seeds.interface("<", each) for each in links)
    data += seeds.packet("<", 29_999, 5, bytes(30))
    data += seeds.packet("<", 29_998, 5, bytes(30))
    data += (seeds.section(">") + seeds.interface(">", 228)) * 10_000
    data += seeds.packet(">", 0, 7_000_000, bytes(30))
    begun = time.process_time()
    columns, packets, _others, stream = read(Path("a"), data)
    assert time.process_time() - begun < DEADLINE_S
    assert columns["link"] == [113, 101, 228]
    assert columns["interface"] == [29_999, 29_998, 39_999]
    assert columns["time_ns"] == [5_000, 5_000, 7_000_000_000]
    assert [each.link for each in stream.interfaces[:30_000]] == links
    assert len(packets) == 3


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("damaged", [0, 1, 3, 5])
def test_a_block_that_ends_with_another_length_is_damage(from_bench, order, damaged):
    seeds = from_bench("tests.bench.seeds")
    blocks = [seeds.section(order), seeds.interface(order, 1)]
    blocks += [seeds.packet(order, 0, n, bytes(30)) for n in range(4)]
    before_b = sum(len(block) for block in blocks[:damaged])
    size = len(blocks[damaged])
    wrong = struct.pack(order + "I", size + 4)
    blocks[damaged] = blocks[damaged][:-4] + wrong
    with pytest.raises(CaptureError) as caught:
        read(Path("a"), b"".join(blocks))
    reason = f"a block of {size} bytes ends with another length"
    assert str(caught.value) == f"a: byte {before_b}: {reason}"


def test_damaged_captures_have_as_many_packets_as_capinfos_counts(tmp_path, from_bench):
    mutated = from_bench("tests.bench.fuzz").mutated
    packings = (b"\x1f\x8b", b"\x28\xb5")
    seeds = [
        data
        for data in from_bench("tests.bench.seeds").crafted(5)
        if not data.startswith(packings)
    ]
    ours = {}
    for number in range(600):
        path = tmp_path / f"{number}"
        path.write_bytes(mutated(random.Random(f"count {number}"), seeds))
        try:
            _columns, packets, _others, stream = read(path)
        except CaptureError:
            continue  # a stated fault
        if stream.truncated_at is None:
            ours[path] = len(packets)
    theirs, complained = counts_of_capinfos(sorted(ours))
    both = (ours.keys() & theirs.keys()) - complained
    assert {path: ours[path] for path in both} == {path: theirs[path] for path in both}
    # capinfos stops at damaged options, names and secrets, and at some link types
    assert len(both) > 100
    assert len(ours) - len(both) < len(both) / 10


@pytest.mark.parametrize(
    ("head", "packed"),
    [(b"\xfd7zXZ\0", "xz"), (b"BZh9", "bzip2"), (b"PK\x03\x04", "zip")],
)
def test_other_packings_are_named_with_the_remedy(tmp_path, head, packed):
    path = tmp_path / "a.pcap"
    path.write_bytes(head + bytes(40))
    told = pytest.raises(CaptureError, match=f"packed with {packed}; unpack it first")
    with told, open_capture_stream(path):
        pass
