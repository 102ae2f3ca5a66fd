import contextlib
import json
import re
import shutil
import sqlite3

import pytest

from tests.bench.torture.__main__ import main
from tests.bench.torture.campaigns import Campaigns
from tests.bench.torture.judge import DUPLICATED, LOST, ORPHAN, WRONG, judge
from tests.bench.torture.life import Kill, judged, live_through, start_of
from tests.bench.torture.scenes import SMALL_SCENARIO, fast_scene

SEED = 1
KILLS = 15
MOMENTS = 12
IN_THE_MIDDLE = "journal:after:12"  # a stimulus has been given by then
BEFORE_A_FETCH = "fetch:before:1"  # a trial has ended, its packets are on the router


def silent(_line):
    pass


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with fast_scene(tmp_path_factory.mktemp("torture"), SMALL_SCENARIO) as opened:
        yield opened


@pytest.fixture(scope="module")
def campaigns(scene):
    return Campaigns(scene, SEED, silent, per_campaign=3)


def test_kills_at_random_instants_lose_nothing(campaigns):
    campaigns.random(KILLS)
    assert campaigns.tally.faults == []
    assert campaigns.tally.moments["instant"] >= KILLS


def test_kills_before_and_after_journal_writes_and_file_steps_lose_nothing(campaigns):
    targets = campaigns.targets()
    journal = [t for t in targets if t.startswith("journal:")]
    assert len(journal) > 40
    assert {t.partition(":")[0] for t in targets} >= {
        *("journal", "fetch", "rename", "unlink", "lease.acquire", "capture.start"),
        *("label.tables", "label.captures", "folder.whole", "folder.manifest"),
    }
    campaigns.systematic(targets[3 :: len(targets) // MOMENTS])
    assert campaigns.tally.faults == []


def test_a_second_controller_is_refused_and_disturbs_nothing(campaigns):
    campaigns.rivals(1)
    assert campaigns.tally.faults == []


def test_a_full_disk_ends_a_controller_and_the_next_one_goes_on(campaigns):
    campaigns.full_disks(1)
    assert campaigns.tally.faults == []


@pytest.mark.parametrize(
    ("way", "at", "kind"),
    [
        ("forget", IN_THE_MIDDLE, WRONG),
        ("twice", IN_THE_MIDDLE, DUPLICATED),
        ("believe", BEFORE_A_FETCH, LOST),
        ("process", IN_THE_MIDDLE, ORPHAN),
    ],
)
def test_a_broken_resume_is_found(scene, campaigns, way, at, kind):
    wanted = campaigns.reference.labels
    scene.sabotage = way
    try:
        place = scene.place(SEED)
        told = live_through(scene.hands, place, iter([Kill(at=at)]))
        found = judged(place, told, wanted).verdict
    finally:
        scene.sabotage = ""
    assert found.count(kind) > 0, found.faults


def test_a_campaign_goes_on_without_the_files_that_it_was_made_from(scene, campaigns):
    wanted = campaigns.reference.labels
    place = scene.place(SEED)
    assert scene.hands.do(start_of(place, Kill(at=IN_THE_MIDDLE))).was_killed
    place.lab_file.unlink()
    place.scenario.unlink()
    told = live_through(scene.hands, place, iter([]))
    assert judged(place, told, wanted).verdict.faults == []


@pytest.fixture(scope="module")
def finished(scene):
    place = scene.place(SEED)
    assert scene.hands.do(start_of(place)).status == 0
    return place


def row_twice(place, folder):
    path = folder / "activities.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]))


def half_a_file(place, folder):
    (folder / "raw" / "lan-00002.pcapng.part").write_bytes(b"half")


def a_lease(place, folder):
    with contextlib.closing(sqlite3.connect(place.journal)) as base, base:
        base.execute(
            "insert into leases (lab, holder, token, heartbeat_ns, ttl_ns, proof) "
            "values ('x', ?, 't', 1, 1, '')",
            (f"{folder.name} on here, process 1",),
        )


def a_lost_label(place, folder):
    path = folder / "labelled" / "tplink_hs110.pcapng"
    path.write_bytes(re.sub(rb"-\d{4}-1,dev", b"-9999-1,dev", path.read_bytes()))


def another_byte(place, folder):
    path = min((folder / "evidence").iterdir())
    path.write_bytes(path.read_bytes() + b" ")


def a_lost_capture(place, folder):
    sorted((folder / "raw").glob("*.pcapng"))[0].unlink()


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (row_twice, DUPLICATED),
        (half_a_file, ORPHAN),
        (a_lease, ORPHAN),
        (a_lost_label, LOST),
        (another_byte, WRONG),
        (a_lost_capture, LOST),
    ],
)
def test_harm_to_a_finished_campaign_is_found(finished, tmp_path, harm, kind):
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    campaign = folder / "captures" / finished.campaign().name
    journal = str(folder / "journal.sqlite")
    assert judge(campaign, journal).faults == []
    place = type(finished)(
        folder=folder,
        journal=journal,
        scenario=finished.scenario,
        lab_file=finished.lab_file,
        options=(),
    )
    harm(place, campaign)
    found = judge(campaign, journal)
    assert found.count(kind) > 0, found.faults


def test_what_is_lost_makes_the_command_fail(tmp_path, capsys):
    numbers = ("--count", "2", "--steps", "0", "--rivals", "0", "--full", "0")
    places = ("--out", str(tmp_path / "out"), "--result", str(tmp_path / "t.json"))
    code = main(["--form", "fast", "--sabotage", "twice", *numbers, *places])
    assert code == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("torture: ")
    result = json.loads((tmp_path / "t.json").read_text())
    assert result["duplicated"] > 0
    assert result["seed"] == SEED
