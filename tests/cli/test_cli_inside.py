"""Commands that use instruments go on inside the virtual lab, just as they were."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from testbed.cli import inside
from testbed.cli.doctor import doctor
from testbed.cli.record import record
from testbed.model.load import load_lab, load_profiles
from testbed.runner.journal.leases import CONTROLLER
from testbed.virtual.live import lab as live

ROOT = Path(__file__).parents[2]
LAB, DEVICES = ROOT / "lab.yaml", ROOT / "devices"


@pytest.fixture
def entered(monkeypatch):
    """Return what commands were run inside; no lab comes up."""
    runs = []

    @contextmanager
    def borrowed(lab, _file, _profiles):
        def run(argv, env=None):
            runs.append((lab.lab, argv, dict(env or {})))
            return 5

        yield SimpleNamespace(run=run)

    monkeypatch.setattr(live, "borrowed", borrowed)
    monkeypatch.setattr(sys, "argv", ["testbed", "look", "--hard"])
    monkeypatch.delenv("TESTBED_IN_LAB", raising=False)
    return runs


def go_inside(**more):
    inside.go_inside(load_lab(LAB), LAB, load_profiles(DEVICES), **more)


def test_the_same_words_are_run_inside_and_their_exit_code_is_ours(entered):
    with pytest.raises(typer.Exit) as left:
        go_inside(environment=lambda: {"MORE": "1"})
    assert left.value.exit_code == 5
    ((name, argv, env),) = entered
    assert name == load_lab(LAB).lab
    assert argv == [sys.executable, "-m", "testbed", "look", "--hard"]
    assert env == {"MORE": "1", CONTROLLER: str(os.getpid())}


def touched():
    raise AssertionError


def test_who_is_inside_already_stays(entered, monkeypatch):
    monkeypatch.setenv("TESTBED_IN_LAB", "1")
    go_inside(environment=touched)
    assert entered == []


@pytest.mark.parametrize("lab", [None, {"virtual": None}])
def test_a_real_or_a_faulty_lab_is_looked_at_from_here(entered, lab):
    if lab is not None:
        lab = load_lab(LAB).model_copy(update=lab)
    inside.go_inside(lab, LAB, load_profiles(DEVICES), environment=touched)
    assert entered == []


def test_doctor_and_record_go_inside(entered):
    with pytest.raises(typer.Exit):
        doctor(lab=LAB, devices=DEVICES, scenarios=ROOT / "scenarios")
    with pytest.raises(typer.Exit):
        record("router", lab=LAB, devices=DEVICES)
    assert len(entered) == 2
