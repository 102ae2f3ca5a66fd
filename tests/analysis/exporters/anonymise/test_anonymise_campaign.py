"""A campaign under pseudonyms: the same labels and features, and nothing else."""

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

from analysis.dataset import load_activities, load_campaign
from analysis.exporters.anonymise import (
    Policy,
    Pseudonyms,
    Words,
    anonymise_capture_with,
    anonymise_texts,
    patterns_of,
)
from analysis.exporters.identifiers import Identifier, harvest
from analysis.exporters.identifiers.harvest import scalars
from analysis.features.matrix import features_of
from analysis.labelling.captures import label_campaign
from analysis.packets import find_raw, load_packets
from analysis.packets.make import make_tables
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream
from analysis.windows import cut

EXAMPLE = Path(__file__).parents[4] / "captures" / "example"
NAMES = Pseudonyms(bytes(range(32)))
COLUMNS = (
    *("frame.time_epoch", "frame.len", "frame.cap_len", "frame.protocols"),
    *("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status"),
    *("icmp.checksum.status", "icmpv6.checksum.status", "_ws.malformed"),
    *("tcp.stream", "udp.stream", "tcp.seq_raw", "tcp.analysis.flags", "dns.resp.len"),
)


def seen_by_tshark(capture, display="frame"):
    checks = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    fields = [part for column in COLUMNS for part in ("-e", column)]
    options = [part for check in checks for part in ("-o", check)]
    done = subprocess.run(
        ["tshark", "-r", capture, "-Y", display, "-T", "fields", *options, *fields],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()


def rows_of(folder):
    text = (folder / "activities.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory):
    """The example, copied without what is derived, and under pseudonyms."""
    folder = tmp_path_factory.mktemp("anonymised")
    plain, made = folder / "plain", folder / "made"
    (plain / "raw").mkdir(parents=True)
    for name in ("campaign.yaml", "activities.csv", "journal.jsonl"):
        shutil.copy(EXAMPLE / name, plain / name)
    for path in (EXAMPLE / "raw").iterdir():
        shutil.copy(path, plain / "raw" / path.name)
    (made / "raw").mkdir(parents=True)
    identifiers, policy = harvest(plain), Policy()
    patterns = patterns_of(identifiers, NAMES)
    for path in (plain / "raw").glob("*.pcapng"):
        anonymise_capture_with(
            path,
            made / "raw" / path.name,
            pseudonyms=NAMES,
            patterns=patterns,
            policy=policy,
        )
    anonymise_texts(
        plain, made, pseudonyms=NAMES, identifiers=identifiers, policy=policy
    )
    for each in (plain, made):
        make_tables(each, find_raw(each), load_campaign(each).devices)
        label_campaign(each)
    return plain, made, identifiers


def test_tshark_sees_the_same_packets_and_no_new_fault(campaigns):
    plain, made, _identifiers = campaigns
    (name,) = (path.name for path in (plain / "raw").glob("*.pcapng"))
    before = seen_by_tshark(plain / "raw" / name, "not udp.port == 47777")
    after = seen_by_tshark(made / "raw" / name)
    assert len(after) > 1000
    streams = [k for k, column in enumerate(COLUMNS) if column == "udp.stream"]
    for one, two in zip(before, after, strict=True):
        left, right = one.split("\t"), two.split("\t")
        for k in streams:  # beacons had one of their own
            left[k] = right[k] = ""
        assert left == right


def test_features_of_all_windows_are_the_same(campaigns):
    for device in ("echo_dot", "koogeek_plug", "tplink_hs110"):
        rows = []
        for folder in campaigns[:2]:
            log = load_activities(folder)
            table = load_packets(folder, device)
            windows = cut(table, log, device)
            rows.append((features_of(table, windows), windows))
        ((names, before), old), ((same, after), new) = rows
        assert names == same
        assert before.shape[0] > 0
        assert np.array_equal(before, after)
        assert old.activity.tolist() == new.activity.tolist()
        assert old.trial.tolist() == new.trial.tolist()


def test_labels_fall_on_the_same_packets(campaigns):
    reports = [
        json.loads((folder / "labelled" / "labels.json").read_text())
        for folder in campaigns[:2]
    ]
    assert reports[0] == reports[1]


def test_no_identifier_is_left_in_any_file(campaigns):
    _plain, made, identifiers = campaigns
    for path in (*made.glob("*.*"), *(made / "raw").iterdir()):
        data = path.read_bytes().lower()
        for each in identifiers:
            if len(each.value) > 5 and each.kind != "beacon":
                assert each.value.lower().encode() not in data, (path, each)
            if each.kind == "mac":
                assert each.binary not in data, (path, each)


def test_the_lab_section_names_no_place(campaigns):
    about = yaml.safe_load((campaigns[1] / "campaign.yaml").read_text())
    assert about["lab"]["router"].keys() <= {
        *("driver", "interface", "tool", "point", "rotate", "rotate_mb", "filter")
    }
    assert set(about["lab"]["plugs"]["plug_tv"]) == {"driver", "feeds"}
    assert about["lab"]["virtual"]["seed"] == 7
    text = json.dumps(about)
    for word in ("10.77.", "10.78.", "TESTBED_", "~/", "SIM0000", "5555,"):
        assert word not in text


def test_devices_have_the_address_that_stands_in_the_captures(campaigns):
    plain, made, _identifiers = campaigns
    for old, new in zip(
        load_campaign(plain).devices, load_campaign(made).devices, strict=True
    ):
        assert new.mac[:8] == old.mac[:8]
        assert new.mac != old.mac
        assert (new.name, new.firmware) == (old.name, old.firmware)


def test_the_receipt_is_about_the_captures_as_they_are(campaigns):
    made = campaigns[1]
    receipt = json.loads((made / "raw" / "receipt.json").read_text())
    (file,) = receipt["captures"][0]["files"]
    assert file["size_b"] == (made / "raw" / file["name"]).stat().st_size
    assert receipt["captures"][0]["first_beacon"]["frame"] is None


def test_what_tools_said_in_words_of_their_own_and_their_numbers_are_left_out(
    campaigns,
):
    for folder, logs, numbers in (
        (campaigns[0], {"1267 packets captured"}, {29327}),
        (campaigns[1], {""}, {0}),
    ):
        texts = [
            (folder / "raw" / "receipt.json").read_text(),
            *(folder / "journal.jsonl").read_text().splitlines(),
        ]
        said = [(k, v) for each in map(json.loads, texts) for k, v in scalars(each)]
        assert {value for key, value in said if key == "log"} == logs
        assert {int(value) for key, value in said if key == "pid"} == numbers


def test_time_is_shifted_by_whole_weeks_in_captures_and_texts_alike(tmp_path):
    made = tmp_path / "made"
    (made / "raw").mkdir(parents=True)
    policy = Policy(shift_ns=NAMES.shift_ns)
    name = "lan-00001.pcapng"
    anonymise_capture_with(
        EXAMPLE / "raw" / name,
        made / "raw" / name,
        pseudonyms=NAMES,
        patterns=patterns_of((), NAMES),
        policy=policy,
    )
    campaign = anonymise_texts(
        EXAMPLE, made, pseudonyms=NAMES, identifiers=(), policy=policy
    ).campaign
    assert campaign.startswith("example-20241123T")
    times = []
    for folder in (EXAMPLE, made):
        with open_capture_stream(folder / "raw" / name) as stream:
            first = next(iter(stream)).time_ns[0]
        rows = rows_of(folder)
        fact = json.loads((folder / "journal.jsonl").read_text().splitlines()[3])
        times.append((int(first), int(rows[0]["t_ns"]), fact["at_ns"]))
        assert rows[0]["delta_ns"] == "8000000000"
        assert fact["facts"]["offset_ns"] == 49_000_111_614
    shifts = {b - a for a, b in zip(*times, strict=True)}
    assert shifts == {NAMES.shift_ns}
    row = rows_of(made)[0]
    assert row["session"] == "2024-01-08-01"
    assert row["campaign"] == campaign


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_people_get_other_names_but_made_up_ones_of_whom_nobody_told(
    tmp_path, simulated, told
):
    folder, made = tmp_path / "plain", tmp_path / "made"
    folder.mkdir()
    about = {"campaign": "evening", "simulated": simulated, "form": "x"}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    log = "campaign,user,home,parameters,t_ns\nevening,anna,flat_7,who=anna,\n"
    (folder / "activities.csv").write_text(log)
    anna = (Identifier(kind="person", value="anna"),) if told else ()
    anonymise_texts(folder, made, pseudonyms=NAMES, identifiers=anna, policy=Policy())
    (row,) = rows_of(made)
    assert (row["user"] == "anna") == (simulated and not told)
    assert (row["home"] == "flat_7") == simulated
    assert (row["parameters"] == "who=anna") == (not told)
    assert row["parameters"].startswith("who=")


def household(folder):
    """Write a campaign whose names of fields, files and devices are of a household."""
    steps = [{"tap": {"any": [{"text": "Ada Byron's lamp"}]}}]
    about = {
        "campaign": "evening",
        "simulated": False,
        "form": "live",
        "lab": {
            "lab": "adas_flat",
            "plugs": {"adas_bedside": {"driver": "pywemo", "feeds": "adas_lamp"}},
        },
        "devices": [
            {"device": "adas_lamp", "mac": "44:65:0d:7b:20:13", "unit": "ada byron"}
        ],
        "profiles": {
            "adas_lamp": {
                "device": "adas_lamp",
                "firmware": "1.2.3.4",
                "delta_groups": {"adas_bedside": 8.0, 7: 1.0},
                "activities": {"wake_ada_byron": {"phone": {"steps": steps}}},
            }
        },
        "scenario": {"select": [{"device": "adas_lamp"}], "10.77.0.5": "router"},
    }
    (folder / "raw").mkdir(parents=True)
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    log = "campaign,device,activity,unit\nevening,adas_lamp,wake_ada_byron,ada byron\n"
    (folder / "activities.csv").write_text(log)
    fact = {"event": "cleared", "facts": {"adas_bedside": {"device": "adas_lamp"}}}
    (folder / "journal.jsonl").write_text(json.dumps(fact) + "\n")
    files = [{"name": "adas_bedside-00001.pcapng.gz", "size_b": 1, "sha256": ""}]
    receipt = {"captures": [{"capture": "c01", "files": files}]}
    (folder / "raw" / "receipt.json").write_text(json.dumps(receipt))
    return folder


def test_sessions_that_imports_name_after_files_hold_no_address_and_no_name(tmp_path):
    folder, made = tmp_path / "plain", tmp_path / "made"
    (folder / "raw").mkdir(parents=True)
    about = {"campaign": "hue", "simulated": False, "form": "imported"}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    session = "2018-10-25-192_168_1_132-mayas_den"
    log = f"campaign,session,device\nhue,{session},hub\nhue,2018-10-26,hub\n"
    (folder / "activities.csv").write_text(log)
    files = [{"name": f"{session}-00000.pcapng", "size_b": 1, "sha256": ""}]
    capture = {"capture": session, "session": session, "files": files}
    (folder / "raw" / "receipt.json").write_text(json.dumps({"captures": [capture]}))
    identifiers = (
        Identifier(kind="ipv4", value="192.168.1.132"),
        Identifier(kind="place", value="mayas_den"),
    )
    anonymise_texts(
        folder, made, pseudonyms=NAMES, identifiers=identifiers, policy=Policy()
    )
    rows = rows_of(made)
    (told,) = json.loads((made / "raw" / "receipt.json").read_text())["captures"]
    assert rows[1]["session"] == "2018-10-26"
    assert rows[0]["session"].startswith("2018-10-25-192_168_")
    assert told["capture"] == told["session"] == rows[0]["session"]
    assert told["files"][0]["name"] == f"{rows[0]['session']}-00000.pcapng"
    for said in ("192_168_1_132", "mayas_den"):
        assert said not in rows[0]["session"]


def test_names_of_fields_and_files_are_texts_as_values_are(tmp_path):
    plain, made = household(tmp_path / "plain"), tmp_path / "made"
    told = tuple(
        Identifier(kind="person", value=name)
        for name in ("adas_bedside", "adas_lamp", "adas_flat", "Ada Byron")
    )
    name = Words(NAMES, told, Policy()).capture("adas_bedside-00001.pcapng.gz")
    (made / "raw").mkdir(parents=True)
    (made / "raw" / name).write_bytes(b"four")
    said = anonymise_texts(
        plain, made, pseudonyms=NAMES, identifiers=told, policy=Policy()
    )
    address = Words(NAMES, told, Policy()).address("10.77.0.5")
    assert set(said.kept) == {"activity", "campaign", "text", address} - {"10.77.0.5"}
    for path in made.rglob("*"):
        text = path.name + (path.read_text() if path.is_file() else "")
        assert "ada" not in text.lower(), path
    about = yaml.safe_load((made / "campaign.yaml").read_text())
    (device,) = about["devices"]
    ((lamp, profile),) = about["profiles"].items()
    ((plug, held),) = about["lab"]["plugs"].items()
    (row,) = rows_of(made)
    fact = json.loads((made / "journal.jsonl").read_text())["facts"]
    assert {lamp, profile["device"], held["feeds"], row["device"]} == {device["device"]}
    assert about["scenario"]["select"] == [{"device": lamp}]
    assert (list(profile["delta_groups"]), fact) == (
        [plug, 7],
        {plug: {"device": lamp}},
    )
    assert list(profile["activities"]) == [row["activity"]]
    assert (profile["firmware"], row["unit"]) == ("1.2.3.4", device["unit"])
    assert "10.77.0.5" not in about["scenario"]
    receipt = json.loads((made / "raw" / "receipt.json").read_text())
    (file,) = receipt["captures"][0]["files"]
    assert (file["name"], file["size_b"]) == (name, 4)
    assert name.endswith("-00001.pcapng")


def test_free_texts_that_stay_are_told_by_their_field(tmp_path):
    plain, made = household(tmp_path / "plain"), tmp_path / "made"
    told = (Identifier(kind="person", value="Ada Byron"),)
    said = anonymise_texts(
        plain, made, pseudonyms=NAMES, identifiers=told, policy=Policy()
    )
    lamp = yaml.safe_load((made / "campaign.yaml").read_text())["profiles"]["adas_lamp"]
    (name,) = lamp["activities"]
    (step,) = lamp["activities"][name]["phone"]["steps"]
    address = Words(NAMES, told, Policy()).address("10.77.0.5")
    assert said.kept == {
        address: ["router"],
        "activity": [name],  # a part of it is another
        "campaign": ["evening"],
        "delta_group": ["adas_bedside"],
        "device": ["adas_lamp"],
        "lab": ["adas_flat"],
        "plug": ["adas_bedside"],
        "text": [step["tap"]["any"][0]["text"]],
    }


def public_captures():
    folder = os.environ.get("TESTBED_PUBLIC_DATA")
    if not folder:
        return []
    root = Path(folder)
    names = (
        *("iot-sentinel/WeMoLink/*.pcap", "iot-sentinel/D-LinkCam/*.pcap"),
        *("iot-sentinel/HueBridge/*.pcap", "fit-iot-week/pcaps/schlage*.pcap"),
        *("openwrt-scenarios/**/wlan2.4*.pcap", "pcap-robustness/tcpdump/icmp6*.pcap"),
    )
    return [path for name in names for path in sorted(root.glob(name))[:3]]


def identifiers_in(capture):
    macs = set()
    with open_capture_stream(capture) as stream:
        for batch in stream:
            decoded = decode_batch(batch)
            macs.update(np.unique(decoded.src_mac).tolist())
    singles = [mac for mac in macs if mac and not mac >> 40 & 1]
    return [Identifier(kind="mac", value=f"{mac:012x}") for mac in sorted(singles)]


@pytest.mark.skipif(
    not os.environ.get("TESTBED_PUBLIC_DATA"),
    reason="TESTBED_PUBLIC_DATA is not set: no public captures here",
)
def test_public_captures_get_no_new_fault(tmp_path):
    captures = public_captures()
    assert len(captures) > 5
    for capture in captures:
        patterns = patterns_of(identifiers_in(capture), NAMES)
        target = tmp_path / capture.name
        anonymise_capture_with(
            capture, target, pseudonyms=NAMES, patterns=patterns, policy=Policy()
        )
        assert seen_by_tshark(capture) == seen_by_tshark(target), capture
