"""`testbed signatures`: each activity in words, and a score or why there is none."""

import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from testbed.cli import build
from testbed.errors import ConfigError

EXAMPLE = str(Path(__file__).parents[2] / "captures" / "example")


def run(*words):
    return CliRunner().invoke(build(["signatures"]), ["signatures", *words])


def test_each_activity_has_its_sentence_and_what_cannot_be_scored_a_reason():
    told = run(EXAMPLE, "--device", "tplink_hs110", "--idle", "0").output.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in told] == [
        "turn_off",
        "turn_on",
        "no score",
    ]
    assert "one session only" in told[-1]


def test_machines_get_ranges_of_bytes_and_the_score():
    (row,) = json.loads(run(EXAMPLE, "--device", "echo_dot", "--json").stdout)
    assert row["by_session"] is None
    assert {"activity", "pairs", "span_s", "also"} <= set(row["signatures"][0])


def test_names_of_a_strangers_campaign_cannot_act_on_a_terminal(tmp_path):
    folder = tmp_path / "c"
    shutil.copytree(EXAMPLE, folder)
    table = folder / "activities.csv"
    table.write_text(table.read_text().replace(",turn_on,", ",turn\x1b[2Jon,"))
    shown = run(str(folder), "--device", "tplink_hs110", "--idle", "0").output
    assert "turn\\x1b[2Jon" in shown
    assert "\x1b" not in shown


def test_what_is_removed_first_can_be_chosen():
    done = run(EXAMPLE, "--device", "tplink_hs110", "--idle", "0", "--clean", "none")
    assert "no score" in done.output
    wrong = run(EXAMPLE, "--clean", "dirt")
    assert isinstance(wrong.exception, ConfigError)
