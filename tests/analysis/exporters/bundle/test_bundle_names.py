"""A campaign whose files, fields and devices are called by names of a household."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from typing import get_args

import pytest
import yaml

from analysis.dataset import load_activities, load_campaign
from analysis.errors import RequestError
from analysis.exporters.anonymise.closed import CLOSED, FIELDS, NAMED
from analysis.exporters.bundle import RefusedError, pipeline, publish
from analysis.exporters.bundle.vocabulary import parted
from analysis.exporters.identifiers import Identifier
from testbed.drivers.registry import discover
from testbed.model import events, profile, types

NAMES = ("adas_bedside", "toms_lamp", "byron_flat", "Tom Huber")
TOLD = tuple(Identifier(kind="person", value=name) for name in NAMES)


@pytest.fixture
def household(recorded, close):
    """Return a campaign with personal names of plugs, devices, files and fields."""
    campaign = recorded
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
    close(campaign)
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
    household, tmp_path, request_for, watcher, monkeypatch, contents
):
    monkeypatch.setattr(pipeline, "refuse_without_tshark", lambda _: None)
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


def test_what_every_dataset_holds_is_not_looked_for_and_no_secret():
    values = ("Phone", "Anna", "time", "Manifest", "manifests", "interrupt", "rupts")
    found = [Identifier(kind="person", value=value) for value in values]
    words = ["phone", "time_ns", "manifest_sha256", "interrupts"]
    looked_for, held = parted(found, (), words)
    assert [each.value for each in looked_for] == ["Anna", "manifests", "rupts"]
    assert [each.value for each in held] == ["Phone", "time", "Manifest", "interrupt"]
    with pytest.raises(RequestError, match="'Phone': is a word that every dataset"):
        parted(found, found[:1], words)
    assert parted(found, found[3:4], words)[1] == held  # part of a word: it may be


def test_a_free_text_in_a_field_of_a_closed_list_makes_no_word_of_the_format():
    person = Identifier(kind="person", value="Lindqvist")
    assert parted([person], ()) == ((person,), ())


@pytest.mark.usefixtures("_without_tshark")
def test_a_word_of_the_format_is_replaced_where_it_is_none(
    household, tmp_path, request_for, watcher, monkeypatch, close
):
    path = household / "campaign.yaml"
    about = yaml.safe_load(path.read_text())
    about["scenario"]["description"] = "At interrupt, beside first_beacon"
    about["lab"]["lab"] = "manifest"
    about["devices"][0]["category"] = "speaker of interrupt"
    path.write_text(yaml.safe_dump(about))
    close(household)
    found = [
        *(Identifier(kind="ssid", value="interrupt"), *TOLD),
        *(Identifier(kind="hostname", value=v) for v in ("manifest", "first_beacon")),
        Identifier(kind="account", value="confirmed"),
    ]
    monkeypatch.setattr(pipeline, "harvest", lambda *_, **__: tuple(found))
    seen, sealed = [], []
    real = pipeline.captures.anonymise_captures
    monkeypatch.setattr(
        pipeline.captures,
        "anonymise_captures",
        lambda work, sources, every: seen.extend(every) or real(work, sources, every),
    )
    monkeypatch.setattr(
        pipeline.sealing, "seal", lambda *args: sealed.append(args) or _stop()
    )
    request = request_for(
        tmp_path / "set", household, accept=("unread:tshark",), part_b=0
    )
    with pytest.raises(_StoppedError):
        publish(request, watcher)
    assert {each.value for each in found} == {each.value for each in seen}
    assert {each.value for each in sealed[0][2]} == {*NAMES}
    (folder,) = (request.draft / "bag/data/campaigns").iterdir()
    made = yaml.safe_load((folder / "campaign.yaml").read_text())
    text = yaml.safe_dump([made["scenario"], made["lab"], made["devices"]])
    assert not [w for w in ("interrupt", "manifest", "first_beacon") if w in text]
    assert made["profiles"]["echo_dot"]["interrupts"]
    receipt = json.loads((folder / "raw/receipt.json").read_text())
    assert "first_beacon" in receipt["captures"][0]
    assert set(load_activities(folder).frame["outcome"]) == {"confirmed"}


class _StoppedError(Exception):
    pass


def _stop():
    raise _StoppedError


def fields_of(value, field=""):
    """Yield the keys of a mapping, however deep, that nobody gave as names."""
    if isinstance(value, dict):
        for name, each in value.items():
            if field not in NAMED:
                yield name
            yield from fields_of(each, name if field not in NAMED else "")
            if name.endswith("_json"):
                yield from fields_of(json.loads(each))
    elif isinstance(value, list):
        for each in value:
            yield from fields_of(each, field)


def test_every_field_of_a_published_campaign_is_known(published):
    (folder,) = (published / "data" / "campaigns").iterdir()
    about = yaml.safe_load((folder / "campaign.yaml").read_text())
    lines = (folder / "journal.jsonl").read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    for value in (about, *facts, json.loads((folder / "raw/receipt.json").read_text())):
        assert set(fields_of(value)) - FIELDS - {*about["versions"], "python"} == set()


def test_closed_lists_are_those_of_the_testbed():
    models = (types.Channel, types.Network, events.Outcome)
    for field, model in zip(("channel", "network", "outcome"), models, strict=True):
        assert CLOSED[field] == {str(each) for each in model}
    category = profile.DeviceProfile.model_fields["category"].annotation
    assert CLOSED["category"] == {*get_args(category)}
    assert CLOSED["driver"] == {name for _, name in discover()}
    kinds = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        for kind in get_args(events.Event)
    }
    assert kinds | {"campaign_imported"} == CLOSED["event"]
