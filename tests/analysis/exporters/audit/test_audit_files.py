import base64
import gzip
import io
import json
import zipfile
import zlib

import numpy as np
import polars as pl
import pytest
import yaml
import zstandard

from analysis.exporters.audit import UNREAD, audit
from analysis.exporters.identifiers import Identifier

HIDDEN = "Vinterljus-Bergstrand-77"
TOLD = (Identifier(kind="secret", value=HIDDEN),)


def found(folder, told=TOLD):
    return [(f.file, f.encoding, f.place) for f in audit(folder, told).findings]


def png(text):
    def chunk(kind, data):
        body = kind + data
        return len(data).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)

    packed = b"Comment\0\0" + zlib.compress(text)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13))
    return head + chunk(b"zTXt", packed) + chunk(b"IEND", b"")


def zipped(text):
    inside, outside = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes/a.txt", text * 3)
    with zipfile.ZipFile(outside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.zip", inside.getvalue())
    return outside.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", HIDDEN.encode()),
        ("a.txt", HIDDEN.swapcase().encode()),
        ("a.bin", HIDDEN.encode("utf-16-be")),
        ("a.gz", gzip.compress(HIDDEN.encode() * 3, mtime=0)),
        ("a.csv.zst", zstandard.compress(HIDDEN.encode() * 3)),
        ("a.zip", zipped(HIDDEN.encode())),
        ("a.png", png(HIDDEN.encode())),
        ("a.svg", b"<svg><desc>" + HIDDEN.encode() + b"</desc></svg>"),
        ("a.txt", base64.b64encode(gzip.compress(b"x=" + HIDDEN.encode(), mtime=0))),
        ("a.jsonl", b"{}\n" + json.dumps([HIDDEN]).replace("j", "\\u006a").encode()),
        ("a.json", json.dumps({"k": HIDDEN}).replace("j", "\\u006a").encode()),
    ],
)
def test_a_secret_is_found_in_any_file(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert found(tmp_path)


def test_a_secret_is_found_in_a_column_and_a_folded_text_in_a_document(tmp_path):
    rows = [f"row {k} of many that look alike" for k in range(2000)] + [HIDDEN]
    frame = pl.DataFrame({"n": range(2001), "said": rows})
    frame.write_parquet(tmp_path / "t.parquet", compression="zstd")
    person = Identifier(kind="person", value="Sixten Alarik Bergstrand af Ugglas")
    text = yaml.safe_dump({"by": f"made by {person.value} on a long day"}, width=30)
    assert person.value not in text
    (tmp_path / "d.yaml").write_text(text)
    files = {f for f, _, _ in found(tmp_path, (*TOLD, person))}
    assert files == {"t.parquet", "d.yaml"}


def test_a_secret_is_found_in_the_name_of_a_file_and_of_a_folder(tmp_path):
    (tmp_path / HIDDEN).mkdir()
    (tmp_path / HIDDEN / "a.txt").write_text("nothing")
    ((_, _, place),) = found(tmp_path)
    assert place == "the name of the file"


def test_a_secret_is_found_on_every_border_of_two_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.exporters.audit.looking._PIECE_B", 1 << 17)
    rng = np.random.default_rng(2)
    places = [k * (1 << 16) - j for k in (1, 2, 3) for j in range(0, 25, 5)]
    for number, at in enumerate(places):
        data = bytearray(rng.bytes(1 << 18))
        data[at : at + len(HIDDEN)] = HIDDEN.encode()
        (tmp_path / f"{number:02}.bin").write_bytes(data)
    result = audit(tmp_path, TOLD)
    assert len({f.file for f in result.findings}) == len(places)
    assert all(f.n == 1 for f in result.findings)


def test_what_stands_before_a_border_still_counts_as_an_edge(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.exporters.audit.looking._PIECE_B", 1 << 17)
    told = (Identifier(kind="ipv4", value="10.77.0.1"),)
    for at in range((1 << 16) - 2, (1 << 16) + 2):
        data = bytearray(b" " * (1 << 18))
        data[at : at + 10] = b"110.77.0.1"
        (tmp_path / "a.txt").write_bytes(data)
        assert found(tmp_path, told) == []


def test_a_secret_is_found_far_within_one_long_run_of_base64(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.exporters.audit.looking._PIECE_B", 1 << 17)
    data = bytearray(np.random.default_rng(3).bytes(600_000))
    data[500_000 : 500_000 + len(HIDDEN)] = HIDDEN.encode()
    (tmp_path / "a.txt").write_bytes(base64.b64encode(data))
    assert "utf-8 in base64" in {encoding for _, encoding, _ in found(tmp_path)}


def test_numbers_are_no_addresses_of_many_zeros(tmp_path):
    numbers = pl.DataFrame({"n": [0x0A000001, 0x0100000A] * 500})
    numbers.write_parquet(tmp_path / "n.parquet", compression="uncompressed")
    (tmp_path / "n.bin").write_bytes(bytes.fromhex("000000000a000001") * 9)
    assert found(tmp_path, (Identifier(kind="ipv4", value="10.0.0.1"),)) == []


def test_a_clean_folder_is_clean_and_says_what_was_looked_at(tmp_path):
    (tmp_path / "a.txt").write_text("nothing to see")
    steps = []
    result = audit(tmp_path, TOLD, progress=lambda *each: steps.append(each))
    assert result.clean
    assert result.looked_at.files == 1
    assert result.by_kind == {"secret": 1}
    assert steps == [(14, 14)]


def test_an_identifier_that_no_search_can_find_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("vm 766d")
    told = (*TOLD, Identifier(kind="hostname", value="vm"))
    result = audit(tmp_path, told)
    assert result.too_short == (("hostname", 1),)
    assert result.clean


def test_what_is_damaged_is_searched_as_bytes_and_refused(tmp_path):
    (tmp_path / "a.pcapng").write_bytes(b"\x0a\x0d\x0d\x0a" + HIDDEN.encode() * 2)
    (tmp_path / "b.parquet").write_bytes(b"PAR1" + HIDDEN.encode())
    (tmp_path / "c.gz").write_bytes(gzip.compress(HIDDEN.encode(), mtime=0)[:-9])
    result = audit(tmp_path, TOLD)
    of_secret = {f.file for f in result.findings if f.kind == "secret"}
    assert of_secret == {"a.pcapng", "b.parquet"}
    unread = [f.file for f in result.findings if f.kind == UNREAD]
    assert unread == ["a.pcapng", "b.parquet", "c.gz"]


def test_zeros_in_base64_are_no_address_that_is_hardly_more(tmp_path):
    told = (Identifier(kind="mac", value="02:00:00:00:00:01"),)
    (tmp_path / "schema.txt").write_text("/////IAAAAAAAAAKAAwABgAFAAgACgAAAAAB")
    assert found(tmp_path, told) == []
    (tmp_path / "mac.txt").write_text("at 02-00-00-00-00-01")
    assert [name for name, *_ in found(tmp_path, told)] == ["mac.txt"]
