"""A small campaign, simulated by hand: two devices, four days, three activities."""

import shutil

import pytest

from analysis.evaluate.samples import samples_of
from analysis.models import TrainPlan, save, train, train_plan_of
from tests.analysis import made_week

DEVICES = ("camera", "plug")


def make(folder, *, sessions=4, repeats=4, name="week"):
    return made_week.make(
        folder,
        sessions,
        repeats,
        devices=DEVICES,
        told=DEVICES,
        about={"firmware": "1.10"},
        name=name,
        apart_s=40,
        channels=("phone",),
    )


@pytest.fixture(scope="session")
def make_campaign():
    return make


@pytest.fixture(scope="session")
def campaign(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models") / "week")


@pytest.fixture(scope="session")
def plan() -> TrainPlan:
    """Return the quickest plan there is."""
    return train_plan_of("nb", n_idle=8)


@pytest.fixture(scope="session")
def model(campaign, plan):
    return train(campaign, ("camera", "plug"), plan)


@pytest.fixture(scope="module")
def samples(campaign):
    return samples_of(campaign, "camera", n_idle=8)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    size_b = save(model, folder)
    assert size_b == sum(p.stat().st_size for p in folder.iterdir())
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """Return a copy that a test may spoil."""
    return shutil.copytree(saved, tmp_path / "model")
