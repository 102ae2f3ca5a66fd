"""`testbed lab up | down | shell`."""

import os
import shutil

import pytest
import typer
import yaml
from typer.testing import CliRunner

from testbed.cli import lab as topic
from testbed.errors import LabError
from testbed.virtual.live import lab as live

pytestmark = pytest.mark.live


@pytest.fixture
def command(live_lab):
    app = typer.Typer()
    app.callback()(lambda: None)
    topic.register(app)
    runner = CliRunner()

    def run(*words):
        return runner.invoke(app, ["lab", *words])

    return run


@pytest.fixture
def own_file(lab_file, tmp_path):
    """A copy of the shipped lab file under another lab's name."""
    values = yaml.safe_load(lab_file.read_text()) | {"lab": f"cli_{os.getpid()}"}
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(values))
    shutil.copytree(lab_file.parent / "devices", tmp_path / "devices")
    yield path
    lab = topic.load_lab(path)
    live.down(lab)
    shutil.rmtree(live.folder(lab.lab))


def test_up_then_shell_then_down(command, own_file):
    up = command("up", "--lab", str(own_file))
    assert "testbed lab down ends it" in up.output
    again = command("up", "--lab", str(own_file))
    assert isinstance(again.exception, LabError)
    program = "test -n $TESTBED_IN_LAB && exit 5"
    shell = command("shell", "--lab", str(own_file), "--", "sh", "-c", program)
    assert shell.exit_code == 5
    assert command("down", "--lab", str(own_file)).output.endswith(": down\n")
    assert command("down", "--lab", str(own_file)).output.endswith(": was not up\n")


def test_a_shell_without_a_lab_up_brings_one_up_for_its_duration(command, own_file):
    shell = command("shell", "--lab", str(own_file), "--", "true")
    assert shell.exit_code == 0
    lab = topic.load_lab(own_file)
    assert not list(live.folder(lab.lab).iterdir())  # asking has made the folder
    assert live.find(lab) is None


def test_a_real_lab_has_no_virtual_one(command, own_file):
    values = yaml.safe_load(own_file.read_text())
    del values["virtual"]
    own_file.write_text(yaml.safe_dump(values))
    said = command("up", "--lab", str(own_file))
    assert "describes a real lab" in str(said.exception)
    assert said.exception.exit_code == 3


def test_the_speech_service_of_the_cloud_answers_with_a_certificate_of_the_lab(
    live_lab,
):
    program = """
        import requests
        print(requests.get("https://translate.google.com/").status_code)
    """
    assert live_lab.python(program).strip() == "400"  # it takes POST alone
