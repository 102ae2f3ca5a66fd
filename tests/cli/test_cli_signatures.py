"""`testbed signatures`: each activity in words, and a score or why there is none."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from typer.testing import CliRunner

from testbed.cli import build
from testbed.cli.signatures import _lines, _score
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


def lines_of(truth, said, groups, null):
    result = SimpleNamespace(
        truth=np.array(truth),
        answers=SimpleNamespace(said=np.array(said)),
        interval=None,
        accuracy=float(np.mean(np.array(truth) == np.array(said))),
        null_accuracy=null,
        n_trials=len(truth),
        n_sessions=2,
    )
    row = {"device": "plug", "signatures": [], "by_session": _score(result, groups)}
    (line,) = _lines(row)
    return line


def test_a_score_says_what_its_windows_are_and_what_it_is_with_the_alike_as_one():
    truth, said = ["on", "off", "off", "idle"], ["off", "off", "off", "idle"]
    assert lines_of(truth, said, (("off", "on"),), 0.3) == (
        "plug: by session, 0.75 of 4 windows (3 trials + 1 idle) are named right, "
        "1.00 with off = on taken as one; with shuffled labels 0.30"
    )


def test_a_score_below_chance_on_shuffled_labels_is_explained():
    assert lines_of(["on", "off"], ["on", "off"], (), 0.0).endswith(
        "with shuffled labels 0.00, for then no lengths mark an activity, and windows "
        "get no name"
    )


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
