import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from analysis.pcap import npz


def head(descr="|u1", shape="(10,)", version=1):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text = text if descr.startswith(("[", "'")) else text.replace(descr, f"'{descr}'")
    said = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(said)) + said


def archive(parts, how=zipfile.ZIP_DEFLATED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as packed:
        for name, data in parts:
            packed.writestr(name, data)
    return made


def read(file, name="a", dtype=None, most_b=1 << 20):
    with npz.open_arrays(file, most_b=most_b) as held:
        return held.array(name, dtype)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote_is_read_as_it_was(save):
    wide = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    truths = np.array([True, False])
    file = io.BytesIO()
    save(file, wide=wide, truths=truths, none=np.zeros(0, np.int32))
    assert read(file, "wide").tolist() == wide.tolist()
    assert read(file, "truths", np.bool_).tolist() == [True, False]
    assert read(file, "none", np.int32).size == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (head(shape=f"({1 << 42},)") + bytes(10), "not as large as its head claims"),
        (head(shape=f"({1 << 22}, {1 << 40})") + bytes(10), "not as large"),
        (head(shape="(-2, -5)") + bytes(10), "not as large as its head claims"),
        (head(shape="(9,)") + bytes(10), "not as large as its head claims"),
        (head("|O"), "holds no numbers"),
        (head("<U4"), "holds no numbers"),
        (head("[('x', '<f8')]"), "holds no numbers"),
        (head(version=3), "of a format that is not ours"),
        (head("|b1") + bytes(9) + b"\x02", "neither true nor false"),
        (head()[:20], "holds no arrays, or is damaged"),
        (head(shape="[" * 60 + "]" * 60), "holds no arrays, or is damaged"),
        (b"cos\nsystem\n(S'true'\ntR.", "holds no arrays, or is damaged"),
        (b"", "holds no arrays, or is damaged"),
    ],
)
def test_an_array_that_is_not_what_it_claims_is_refused_before_memory_is_taken(
    data, said
):
    file = archive([("a.npy", data)])
    tracemalloc.start()
    with pytest.raises(npz.ArraysError, match=said):
        read(file)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_an_array_of_another_type_than_was_asked_for_is_refused():
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3, np.int64))
    with pytest.raises(npz.ArraysError, match="a is of another type"):
        read(file, dtype=np.float64)
    with pytest.raises(npz.ArraysError, match="has no b"):
        read(file, "b")


def test_more_than_was_allowed_is_refused_before_it_is_unpacked():
    file = archive([("a.npy", head(shape=f"({1 << 24},)") + bytes(1 << 24))])
    assert len(file.getvalue()) < 1 << 16
    with pytest.raises(npz.TooLargeError) as told:
        read(file)
    assert told.value.size_b > 1 << 24


def test_a_size_that_the_list_of_files_makes_smaller_is_all_that_is_unpacked():
    body = head() + bytes(10)
    file = archive([("a.npy", body + bytes(1 << 24))])
    data = bytearray(file.getvalue())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", len(body))
    with pytest.raises(npz.ArraysError, match="damaged"):  # by its checksum
        read(io.BytesIO(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no archive"),
        (b"PK", "no archive"),
        (b"\x93NUMPY" + bytes(90), "no archive"),
        (archive([("a.npy", head() + bytes(10))]).getvalue()[:-9], "cut short"),
        (archive([("a.npy", head() + bytes(10))]).getvalue()[60:], "damaged"),
        (archive([("a.npy", b"x"), ("a", b"y")]).getvalue(), "two arrays of one name"),
        (archive([("a.npy", b"x")], zipfile.ZIP_LZMA).getvalue(), "packed in a way"),
        (archive([(f"{k}{'x' * 900}", b"") for k in range(1200)]).getvalue(), "lists"),
    ],
)
def test_what_is_no_archive_of_arrays_is_refused(data, said):
    with pytest.raises(npz.ArraysError, match=said):
        read(io.BytesIO(data))


def test_a_name_with_a_path_in_it_is_a_name_and_writes_nothing(tmp_path, monkeypatch):
    below = tmp_path / "one" / "two"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    file = archive([("../../a.npy", head() + bytes(10)), ("/b.npy", b"")])
    with npz.open_arrays(file, most_b=1 << 20) as held:
        assert held.names == {"../../a", "/b"}
        assert held.array("../../a").size == 10
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
