"""A campaign whose files, fields and devices are called by names of a household."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import yaml

from analysis.dataset import load_activities, load_campaign
from analysis.errors import RequestError
from analysis.exporters.bundle import RefusedError, publish
from analysis.exporters.bundle.vocabulary import FIELDS, fields_of, without_words
from analysis.exporters.identifiers import Identifier

NAMES = ("adas_bedside", "toms_lamp", "byron_flat", "Tom Huber")
TOLD = tuple(Identifier(kind="person", value=name) for name in NAMES)


def closed(folder):
    """Write the manifest of a campaign folder that was changed."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in files
        if path.name != "MANIFEST.sha256"
    ]
    (folder / "MANIFEST.sha256").write_text("".join(lines))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def household(campaign):
    """Return a campaign with personal names of plugs, devices, files and fields."""
    for name in ("labelled", "packets", "flows"):
        shutil.rmtree(campaign / name)
    (campaign / "packets.json").unlink()
    for name in ("campaign.yaml", "activities.csv", "journal.jsonl"):
        text = (campaign / name).read_text().replace("tplink_hs110", "toms_lamp")
        (campaign / name).write_text(text)
    about = yaml.safe_load((campaign / "campaign.yaml").read_text())
    about["lab"]["lab"] = "byron_flat"
    about["lab"]["plugs"]["adas_bedside"] = about["lab"]["plugs"].pop("plug_tv")
    about["scenario"]["description"] = "An evening of Tom Huber"
    (campaign / "campaign.yaml").write_text(yaml.safe_dump(about))
    raw = campaign / "raw"
    (raw / "lan-00001.pcapng").rename(raw / "byron_flat-00001.pcapng")
    receipt = (raw / "receipt.json").read_text().replace("lan-0", "byron_flat-0")
    (raw / "receipt.json").write_text(receipt)
    closed(campaign)
    return campaign


@pytest.mark.usefixtures("_without_tshark")
def test_it_is_published_in_one_go_without_any_of_the_names(
    household, tmp_path, request_for, watcher
):
    request = request_for(
        tmp_path / "set", household, extra=TOLD, accept=("unread:tshark",), part_b=0
    )
    publish(request, watcher)
    data = request.out / "data"
    names = [path.relative_to(data).as_posix() for path in data.rglob("*")]
    for word in ("adas", "toms", "byron", "huber"):
        assert not [name for name in names if word in name]
    (folder,) = (data / "campaigns").iterdir()
    (lamp,) = {d.name for d in load_campaign(folder).devices} - {
        *("echo_dot", "koogeek_plug"),
    }
    assert len(lamp) == len("toms_lamp")
    assert load_activities(folder).frame["device"].to_list().count(lamp) == 4
    assert (folder / "labelled" / f"{lamp}.pcapng").stat().st_size > 1000
    assert f"packets/device={lamp}/" in "\n".join(f"{name}/" for name in names)
    receipt = json.loads((folder / "raw" / "receipt.json").read_text())
    (file,) = receipt["captures"][0]["files"]
    raw = folder / "raw" / file["name"]
    assert hashlib.sha256(raw.read_bytes()).hexdigest() == file["sha256"]


@pytest.mark.usefixtures("_without_tshark")
def test_a_name_that_is_told_after_a_refusal_is_gone_from_the_draft(
    household, tmp_path, request_for, watcher
):
    request = request_for(tmp_path / "set", household, part_b=0)
    with pytest.raises(RefusedError):  # for want of tshark
        publish(request, watcher)
    assert list(request.draft.rglob("toms_lamp.pcapng"))
    # what a kill leaves is in no ledger
    raw = next(request.draft.glob("bag/data/campaigns/*/raw"))
    shutil.copytree(raw.parent, raw.parents[1] / "killed")
    shutil.copy(raw / "byron_flat-00001.pcapng", raw / "toms-00001.pcapng")
    (raw.parent / "labelled" / "huber.pcapng").write_text("killed")
    told = replace(request, extra=TOLD, accept=("unread:tshark",))
    publish(told, watcher)
    fresh = replace(told, out=tmp_path / "fresh" / "set")
    fresh.out.parent.mkdir()
    publish(fresh, watcher)
    assert contents(told.out) == contents(fresh.out)


def test_a_word_of_the_format_is_no_secret_and_told_ones_are_refused():
    found = [Identifier(kind="person", value=v) for v in ("Phone", "Anna", "time")]
    words = ["phone", "time_ns"]
    real, left = without_words(found, words, ())
    assert [each.value for each in real] == ["Anna"]
    assert left == ("Phone", "time")
    with pytest.raises(RequestError, match="'Phone': is a word that every dataset"):
        without_words(found, words, found[:1])


def test_every_field_of_a_published_campaign_is_known(published):
    (folder,) = (published / "data" / "campaigns").iterdir()
    about = yaml.safe_load((folder / "campaign.yaml").read_text())
    lines = (folder / "journal.jsonl").read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    for value in (about, *facts, json.loads((folder / "raw/receipt.json").read_text())):
        assert set(fields_of(value)) - FIELDS - {*about["versions"], "python"} == set()
