"""How a dataset comes about, and what makes it come about not at all."""

import json
import shutil
import struct
from pathlib import Path

import pytest

from analysis.errors import AnalysisError, DatasetError, RequestError
from analysis.exporters.anonymise import Counts, Policy
from analysis.exporters.audit import audit
from analysis.exporters.bundle import (
    About,
    RefusedError,
    captures,
    pipeline,
    publish,
    sealing,
)
from analysis.exporters.bundle.said import TOLD, refuse_said
from analysis.exporters.identifiers import Identifier

EXAMPLE = Path(__file__).parents[4] / "captures" / "example"


def test_what_is_there_is_not_written_over(tmp_path, request_for, watcher):
    request = request_for(tmp_path / "set")
    request.out.mkdir()
    with pytest.raises(RequestError, match="already there"):
        publish(request, watcher)
    assert list(request.out.iterdir()) == []


def test_a_capture_that_was_not_rewritten_is_not_published(
    tmp_path, request_for, watcher, monkeypatch
):
    def copied(source, target, **_options):
        shutil.copyfile(source, target)
        return Counts()

    monkeypatch.setattr(captures, "anonymise_capture_with", copied)
    request = request_for(tmp_path / "set")
    with pytest.raises(AnalysisError):
        publish(request, watcher)
    assert not request.out.exists()


@pytest.mark.usefixtures("_without_tshark")
def test_what_tells_one_original_is_not_published(
    tmp_path, request_for, watcher, monkeypatch
):
    rewritten = captures.anonymise_capture_with
    body = struct.pack("<I", 1) + b"44:65:0d:7b:20:13..."
    size = struct.pack("<I", 12 + len(body))

    def leaking(source, target, **options):
        counts = rewritten(source, target, **options)
        with target.open("ab") as file:
            file.write(struct.pack("<I", 0x0BAD) + size + body + size)
        return counts

    class Telling:
        recipe = {"made_by": "test"}  # noqa: RUF012

        def write(self, campaign, out):
            out.mkdir(parents=True)
            (out / "table.csv").write_text("BCDDC2184418\n")

    monkeypatch.setattr(captures, "anonymise_capture_with", leaking)
    request = request_for(
        tmp_path / "set", results=Telling(), accept=("unread:tshark",)
    )
    with pytest.raises(RefusedError, match=r"set\.draft") as told:
        publish(request, watcher)
    assert not request.out.exists()
    assert not request.parts.exists()
    assert request.draft.is_dir()
    found = told.value.findings
    assert {each.kind for each in found} == {"mac"}
    assert not [each for each in found if "184418" in each.shown]
    files = {each.file.split("/")[0] + "/" + each.file.split("/")[-1] for each in found}
    assert {"campaigns/lan-00001.pcapng", "results/table.csv"} <= files


def test_a_campaign_that_goes_on_is_not_published(
    campaign, tmp_path, request_for, watcher
):
    lines = (campaign / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (campaign / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(DatasetError, match="is not closed"):
        publish(request_for(tmp_path / "set", campaign), watcher)
    # killed: journal and manifest are written at the end, captures may be missing
    for name in ("MANIFEST.sha256", "journal.jsonl", "raw/lan-00001.pcapng"):
        (campaign / name).unlink()
        with pytest.raises(DatasetError, match=r"`testbed resume .*campaign`"):
            publish(request_for(tmp_path / "set", campaign), watcher)


def test_a_damaged_capture_is_not_published(campaign, tmp_path, request_for, watcher):
    path = campaign / "raw" / "lan-00001.pcapng"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="differs from MANIFEST"):
        publish(request_for(tmp_path / "set", campaign), watcher)


def test_a_campaign_is_published_once(campaign, tmp_path, request_for, watcher):
    with pytest.raises(DatasetError, match="are both campaign"):
        publish(request_for(tmp_path / "set", campaign, campaign), watcher)


@pytest.mark.usefixtures("_without_tshark")
def test_a_clock_that_was_not_moved_with_the_rest_is_not_published(
    tmp_path, request_for, watcher, monkeypatch
):
    rewritten = captures.anonymise_capture_with
    body = struct.pack("<I", 1) + b"Date: Mon, 05 Jan 2026 10:00"
    size = struct.pack("<I", 12 + len(body))

    def telling(source, target, **options):
        counts = rewritten(source, target, **options)
        with target.open("ab") as file:
            file.write(struct.pack("<I", 0x0BAD) + size + body + size)
        return counts

    monkeypatch.setattr(captures, "anonymise_capture_with", telling)
    request = request_for(
        tmp_path / "set", shift=True, part_b=0, accept=("unread:tshark",)
    )
    with pytest.raises(RefusedError, match="files tell the day") as told:
        publish(request, watcher)
    names = [Path(each.file).name for each in told.value.findings]
    assert names[-1] == "lan-00001.pcapng"  # and what was labelled of it
    assert not [e for e in told.value.findings if "2026" in e.sentence]


@pytest.mark.usefixtures("_without_tshark")
def test_what_is_written_after_the_audit_is_looked_at_too(
    tmp_path, request_for, watcher, monkeypatch
):
    written = sealing.crate.write_crate

    def telling(data, facts, digests):
        path = written(data, facts, digests)
        mac = "14:91:82:77:00:32"  # of a header of the recording
        path.write_text(path.read_text().replace("Three devices", mac, 1))
        return path

    monkeypatch.setattr(sealing.crate, "write_crate", telling)
    request = request_for(tmp_path / "set", accept=("unread:tshark",), part_b=0)
    with pytest.raises(RefusedError) as refused:
        publish(request, watcher)
    (found,) = refused.value.findings
    assert (found.kind, found.file) == ("mac", "ro-crate-metadata.json")
    assert not request.out.exists()


def test_free_texts_that_stay_are_told_where_strangers_look(published):
    data = published / "data"
    kept = json.loads((data / "anonymisation.json").read_text())["kept"]
    assert kept["device"] == ["echo_dot", "koogeek_plug", "tplink_hs110"]
    assert kept["lab"] == ["virtual_house"]
    assert kept["capture"] == ["lan-#.pcapng"]
    sheet = (data / "datasheet.md").read_text()
    assert "\n- lab: `virtual_house`\n" in sheet
    assert "found in the recording or told by its publisher" in sheet


@pytest.mark.usefixtures("_without_tshark")
def test_headers_alone_can_be_published(tmp_path, request_for, watcher, monkeypatch):
    compared = {}

    def _audit(folder, identifiers, **options):
        compared.update(options.get("originals") or {})
        return audit(folder, identifiers, **options)

    monkeypatch.setattr(sealing, "audit", _audit)
    request = request_for(
        tmp_path / "set",
        policy=Policy(payload="headers"),
        shift=True,
        part_b=0,
        accept=("unread:tshark",),
    )
    publish(request, watcher)
    told = json.loads((request.out / "data" / "anonymisation.json").read_text())
    assert told["policy"]["times"] == "moved by whole weeks"
    texts = [p for p in (request.out).rglob("*") if p.is_file()]
    assert not [p for p in texts if b"2026-01-05" in p.read_bytes()]
    assert not request.parts.exists()
    raw = sorted((request.out / "data" / "campaigns").glob("*/raw/*.pcapng"))
    assert [request.out / "data" / name for name in sorted(compared)] == raw
    assert {path.parent for path in compared.values()} == {EXAMPLE / "raw"}
    (passed,) = told["audit"]["accepted"]
    assert passed["names"] == ["unread:tshark"]
    assert passed["what"].startswith("tshark is not installed")


@pytest.mark.usefixtures("_without_tshark")
def test_without_a_second_reader_no_work_is_begun(tmp_path, request_for, watcher):
    request = request_for(tmp_path / "set", part_b=0, accept=("plain:tcp/80",))
    with pytest.raises(RequestError) as told:
        publish(request, watcher)
    assert str(told.value) == (
        "tshark is not installed, so there would be no second reader; "
        "install tshark 3.0 or later, or --accept 'unread:tshark'"
    )
    assert not request.draft.exists()


@pytest.mark.usefixtures("_without_tshark")
def test_what_was_not_looked_at_is_not_published(
    tmp_path, request_for, watcher, monkeypatch
):
    monkeypatch.setattr(pipeline, "refuse_without_tshark", lambda _: None)
    request = request_for(
        tmp_path / "set",
        policy=Policy(payload="headers"),
        accept=("same:zzz",),
        part_b=0,
    )
    with pytest.raises(RefusedError, match="1 thing was not looked at") as told:
        publish(request, watcher)
    assert told.value.unneeded == ("same:zzz",)
    assert not request.out.exists()
    (finding,) = told.value.findings
    assert "install tshark" in finding.remedy
    assert "--accept 'unread:tshark'" in finding.remedy


@pytest.mark.parametrize(
    ("about", "value", "line"),
    [
        (About(authors=("B. C.", "Ada Byron")), "ada byron", "--author 2: says person"),
        (About(title="A flat of Ada's"), "Ada", "--title: says person"),
        (About(title="The flat of Byron"), "Ada Byron", "--title: says person"),
        (About(answers=(("purpose", "for Ada"),)), "Ada", "--answers: purpose: says"),
        (About(title="QWRhIEJ5cm9uIQ=="), "Ada Byron", "--title: says person"),
    ],
)
def test_whoever_signs_is_no_secret(tmp_path, request_for, watcher, about, value, line):
    told = Identifier(kind="person", value=value, source="told")
    with pytest.raises(RequestError, match="is told as a secret; leave it") as raised:
        publish(request_for(tmp_path / "set", about=about, extra=(told,)), watcher)
    assert str(raised.value).startswith(line)
    assert value not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_secret_is_said_by_whole_words_alone(tmp_path, request_for):
    about = About(title="Smart plug in a flat", authors=("Adam Byrons",))
    for value in ("mart", "plugs", "Ada", "lug in"):
        told = Identifier(kind="secret", value=value)
        request = request_for(tmp_path / "plain", about=about, extra=(told,))
        refuse_said(request, request.extra, TOLD)


def test_whoever_is_named_in_a_campaign_does_not_sign_by_that_name(
    tmp_path, request_for, watcher, monkeypatch
):
    person = Identifier(kind="person", value="Ada Byron", source="raw/lan.pcapng")
    told = (Identifier(kind="person", value="Mona Lindqvist"),)

    def harvested(folder, *, extra, names, progress):
        assert extra == told  # of whom their names alone count, too
        return (person,)

    monkeypatch.setattr(pipeline, "harvest", harvested)
    request = request_for(tmp_path / "set", extra=told)
    with pytest.raises(RequestError) as raised:
        publish(request, watcher)
    assert str(raised.value).startswith("--author 1: says person A…")
    assert "an author by initials or as a group" in str(raised.value)
    assert watcher.anew == ["check", "identifiers"]  # before the long work
