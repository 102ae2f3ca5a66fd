import json
import sys
from pathlib import Path

import pytest

from testbed.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def homes(monkeypatch):
    """Run the command as a shell does; return its exit code."""

    def run(*words):
        command = ["testbed", "lab", "homes", "--devices", str(ROOT / "devices")]
        monkeypatch.setattr(sys, "argv", [*command, *words])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code

    return run


def test_homes_are_written_and_said_to_be_simulated(homes, tmp_path, capsys):
    out = tmp_path / "homes"
    words = ("--homes", "1", "--days", "1", "--device", "koogeek_plug")
    assert homes(*words, "--attack", "ddos/0", "--out", str(out)) == 0
    told = capsys.readouterr()
    assert "homes: 1, days: 1, flow records:" in told.out
    assert "simulated" in told.out
    assert told.err == ""
    about = json.loads((out / "homes.json").read_text(encoding="utf-8"))
    assert about["simulated"] is True
    assert about["lab"] == "lab"
    assert (out / "home=lab" / "flows.parquet").exists()
    assert (out / "truth" / "home=lab.parquet").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device", "toaster"), "no such device"),
        (("--attack", "worm"), "an attack is written"),
        (("--attack", "ddos@home_9"), "no such home"),
    ],
)
def test_what_cannot_be_simulated_is_told_in_a_sentence(
    homes, tmp_path, capsys, words, said
):
    assert homes("--days", "1", "--homes", "1", "--out", str(tmp_path / "o"), *words)
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert not (tmp_path / "o").exists()
