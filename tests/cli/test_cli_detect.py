import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.errors import ImportDataError, RequestError
from testbed.cli import build
from testbed.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"
HOUR = 3600 * 10**9
DAY = 24 * HOUR
MONDAY = 1_767_571_200 * 10**9


def lines(n, *more, seed=3):
    """Days of a lamp as `classify --json` says them, and what else: (day, hour)."""
    rng = np.random.default_rng(seed)
    acts = [(day, hour) for day in range(n) for hour in (7, 19, 20)]
    return "".join(
        json.dumps(
            {
                "start_ns": MONDAY + day * DAY + hour * HOUR + int(rng.integers(HOUR)),
                "device": "lamp",
                "activity": "turn_on",
            }
        )
        + "\n"
        for day, hour in sorted([*acts, *more])
    )


@pytest.fixture
def owner(tmp_path):
    path = tmp_path / "owner.jsonl"
    path.write_text(lines(14, seed=4))
    return str(path)


@pytest.fixture
def week(tmp_path):
    path = tmp_path / "week.jsonl"
    path.write_text(lines(7, *[(5, 3)] * 5))
    return str(path)


def run(words, **options):
    # with one command alone, the library takes no name of it
    return CliRunner().invoke(build(("detect", "status")), words, **options)


def test_alarms_come_in_words_and_their_number_on_the_side(owner, week):
    done = run(["detect", week, "--owner", owner])
    assert done.exit_code == 0
    assert "Sat 2026-01-10 03:00  lamp  turn_on  5 times; never more than 1" in (
        done.stdout
    )
    assert done.stderr.endswith("week.jsonl: ensemble: 1 alarm in 7 days\n")


def test_json_has_every_field_of_an_alarm(owner, week):
    done = run(["detect", week, "--owner", owner, "--json"])
    (alarm,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert alarm["hour"] == "2026-01-10T03:00+00:00"
    assert alarm["user"] == "week.jsonl"
    assert {"device", "activity", "score", "p", "detector", "reason"} <= alarm.keys()


def test_hours_are_those_of_the_zone(owner, week):
    words = ["detect", week, "--owner", owner, "--json", "--zone", "Asia/Kolkata"]
    hours = [json.loads(line)["hour"] for line in run(words).stdout.splitlines()]
    assert hours
    assert all(hour.endswith("+05:30") for hour in hours)


def test_the_exit_code_tells_of_alarms_where_that_is_asked_for(owner, week):
    assert run(["detect", week, "--owner", owner, "--exit-code"]).exit_code == 1
    quiet = ["detect", owner, "--exit-code", "--fdr", "0.01"]
    assert run(quiet).exit_code == 0


def test_a_stream_is_told_at_the_event_that_makes_the_alarm(owner):
    words = ["detect", "-", "--owner", owner, "--detector", "rate"]
    done = run(words, input=lines(7, *[(5, 3)] * 5))
    assert done.exit_code == 0
    assert done.stdout.count("Sat 2026-01-10 03:00") == 1


@pytest.mark.parametrize("rate", ["0", "1"])
def test_a_rate_that_cannot_be_is_refused_before_anything_is_read(rate):
    for source in ("-", "nowhere.jsonl"):
        done = run(["detect", source, "--owner", "nowhere", "--fdr", rate])
        assert isinstance(done.exception, RequestError)
        assert "a rate of false discoveries lies in (0, 1)" in str(done.exception)


def test_a_stream_tells_at_its_end_what_was_alone_until_then(tmp_path):
    lone = json.dumps(
        {
            "start_ns": MONDAY + 6 * DAY + 20 * HOUR - HOUR // 2,
            "device": "lamp",
            "activity": "turn_on",
        }
    )
    # a camera 20 s after every lamp, but for the last
    pairs = [json.loads(line) for line in lines(14, seed=4).splitlines()]
    both = [
        each | {"start_ns": each["start_ns"] + late * 20 * 10**9, "device": device}
        for each in pairs
        for late, device in enumerate(("lamp", "camera"))
    ]
    told = "".join(json.dumps(each) + "\n" for each in both)
    owner = tmp_path / "owner.jsonl"
    owner.write_text(told)
    words = ["detect", "-", "--owner", str(owner), "--detector", "context", "--json"]
    done = run(words, input=f"{lone}\n")
    assert done.exit_code == 0, done.exception
    (alarm,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert "alone" in alarm["reason"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no event"),
        (lines(1), "there is one day"),
        (lines(7, (30_000, 5)), "the events span 3000"),
        (lines(1).replace('"lamp"', "7"), "line 1: is no JSON object with start_ns"),
        (lines(1).replace(": 17", f": {'9' * 30}"), "line 1: is no JSON object"),
    ],
)
def test_what_cannot_be_watched_or_learnt_is_refused_by_its_name(
    text, reason, owner, week, tmp_path
):
    path = tmp_path / "odd.jsonl"
    path.write_text(text)
    others = [] if "one day" in reason else [[week], ["-"]]  # it is enough to learn
    for each in [[str(path)], *([*one, "--owner", str(path)] for one in others)]:
        done = run(["detect", *each, "--detector", "rate"], input="")
        assert isinstance(done.exception, (RequestError, ImportDataError))
        assert str(done.exception).startswith(f"{path}: {reason}")


def test_weeks_without_any_event_are_told_as_they_are_learnt_as_quiet(tmp_path):
    path = tmp_path / "gap.jsonl"
    path.write_text(lines(5, (730, 5)))
    done = run(["detect", str(path), "--detector", "rate"])
    told = "nothing happened for 725 days from 2026-01-09 on, which count as quiet"
    assert f"{path}: {told}" in done.stderr


def test_a_stream_says_at_once_that_events_come_too_late_and_how_many_at_its_end(owner):
    far, *late = lines(3, (400, 7)).splitlines()[::-1]
    done = run(
        ["detect", "-", "--owner", owner, "--detector", "rate", "--zone", "UTC"],
        input="\n".join([far, *late]),
    )
    first, *_, last, told = done.stderr.splitlines()
    assert "an event is more than a week older than one before, and left out" in first
    assert f"left out {len(late)} events more than a week older" in last
    assert told == f"standard input: 0 alarms in {len(late) + 1} events"


def test_a_stream_that_is_no_text_is_refused_by_its_line(owner):
    words = ["detect", "-", "--owner", owner, "--detector", "rate"]
    done = run(words, input=b"\n\xff\xfe\n")
    assert isinstance(done.exception, ImportDataError)
    assert str(done.exception).startswith("standard input: line 2: is no JSON object")


def test_several_detectors_each_have_their_say(owner, week):
    words = ["detect", week, "--owner", owner]
    done = run([*words, "--detector", "kmeans_paper", "--detector", "rate"])
    assert "(kmeans_paper, p" in done.stdout
    assert "(rate, p" in done.stdout


def test_names_of_strangers_do_nothing_to_the_terminal(owner, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text(lines(7, *[(5, 3)] * 5).replace("turn_on", "\\u001b[2J"))
    done = run(["detect", str(path), "--owner", owner])
    assert "\\x1b[2J" in done.stdout
    assert "\\x1b[2J" in done.stderr
    assert "\x1b" not in done.output


def test_a_line_nested_without_end_is_refused(owner, tmp_path):
    path = tmp_path / "deep.jsonl"
    path.write_text('{"a":' * 100_000 + "\n")
    done = run(["detect", str(path), "--owner", owner])
    assert isinstance(done.exception, ImportDataError)
    assert "line 1: is no JSON object" in str(done.exception)


def test_names_that_were_never_learnt_are_told(owner, tmp_path):
    path = tmp_path / "other.jsonl"
    path.write_text(lines(7).replace("turn_on", "turn_on|turn_off"))
    done = run(["detect", str(path), "--owner", owner])
    assert "lamp turn_on|turn_off never happened in what was learnt" in done.stderr


def test_nothing_on_standard_input_is_refused_as_an_empty_file_is(owner):
    done = run(["detect", "-", "--owner", owner, "--detector", "rate"], input="\n")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("standard input: there is no event")


def test_a_log_that_is_learnt_from_is_not_watched_too(owner, week, tmp_path):
    part = tmp_path / "part.jsonl"
    events = Path(owner).read_text().splitlines(keepends=True)
    part.write_text("".join(events[:9]))
    for watched in (owner, str(part)):
        done = run(["detect", watched, "--owner", owner])
        assert isinstance(done.exception, ConfigError)
        assert f"{watched}: all its events are in {owner} as well" in str(
            done.exception
        )
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text(Path(week).read_text() + events[0])
    words = ["detect", str(mixed), "--owner", owner, "--detector", "rate"]
    said = f"1 of its 27 events are in {owner} as well, to the nanosecond"
    assert said in run(words).stderr


def test_which_days_were_learnt_from_is_told(owner, week):
    done = run(["detect", week, "--owner", owner, "--detector", "rate"])
    assert "from 14 days, 2025-12-22 to 2026-01-04, of owner.jsonl\n" in done.stderr
    done = run(["detect", owner, "--from-day", "9", "--detector", "rate"])
    days = "learnt from 9 days, 2026-01-05 to 2026-01-13, of its own first days"
    assert f"{owner}: {days}" in done.stderr


def test_hours_of_utc_are_told_where_nobody_said_where_people_live(owner, week):
    words = ["detect", week, "--owner", owner, "--detector", "rate"]
    said = f"{week}: does not say where its people live; hours are taken as UTC"
    assert run(words).stderr.count(said) == 1
    assert "UTC" not in run([*words, "--zone", "UTC"]).stderr


@pytest.fixture
def campaign(tmp_path):
    """Two days of the lamp as a campaign that was interrupted."""
    folder = tmp_path / "c"
    folder.mkdir()
    about = EXAMPLE / "campaign.yaml"
    (folder / "campaign.yaml").write_text(about.read_text())
    heads, first, *_ = (EXAMPLE / "activities.csv").read_text().splitlines()
    row = dict(zip(heads.split(","), first.split(","), strict=True))
    rows = [
        row | {"t_ns": str(json.loads(line)["start_ns"])}
        for line in lines(3).splitlines()
    ]
    told = [heads, *(",".join(each.values()) for each in rows)]
    (folder / "activities.csv").write_text("\n".join(told) + "\n")
    (folder / "journal.jsonl").write_text('{"event":"session_ended"}\n')
    return folder


def test_a_campaign_that_was_interrupted_is_told_and_simulated_ones_live_by_utc(
    campaign,
):
    words = ["detect", str(campaign), "--detector", "rate"]
    done = run(words)
    assert f"{campaign}: is not finished; `testbed resume" in done.stderr
    assert "UTC" not in done.stderr
    with (campaign / "journal.jsonl").open("a") as file:
        file.write('{"event":"campaign_closed"}\n')
    assert "not finished" not in run(words).stderr
    about = campaign / "campaign.yaml"
    about.write_text(about.read_text().replace("simulated: true", "simulated: false"))
    assert "hours are taken as UTC" in run(words).stderr


def test_what_is_beside_a_campaign_is_refused_with_the_folder_that_is_one(campaign):
    (campaign / "raw").mkdir()
    for inside in ("activities.csv", "raw", ".."):
        done = run(["detect", str(campaign / inside)])
        assert isinstance(done.exception, ConfigError)
        assert str(campaign) in str(done.exception).partition(";")[2]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "name what is to be watched"),
        (["nowhere.jsonl"], "is not there"),
        (["-"], "name an --owner"),
        (["x", "--owner", "y", "--from-day", "3"], "choose one of them"),
    ],
)
def test_what_makes_no_sense_is_refused(words, reason):
    done = run(["detect", *words])
    assert isinstance(done.exception, ConfigError)
    assert reason in str(done.exception)
