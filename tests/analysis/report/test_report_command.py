from typer.testing import CliRunner

from testbed.cli import build


def test_the_command_prints_steps_and_then_the_page(make):
    folder = make.trained(sessions=1, repeats=1)
    done = CliRunner().invoke(build(), ["report", str(folder)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "house: reading"
    assert lines[-1] == str(folder / "report" / "index.html")
    assert (folder / "report" / "index.html").is_file()


def test_the_command_takes_behaviour_seed_and_a_folder(make, tmp_path):
    folder = make.trained(sessions=1, repeats=1)
    week = make.diary("week", [("owner", 0, 8, 0)], [{"name": "owner"}])
    out = tmp_path / "elsewhere"
    command = ["report", str(folder), "--behaviour", str(week), "--seed", "3"]
    done = CliRunner().invoke(build(), [*command, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert (out / "data" / "behaviour" / "behaviour.csv").is_file()
    assert not (folder / "report").exists()
